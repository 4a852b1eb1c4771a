"""Many runs at once, on any executor: threads here, or the workers of a Dask scheduler."""

import logging
import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from taugda.runs.execute import Outcome, execute, stop
from taugda.runs.machine import cores
from taugda.runs.plan import together
from taugda.runs.project import ProjectError
from taugda.runs.state import Item, reads

_CONNECT = 20  # seconds that a scheduler has to answer
_PAUSE = 2.0  # seconds before a run that another process is at is tried again


class EngineError(RuntimeError):
    """What executes the runs of a batch is gone."""

    status = 1  # of the command: the request was right


def execute_all(
    items: Sequence[Item], jobs: int, retries: int, limit: float | None, scheduler: str | None
) -> list[tuple[Item, Outcome]]:
    """Execute the runs of a plan that are due, in parallel; one that fails does not stop others.

    One that fails is tried again so many times, from its checkpoint; one that another process is
    at waits until that is over.
    """
    from tqdm import tqdm

    due = [item for item in items if item.due]
    # The longest first: otherwise one of them might start when all others have ended.
    groups = sorted(together(due), key=lambda group: -sum(x.duration or math.inf for x in group))
    waiting = [(0.0, group) for group in groups]  # with the time before which none is begun
    running, ended = dict[Future, list[Item]](), dict[str, Outcome]()
    busy, attempts = set[str](), Counter[str]()
    sources = {item.stem: reads(item.project, item.stem) for item in due}
    # The order of a sum depends on the threads.  So that a sweep which was cut off ends with the
    # numbers of an undisturbed one, training does not get more when fewer runs are left.
    share = {"training": jobs, "analysis": min(jobs, len(groups))}
    threads = {x.stem: 1 if scheduler else max(1, cores() // share[x.marks.kind]) for x in due}

    def note(item: Item, outcome: Outcome) -> bool:
        """Say how an attempt ended; whether another one is due."""
        label, took = item.label, f"{outcome.seconds:.1f} s"
        if outcome.busy:
            if label not in busy:
                bar.write(f"{label}: {outcome.busy} is at work on it; waiting for its end")
            busy.add(label)
            return True
        attempts[label] += 1
        if outcome.error and attempts[label] <= retries:
            tried = f"trying again ({attempts[label]} of {retries})"
            bar.write(f"{label}: failed ({outcome.error}), {took}; {tried}")
            return True
        ended[label] = outcome
        state = "up to date by now" if outcome.shared else "done"
        state = f"FAILED ({outcome.error})" if outcome.error else state
        bar.write(f"{label}: {state}, {took} ({len(ended)} of {len(due)} ended)")
        bar.update()
        return False

    # Without a terminal there is no bar, and the lines are all the same.
    shown = {"unit": "run", "disable": None if due else True, "dynamic_ncols": True}
    with _engine(scheduler, jobs) as (pool, check, end), tqdm(total=len(due), **shown) as bar:
        try:
            while waiting or running:
                now = time.monotonic()
                unfinished = {item.stem for item in due if item.label not in ended}
                for begin, group in list(waiting):
                    stem = group[0].stem
                    if begin <= now and not sources[stem] & unfinished:
                        waiting.remove((begin, group))
                        running[pool.submit(execute, group, threads[stem], limit)] = group
                bar.set_postfix_str(", ".join(map(_label, running.values())))
                done = wait(running, 1, FIRST_COMPLETED).done if running else time.sleep(0.1)
                check()
                for task in done or ():
                    group = running.pop(task)
                    outcomes = zip(group, _outcomes(task, group), strict=True)
                    if left := [item for item, outcome in outcomes if note(item, outcome)]:
                        pause = _PAUSE if any(item.label in busy for item in left) else 0.0
                        waiting.append((now + pause, left))
        except BaseException:
            at_work = [task for task in running if not task.cancel()]
            end([item.folder for item in due])
            wait(at_work, 60)
            raise
    return [(item, ended[item.label]) for item in due]


def _label(group: Sequence[Item]) -> str:
    return group[0].label + (f" and {len(group) - 1} beside it" if len(group) > 1 else "")


def _outcomes(task: Future, group: Sequence[Item]) -> list[Outcome]:
    try:
        return task.result()
    except Exception as error:
        return [Outcome(" ".join(str(error).split()) or type(error).__name__)] * len(group)


@contextmanager
def _engine(scheduler: str | None, jobs: int) -> Iterator[tuple[Executor, Callable, Callable]]:
    """Make an executor, what raises if it is gone, and what ends the runs of some folders."""
    if scheduler is None:
        yield ThreadPoolExecutor(jobs), lambda: None, stop  # a kernel is a process anyway
        return
    try:
        import distributed
    except ImportError as error:
        raise ProjectError(
            "--scheduler needs dask.distributed: install the extra with "
            "pip install -e '.[cluster]', or leave --scheduler out to use this machine"
        ) from error
    # It would print the traceback of every connection that is lost; we say it in a line.
    for name in [name for name in logging.root.manager.loggerDict if "distributed" in name]:
        logging.getLogger(name).setLevel(logging.CRITICAL)

    class Kernels(distributed.WorkerPlugin):
        name = "taugda"

        def teardown(self, worker: Any) -> None:
            stop()  # a worker that closes would wait for its runs

    with ExitStack() as stack:
        target: Any = scheduler
        if scheduler == "local":
            # Workers must not heed Ctrl-C: this process does, and ends them.
            handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
            # No memory limit: training is in the kernel's process, not in the worker's.
            target = stack.enter_context(distributed.LocalCluster(
                n_workers=jobs, threads_per_worker=1, memory_limit=0, dashboard_address=None,
                host="127.0.0.1", silence_logs=logging.CRITICAL,
                local_directory=stack.enter_context(TemporaryDirectory(prefix="taugda-")),
            ))  # fmt: skip
            signal.signal(signal.SIGINT, handler)
        try:
            if target == scheduler and ":" not in scheduler:
                raise ValueError("expected 'local' or an address such as tcp://127.0.0.1:8786")
            client = distributed.Client(target, timeout=_CONNECT, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise ProjectError(
                f"no scheduler answers at {scheduler!r} ({' '.join(str(error).split())}); "
                "start one with 'dask scheduler --host 127.0.0.1'"
            ) from error

        def check() -> None:
            if client.status != "running":
                raise EngineError(
                    f"the scheduler at {scheduler} is gone; finished runs are kept: start "
                    "scheduler and workers again and give the same command"
                )

        def end(runs: list[Path]) -> None:
            if client.status == "running":
                client.run(stop, runs, on_error="ignore")

        def close() -> None:
            with suppress(OSError, TimeoutError):
                client.close(timeout=2)

        stack.callback(close)
        client.register_plugin(Kernels())
        yield client.get_executor(pure=False), check, end
