"""The state of a batch as a file that programs read, renewed while the batch is at work."""

import os
import re
import socket
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from taugda.runs.estimate import Cost, makespan, scale, work
from taugda.runs.execute import Outcome
from taugda.runs.files import read_json, write_json
from taugda.runs.lock import alive_here
from taugda.runs.plan import Item
from taugda.runs.project import Project

WAITING, RUNNING, DONE, FAILED, SKIPPED = "waiting", "running", "done", "failed", "up to date"
_STATES = (WAITING, RUNNING, DONE, FAILED, SKIPPED)
_RENEW = 5.0  # seconds after which the file is written anew, though nothing has happened
_LOST = 120.0  # seconds without a renewal, after which a batch on another machine is over


@dataclass
class _State:
    item: Item
    state: str
    attempts: int = 0
    since: float | None = None
    seconds: float | None = None
    note: str = ""
    ended: str | None = None


class Status:
    """How a batch stands, in memory and in ``outputs/status/<name>.json``.

    Parameters
    ----------
    project : Project
        Where the outputs are.
    name : str
        Name of the batch; a batch of the same name at work gets another file.
    items : sequence of Item
        The plan.
    costs : dict of str to Cost
        What each run is expected to take, by label.
    slots : int
        How many run at once.
    """

    def __init__(
        self,
        project: Project,
        name: str,
        items: Sequence[Item],
        costs: dict[str, Cost],
        slots: int,
    ) -> None:
        self.name = name
        self.slots = slots
        self._project = project
        self._path = _free_path(project.statuses, name)
        self._runs = {item.label: _State(item, WAITING if item.due else SKIPPED) for item in items}
        self._costs = costs
        # Compared every second, for every pair of runs.
        self._works = {item.label: work(item.parameters) for item in items}
        self._begin = time.monotonic()
        self._started = _now()
        self._written = 0.0
        self._broken = False
        self.write("running")

    def attempt(self, label: str) -> None:
        """Note that an attempt begins."""
        run = self._runs[label]
        run.attempts += 1
        run.note = ""

    def working(self, labels: Iterable[str]) -> None:
        """Note which runs are in progress now."""
        now, at_work, changed = time.monotonic(), set(labels), False
        for label, run in self._runs.items():
            if label in at_work and run.state == WAITING:
                run.state, run.since, changed = RUNNING, now, True
            elif label not in at_work and run.state == RUNNING:
                run.state, run.since, changed = WAITING, None, True
        if changed or now - self._written > _RENEW:
            self.write("running")

    def again(self, label: str, note: str) -> None:
        """Note that a run goes back to those that wait, and why."""
        run = self._runs[label]
        run.state, run.since, run.note = WAITING, None, note

    def ended(self, label: str, outcome: Outcome) -> None:
        """Note how a run ended."""
        run = self._runs[label]
        run.state = FAILED if outcome.error else DONE
        run.seconds, run.since, run.note = round(outcome.seconds, 3), None, outcome.error
        run.ended = _now()
        self.write("running")

    def attempts(self, label: str) -> int:
        """Count the attempts at a run."""
        return self._runs[label].attempts

    def count(self, state: str) -> int:
        """Count the runs in a state."""
        return sum(run.state == state for run in self._runs.values())

    def line(self) -> str:
        """Write one line for the terminal: what is done, and how long it will take."""
        total = len(self._runs) - self.count(SKIPPED)
        parts = [f"{self.count(DONE)} of {total} done", f"{self.count(RUNNING)} running"]
        if failed := self.count(FAILED):
            parts.append(f"{failed} failed")
        return ", ".join(parts)

    def seconds_left(self) -> float | None:
        """Estimate how long the rest takes; None where nothing is known."""
        now, left = time.monotonic(), []
        open_runs = [run for run in self._runs.values() if run.state in (WAITING, RUNNING)]
        for run in open_runs:
            expected = self._expected(run.item)
            if expected is None:
                return None
            left.append(max(0.0, expected - (now - run.since if run.since else 0.0)))
        return makespan(left, self.slots)

    def _expected(self, item: Item) -> float | None:
        known = self._costs[item.label].seconds
        measured, before = [], []
        mine = self._works[item.label]
        for label, run in self._runs.items():
            same = run.item.stem == item.stem and self._works[label] == mine
            if same and run.state == DONE and run.seconds is not None:
                factor = scale(item.parameters, run.item.parameters)
                measured.append(run.seconds * factor)
                estimate = self._costs[label].seconds
                before.append(known if estimate is None else estimate * factor)
        if not measured:
            return known
        if known is None:
            return sum(measured) / len(measured)
        # What this batch measured itself counts more than what was estimated before it.
        expected = sum(seconds for seconds in before if seconds is not None)
        return known * sum(measured) / expected if expected > 0 else known

    def write(self, state: str) -> None:
        """Write the file; a disk that is full must not end the batch.

        Parameters
        ----------
        state : str
            ``running``, ``finished`` or ``interrupted``.
        """
        self._written = time.monotonic()
        left = self.seconds_left() if state == "running" else None
        content = {
            "name": self.name,
            "state": state,
            "host": socket.gethostname(),
            "process": os.getpid(),
            "started": self._started,
            "updated": _now(),
            "seconds": round(time.monotonic() - self._begin, 1),
            "seconds_left": None if left is None else round(left, 1),
            "counts": {name: self.count(name) for name in _STATES},
            "runs": [_entry(run) for run in self._runs.values()],
        }
        try:
            write_json(self._path, content)
        except OSError as error:
            if not self._broken:
                where = self._project.display(self._path)
                print(f"taugda: {where} cannot be written ({error.strerror})", file=sys.stderr)
            self._broken = True


def _entry(run: _State) -> dict[str, Any]:
    return {
        "notebook": run.item.stem,
        "run": run.item.run,
        "state": run.state,
        "attempts": run.attempts,
        "seconds": run.seconds,
        "ended": run.ended,
        "note": run.note,
    }


def read_status(project: Project) -> list[dict[str, Any]]:
    """Read how the batches of a project stand.

    Parameters
    ----------
    project : Project
        Where the outputs are.

    Returns
    -------
    list of dict
        The content of each whole status file, the latest first: ``name``, ``state`` (``running``,
        ``finished``, ``interrupted``, or ``lost`` where the batch is gone without a word),
        ``host``, ``process``, ``started``, ``updated`` (UTC), ``seconds``, ``seconds_left``
        (None if unknown), ``counts`` by state, and ``runs``, each with ``notebook``, ``run``,
        ``state`` (``waiting``, ``running``, ``done``, ``failed``, ``up to date``),
        ``attempts``, ``seconds``, ``ended`` (UTC; None where it has not ended in this batch),
        ``note`` (why it failed or waits).
    """
    found = []
    for path in project.statuses.glob("*.json"):
        content = read_json(path)
        if path.name.startswith(".") or not _is_whole(content):
            continue
        if content.get("state") == "running" and not _at_work(content):
            content["state"] = "lost"
        found.append(content)
    return sorted(found, key=lambda content: str(content.get("updated")), reverse=True)


def _is_whole(content: Any) -> bool:
    return (
        isinstance(content, dict)
        and isinstance(content.get("counts"), dict)
        and isinstance(content.get("runs"), list)
        and all(isinstance(run, dict) for run in content["runs"])
    )


def batch_name(names: Sequence[str]) -> str:
    """Name a batch after what was asked for.

    Parameters
    ----------
    names : sequence of str
        Notebooks and sweep files; empty for all.

    Returns
    -------
    str
        A file name without extension.
    """
    stems = [re.sub(r"[.](ya?ml|ipynb)$", "", Path(name).name) for name in names] or ["all"]
    name = re.sub(r"[^A-Za-z0-9.+_-]", "_", "+".join(stems)).lstrip(".")[:80]
    return name or "batch"


def _free_path(folder: Path, name: str) -> Path:
    for number in range(1, 100):
        path = folder / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
        content = read_json(path)
        if not isinstance(content, dict) or content.get("state") != "running":
            return path
        if not _at_work(content):
            return path
    return folder / f"{name}-{os.getpid()}.json"


def _at_work(content: dict[str, Any]) -> bool:
    if content.get("host") == socket.gethostname():
        return alive_here(content.get("process"))
    with suppress(TypeError, ValueError):
        updated = datetime.fromisoformat(content["updated"])
        return (datetime.now(UTC) - updated).total_seconds() < _LOST
    return False


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
