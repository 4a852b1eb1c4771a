"""Many runs at once: a pool of processes, one a run, with a summary at the end."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from typing import Any

from taugda.runs.execute import Outcome, execute
from taugda.runs.inputs import reads
from taugda.runs.plan import Item
from taugda.runs.project import Project
from taugda.runs.provenance import cores
from taugda.runs.tables import plain_table

_PATIENCE = 10  # seconds that a worker has to end after it was told to


@dataclass
class _Worker:
    item: Item
    process: BaseProcess
    pipe: Connection
    started: float


def execute_all(
    project: Project,
    items: Sequence[Item],
    jobs: int,
    report: Callable[[str], None] | None = None,
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

    Returns
    -------
    list of Outcome
        One a run that was due, in the plan's order.

    Raises
    ------
    ValueError
        If jobs is not positive.
    KeyboardInterrupt
        After every worker has ended.
    """
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs must be a positive integer, found {jobs!r}")
    due = [item for item in items if item.due]
    # The longest first: otherwise one of them might start when all others have ended.
    waiting = sorted(reversed(due), key=lambda item: item.duration or float("inf"))
    sources = {item.stem: set(reads(project, item.stem)) for item in due}
    threads = max(1, cores() // min(jobs, len(due) or 1))
    context = _context()
    running: list[_Worker] = []
    ended: dict[str, Outcome] = {}
    try:
        with _Progress(len(due), report) as progress:
            while waiting or running:
                while len(running) < jobs and (item := _next(waiting, running, sources)):
                    running.append(_start(context, project, item, threads))
                progress.show([worker.item.label for worker in running])
                wait([worker.pipe for worker in running], timeout=1)
                for worker in [w for w in running if w.pipe.poll() or not w.process.is_alive()]:
                    running.remove(worker)
                    outcome = _collect(worker)
                    ended[worker.item.label] = outcome
                    progress.ended(outcome)
    finally:
        _stop(running)
    return [ended[item.label] for item in due]


def _next(
    waiting: list[Item], running: Sequence[_Worker], sources: Mapping[str, set[str]]
) -> Item | None:
    """Take the longest run that waits for no other out of the list."""
    unfinished = {item.stem for item in waiting} | {worker.item.stem for worker in running}
    for place in reversed(range(len(waiting))):
        if not sources[waiting[place].stem] & unfinished:
            return waiting.pop(place)
    return None


def _context() -> BaseContext:
    """Fork workers from a clean server that has papermill loaded: it saves a second each."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["papermill", "nbclient", "ipykernel.kernelspec"])
    return context


def _start(context: BaseContext, project: Project, item: Item, threads: int) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(  # type: ignore[attr-defined]
        target=_work, args=(theirs, project, item.stem, item.parameters, threads), name=item.label
    )
    process.start()
    theirs.close()
    return _Worker(item, process, ours, time.monotonic())


def _work(
    pipe: Connection, project: Project, stem: str, parameters: dict[str, Any], threads: int
) -> None:
    # Ctrl-C reaches the whole process group; only the parent acts on it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()
    pipe.send(execute(project, stem, parameters, threads))
    # Anything still alive in this process (a kernel's clean-up, say) must not hold it open.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _end_with_parent(pipe: Connection) -> None:
    """End this process when the other end of the pipe is gone, however the parent died."""
    try:
        pipe.recv()
    except (EOFError, OSError):
        os.kill(os.getpid(), signal.SIGTERM)


def _collect(worker: _Worker) -> Outcome:
    try:
        outcome = worker.pipe.recv() if worker.pipe.poll() else None
    except (EOFError, OSError):
        outcome = None
    worker.process.join(_PATIENCE)
    worker.pipe.close()
    if outcome is not None:
        return outcome
    seconds = time.monotonic() - worker.started
    error = f"its process ended without a result (exit status {worker.process.exitcode})"
    return Outcome(worker.item.stem, worker.item.run, seconds, error)


def _stop(running: Sequence[_Worker]) -> None:
    for worker in running:
        worker.process.terminate()
    deadline = time.monotonic() + _PATIENCE
    for worker in running:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()


class _Progress:
    """One line that moves on a terminal, one line a run elsewhere."""

    def __init__(self, total: int, report: Callable[[str], None] | None) -> None:
        from tqdm import tqdm

        self._live = report is None and sys.stderr.isatty()
        self._report = report or (tqdm.write if self._live else _print)
        self._bar = tqdm(
            total=total, unit="run", disable=not self._live or not total, dynamic_ncols=True
        )

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def show(self, labels: Sequence[str]) -> None:
        """Name the runs in progress and move the clock on."""
        self._bar.set_postfix_str(", ".join(label.removesuffix("/default") for label in labels))

    def ended(self, outcome: Outcome) -> None:
        """Report one run's end."""
        state = f"FAILED ({outcome.error})" if outcome.error else "done"
        self._report(f"{outcome.stem}/{outcome.run}: {state}, {outcome.seconds:.1f} s")
        self._bar.update()


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
