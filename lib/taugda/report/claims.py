"""Which run decides each claim, the verdicts and their two counts, and where a claim leads."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from taugda.claims import VERDICTS, Verdict, verdict
from taugda.record.claims import claim_rows, read_claims
from taugda.record.tables import plain_table
from taugda.report.check import ReportError
from taugda.runs.files import read_json
from taugda.runs.parameters import read_file, resolve
from taugda.runs.project import ParameterError, Project

GROUPS = {"paper": "The paper’s claims", "project": "The project’s own checks"}


def verdicts(project: Project) -> list[Verdict]:
    """Judge every claim by the notebooks' default runs, in the order of ``claims.yaml``."""
    claims = read_claims(project)
    found = {stem: _evidence(project, stem) for stem in {claim.notebook for claim in claims}}
    return [verdict(claim, *found[claim.notebook]) for claim in claims]


def _evidence(project: Project, stem: str) -> tuple[dict[str, Any] | None, str]:
    """Find the metrics of a notebook's default run, one made here first, and a note on it."""
    places = {project.runs: "", project.published / "default": "published, not run here"}
    for home, published in places.items():
        folder = home / stem / "default"
        done, metrics = read_json(folder / "done.json"), read_json(folder / "metrics.json")
        if isinstance(done, dict) and isinstance(metrics, dict) and is_evidence(project, folder):
            by_hand = "made interactively" if done.get("mode") == "interactive" else ""
            return metrics, "; ".join(filter(None, (published, by_hand)))
    return None, ""


def is_evidence(project: Project, folder: Path) -> bool:
    """Tell whether a run has the defaults of its notebook, which may have been changed since."""
    try:
        made_with = read_file(folder / "parameters.yaml")
    except ParameterError:  # damaged, so no evidence
        return False
    return made_with == resolve(project, folder.parent.name, {})


def grouped(found: Sequence[Verdict]) -> list[tuple[str, str, list[Verdict]]]:
    """Split verdicts into the paper's and the project's own: key, title and verdicts of each."""
    parts = [(k, title, [v for v in found if v.claim.group == k]) for k, title in GROUPS.items()]
    return [part for part in parts if part[2]]


def tally(found: Sequence[Verdict]) -> list[tuple[str, int]]:
    """Count the verdicts of each kind that there is."""
    counts = [(name, sum(one.verdict == name for one in found)) for name in VERDICTS]
    return [(name, count) for name, count in counts if count]


def tally_text(found: Sequence[Verdict]) -> str:
    """Write how many verdicts there are of each kind."""
    return ", ".join(f"{count} {name}" for name, count in tally(found))


def claims_text(project: Project) -> str:
    """Write what the command ``claims`` prints: a table and a count for either kind of claim."""
    parts = []
    for _, title, mine in grouped(verdicts(project)):
        rows = [list(row.values())[1:] for row in claim_rows(mine)]  # the id stands for the words
        cells = [[one.claim.id, *row] for one, row in zip(mine, rows, strict=True)]
        names = ["claim", *(name.lower() for name in list(claim_rows(mine)[0])[1:])]
        parts += [plain_table(names, cells, title), f"{title}: {tally_text(mine)}"]
    return "\n\n".join(parts) or "No claims are listed."


def definition(project: Project, function: str, root: str) -> str:
    """Address of the file that defines a ``room.function``, from the `root`; empty without one."""
    package = project.root / "lib" / "taugda"
    if not function or not package.is_dir():
        return ""
    room, name = function.partition(".")[0], function.rpartition(".")[2]
    line = re.compile(rf"^(?:def|class) {re.escape(name)}\b", re.MULTILINE)
    for path in (package / f"{room}.py", *sorted((package / room).rglob("*.py"))):
        if path.is_file() and line.search(path.read_text(encoding="utf-8")):
            return f"{root}/{quote(path.relative_to(project.root).as_posix())}"
    raise ReportError(f"claims.yaml: function {function!r} is not defined in the library's {room}")
