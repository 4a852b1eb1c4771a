"""What a batch will do: every run checked and compared with what is there, before any starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from taugda.atomic import write_atomic
from taugda.runs import state
from taugda.runs.files import read_json
from taugda.runs.parameters import canonical, resolve, run_name
from taugda.runs.project import Project, ProjectError

MISSING, STALE, FAILED, FORCED = "missing", "stale", "failed before", "forced"
UP_TO_DATE, KEPT = "up to date", "kept"  # kept: a training run that other code made


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
    if force:
        items = [replace(item, state=FORCED, reason="") for item in items]
    if refresh:
        items = [replace(i, state=STALE) if i.state == KEPT else i for i in items]
    # What collects runs that this very batch will make is stale in advance.
    at_work = {item.stem for item in items if item.due}
    for stem in state.in_order(project, {item.stem for item in items}):
        sources = [source for source in state.reads(project, stem) if source in at_work]
        for place, item in enumerate(items):
            if sources and item.stem == stem and item.state == UP_TO_DATE:
                reason = f"runs of {', '.join(sources)} are to come"
                items[place] = replace(item, state=STALE, reason=reason)
                at_work.add(stem)
    for item in items:
        if item.due:
            state.check_data(project, item.stem, item.parameters)
    return items


def together(project: Project, items: Iterable[Item]) -> list[list[Item]]:
    """Group the runs that share a kernel, in order.

    A training notebook that can train several runs side by side says so in its metadata:
    ``"together": {"differ": [...], "at_most": "..."}`` names the parameters that these may differ
    in, and the one that says how many they may be.
    """
    groups: dict[str, list[list[Item]]] = {}
    for item in items:
        rule = state.marked(project.notebook(item.stem)).get("together")
        if not rule:
            groups[item.label] = [[item]]
            continue
        shared = {k: v for k, v in item.parameters.items() if k not in rule["differ"]}
        found = groups.setdefault(f"{item.stem} {canonical(shared)}", [[]])
        if len(found[-1]) == max(1, item.parameters[rule["at_most"]]):
            found.append([])
        found[-1].append(item)
    return [group for found in groups.values() for group in found]


def compare(project: Project, stem: str, run: str, parameters: Mapping[str, Any]) -> Item:
    """Compare one run with what is in the outputs."""
    folder = project.run(stem, run)
    done = read_json(folder / "done.json")
    files = ("notebook.ipynb", "metrics.json", "provenance.json")
    found = Item(stem, run, dict(parameters), MISSING)
    if isinstance(done, dict) and all((folder / name).is_file() for name in files):
        now = state.fingerprint(project, stem, parameters)
        reasons = state.differences(done.get("fingerprint") or {}, now)
        if done.get("mode") != "batch":
            reasons.append("made interactively, so there is no executed copy")
        stale = KEPT if state.kind(project.notebook(stem)) == "training" else STALE
        duration, reason = done.get("duration"), "; ".join(reasons)
        ended = f"{done.get('finished')} {duration}"
        standing = stale if reasons else UP_TO_DATE
        found = Item(stem, run, dict(parameters), standing, reason, duration, ended)
    if state.failed_folder(folder).is_dir() and found.state in (MISSING, STALE):
        found = replace(found, state=FAILED)
    return found


def check_writable(project: Project, folder: Path | None = None) -> None:
    """Make sure that results, or files of a folder, can be written."""
    probe = (folder or project.runs) / ".writable"
    try:
        write_atomic(probe, "")
        probe.unlink()
    except OSError as error:
        place = project.display(folder or project.outputs)
        advice = "free it" if folder else "free it or set TAUGDA_OUTPUTS"
        raise ProjectError(
            f"the output folder {place} cannot be written ({error.strerror}); {advice}"
        ) from error
