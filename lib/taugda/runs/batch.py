"""Many runs at once: what starts when, what is tried again, and a summary at the end."""

import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from taugda.runs.estimate import costs
from taugda.runs.execute import Outcome
from taugda.runs.fingerprint import kind
from taugda.runs.format import show_seconds
from taugda.runs.inputs import reads
from taugda.runs.lock import Lock
from taugda.runs.plan import Item
from taugda.runs.pool import Pool
from taugda.runs.project import Project
from taugda.runs.provenance import cores
from taugda.runs.status import Status
from taugda.runs.tables import plain_table

_PAUSE = 2.0  # seconds before a run that another process is at is looked at again


class Engine(AbstractContextManager, Protocol):
    """What executes runs: the local pool, or a cluster.

    Leaving its context ends the runs in progress.
    """

    def slots(self) -> int:
        """How many runs can be in progress."""

    def free(self) -> bool:
        """Tell whether another run can start."""

    def working(self) -> set[str]:
        """Labels of the runs in progress."""

    def start(self, item: Item, threads: int) -> None:
        """Start a run with so many threads."""

    def wait(self, timeout: float) -> list[tuple[Item, Outcome]]:
        """Return the runs that have ended; wait for the first, but not for ever."""


def execute_all(
    project: Project,
    items: Sequence[Item],
    jobs: int,
    report: Callable[[str], None] | None = None,
    *,
    name: str = "batch",
    retries: int = 0,
    limit: float | None = None,
    engine: Engine | None = None,
) -> list[Outcome]:
    """Execute runs in parallel; one that fails does not stop the others.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.
    items : sequence of Item
        The runs, from `taugda.runs.plan.make_plan`; those that are not due are left out.
    jobs : int
        How many run at once; the cores are divided among them.
    report : callable, optional
        Takes one line whenever a run ends; by default the terminal shows the progress.
    name : str
        Name of the status file.
    retries : int
        How many more times a run that failed is tried, from its checkpoint.
    limit : float, optional
        Seconds that a run may take.
    engine : Engine, optional
        What executes the runs; a pool of processes of this machine by default.

    Returns
    -------
    list of Outcome
        One a run that was due, in the plan's order.

    Raises
    ------
    ValueError
        If jobs is not positive or retries is negative.
    KeyboardInterrupt
        After every worker has ended.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs must be a positive integer, found {jobs!r}")
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f"retries must be an integer >= 0, found {retries!r}")
    due = [item for item in items if item.due]
    status = Status(project, name, items, costs(project, due), jobs)
    batch = _Batch(project, due, jobs, retries, status)
    try:
        with engine or Pool(project, jobs, limit) as workers, _Progress(status, report) as progress:
            while batch.waiting or batch.running:
                status.slots = workers.slots()
                batch.fill(workers, progress)
                progress.show(workers.working())
                for item, outcome in workers.wait(1.0):
                    batch.take(item, outcome, progress)
    except BaseException:
        status.write("interrupted")
        raise
    status.write("finished")
    return [batch.ended[item.label] for item in due]


class _Batch:
    """Which runs wait, which are in progress, how the others ended."""

    def __init__(
        self, project: Project, due: Sequence[Item], jobs: int, retries: int, status: Status
    ) -> None:
        self.running: set[str] = set()
        self.ended: dict[str, Outcome] = {}
        self._project = project
        self._retries = retries
        self._status = status
        # The longest first: otherwise one of them might start when all others have ended.
        self.waiting = sorted(due, key=lambda item: -(item.duration or float("inf")))
        self._stems = {item.label: item.stem for item in due}
        self._sources = {item.stem: set(reads(project, item.stem)) for item in due}
        self._threads = {item.stem: self._count_threads(item.stem, jobs, len(due)) for item in due}
        self._not_before: dict[str, float] = {}
        self._busy: set[str] = set()

    def _count_threads(self, stem: str, jobs: int, count: int) -> int:
        # The order of a sum depends on the threads.  So that a sweep which was cut off ends with
        # the numbers of an undisturbed one, training does not get more when fewer runs are left.
        training = kind(self._project.notebook(stem)) == "training"
        return max(1, cores() // (jobs if training else min(jobs, count)))

    def fill(self, engine: Engine, progress: "_Progress") -> None:
        """Start what can be started."""
        while engine.free() and (item := self._next(progress)):
            self.running.add(item.label)
            self._status.attempt(item.label)
            engine.start(item, self._threads[item.stem])

    def _next(self, progress: "_Progress") -> Item | None:
        now = time.monotonic()
        unfinished = {item.stem for item in self.waiting} | {self._stems[x] for x in self.running}
        for place, item in enumerate(self.waiting):
            if self._not_before.get(item.label, 0.0) > now or self._sources[item.stem] & unfinished:
                continue
            owner = Lock(self._project, item.stem, item.run).owner()
            if owner is None:
                return self.waiting.pop(place)
            self._postpone(item, owner, progress)
        return None

    def _postpone(self, item: Item, owner: str, progress: "_Progress") -> None:
        """Leave a run to the process that is at it, and look again later."""
        self._not_before[item.label] = time.monotonic() + _PAUSE * random.uniform(0.8, 1.2)
        self._status.again(item.label, f"{owner} is at work on it")
        if item.label not in self._busy:
            self._busy.add(item.label)
            progress.say(f"{item.label}: {owner} is at work on it; waiting for its end")

    def take(self, item: Item, outcome: Outcome, progress: "_Progress") -> None:
        """Note that an attempt has ended."""
        self.running.discard(item.label)
        if outcome.busy:
            self.waiting.append(item)
            self._postpone(item, outcome.busy, progress)
            return
        attempts = self._status.attempts(item.label)
        if outcome.error and attempts <= self._retries:
            self.waiting.append(item)
            self._status.again(item.label, outcome.error)
            progress.say(
                f"{item.label}: failed ({outcome.error}), {outcome.seconds:.1f} s; "
                f"trying again ({attempts} of {self._retries})"
            )
            return
        self.ended[item.label] = outcome
        self._status.ended(item.label, outcome)
        progress.ended(outcome)


class _Progress:
    """One line that moves on a terminal, one line a run elsewhere."""

    def __init__(self, status: Status, report: Callable[[str], None] | None) -> None:
        from tqdm import tqdm

        self._status = status
        self._live = report is None and sys.stderr.isatty()
        self.say = report or (tqdm.write if self._live else _print)
        total = status.count("waiting")
        self._bar = tqdm(
            total=total,
            unit="run",
            disable=not self._live or not total,
            dynamic_ncols=True,
            bar_format="{percentage:3.0f}%|{bar:20}| {elapsed}, {desc}",
        )

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, labels: set[str]) -> None:
        """Name the runs in progress and move the clock on."""
        self._status.working(labels)
        names = ", ".join(label.removesuffix("/default") for label in sorted(labels))
        self._bar.set_description_str(f"{self._line()}: {names}" if names else self._line())

    def ended(self, outcome: Outcome) -> None:
        """Report one run's end."""
        state = f"FAILED ({outcome.error})" if outcome.error else "done"
        if outcome.shared:
            state = "up to date by now"
        line = f"{outcome.stem}/{outcome.run}: {state}, {outcome.seconds:.1f} s"
        self.say(line if self._live else f"{line} ({self._line()})")
        self._bar.update()

    def _line(self) -> str:
        left = self._status.seconds_left()
        return self._status.line() + (f", about {show_seconds(left)} left" if left else "")


def _print(line: str) -> None:
    print(line, flush=True)


def summary(project: Project, items: Sequence[Item], outcomes: Sequence[Outcome]) -> str:
    """Write what a batch did.

    Parameters
    ----------
    project : Project
        Where the outputs are.
    items : sequence of Item
        The plan.
    outcomes : sequence of Outcome
        How the runs that were due ended.

    Returns
    -------
    str
        A table, then the error and the log of each failed run.
    """
    ended = {f"{outcome.stem}/{outcome.run}": outcome for outcome in outcomes}
    rows = []
    for item in items:
        outcome = ended.get(item.label)
        if outcome is None:
            rows.append([item.stem, item.run, item.state, ""])
        else:
            state = "failed" if outcome.error else "done"
            rows.append([item.stem, item.run, state, f"{outcome.seconds:.1f}"])
    lines = [plain_table(["notebook", "run", "state", "seconds"], rows)]
    for outcome in outcomes:
        if outcome.error:
            lines.append(f"\nFailed: {outcome.stem}/{outcome.run}: {outcome.error}")
            if outcome.log:
                lines.append(f"  log: {project.display(outcome.log)}")
    for item in items:
        if item.state == "kept":
            lines.append(
                f"\nKept: {item.label}: {item.reason}. Run it again with --refresh if you want to."
            )
    return "\n".join(lines)
