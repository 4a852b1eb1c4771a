"""Runs that were asked for and are not there: failed, stopped or missing, by the status files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from taugda.report.entries import Entry
from taugda.runs import status
from taugda.runs.project import Project

FAILED, STOPPED, MISSING, RUNNING, WAITING = "failed", "stopped", "missing", "running", "waiting"
STATES = (FAILED, STOPPED, MISSING, RUNNING, WAITING)
_GOOD = (status.DONE, status.SKIPPED)
_LENGTH = 240  # characters of a reason that the page shows; the log has all of it


@dataclass(frozen=True)
class Unfinished:
    """A run that was asked for and whose last attempt did not succeed.

    Parameters
    ----------
    stem : str
        The notebook's full name.
    run : str
        The run's name.
    state : str
        ``failed``; ``stopped`` in the middle; ``missing``, which is never begun or gone since;
        ``running`` or ``waiting`` in a batch that is at work.
    words : str
        What happened.
    reason : str
        The error's own words; may be empty.
    log : str
        Its log as seen from the outputs folder; empty where there is none.
    """

    stem: str
    run: str
    state: str
    words: str
    reason: str = ""
    log: str = ""


@dataclass(frozen=True)
class _Word:
    """What one batch says of one run."""

    when: str
    batch: str
    batch_state: str
    state: str
    attempts: int
    note: str


def find_unfinished(
    project: Project, batches: Iterable[dict[str, Any]], entries: Sequence[Entry]
) -> list[Unfinished]:
    """Find the runs that were asked for and are not there, or not as they should be.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.
    batches : iterable of dict
        What `taugda.runs.status.read_status` returns.
    entries : sequence of Entry
        The finished runs.  One that failed after it had succeeded is found nevertheless, for
        its former results stay.

    Returns
    -------
    list of Unfinished
        In reading order, each notebook's default first.  Of several batches the one that was
        last at a run counts; a run that has succeeded since is left out.
    """
    there = {(entry.stem, entry.run): entry for entry in entries}
    words = _last_words(batches)
    found = []
    for stem in project.stems():
        names = {run for known, run in words if known == stem} | _left_logs(project, stem)
        for run in sorted(names, key=lambda name: (name != "default", name)):
            one = _judge(project, stem, run, words.get((stem, run)), there.get((stem, run)))
            found += [one] if one else []
    return found


def _last_words(batches: Iterable[dict[str, Any]]) -> dict[tuple[str, str], _Word]:
    found: dict[tuple[str, str], _Word] = {}
    for batch in batches:
        for run in batch["runs"]:
            # A run that was found up to date was that when the batch began.
            moment = "started" if run.get("state") == status.SKIPPED else "updated"
            word = _Word(
                str(run.get("ended") or batch.get(moment)), str(batch.get("name")),
                str(batch.get("state")), str(run.get("state")), int(run.get("attempts") or 0),
                str(run.get("note") or ""),
            )  # fmt: skip
            key = str(run.get("notebook")), str(run.get("run"))
            if key not in found or word.when > found[key].when:
                found[key] = word
    return found


def _left_logs(project: Project, stem: str) -> set[str]:
    """Names of the runs that left a log when they failed, with or without a status file."""
    logs = (project.runs / stem).glob("*.failed/log.txt")
    names = {log.parent.name.removesuffix(".failed") for log in logs}
    return {name for name in names if not name.startswith(".")}


def _judge(
    project: Project, stem: str, run: str, word: _Word | None, entry: Entry | None
) -> Unfinished | None:
    path = project.run(stem, f"{run}.failed") / "log.txt"
    log = path.relative_to(project.outputs).as_posix() if path.is_file() else ""
    if word is None:
        return Unfinished(stem, run, FAILED, "at its last attempt", log=log)
    if entry and not entry.collection and str(entry.done.get("finished", "")) > word.when:
        return None
    reason = _readable(project, word.note)
    name = f"the batch {word.batch}"
    at_work = word.batch_state == "running"
    ended = "was lost" if word.batch_state == "lost" else f"was {word.batch_state}"
    if word.state in _GOOD:
        if entry:
            return None
        return Unfinished(stem, run, MISSING, "though it was finished once")
    if word.state == status.FAILED:
        former = "; the results are those of an earlier attempt" if entry else ""
        return Unfinished(stem, run, FAILED, f"in {name}{former}", reason, log)
    if word.state == status.RUNNING and at_work:
        return Unfinished(stem, run, RUNNING, f"in {name}")
    if word.state == status.RUNNING or (word.attempts and not at_work):
        return Unfinished(stem, run, STOPPED, f"in the middle, when {name} {ended}", reason, log)
    if at_work:
        return Unfinished(stem, run, WAITING, f"in {name}", reason, log)
    return Unfinished(stem, run, MISSING, f"not begun when {name} {ended}", reason, log)


def _readable(project: Project, note: str) -> str:
    """Shorten an error; the pages may be mailed, and nobody needs this machine's paths."""
    for folder in (project.root, project.outputs):
        note = note.replace(f"{folder}/", "")
    return note if len(note) <= _LENGTH else f"{note[: _LENGTH - 1].rstrip()}…"
