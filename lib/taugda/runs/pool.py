"""The engine that needs nothing else: processes of this machine, one a run."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

from taugda.runs.attempt import attempt
from taugda.runs.execute import Outcome
from taugda.runs.plan import Item
from taugda.runs.project import Project
from taugda.runs.provenance import gpus

_PATIENCE = 10  # seconds that a worker has to end after it was told to


@dataclass
class _Worker:
    item: Item
    process: BaseProcess
    pipe: Connection
    started: float
    slot: int


class Pool:
    """Processes of this machine.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are.
    jobs : int
        How many run at once.  Where there are several GPUs, each process sees one of them.
    limit : float, optional
        Seconds that a run may take.
    """

    def __init__(self, project: Project, jobs: int, limit: float | None = None) -> None:
        self._project = project
        self._jobs = jobs
        self._limit = limit
        self._running: list[_Worker] = []
        self._context = _context()
        self._gpus = gpus()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        _stop(self._running)
        self._running = []

    def slots(self) -> int:
        """How many runs can be in progress."""
        return self._jobs

    def free(self) -> bool:
        """Tell whether another run can start."""
        return len(self._running) < self._jobs

    def working(self) -> set[str]:
        """Labels of the runs in progress."""
        return {worker.item.label for worker in self._running}

    def start(self, item: Item, threads: int) -> None:
        """Start a run.

        Parameters
        ----------
        item : Item
            The run.
        threads : int
            Threads that its numerical libraries may use.
        """
        ours, theirs = self._context.Pipe()
        slot = min(set(range(self._jobs)) - {worker.slot for worker in self._running})
        gpu = self._gpus[slot % len(self._gpus)] if len(self._gpus) > 1 else None
        process = self._context.Process(  # type: ignore[attr-defined]
            target=_work, args=(theirs, self._project, item, threads, self._limit, gpu),
            name=item.label,
        )  # fmt: skip
        process.start()
        theirs.close()
        self._running.append(_Worker(item, process, ours, time.monotonic(), slot))

    def wait(self, timeout: float) -> list[tuple[Item, Outcome]]:
        """Wait until a run ends, or for a while.

        Parameters
        ----------
        timeout : float
            Seconds.

        Returns
        -------
        list of (Item, Outcome)
            The runs that have ended.
        """
        if not self._running:
            time.sleep(timeout)
        wait([worker.pipe for worker in self._running], timeout=timeout)
        ended = [w for w in self._running if w.pipe.poll() or not w.process.is_alive()]
        for worker in ended:
            self._running.remove(worker)
        return [(worker.item, _collect(worker)) for worker in ended]


def _context() -> BaseContext:
    """Fork workers from a clean server that has papermill loaded: it saves a second each."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["papermill", "nbclient", "ipykernel.kernelspec"])
    return context


def _work(
    pipe: Connection,
    project: Project,
    item: Item,
    threads: int,
    limit: float | None,
    gpu: str | None,
) -> None:
    # Ctrl-C reaches the whole process group; only the parent acts on it, and ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=_end_with_parent, args=(pipe,), daemon=True).start()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    pipe.send(attempt(project, item, threads, limit))
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


def _stop(running: list[_Worker]) -> None:
    for worker in running:
        worker.process.terminate()
    deadline = time.monotonic() + _PATIENCE
    for worker in running:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()
