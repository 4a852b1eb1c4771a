"""One run: a notebook executed by papermill under the run's lock, all or nothing."""

import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from taugda.atomic import write_atomic
from taugda.runs.files import recover, staging_folder, swap_in, write_json
from taugda.runs.machine import BusyError, gpus, held, hold, take_gpu
from taugda.runs.parameters import changed, parameters_text
from taugda.runs.project import Project
from taugda.runs.state import Item, checkpoints, clear_checkpoints, compare, fingerprint

# By default the C library gives a large array's memory back as soon as it is freed and asks for new
# pages, to be cleared, for the next one: about a tenth of a training run.  This keeps it.
_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
_THREADS = tuple(f"{x}_NUM_THREADS" for x in ("OMP", "OPENBLAS", "MKL", "NUMBA"))
_PATIENCE = 180  # seconds; a busy machine takes long to start many kernels at once
_REMOVED = "its output folder was removed while it ran"
_INTERRUPTED = "it was interrupted"


class RunFailedError(RuntimeError):
    """The notebook did not run to its end, or left no record."""


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended: one line that says why it failed, its log, or why nothing was done."""

    error: str = ""
    seconds: float = 0.0
    log: Path | None = None
    busy: str = ""  # who else is at work on the run
    shared: bool = False  # somebody had finished it before


class _Session(ExitStack):
    """What runs that share a kernel share: the kernel, its folder, and what they take."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel: Any = None
        self.reason = ""  # why the kernel can be used no more
        self.taken: dict[str, tuple[TextIO, Path]] = {}  # lock and checkpoints of each run
        self.folder = self.enter_context(TemporaryDirectory(prefix="taugda-"))
        self.told = Path(self.folder, "run.json")  # says to the notebook which run it is

    def start(self, project: Project, threads: int, log: Path) -> None:
        """Start the kernel: this interpreter, whose own words go to the log."""
        from jupyter_client.kernelspec import KernelSpecManager
        from jupyter_client.manager import AsyncKernelManager
        from jupyter_core.utils import run_sync

        environment = dict(os.environ)
        descriptors = [lock.fileno() for lock, _ in self.taken.values()]
        if devices := gpus():
            environment["CUDA_VISIBLE_DEVICES"], gpu = take_gpu(devices)
            descriptors.append(self.enter_context(gpu).fileno())
        environment |= {
            "TAUGDA_ROOT": str(project.root),
            "TAUGDA_OUTPUTS": str(project.outputs),
            "TAUGDA_RUN": str(self.told),
            "NUMBA_CACHE_DIR": os.environ.get("NUMBA_CACHE_DIR") or str(project.cache / "numba"),
            "JUPYTER_PREFER_ENV_PATH": "1",
            # The user's own start-up files and settings must not change a result.
            "IPYTHONDIR": self.folder,
            "PYTHONHASHSEED": "0",
            **_MEMORY,
            **dict.fromkeys(_THREADS, str(threads)),
        }
        manager = AsyncKernelManager(
            # Without folders it finds no python3 of another environment in the user's home.
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            # Sockets, not ports, which another process may take first.  Where a path is too long
            # for a socket, there is no other way.
            transport="ipc" if len(self.folder) < 80 else "tcp",
            connection_file=f"{self.folder}/kernel.json",
        )
        make = manager.client

        def client(**options: Any) -> Any:
            made = make(**options)
            self.callback(made.stop_channels)  # papermill closes those of its own managers only
            return made

        def close() -> None:
            self.end()  # and what a notebook started and did not end
            with suppress(Exception):  # it may never have started
                run_sync(manager.shutdown_kernel)(now=True)

        self.callback(close)
        manager.client = client
        file = self.enter_context(log.open("a", encoding="utf-8"))
        run_sync(manager.start_kernel)(
            cwd=str(project.root), env=environment, pass_fds=descriptors, stdout=file, stderr=file
        )
        self.kernel = manager
        if self.reason:
            self.end()

    def end(self, reason: str = "") -> None:
        """Kill the kernel and all that it started, a group of processes; any thread may."""
        self.reason = self.reason or reason
        if self.kernel:
            with suppress(OSError):
                os.killpg(self.kernel.provisioner.pid, signal.SIGKILL)


_at_work: dict[Path, _Session] = {}


def stop(runs: Iterable[Path] = ()) -> None:
    """End the runs that this process is at work on, by folder, or all of them."""
    for folder in list(runs) or list(_at_work):
        if session := _at_work.get(folder):
            session.end(_INTERRUPTED)


def execute(items: Sequence[Item], threads: int, limit: float | None) -> list[Outcome]:
    """Execute runs that share a kernel, one after the other, each within so many seconds.

    A run that succeeds replaces the former one.  A failure is returned, not raised; its notebook
    and log lie in ``<run>.failed``.
    """
    begin, outcomes = time.monotonic(), dict[str, Outcome]()
    with _Session() as session:
        for item in items:
            if outcome := _take(item, session):
                outcomes[item.label] = outcome
        if limit is not None:
            # What is trained together is trained in the first run's time.
            reason = f"the time limit of {limit:g} s is over"
            timer = threading.Timer(limit * len(items), session.end, [reason])
            session.callback(timer.cancel)
            timer.start()
        taken = [item for item in items if item.label in session.taken]
        for number, item in enumerate(taken):
            if session.reason:
                outcomes[item.label] = Outcome(f"the kernel that it shared: {session.reason}")
            else:
                outcomes[item.label] = _attempt(taken[number:], session, threads, begin)
                begin = time.monotonic()
    return [outcomes[item.label] for item in items]


def _take(item: Item, session: _Session) -> Outcome | None:
    """Take a run's lock; an outcome where it is not to be made."""
    if not item.notebook.is_file():
        where = f"{socket.gethostname()} does not see the project at {item.project.root}"
        return Outcome(f"{where}; all machines need it under one path")
    try:
        lock = session.enter_context(hold(item.lock, item.label))
        _at_work[item.folder] = session
        session.callback(_at_work.pop, item.folder)
        recover(item.folder)
        now = compare(item)
        if not now.due and now.finished != item.finished:
            return Outcome(shared=True)
        session.taken[item.label] = lock, checkpoints(item)
        return None
    except BusyError as error:
        return Outcome(busy=error.holder)
    except OSError as error:
        return Outcome(f"it cannot be begun ({error.strerror})")


def _attempt(items: Sequence[Item], session: _Session, threads: int, begin: float) -> Outcome:
    """Execute the first of some runs in a hidden folder, which then takes its place."""
    item, *others = items
    staging = staging_folder(item.folder)
    log, prepared, made_of = staging / "log.txt", staging / "parameters.yaml", None

    def write_end(name: str, **more: Any) -> None:
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        duration = round(time.monotonic() - begin, 3)
        write_json(staging / name, {**more, "finished": finished, "duration": duration})

    try:
        staging.mkdir(parents=True)
        write_atomic(prepared, parameters_text(item.parameters))
        made_of = fingerprint(item)
        if session.kernel is None:
            session.start(item.project, threads, log)
        kept = {label: str(folder) for label, (_, folder) in session.taken.items()}
        beside = [[other.parameters, kept[other.label]] for other in others]
        told = {"folder": str(staging), "checkpoints": kept[item.label], "beside": beside}
        write_json(session.told, {"notebook": item.stem, **told})
        _execute_notebook(item, staging, session.kernel)
        _check(staging)
        # The notebook makes its folder again where it is gone, but not this file.
        if not prepared.is_file() or not held(session.taken[item.label][0]):
            raise RunFailedError(_REMOVED)
        made_of = fingerprint(item) if item.downloads else made_of
        write_end("done.json", fingerprint=made_of, mode="batch")
        swap_in(staging, item.folder)
        clear_checkpoints(item)
        shutil.rmtree(item.failed, ignore_errors=True)
        return Outcome(seconds=time.monotonic() - begin)
    except Exception as error:
        if type(error).__name__ == "DeadKernelError":
            session.end("the kernel died (killed, or out of memory)")
        removed = made_of and not prepared.is_file()
        reason = _REMOVED if removed else session.reason or _one_line(error)
        seconds = time.monotonic() - begin
        if session.reason == _INTERRUPTED:
            shutil.rmtree(staging, ignore_errors=True)
            return Outcome(_INTERRUPTED, seconds)
        try:
            with suppress(OSError):  # the disk may be full
                with log.open("a", encoding="utf-8") as file:
                    file.write(f"The run failed: {error}\n")
                write_end("failed.json", reason=reason)
            swap_in(staging, item.failed)
            return Outcome(reason, seconds, item.failed / "log.txt")
        except OSError:
            return Outcome(reason, seconds)


def _execute_notebook(item: Item, staging: Path, kernel: Any) -> None:
    import papermill

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it says is in the outcome
    with (staging / "log.txt").open("a", encoding="utf-8") as file:
        papermill.execute_notebook(
            str(item.notebook),
            str(staging / "notebook.ipynb"),
            parameters=changed(item.project, item.stem, item.parameters),
            kernel_name="python3",
            km=kernel,
            progress_bar=False,
            stdout_file=file,
            stderr_file=file,
            start_timeout=_PATIENCE,
            iopub_timeout=_PATIENCE,
            coalesce_streams=True,
            record_timing=False,
        )


def _check(staging: Path) -> None:
    """Decide success by what was done: papermill calls a killed kernel's cells completed."""
    import nbformat

    output, executed = staging / "notebook.ipynb", 0
    notebook = nbformat.read(output, as_version=4)
    for number, cell in enumerate(notebook.cells, start=1):
        cell.metadata.pop("papermill", None)
        if cell.cell_type != "code":
            continue
        # A progress bar that wiped itself out leaves blanks, which a page would show as a box.
        cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.text.strip()]
        if cell.source.strip() and cell.execution_count is None:
            raise RunFailedError(f"cell {number} was not executed; the kernel may have been killed")
        if any(entry.output_type == "error" for entry in cell.outputs):
            raise RunFailedError(f"cell {number} ended with an error")
        if cell.execution_count:  # those of a shared kernel go on from the run before
            executed += 1
            cell.execution_count = executed
    for name in ("metrics.json", "provenance.json"):
        if not (staging / name).is_file():
            raise RunFailedError(f"the notebook left no {name}; does it end with run.finish()?")
    # papermill's notes hold absolute paths and times, which no reader of the notebook needs.
    notebook.metadata.pop("papermill", None)
    write_atomic(output, nbformat.writes(notebook))


def _one_line(error: Exception) -> str:
    name, text = type(error).__name__, str(error)
    if name == "PapermillExecutionError":
        name, text = error.ename, error.evalue  # type: ignore[attr-defined]
    text = " ".join(str(text).split())
    return text if isinstance(error, RunFailedError) else f"{name}: {text}".removesuffix(": ")
