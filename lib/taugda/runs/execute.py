"""One run: a notebook executed in this process through papermill, all or nothing."""

import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from taugda.runs import checkpoints
from taugda.runs.files import (
    environment,
    recover,
    staging_folder,
    swap_in,
    write_atomic,
    write_json,
)
from taugda.runs.fingerprint import kind
from taugda.runs.inputs import awaited, run_fingerprint
from taugda.runs.parameters import changed, run_name
from taugda.runs.project import Project
from taugda.runs.record import parameters_text
from taugda.runs.watch import Watch

_THREAD_VARIABLES = (
    "TAUGDA_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
# By default the C library gives a large array's memory back as soon as it is freed and asks for new
# pages, to be cleared, for the next one: about a tenth of a training run.  This keeps it.
_MEMORY_VARIABLES = {
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
}
_START_TIMEOUT = 180  # seconds; a busy machine takes long to start many kernels at once


class RunFailedError(RuntimeError):
    """The notebook did not run to its end, or left no record."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Parameters
    ----------
    stem : str
        The notebook's full name.
    run : str
        The run's name.
    seconds : float
        Wall time.
    error : str
        One line that says why it failed; empty where it succeeded.
    log : Path or None
        The log of a failed run.
    busy : str
        Who else is at work on the run, so that nothing was done; empty where nobody is.
    shared : bool
        Whether another process had finished the run before this one could start it.
    """

    stem: str
    run: str
    seconds: float
    error: str = ""
    log: Path | None = None
    busy: str = ""
    shared: bool = False


def failed_folder(final: Path) -> Path:
    """Folder that a failed run leaves its remains in.

    Parameters
    ----------
    final : Path
        The run's folder.

    Returns
    -------
    Path
        A folder beside it.
    """
    return final.with_name(f"{final.name}.failed")


def execute(
    project: Project,
    stem: str,
    parameters: Mapping[str, Any],
    threads: int = 1,
    watch: Watch | None = None,
) -> Outcome:
    """Execute a notebook and, if it succeeds, let its results replace the former ones.

    Parameters
    ----------
    project : Project
        Where notebook and outputs are.
    stem : str
        The notebook's full name.
    parameters : mapping
        All parameters, as `taugda.runs.parameters.resolve` returns them.
    threads : int
        Threads that the notebook's numerical libraries may use.
    watch : Watch, optional
        Looks after the kernel, and says whether the results may be put in place.

    Returns
    -------
    Outcome
        A failure is returned, not raised.  Its partial notebook and log lie in
        ``<run>.failed`` beside the former results, which stay.
    """
    started = time.monotonic()
    run = run_name(project, stem, parameters)
    final = project.run(stem, run)
    staging = staging_folder(final)
    prepared = False
    try:
        recover(final)
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        made_of = run_fingerprint(project, stem, parameters)
        kept = project.checkpoints / stem / run
        training = kind(project.notebook(stem)) == "training"
        late = awaited(project, stem, parameters)
        if training and not checkpoints.prepare(kept, made_of, late):
            _note(staging, "The checkpoints of an earlier attempt were made by other code or data.")
        write_atomic(staging / "parameters.yaml", parameters_text(parameters))
        prepared = True
        with _logging_to(staging / "log.txt"):
            _execute_notebook(project, stem, parameters, staging, threads, watch)
        if not _there(staging):
            raise RunFailedError(_REMOVED)
        if late:
            made_of = run_fingerprint(project, stem, parameters)
        seconds = time.monotonic() - started
        write_json(
            staging / "done.json",
            {
                "fingerprint": made_of,
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "duration": round(seconds, 3),
                "mode": "batch",
            },
        )
        if watch and not watch.holds():
            raise RunFailedError(watch.reason)
        swap_in(staging, final)
        checkpoints.clear(kept)
        shutil.rmtree(failed_folder(final), ignore_errors=True)
        return Outcome(stem, run, seconds)
    except Exception as error:
        reason = watch.reason if watch and watch.reason else _one_line(error)
        # Whatever else went wrong then follows from it.
        reason = _REMOVED if prepared and not _there(staging) else reason
        log = _keep_remains(staging, final)
        return Outcome(stem, run, time.monotonic() - started, reason, log)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


_REMOVED = "its output folder was removed while it ran"


def _there(staging: Path) -> bool:
    """Tell whether a folder is the one that was prepared.

    The notebook makes its folder again where it is gone, but not this file.
    """
    return (staging / "parameters.yaml").is_file()


def _note(staging: Path, text: str) -> None:
    with (staging / "log.txt").open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def _execute_notebook(
    project: Project,
    stem: str,
    parameters: Mapping[str, Any],
    staging: Path,
    threads: int,
    watch: Watch | None,
) -> None:
    import papermill
    from traitlets.config import Config

    output = staging / "notebook.ipynb"
    config = Config()
    # Without this, ipykernel warns in every notebook that its sockets are not encrypted.
    config.KernelManager.transport_encryption = "required"
    with (
        tempfile.TemporaryDirectory(prefix="taugda-") as scratch,
        _kernel_environment(project, stem, staging, threads, scratch),
    ):
        papermill.execute_notebook(
            str(project.notebook(stem)),
            str(output),
            parameters=changed(project, stem, parameters),
            kernel_name="python3",
            kernel_manager_class=_own_kernel_manager(staging / "log.txt", watch),
            cwd=str(project.root),
            progress_bar=False,
            log_output=True,
            start_timeout=_START_TIMEOUT,
            iopub_timeout=_START_TIMEOUT,
            coalesce_streams=True,
            record_timing=False,
            # Nothing is left to do in the kernel; taking PyTorch apart in order takes it a while.
            shutdown_kernel="immediate",
            config=config,
        )
    _check(output, staging)


@contextmanager
def _kernel_environment(
    project: Project, stem: str, staging: Path, threads: int, scratch: str
) -> Iterator[None]:
    values = {
        "TAUGDA_ROOT": str(project.root),
        "TAUGDA_OUTPUTS": str(project.outputs),
        "TAUGDA_RUN_DIR": str(staging),
        "TAUGDA_RUN_NOTEBOOK": stem,
        "JUPYTER_PREFER_ENV_PATH": "1",
        # The user's own start-up files and settings must not change a result.
        "IPYTHONDIR": scratch,
        "PYTHONHASHSEED": "0",
        **_MEMORY_VARIABLES,
        **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
    }
    with environment(**values):
        yield


def _own_kernel_manager(log: Path, watch: Watch | None) -> type:
    """Make a kernel manager whose every kernel is the running interpreter.

    The user's home may hold a ``python3`` kernel of another environment, which Jupyter would
    prefer.  What the kernel's machinery says goes to the log, not to the terminal.
    """
    from ipykernel.kernelspec import RESOURCES, get_kernel_dict
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from traitlets import default

    class OwnSpecs(KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())

    class OwnKernelManager(AsyncKernelManager):
        @default("kernel_spec_manager")
        def _own_specs(self) -> KernelSpecManager:
            return OwnSpecs(parent=self)

        async def start_kernel(self, **options: Any) -> None:
            with log.open("ab") as file:
                await super().start_kernel(**{**options, "stdout": file, "stderr": file})
            if watch:
                watch.started(self.provisioner.pid)

    return OwnKernelManager


def _check(output: Path, staging: Path) -> None:
    """Decide success by what was done: papermill calls a killed kernel's cells completed."""
    import nbformat

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
    for name in ("metrics.json", "provenance.json"):
        if not (staging / name).is_file():
            raise RunFailedError(f"the notebook left no {name}; does it end with run.finish()?")
    # papermill's notes hold absolute paths and times, which no reader of the notebook needs.
    notebook.metadata.pop("papermill", None)
    write_atomic(output, nbformat.writes(notebook))


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("papermill")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    except BaseException as error:
        logger.error("The run failed: %s", error)
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def _keep_remains(staging: Path, final: Path) -> Path | None:
    if not staging.is_dir():
        return None
    try:
        swap_in(staging, failed_folder(final))
    except OSError:
        return None
    return failed_folder(final) / "log.txt"


def _one_line(error: Exception) -> str:
    name, value = getattr(error, "ename", None), getattr(error, "evalue", None)
    if name is not None:
        return f"{name}: {' '.join(str(value).split())}"
    if type(error).__name__ == "DeadKernelError":
        return "the kernel died (killed, or out of memory)"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if isinstance(error, RunFailedError) else f"{type(error).__name__}: {text}"
