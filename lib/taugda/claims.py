"""A claim of ``claims.yaml``, and what measured numbers say about it; no file is read here."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

REPRODUCED = "reproduced"
NOT_REPRODUCED = "not reproduced"
UNDECIDED = "undecided"
NOT_RUN = "not run"
VERDICTS = (REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_RUN)
GROUPS = ("paper", "project")  # the paper's statements, and checks of our own


class ClaimError(ValueError):
    """An entry of ``claims.yaml`` that cannot be used."""


def _number(value: Any) -> Fraction | float | None:
    """Read a number, a fraction or a written infinity; None for anything else."""
    if isinstance(value, float):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    try:
        return Fraction(value)
    except (ValueError, ZeroDivisionError):
        text = value.strip().lower()
        return float(text) if text in ("inf", "-inf", "nan") else None


def _check_tolerance(value: Any) -> float:
    number = _number(value)  # YAML reads 1e-9 as a text
    if number is None or not 0 <= number < math.inf:
        raise ValueError
    return float(number)


_Text = Annotated[str, Field(min_length=1)]
_Value = bool | int | float | str
_EXPECTED = {
    "paper": "a number, a fraction, a bool, a text or a list of these",
    "tolerance": ">= 0",
    "relative": "true or false",
    "group": " or ".join(map(repr, GROUPS)),
    "sweep": "the name of a file of the project",
}


class Claim(BaseModel, extra="forbid", frozen=True, strict=True, str_strip_whitespace=True):
    """One checkable statement, the paper's or (`group`) one of the project's own."""

    id: _Text  # unique
    statement: _Text  # in words; may hold TeX between dollar signs
    where: _Text  # the theorem, experiment or section it belongs to
    paper: _Value | Annotated[list[_Value], Field(min_length=1)]  # what the metric should be
    notebook: _Text
    metric: _Text  # name that the notebook gives the measured value
    tolerance: Annotated[float, BeforeValidator(_check_tolerance)] = 0.0
    relative: bool = False  # whether the tolerance is a fraction of the paper's value
    sweep: str = ""  # the runs the notebook looks at
    group: Literal["paper", "project"] = "paper"
    function: str = ""  # such as stability.tau_star


@dataclass(frozen=True)
class Verdict:
    """What a run says about one claim; `note` is what a reader should know beside it."""

    claim: Claim
    verdict: str
    measured: Any = None
    uncertainty: Any = None
    note: str = ""


def parse_claims(content: Any, source: str) -> list[Claim]:
    """Read the content of a file of claims; `source` is what a ClaimError calls the file."""
    if content is None:
        return []
    if not isinstance(content, list):
        raise ClaimError(f"{source}: expected a list of claims, found {type(content).__name__}")
    claims: dict[str, Claim] = {}
    for number, entry in enumerate(content, start=1):
        if not isinstance(entry, dict):
            raise ClaimError(f"{source}: entry {number} must be a mapping, found {entry!r}")
        label = f"{source}: claim {entry.get('id', f'number {number}')!r}"
        try:
            claim = Claim(**{str(key): value for key, value in entry.items()})
        except ValidationError as error:
            raise ClaimError(label + _fault(error)) from None
        if claim.id in claims:
            raise ClaimError(f"{source}: claim {claim.id!r} appears twice")
        claims[claim.id] = claim
    return list(claims.values())


def _fault(error: ValidationError) -> str:
    """Say what is wrong with an entry; a key that is unknown before the one that it misspells."""
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    kind, key, found = faults[0]["type"], faults[0]["loc"][0], faults[0]["input"]
    if kind == "extra_forbidden":
        return f" has unknown key {key!r} (keys: {', '.join(Claim.model_fields)})"
    if kind == "missing":
        return f" lacks {key!r}"
    return f": {key!r} must be {_EXPECTED.get(str(key), 'a text')}, found {found!r}"


def verdict(claim: Claim, metrics: Mapping[str, Any] | None, note: str = "") -> Verdict:
    """Judge a claim by the content of one run's ``metrics.json``, None where there is no run.

    Undecided where the metric was recorded as None or the interval given by its uncertainty
    reaches over the edge of the tolerance; not run where it was recorded as ``not run``, by a
    notebook that looks at runs which are not there; not reproduced where it is missing.
    """
    entry = {"value": NOT_RUN} if metrics is None else metrics.get(claim.metric) or {}
    measured, uncertainty = entry.get("value"), entry.get("uncertainty")
    if measured == NOT_RUN:
        parts = "python -m taugda run", claim.sweep, re.sub(r"^\d+_", "", claim.notebook)
        return Verdict(claim, NOT_RUN, note=f"run it with: {' '.join(filter(None, parts))}")
    outcome, reason = _judge(claim, measured, uncertainty)
    if not entry:
        outcome, reason = NOT_REPRODUCED, f"metric {claim.metric} not recorded"
    notes = "; ".join(filter(None, (reason, note)))
    return Verdict(claim, outcome, measured, uncertainty, notes)


def _judge(claim: Claim, measured: Any, uncertainty: Any) -> tuple[str, str]:
    """Verdict and reason for a value or a list of values."""
    if measured is None or not isinstance(claim.paper, list):
        return _judge_one(claim, claim.paper, measured, uncertainty)
    if not isinstance(measured, list) or len(measured) != len(claim.paper):
        size = len(measured) if isinstance(measured, list) else 1
        return NOT_REPRODUCED, f"expected {len(claim.paper)} values, measured {size}"
    spread = uncertainty if isinstance(uncertainty, list) else [uncertainty] * len(measured)
    if len(spread) != len(measured):
        return UNDECIDED, "the uncertainties are not as many as the values"
    judged = (_judge_one(claim, *one) for one in zip(claim.paper, measured, spread, strict=True))
    worst = (NOT_REPRODUCED, UNDECIDED, REPRODUCED)
    return min(judged, key=lambda pair: worst.index(pair[0]))


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
