"""The project's claims as a notebook sees them: read, sorted by run, set out as a table."""

from collections.abc import Iterable
from dataclasses import replace

from taugda.claims import NOT_REPRODUCED, REPRODUCED, Claim, ClaimError, Verdict, parse_claims
from taugda.record.values import show_value
from taugda.runs.files import read_yaml
from taugda.runs.project import ParameterError, Project, ProjectError


def read_claims(project: Project) -> list[Claim]:
    """Read ``claims.yaml``, with notebooks by their full names; ClaimError names a bad entry."""
    name, claims = project.claims.name, list[Claim]()
    try:
        for claim in parse_claims(read_yaml(project.claims), name):
            label = f"{name}: claim {claim.id!r}"
            if claim.sweep and not (project.root / claim.sweep).is_file():
                expected = "'sweep' must name a file of the project"
                raise ClaimError(f"{label}: {expected}, found {claim.sweep!r}")
            stem = project.find_notebook(claim.notebook)
            claims.append(claim.model_copy(update={"notebook": stem}))
    except ProjectError as error:
        raise ClaimError(f"{label}: {error}") from error
    except ParameterError as error:
        raise ClaimError(str(error)) from error
    return claims


def undeciding(found: Verdict) -> Verdict:
    """Say in other words what a run with other parameters than the claim's has measured."""
    words = {REPRODUCED: "agrees", NOT_REPRODUCED: "differs"}
    why = "other parameters than the claim's: decides nothing"
    note = f"{found.note}; {why}" if found.note else why
    return replace(found, verdict=words.get(found.verdict, found.verdict), note=note)


def claim_rows(verdicts: Iterable[Verdict]) -> list[dict[str, str]]:
    """Rows of the table that sets what is claimed beside what was measured, for one group."""
    return [
        {
            "Claim": entry.claim.statement,
            "Where": entry.claim.where,
            "Paper" if entry.claim.group == "paper" else "Expected": show_value(entry.claim.paper),
            "Measured": show_value(entry.measured, entry.uncertainty),
            "Verdict": f"{entry.verdict} ({entry.note})" if entry.note else entry.verdict,
        }
        for entry in verdicts
    ]
