"""What a batch will do: every run checked and compared with what is there, before any starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from taugda.runs.errors import ProjectError
from taugda.runs.execute import failed_folder
from taugda.runs.files import read_json, recover, write_atomic
from taugda.runs.fingerprint import differences, kind
from taugda.runs.inputs import check_data, in_order, reads, run_fingerprint
from taugda.runs.parameters import resolve, run_name
from taugda.runs.project import Project

UP_TO_DATE = "up to date"
MISSING = "missing"
STALE = "stale"
FAILED = "failed before"
KEPT = "kept"
FORCED = "forced"


@dataclass(frozen=True)
class Item:
    """One run of a plan.

    Parameters
    ----------
    stem : str
        The notebook's full name.
    run : str
        The run's name.
    parameters : dict
        All parameters.
    state : str
        What is there now: one of the constants of this module.
    reason : str
        Why it is stale or kept; may be empty.
    duration : float or None
        Seconds that it took when it last ran.
    finished : str
        When it last ended in success; empty where it never did.
    """

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
    """Check runs and find out which of them have to be executed.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.
    wanted : iterable of (str, mapping)
        Notebook name and the parameters that differ from its defaults.
    refresh : bool
        Execute stale training runs too, which are otherwise kept.
    force : bool
        Execute all, also what is up to date.

    Returns
    -------
    list of Item
        One a run; equal runs are named once.

    Raises
    ------
    ParameterError
        If a parameter is unknown or of the wrong type, or names data that are missing.
    ProjectError
        If a notebook is unknown.
    """
    checked = []
    for name, overrides in wanted:
        stem = project.find_notebook(name)
        parameters = resolve(project, stem, overrides)
        checked.append((stem, run_name(project, stem, parameters), parameters))
    unique = {(stem, run): parameters for stem, run, parameters in checked}
    items = [
        _compare(project, stem, run, parameters, refresh, force)
        for (stem, run), parameters in unique.items()
    ]
    _mark_readers(project, items)
    for item in items:
        if item.due:
            check_data(project, item.stem, item.parameters)
    return items


def _mark_readers(project: Project, items: list[Item]) -> None:
    """Make stale in advance what collects runs that this very batch will make."""
    at_work = {item.stem for item in items if item.due}
    for stem in in_order(project, [item.stem for item in items]):
        sources = [source for source in reads(project, stem) if source in at_work]
        for place, item in enumerate(items):
            if sources and item.stem == stem and item.state == UP_TO_DATE:
                reason = f"runs of {', '.join(sources)} are to come"
                items[place] = replace(item, state=STALE, reason=reason)
                at_work.add(stem)


def status(project: Project, stem: str, run: str, parameters: Mapping[str, Any]) -> Item:
    """Compare one run with what is in the outputs.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.
    stem : str
        The notebook's full name.
    run : str
        The run's name.
    parameters : mapping
        All its parameters.

    Returns
    -------
    Item
        What is there, and why it has to be run again if it has.
    """
    return _compare(project, stem, run, parameters, refresh=False, force=False)


def _compare(
    project: Project,
    stem: str,
    run: str,
    parameters: Mapping[str, Any],
    refresh: bool,
    force: bool,
) -> Item:
    folder = project.run(stem, run)
    recover(folder)
    done = read_json(folder / "done.json")
    whole = isinstance(done, dict) and all(
        (folder / name).is_file() for name in ("notebook.ipynb", "metrics.json", "provenance.json")
    )
    state, reason, duration = MISSING, "", None
    if whole:
        duration = done.get("duration")
        now = run_fingerprint(project, stem, parameters)
        reasons = differences(done.get("fingerprint") or {}, now)
        if done.get("mode") != "batch":
            reasons.append("made interactively, so there is no executed copy")
        reason = "; ".join(reasons)
        training = kind(project.notebook(stem)) == "training"
        state = (KEPT if training and not refresh else STALE) if reasons else UP_TO_DATE
    if failed_folder(folder).is_dir() and state in (MISSING, STALE):
        state = FAILED
    if force:
        state, reason = FORCED, ""
    ended = finished(project, stem, run) if whole else ""
    return Item(stem, run, dict(parameters), state, reason, duration, ended)


def finished(project: Project, stem: str, run: str) -> str:
    """Tell when a run last ended in success.

    Parameters
    ----------
    project : Project
        Where the outputs are.
    stem : str
        The notebook's full name.
    run : str
        The run's name.

    Returns
    -------
    str
        Date, time and duration; empty where there is no such run.
    """
    done = read_json(project.run(stem, run) / "done.json")
    return f"{done.get('finished')} {done.get('duration')}" if isinstance(done, dict) else ""


def check_writable(project: Project) -> None:
    """Make sure that results can be written.

    Parameters
    ----------
    project : Project
        Where the outputs go.

    Raises
    ------
    ProjectError
        If the outputs folder cannot be made or written.
    """
    probe = project.runs / ".writable"
    try:
        write_atomic(probe, "")
        probe.unlink()
    except OSError as error:
        raise ProjectError(
            f"the output folder {project.display(project.outputs)} cannot be written "
            f"({error.strerror}); free it or set TAUGDA_OUTPUTS"
        ) from error
