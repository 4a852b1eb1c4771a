"""The paper's claims and what the runs say about them.

``claims.yaml`` lists the claims; this module alone turns them into verdicts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from taugda.runs.errors import ParameterError, ProjectError
from taugda.runs.files import read_json, read_yaml
from taugda.runs.fingerprint import differences
from taugda.runs.inputs import run_fingerprint
from taugda.runs.parameters import canonical, read_file, resolve
from taugda.runs.parameters import run_name as name_of_run
from taugda.runs.project import Project, bare_name

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
UNDECIDED = "undecided"
NOT_RUN = "not run"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_RUN)

_REQUIRED = ("id", "statement", "where", "paper", "notebook", "metric")
_OPTIONAL = ("tolerance", "relative", "sweep")


class ClaimError(ValueError):
    """An entry of ``claims.yaml`` that cannot be used."""


@dataclass(frozen=True)
class Claim:
    """One checkable statement of the paper.

    Parameters
    ----------
    id : str
        Unique short name.
    statement : str
        The statement in words; may hold TeX between dollar signs.
    where : str
        Place in the paper.
    paper : Any
        The paper's value: number, fraction such as ``17/23``, bool, text, or a list of these.
    notebook : str
        Full name of the notebook that measures it.
    metric : str
        Name that the notebook gives the measured value.
    tolerance : float
        Largest deviation that counts as reproduced.
    relative : bool
        Whether the tolerance is a fraction of the paper's value.
    sweep : str
        Sweep file of the runs that the notebook looks at; empty where it needs none.
    """

    id: str
    statement: str
    where: str
    paper: Any
    notebook: str
    metric: str
    tolerance: float = 0.0
    relative: bool = False
    sweep: str = ""

    @property
    def command(self) -> str:
        """The command that makes the runs that decide this claim."""
        runs = [self.sweep] if self.sweep else []
        return " ".join(["python -m taugda run", *runs, bare_name(self.notebook)])


@dataclass(frozen=True)
class Verdict:
    """What the runs say about one claim.

    Parameters
    ----------
    claim : Claim
        The claim.
    verdict : str
        One of `VERDICTS`.
    measured : Any
        The measured value, None where there is none.
    uncertainty : Any
        Half-width of the interval that the value lies in; None where it was not stated.
    run : str or None
        Name of the run that counts.
    note : str
        What a reader should know beside the verdict; may be empty.
    """

    claim: Claim
    verdict: str
    measured: Any = None
    uncertainty: Any = None
    run: str | None = None
    note: str = ""


def read_claims(project: Project) -> list[Claim]:
    """Read ``claims.yaml``.

    Parameters
    ----------
    project : Project
        Where the file and the notebooks are.

    Returns
    -------
    list of Claim
        In the order of the file.

    Raises
    ------
    ClaimError
        If an entry lacks a key, has an unknown one or a value of the wrong kind, repeats an id,
        or names an unknown notebook.
    """
    try:
        content = read_yaml(project.claims)
    except ParameterError as error:
        raise ClaimError(str(error)) from error
    if content is None:
        return []
    if not isinstance(content, list):
        raise ClaimError(f"claims.yaml: expected a list of claims, found {type(content).__name__}")
    claims: list[Claim] = []
    for number, entry in enumerate(content, start=1):
        claim = _parse(project, number, entry)
        if any(claim.id == other.id for other in claims):
            raise ClaimError(f"claims.yaml: claim {claim.id!r} appears twice")
        claims.append(claim)
    return claims


def _parse(project: Project, number: int, entry: Any) -> Claim:
    if not isinstance(entry, dict):
        raise ClaimError(f"claims.yaml: entry {number} must be a mapping, found {entry!r}")
    label = f"claims.yaml: claim {entry.get('id', f'number {number}')!r}"
    for key in entry:
        if key not in (*_REQUIRED, *_OPTIONAL):
            known = ", ".join((*_REQUIRED, *_OPTIONAL))
            raise ClaimError(f"{label} has unknown key {key!r} (keys: {known})")
    for key in _REQUIRED:
        if key not in entry:
            raise ClaimError(f"{label} lacks {key!r}")
        if key != "paper" and not (isinstance(entry[key], str) and entry[key].strip()):
            raise ClaimError(f"{label}: {key!r} must be a text, found {entry[key]!r}")
    values = entry["paper"] if isinstance(entry["paper"], list) else [entry["paper"]]
    if not values or not all(isinstance(value, (bool, int, float, str)) for value in values):
        raise ClaimError(
            f"{label}: 'paper' must be a number, a fraction, a bool, a text or a list of these, "
            f"found {entry['paper']!r}"
        )
    tolerance = _number(entry.get("tolerance", 0))
    if tolerance is None or not 0 <= tolerance < math.inf:
        raise ClaimError(f"{label}: 'tolerance' must be >= 0, found {entry.get('tolerance')!r}")
    if not isinstance(entry.get("relative", False), bool):
        raise ClaimError(f"{label}: 'relative' must be true or false, found {entry['relative']!r}")
    sweep = entry.get("sweep", "")
    if not isinstance(sweep, str) or (sweep and not (project.root / sweep).is_file()):
        raise ClaimError(f"{label}: 'sweep' must name a file of the project, found {sweep!r}")
    try:
        notebook = project.find_notebook(entry["notebook"])
    except ProjectError as error:
        raise ClaimError(f"{label}: {error}") from error
    texts = {key: entry[key].strip() for key in ("id", "statement", "where", "metric")}
    return Claim(
        **texts,
        paper=entry["paper"],
        notebook=notebook,
        tolerance=float(tolerance),
        relative=entry.get("relative", False),
        sweep=sweep,
    )


def verdict(
    claim: Claim, metrics: Mapping[str, Any] | None, run: str | None = None, note: str = ""
) -> Verdict:
    """Judge one claim by the metrics of one run.

    Parameters
    ----------
    claim : Claim
        The claim.
    metrics : mapping or None
        Content of the run's ``metrics.json``; None where there is no run.
    run : str, optional
        Name of that run.
    note : str
        What a reader should know about the run.

    Returns
    -------
    Verdict
        Undecided where the metric was recorded as None or the interval given by its uncertainty
        reaches over the edge of the tolerance; not run where it was recorded as ``not run``, by a
        notebook that looks at runs which are not there; not reproduced where it is missing.
    """
    if metrics is None:
        return Verdict(claim, NOT_RUN, note=f"run it with: {claim.command}")
    if claim.metric not in metrics:
        note = _join(f"metric {claim.metric} not recorded", note)
        return Verdict(claim, NOT_REPRODUCED, run=run, note=note)
    entry = metrics[claim.metric]
    measured, uncertainty = entry.get("value"), entry.get("uncertainty")
    if measured == NOT_RUN:
        return Verdict(claim, NOT_RUN, run=run, note=f"run it with: {claim.command}")
    outcome, reason = _judge(claim, measured, uncertainty)
    return Verdict(claim, outcome, measured, uncertainty, run, _join(reason, note))


def _join(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _judge(claim: Claim, measured: Any, uncertainty: Any) -> tuple[str, str]:
    if measured is None:
        return UNDECIDED, "the run could not decide it"
    if not isinstance(claim.paper, list):
        return _judge_one(claim, claim.paper, measured, uncertainty)
    if not isinstance(measured, list) or len(measured) != len(claim.paper):
        size = len(measured) if isinstance(measured, list) else 1
        return NOT_REPRODUCED, f"expected {len(claim.paper)} values, measured {size}"
    spread = uncertainty if isinstance(uncertainty, list) else [uncertainty] * len(measured)
    if len(spread) != len(measured):
        return UNDECIDED, "the uncertainties are not as many as the values"
    outcomes = [
        _judge_one(claim, *entry) for entry in zip(claim.paper, measured, spread, strict=True)
    ]
    for outcome in (NOT_REPRODUCED, UNDECIDED):
        for found, reason in outcomes:
            if found == outcome:
                return found, reason
    return REPRODUCED, ""


def _judge_one(claim: Claim, paper: Any, measured: Any, uncertainty: Any) -> tuple[str, str]:
    if measured is None:
        return UNDECIDED, "the run could not decide it"
    expected, found = _number(paper), _number(measured)
    if expected is None or found is None:
        same = type(paper) is type(measured) and paper == measured
        return (REPRODUCED if same else NOT_REPRODUCED), ""
    if found != found:
        return NOT_REPRODUCED, "measured not-a-number"
    spread = _number(uncertainty if uncertainty is not None else 0)
    if spread is None or not spread >= 0:
        return UNDECIDED, f"its uncertainty {uncertainty!r} is not a size"
    if math.inf in (abs(expected), abs(found)):
        return (REPRODUCED if expected == found else NOT_REPRODUCED), ""
    allowed = claim.tolerance * (abs(expected) if claim.relative else 1)
    deviation = abs(found - expected)
    if deviation + spread <= allowed:
        return REPRODUCED, ""
    if deviation - spread > allowed:
        return NOT_REPRODUCED, ""
    return UNDECIDED, "its uncertainty reaches over the tolerance"


def _number(value: Any) -> Fraction | float | None:
    """Read a number, a fraction or a written infinity; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return value
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, str):
        try:
            return Fraction(value)
        except (ValueError, ZeroDivisionError):
            text = value.strip().lower()
            return float(text) if text in ("inf", "-inf", "nan") else None
    return None


def verdicts(project: Project) -> list[Verdict]:
    """Judge every claim by the finished runs.

    Parameters
    ----------
    project : Project
        Where claims and runs are.

    Returns
    -------
    list of Verdict
        One a claim, in the order of ``claims.yaml``.  Only runs with the notebook's default
        parameters, or with those of a file ``parameters/<notebook>/paper*.yaml``, count.
    """
    claims = read_claims(project)
    found = {stem: counting_run(project, stem) for stem in {claim.notebook for claim in claims}}
    return [verdict(claim, *found[claim.notebook]) for claim in claims]


def counting_run(project: Project, stem: str) -> tuple[dict[str, Any] | None, str | None, str]:
    """Find the run of a notebook that its claims are judged by.

    A run made here counts before a published one.

    Parameters
    ----------
    project : Project
        Where the runs are.
    stem : str
        The notebook's full name.

    Returns
    -------
    metrics : dict or None
        Its metrics; None where there is no such run, made here or published.
    run : str or None
        Its name.
    note : str
        What a reader should know about it.
    """
    for published in (False, True):
        for parameters in counting_parameters(project, stem):
            run = name_of_run(project, stem, parameters)
            home = project.published / "default" / stem if published else project.runs / stem
            done = read_json(home / run / "done.json")
            metrics = read_json(home / run / "metrics.json")
            if done is None or metrics is None:
                continue
            now = run_fingerprint(project, stem, parameters)
            made = done.get("fingerprint", {})
            if published:  # what it read is not all published, so it cannot be compared
                made = {**made, "data": now.get("data")}
            stale = differences(made, now)
            if "parameters changed" in stale:
                continue
            notes = [
                "published, not run here" if published else "",
                "made by older code" if stale else "",
                "made interactively" if done.get("mode") == "interactive" else "",
            ]
            return metrics, run, _join(*notes)
    return None, None, ""


def counting_parameters(project: Project, stem: str) -> list[dict[str, Any]]:
    """Parameters of the runs that count, the paper's own before the defaults.

    Parameters
    ----------
    project : Project
        Where the notebook and its parameter files are.
    stem : str
        The notebook's full name.

    Returns
    -------
    list of dict
        All parameters of each such run.
    """
    files = sorted((project.parameters / stem).glob("paper*.yaml"))
    return [resolve(project, stem, overrides) for overrides in [*map(read_file, files), {}]]


def counts(project: Project, stem: str, parameters: Mapping[str, Any]) -> bool:
    """Tell whether a run with these parameters is evidence for the claims.

    Parameters
    ----------
    project : Project
        Where the notebook and its parameter files are.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters of the run.

    Returns
    -------
    bool
        True for the defaults and for the paper's parameters.
    """
    this = canonical(dict(parameters))
    return any(this == canonical(other) for other in counting_parameters(project, stem))
