"""What a batch will do: every run checked and compared with what is there, before any starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from taugda.atomic import write_atomic
from taugda.runs.files import read_json
from taugda.runs.parameters import resolve, run_name
from taugda.runs.project import Project, ProjectError
from taugda.runs.state import (
    check_data,
    differences,
    failed_folder,
    fingerprint,
    in_order,
    kind,
    reads,
)

UP_TO_DATE = "up to date"
MISSING = "missing"
STALE = "stale"
FAILED = "failed before"
KEPT = "kept"  # a training run that other code made
FORCED = "forced"


@dataclass(frozen=True)
class Item:
    """One run of a plan: what is there now, why it is stale or kept, when and how long it ran."""

    stem: str
    run: str
    parameters: dict[str, Any]
    state: str
    reason: str = ""
    duration: float | None = None
    finished: str = ""

    @property
    def label(self) -> str:
        """Notebook and run, as in the outputs folder."""
        return f"{self.stem}/{self.run}"

    @property
    def due(self) -> bool:
        """Whether the run is to be executed."""
        return self.state not in (UP_TO_DATE, KEPT)


def make_plan(
    project: Project,
    wanted: Iterable[tuple[str, Mapping[str, Any]]],
    refresh: bool = False,
    force: bool = False,
) -> list[Item]:
    """Check runs, by notebook and overrides, and find out which of them have to be executed.

    `refresh` executes stale training runs, too, which are otherwise kept, `force` all.
    """
    unique = {}
    for name, overrides in wanted:
        stem = project.find_notebook(name)
        parameters = resolve(project, stem, overrides)
        unique[stem, run_name(project, stem, parameters)] = parameters
    items = [compare(project, *key, parameters) for key, parameters in unique.items()]
    for place, item in enumerate(items):
        if force:
            items[place] = replace(item, state=FORCED, reason="")
        elif refresh and item.state == KEPT:
            items[place] = replace(item, state=STALE)
    _mark_readers(project, items)
    for item in items:
        if item.due:
            check_data(project, item.stem, item.parameters)
    return items


def compare(project: Project, stem: str, run: str, parameters: Mapping[str, Any]) -> Item:
    """Compare one run with what is in the outputs."""
    folder = project.run(stem, run)
    done = read_json(folder / "done.json")
    files = ("notebook.ipynb", "metrics.json", "provenance.json")
    state, reason, duration, finished = MISSING, "", None, ""
    if isinstance(done, dict) and all((folder / name).is_file() for name in files):
        duration, finished = done.get("duration"), f"{done.get('finished')} {done.get('duration')}"
        reasons = differences(done.get("fingerprint") or {}, fingerprint(project, stem, parameters))
        if done.get("mode") != "batch":
            reasons.append("made interactively, so there is no executed copy")
        reason = "; ".join(reasons)
        stale = KEPT if kind(project.notebook(stem)) == "training" else STALE
        state = stale if reasons else UP_TO_DATE
    if failed_folder(folder).is_dir() and state in (MISSING, STALE):
        state = FAILED
    return Item(stem, run, dict(parameters), state, reason, duration, finished)


def _mark_readers(project: Project, items: list[Item]) -> None:
    """Make stale in advance what collects runs that this very batch will make."""
    at_work = {item.stem for item in items if item.due}
    for stem in in_order(project, dict.fromkeys(item.stem for item in items)):
        sources = [source for source in reads(project, stem) if source in at_work]
        for place, item in enumerate(items):
            if sources and item.stem == stem and item.state == UP_TO_DATE:
                reason = f"runs of {', '.join(sources)} are to come"
                items[place] = replace(item, state=STALE, reason=reason)
                at_work.add(stem)


def check_writable(project: Project) -> None:
    """Make sure that results can be written."""
    probe = project.runs / ".writable"
    try:
        write_atomic(probe, "")
        probe.unlink()
    except OSError as error:
        raise ProjectError(
            f"the output folder {project.display(project.outputs)} cannot be written "
            f"({error.strerror}); free it or set TAUGDA_OUTPUTS"
        ) from error
