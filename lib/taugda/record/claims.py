"""The project's claims as a notebook sees them: read, sorted by run, set out as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from taugda.claims import NOT_REPRODUCED, REPRODUCED, Claim, ClaimError, Verdict, parse_claims
from taugda.record.values import show_value
from taugda.runs.files import read_yaml
from taugda.runs.parameters import canonical, resolve
from taugda.runs.project import ParameterError, Project, ProjectError


def read_claims(project: Project) -> list[Claim]:
    """Read ``claims.yaml``, with notebooks by their full names; ClaimError names a bad entry."""
    try:
        content = read_yaml(project.claims)
    except ParameterError as error:
        raise ClaimError(str(error)) from error
    return [_placed(project, claim) for claim in parse_claims(content, project.claims.name)]


def _placed(project: Project, claim: Claim) -> Claim:
    """Check what a claim names in the project."""
    label = f"{project.claims.name}: claim {claim.id!r}"
    if claim.sweep and not (project.root / claim.sweep).is_file():
        raise ClaimError(f"{label}: 'sweep' must name a file of the project, found {claim.sweep!r}")
    try:
        stem = project.find_notebook(claim.notebook)
    except ProjectError as error:
        raise ClaimError(f"{label}: {error}") from error
    return claim.model_copy(update={"notebook": stem})


def counting_parameters(project: Project, stem: str) -> list[dict[str, Any]]:
    """Parameters of the runs that count, those of ``paper*.yaml`` before the defaults."""
    files = sorted((project.parameters / stem).glob("paper*.yaml"))
    return [resolve(project, stem, overrides) for overrides in [*files, {}]]


def counts(project: Project, stem: str, parameters: Mapping[str, Any]) -> bool:
    """Tell whether a run with all these parameters is evidence for the claims."""
    return canonical(dict(parameters)) in map(canonical, counting_parameters(project, stem))


def undeciding(found: Verdict) -> Verdict:
    """Say in other words what a run with other parameters than the claim's has measured."""
    words = {REPRODUCED: "agrees", NOT_REPRODUCED: "differs"}
    notes = [found.note] if found.note else []
    note = "; ".join([*notes, "other parameters than the claim's: decides nothing"])
    return replace(found, verdict=words.get(found.verdict, found.verdict), note=note)


def claim_rows(verdicts: Sequence[Verdict]) -> list[dict[str, str]]:
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
