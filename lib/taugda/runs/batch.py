"""Many runs at once, on any executor: threads here, or the workers of a Dask scheduler."""

import logging
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from taugda.runs.execute import Outcome, execute, stop
from taugda.runs.machine import cores
from taugda.runs.plan import Item, together
from taugda.runs.project import Project, ProjectError
from taugda.runs.state import kind, reads

_CONNECT = 20  # seconds that a scheduler has to answer
_PAUSE = 2.0  # seconds before a run that another process is at is tried again


class EngineError(RuntimeError):
    """What executes the runs of a batch is gone."""

    status = 1  # of the command: the request was right


def execute_all(
    project: Project,
    items: Sequence[Item],
    jobs: int,
    *,
    retries: int = 0,
    limit: float | None = None,
    scheduler: str | None = None,
) -> list[Outcome]:
    """Execute the runs of a plan that are due, in parallel; one that fails does not stop others.

    One that fails is tried again so many times, from its checkpoint; one that another process is
    at waits until that is over.
    """
    due = [item for item in items if item.due]
    # The longest first: otherwise one of them might start when all others have ended.
    waiting = sorted(together(project, due), key=lambda g: -sum(_duration(item) for item in g))
    groups, running, not_before = len(waiting), dict[Future, list[Item]](), dict[str, float]()
    attempts, ended = {item.label: 0 for item in due}, dict[str, Outcome]()
    sources = {item.stem: set(reads(project, item.stem)) for item in due}
    threads = {}
    for stem in sources:
        # The order of a sum depends on the threads.  So that a sweep which was cut off ends with
        # the numbers of an undisturbed one, training does not get more when fewer runs are left.
        training = kind(project.notebook(stem)) == "training"
        share = cores() // (jobs if training else min(jobs, groups))
        threads[stem] = 1 if scheduler else max(1, share)
    with _engine(scheduler, jobs) as (pool, check, end), _progress(len(due)) as (bar, say):
        try:
            while waiting or running:
                now = time.monotonic()
                unfinished = {group[0].stem for group in (*waiting, *running.values())}
                for group in list(waiting):
                    first = group[0]
                    if not_before.get(first.label, now) <= now and not (
                        sources[first.stem] & unfinished
                    ):
                        waiting.remove(group)
                        task = pool.submit(execute, project, group, threads[first.stem], limit)
                        running[task] = group
                bar.set_postfix_str(", ".join(map(_label, running.values())))
                done = wait(running, 1, FIRST_COMPLETED).done if running else time.sleep(0.1)
                check()
                for task in done or ():
                    group, busy, again = running.pop(task), [], []
                    for item, outcome in zip(group, _outcomes(task, group), strict=True):
                        if outcome.busy:
                            if item.label not in not_before:
                                say(f"{item.label}: {outcome.busy} is at work on it; "
                                    "waiting for its end")  # fmt: skip
                            not_before[item.label] = time.monotonic() + _PAUSE
                            busy.append(item)
                            continue
                        took, failed = f"{outcome.seconds:.1f} s", outcome.error
                        attempts[item.label] += 1
                        if failed and attempts[item.label] <= retries:
                            tried = f"trying again ({attempts[item.label]} of {retries})"
                            say(f"{item.label}: failed ({failed}), {took}; {tried}")
                            again.append(item)
                            continue
                        ended[item.label] = outcome
                        state = "up to date by now" if outcome.shared else "done"
                        state = f"FAILED ({failed})" if failed else state
                        say(f"{item.label}: {state}, {took} ({len(ended)} of {len(due)} ended)")
                        bar.update()
                    waiting += [part for part in (busy, again) if part]
        except BaseException:
            at_work = [task for task in running if not task.cancel()]
            end([project.run(item.stem, item.run) for item in due])
            wait(at_work, 60)
            raise
    return [ended[item.label] for item in due]


def _duration(item: Item) -> float:
    return float("inf") if item.duration is None else item.duration


def _label(group: Sequence[Item]) -> str:
    return group[0].label + (f" and {len(group) - 1} beside it" if len(group) > 1 else "")


def _outcomes(task: Future, group: Sequence[Item]) -> list[Outcome]:
    try:
        return task.result()
    except Exception as error:
        return [Outcome(" ".join(str(error).split()) or type(error).__name__)] * len(group)


_Engine = tuple[Executor, Callable[[], None], Callable[[list[Path]], Any]]


@contextmanager
def _engine(scheduler: str | None, jobs: int) -> Iterator[_Engine]:
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


@contextmanager
def _progress(total: int) -> Iterator[tuple[Any, Callable[[str], None]]]:
    """One line that moves on a terminal, one line a run elsewhere."""
    from tqdm import tqdm

    # Without a terminal there is no bar, and the lines are all the same.
    with tqdm(total=total, unit="run", disable=None if total else True, dynamic_ncols=True) as bar:
        yield bar, bar.write
