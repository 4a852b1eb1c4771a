"""One run: a notebook executed by papermill under the run's lock, all or nothing."""

import asyncio
import itertools
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

from taugda.atomic import write_atomic
from taugda.runs import checkpoints
from taugda.runs.files import recover, staging_folder, swap_in, write_json
from taugda.runs.lock import BusyError, Lock, hold
from taugda.runs.machine import gpus, take_gpu
from taugda.runs.parameters import changed, parameters_text
from taugda.runs.plan import FORCED, UP_TO_DATE, Item, compare
from taugda.runs.project import Project
from taugda.runs.state import awaited, failed_folder, fingerprint, kind

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


class _Kernel:
    """The kernel of an attempt, which any thread may end."""

    def __init__(self) -> None:
        self.reason = ""
        self._process = 0
        self._guard = threading.Lock()

    def started(self, process: int) -> None:
        with self._guard:
            self._process = process
        if self.reason:
            self.end(self.reason)

    def end(self, reason: str = "") -> None:
        """Kill the kernel and all that it started: it leads a group of processes."""
        with self._guard, suppress(OSError):
            self.reason = self.reason or reason
            if self._process:
                os.killpg(self._process, signal.SIGKILL)


_at_work: dict[Path, _Kernel] = {}


def stop(runs: Iterable[Path] = ()) -> None:
    """End the runs that this process is at work on, by folder, or all of them."""
    for folder in list(runs) or list(_at_work):
        if kernel := _at_work.get(folder):
            kernel.end(_INTERRUPTED)


def execute(
    project: Project, items: Sequence[Item], threads: int = 1, limit: float | None = None
) -> list[Outcome]:
    """Execute runs that share a kernel, one after the other, each within so many seconds.

    A run that succeeds replaces the former one.  A failure is returned, not raised; its notebook
    and log lie in ``<run>.failed``.
    """
    begin, session = time.monotonic(), _Session()
    outcomes: dict[str, Outcome] = {}
    with ExitStack() as stack:
        stack.callback(session.close)
        for item in items:
            if outcome := _take(project, item, session, stack):
                outcomes[item.label] = outcome
        if limit is not None:
            # What is trained together is trained in the first run's time.
            reason = f"the time limit of {limit:g} s is over"
            timer = threading.Timer(limit * len(items), session.kernel.end, [reason])
            stack.callback(timer.cancel)
            timer.start()
        taken = [item for item in items if item.label not in outcomes]
        for number, item in enumerate(taken):
            if session.dead:
                outcomes[item.label] = Outcome(f"the kernel that it shared: {session.dead}")
                continue
            error, log = _attempt(project, taken[number:], session, threads, begin)
            outcomes[item.label] = Outcome(error, time.monotonic() - begin, log)
            begin = time.monotonic()
    return [outcomes[item.label] for item in items]


class _Session:
    """What runs that share a kernel share: the kernel, its manager, and the runs' locks."""

    def __init__(self) -> None:
        self.kernel, self.manager, self.dead = _Kernel(), None, ""
        self.locks: dict[str, Lock] = {}
        self._rest = ExitStack()
        # The user's own start-up files and settings must not change a result.
        self.folder = self._rest.enter_context(tempfile.TemporaryDirectory(prefix="taugda-"))

    def start(self, project: Project, threads: int, log: Path) -> None:
        """Make the manager; papermill starts the kernel, whose own words go to the log."""
        self._end_kernel()
        environment, devices = dict(os.environ), gpus()
        descriptors = [lock.descriptor for lock in self.locks.values()]
        if len(devices) > 1:
            environment["CUDA_VISIBLE_DEVICES"], gpu = take_gpu(devices)
            self._rest.callback(gpu.release)
            descriptors.append(gpu.descriptor)
        environment |= {
            "TAUGDA_ROOT": str(project.root),
            "TAUGDA_OUTPUTS": str(project.outputs),
            "TAUGDA_RUN": str(self.told),
            "JUPYTER_PREFER_ENV_PATH": "1",
            "IPYTHONDIR": self.folder,
            "PYTHONHASHSEED": "0",
            **_MEMORY,
            **dict.fromkeys(_THREADS, str(threads)),
        }
        file = self._rest.enter_context(log.open("a", encoding="utf-8"))
        self.manager = _manager(self.kernel, {
            "cwd": str(project.root), "env": environment, "pass_fds": descriptors,
            "stdout": file, "stderr": file,
        })  # fmt: skip

    @property
    def told(self) -> Path:
        """File that says to the notebook which run it is."""
        return Path(self.folder, "run.json")

    def close(self) -> None:
        """End the kernel, and what a notebook started and did not end."""
        self.kernel.end()
        self._end_kernel()
        self._rest.close()

    def _end_kernel(self) -> None:
        if self.manager is not None:
            with suppress(Exception):  # it may never have started
                asyncio.run(self.manager.shutdown_kernel(now=True))


def _take(project: Project, item: Item, session: _Session, stack: ExitStack) -> Outcome | None:
    """Take a run's lock and make its checkpoints ready; an outcome where it is not to be made."""
    final = project.run(item.stem, item.run)
    if not project.notebook(item.stem).is_file():
        where = f"{socket.gethostname()} does not see the project at {project.root}"
        return Outcome(f"{where}; all machines need it under one path")
    try:
        lock = hold(project, item.stem, item.run)
        stack.callback(lock.release)
        _at_work[final] = session.kernel
        stack.callback(_at_work.pop, final)
        recover(final)
        now = compare(project, item.stem, item.run, item.parameters)
    except BusyError as error:
        return Outcome(busy=error.holder)
    except OSError as error:
        return Outcome(f"its lock cannot be taken ({error.strerror})")
    meanwhile = not now.due and now.finished != item.finished
    if meanwhile or (now.state == UP_TO_DATE and item.state != FORCED):
        return Outcome(shared=True)
    session.locks[item.label] = lock
    return None


def _attempt(
    project: Project, items: Sequence[Item], session: _Session, threads: int, begin: float
) -> tuple[str, Path | None]:
    """Execute the first of some runs in a hidden folder; return the error, if any, and its log."""
    item, *others = items
    kernel, lock = session.kernel, session.locks[item.label]
    final = project.run(item.stem, item.run)
    staging = staging_folder(final)
    log, prepared, started = staging / "log.txt", staging / "parameters.yaml", False

    def ended() -> dict[str, Any]:
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        return {"finished": finished, "duration": round(time.monotonic() - begin, 3)}

    try:
        staging.mkdir(parents=True)
        made_of = fingerprint(project, item.stem, item.parameters)
        late = awaited(project, item.stem, item.parameters)
        if session.manager is None:
            _prepare_checkpoints(project, items, log)
            session.start(project, threads, log)
        write_atomic(prepared, parameters_text(item.parameters))
        beside = [
            [other.parameters, str(project.checkpoints / other.stem / other.run)]
            for other in others
        ]
        told = {"notebook": item.stem, "folder": str(staging), "beside": beside}
        write_json(session.told, told)
        started = True
        try:
            _execute_notebook(project, item, staging, session)
        except RuntimeError as error:
            # Another process may have taken its ports before it did.
            if kernel.reason or "before replying to kernel_info" not in str(error):
                raise
            session.start(project, threads, log)
            _execute_notebook(project, item, staging, session)
        # The notebook makes its folder again where it is gone, but not this file.
        if not prepared.is_file() or not lock.held():
            raise RunFailedError(_REMOVED)
        if late:
            made_of = fingerprint(project, item.stem, item.parameters)
        write_json(staging / "done.json", {"fingerprint": made_of, **ended(), "mode": "batch"})
        swap_in(staging, final)
        checkpoints.clear(project.checkpoints / item.stem / item.run)
        shutil.rmtree(failed_folder(final), ignore_errors=True)
        return "", None
    except Exception as error:
        removed = started and not prepared.is_file()
        reason = _REMOVED if removed else kernel.reason or _one_line(error)
        if kernel.reason or type(error).__name__ == "DeadKernelError":
            session.dead = reason
        if kernel.reason == _INTERRUPTED:
            shutil.rmtree(staging, ignore_errors=True)
            return _INTERRUPTED, None
        try:
            with suppress(OSError):  # the disk may be full
                _note(log, f"The run failed: {error}")
                (staging / "done.json").unlink(missing_ok=True)
                write_json(staging / "failed.json", {"reason": reason, **ended()})
            swap_in(staging, failed_folder(final))
        except OSError:
            return reason, None
        return reason, failed_folder(final) / "log.txt"


def _prepare_checkpoints(project: Project, items: Sequence[Item], log: Path) -> None:
    """Make sure that no run goes on from a state that other code or data led to."""
    for item in items:
        if kind(project.notebook(item.stem)) != "training":
            continue
        made_of = fingerprint(project, item.stem, item.parameters)
        late = awaited(project, item.stem, item.parameters)
        folder = project.checkpoints / item.stem / item.run
        if not checkpoints.prepare(folder, made_of, late):
            _note(log, f"{item.label}: earlier checkpoints were made by other code or data.")


def _execute_notebook(project: Project, item: Item, staging: Path, session: _Session) -> None:
    import papermill

    logging.getLogger("papermill").setLevel(logging.CRITICAL)  # what it says is in the outcome
    output, log = staging / "notebook.ipynb", staging / "log.txt"
    with log.open("a", encoding="utf-8") as file:
        try:
            papermill.execute_notebook(
                str(project.notebook(item.stem)),
                str(output),
                parameters=changed(project, item.stem, item.parameters),
                kernel_name="python3",
                km=session.manager,
                progress_bar=False,
                stdout_file=file,
                stderr_file=file,
                start_timeout=_PATIENCE,
                iopub_timeout=_PATIENCE,
                coalesce_streams=True,
                record_timing=False,
            )
        finally:
            session.manager.leave()
    _check(output, staging)


def _manager(kernel: _Kernel, options: dict[str, Any]) -> Any:
    """Make the manager of a kernel that is this interpreter, started with some options.

    Jupyter would prefer a ``python3`` kernel of another environment in the user's home.
    """
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class Manager(AsyncKernelManager):
        clients: ClassVar[list[Any]] = []

        def client(self, **options: Any) -> Any:
            self.clients.append(super().client(**options))
            return self.clients[-1]

        def leave(self) -> None:
            """Close what listens to the kernel; papermill does so only with its own managers."""
            while self.clients:
                self.clients.pop().stop_channels()

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

        async def start_kernel(self, **others: Any) -> None:
            await super().start_kernel(**{**others, **options})
            kernel.started(self.provisioner.pid)

    # Without this, ipykernel warns in every notebook that its sockets are not encrypted.
    return Manager(transport_encryption="required")


def _check(output: Path, staging: Path) -> None:
    """Decide success by what was done: papermill calls a killed kernel's cells completed."""
    import nbformat

    notebook = nbformat.read(output, as_version=4)
    executed = itertools.count(1)  # of a shared kernel, the counts go on from the run before
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
        if cell.source.strip():
            cell.execution_count = next(executed)
    for name in ("metrics.json", "provenance.json"):
        if not (staging / name).is_file():
            raise RunFailedError(f"the notebook left no {name}; does it end with run.finish()?")
    # papermill's notes hold absolute paths and times, which no reader of the notebook needs.
    notebook.metadata.pop("papermill", None)
    write_atomic(output, nbformat.writes(notebook))


def _note(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def _one_line(error: Exception) -> str:
    name, text = type(error).__name__, str(error)
    if name == "DeadKernelError":
        return "the kernel died (killed, or out of memory)"
    if name == "PapermillExecutionError":
        name, text = error.ename, error.evalue  # type: ignore[attr-defined]
    text = " ".join(str(text).split())
    return text if isinstance(error, RunFailedError) else f"{name}: {text}".removesuffix(": ")
