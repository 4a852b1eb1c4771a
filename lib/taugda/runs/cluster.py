"""The engine for many machines: workers of dask.distributed, one run a worker.

It needs the optional extra ``cluster``.  All machines see the project and its outputs under one
path.  The notebook executes in the worker's own process, so that its kernel ends with the worker,
and the run's lock makes sure that a worker which takes over does not write beside it.
"""

import logging
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from tempfile import TemporaryDirectory
from typing import Any

from taugda.runs.attempt import attempt
from taugda.runs.errors import EngineError, ProjectError
from taugda.runs.execute import Outcome
from taugda.runs.lock import BEAT, Lock
from taugda.runs.plan import Item
from taugda.runs.project import Project
from taugda.runs.provenance import gpus

LOCAL = "local"
_CONNECT = 20  # seconds that a scheduler has to answer
_PATIENCE = 3 * BEAT  # seconds that runs in progress have to notice that they should end
_START = "dask worker ADDRESS --nworkers 1 --nthreads 1 --memory-limit 0"


class Cluster:
    """Workers of a Dask scheduler.

    Parameters
    ----------
    project : Project
        Where notebooks and outputs are, for the workers, too.
    address : str
        The scheduler's, such as ``tcp://127.0.0.1:8786``; ``local`` starts one here, with workers
        that listen on the loopback interface only.
    jobs : int
        How many workers to start with ``local``.  Where there are several GPUs, each sees one.
    limit : float, optional
        Seconds that a run may take.

    Raises
    ------
    ProjectError
        If Dask is missing or no scheduler answers.
    """

    def __init__(
        self, project: Project, address: str, jobs: int, limit: float | None = None
    ) -> None:
        try:
            import distributed
        except ImportError as error:
            raise ProjectError(
                "--scheduler needs dask.distributed: install the extra with "
                "pip install -e '.[cluster]', or leave --scheduler out to use this machine"
            ) from error
        self._dask = distributed
        self._project = project
        self._address = address
        self._jobs = jobs
        self._limit = limit
        self._futures: dict[str, tuple[Item, Any]] = {}
        self._news = threading.Event()
        self._stack = ExitStack()
        self._client: Any = None

    def __enter__(self) -> "Cluster":
        # It would print the traceback of every connection that is lost; we say it in a line.
        for name in list(logging.root.manager.loggerDict):
            if name.startswith("distributed"):
                logging.getLogger(name).setLevel(logging.CRITICAL)
        with ExitStack() as stack:
            target = self._start_local(stack) if self._address == LOCAL else self._address
            try:
                self._client = stack.enter_context(
                    self._dask.Client(target, timeout=_CONNECT, set_as_default=False)
                )
            except (OSError, ValueError, TypeError) as error:
                raise ProjectError(
                    f"no scheduler answers at {self._address!r} ({' '.join(str(error).split())}); "
                    "start one with 'dask scheduler --host 127.0.0.1'"
                ) from error
            self._stack = stack.pop_all()
        return self

    def _start_local(self, stack: ExitStack) -> Any:
        scratch = stack.enter_context(TemporaryDirectory(prefix="taugda-"))
        quiet = logging.CRITICAL
        devices = gpus()
        workers = {}
        for number in range(self._jobs):
            pin = {}
            if len(devices) > 1:
                pin = {"CUDA_VISIBLE_DEVICES": devices[number % len(devices)]}
            # No memory limit: training is in the kernel's process, not in the worker's.
            workers[number] = {
                "cls": self._dask.Nanny,
                "options": {
                    "nthreads": 1, "memory_limit": 0, "host": "127.0.0.1", "env": pin,
                    "local_directory": scratch, "dashboard": False, "silence_logs": quiet,
                },
            }  # fmt: skip
        scheduler = {
            "cls": self._dask.Scheduler,
            "options": {"host": "127.0.0.1", "dashboard": False, "dashboard_address": ":0"},
        }
        return stack.enter_context(
            self._dask.SpecCluster(
                workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL
            )
        )

    def __exit__(self, *_: object) -> None:
        if self._futures:
            items = [item for item, _ in self._futures.values()]
            with suppress(Exception):
                self._client.cancel([future for _, future in self._futures.values()], force=True)
            deadline = time.monotonic() + _PATIENCE
            while (left := self.working()) and time.monotonic() < deadline:
                # A run in progress cannot be cancelled from here; its own watch ends it.
                for item in items:
                    if item.label in left:
                        Lock(self._project, item.stem, item.run).ask_to_stop()
                time.sleep(0.5)
            self._futures.clear()
        with suppress(OSError, TimeoutError):
            self._stack.close()

    def slots(self) -> int:
        """How many runs can be in progress: the number of workers."""
        return max(1, len(self._client.scheduler_info(n_workers=-1).get("workers", {})))

    def free(self) -> bool:
        """Tell whether another run can start: the scheduler queues them."""
        return True

    def working(self) -> set[str]:
        """Labels of the runs that a worker holds the lock of."""
        return {
            label
            for label, (item, _) in self._futures.items()
            if Lock(self._project, item.stem, item.run).owner()
        }

    def start(self, item: Item, threads: int) -> None:
        """Hand a run to the scheduler.

        Parameters
        ----------
        item : Item
            The run.
        threads : int
            Not used: each worker has one.
        """
        future = self._client.submit(
            _task, self._project, item, self._limit,
            key=f"{item.label}-{uuid.uuid4().hex[:8]}", pure=False,
        )  # fmt: skip
        future.add_done_callback(lambda _: self._news.set())
        self._futures[item.label] = item, future

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

        Raises
        ------
        EngineError
            If the scheduler is gone.
        """
        self._news.wait(timeout)
        self._news.clear()
        if self._client.status != "running":
            self._futures.clear()
            raise EngineError(
                f"the scheduler at {self._address} is gone; finished runs are kept: start "
                "scheduler and workers again and give the same command"
            )
        ended = []
        for label, (item, future) in list(self._futures.items()):
            if future.done():
                del self._futures[label]
                ended.append((item, self._outcome(item, future)))
        return ended

    def _outcome(self, item: Item, future: Any) -> Outcome:
        try:
            return future.result(timeout=_CONNECT)
        except self._dask.KilledWorker:
            error = "its worker was killed again and again (out of memory?)"
        except Exception as problem:
            error = " ".join(str(problem).split()) or type(problem).__name__
        except BaseException as problem:
            # A cancelled future raises what is no Exception.
            if type(problem).__name__ != "CancelledError" and "Cancelled" not in str(type(problem)):
                raise
            error = "the scheduler lost it"
        return Outcome(item.stem, item.run, 0.0, error)


def _task(project: Project, item: Item, limit: float | None) -> Outcome:
    """Execute a run in this worker."""
    import distributed

    worker = distributed.get_worker()
    if worker.state.nthreads != 1 or worker.memory_manager.memory_limit:
        raise ProjectError(
            f"worker {worker.address} must have one thread and no memory limit; "
            f"start it with '{_START}'"
        )
    if not project.notebook(item.stem).is_file():
        raise ProjectError(
            f"worker {worker.address} does not see the project at {project.root}; "
            "all machines need it under one path, on a shared disk"
        )
    return attempt(project, item, 1, limit)
