"""Downloads that are whole or not there, made by one process for all that want the same file."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from taugda.gan.data.errors import DataError

__all__ = ["fetch_into"]

_LOOK = 0.5  # seconds between two looks whether the other process has ended


def fetch_into(
    folder: Path, name: str, get: Callable[[Path], object], failed: str, advice: str
) -> Path:
    """Fetch a file into a folder, or wait while another process does.

    Parameters
    ----------
    folder : Path
        Where the file is wanted; made if it is missing.
    name : str
        The file's name.
    get : callable
        Downloads a file of that name, checked, into the folder that it is given.
    failed, advice : str
        What to say if it does not: what was tried, and what to do instead.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If it cannot be fetched; no part of it stays.

    Notes
    -----
    While a process fetches, it holds a lock file in the folder; the others wait, and find the
    file.  If the process fails or dies, the next one tries.  The lock file and what is half
    fetched have hidden names, which count nowhere as data.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (
            _alone(folder / f".{name}.lock", name),
            tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.") as temporary,
        ):
            # Another process may have fetched it since the caller looked.
            if not (folder / name).exists():
                get(Path(temporary))
                os.replace(Path(temporary) / name, folder / name)
    # Whatever the network, the host, the disk or a missing helper raises, the answer is the same.
    except Exception as error:
        raise DataError(f"{failed}: {error or type(error).__name__}. {advice}.") from error
    return folder / name


@contextmanager
def _alone(path: Path, name: str) -> Iterator[None]:
    """Hold a lock file; the system frees it, however its holder ends."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"Another process fetches {name}; waiting for it", flush=True)
        lock.acquire(poll_interval=_LOOK)
    try:
        yield
    finally:
        # Removed while it is held.  Who waits makes it anew, and finds the file fetched; after a
        # failure two might fetch at once at worst, each into a folder of its own.
        with suppress(OSError):
            path.unlink()
        lock.release()
