"""Downloads that are whole or not there, made by one process for all that want the same file."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["DataError", "fetch_into"]

_LOOK = 0.5  # seconds between two looks whether the other process has ended


class DataError(RuntimeError):
    """Pictures are missing, cannot be fetched or cannot be read; the message says which."""


def fetch_into(
    folder: Path, name: str, get: Callable[[Path], object], failed: str, advice: str
) -> Path:
    """Fetch a file into a folder with ``get(folder)``, or wait while another process does."""
    # A process that fetches holds a lock file; the others wait, and find the file.  If it fails or
    # dies, the next one tries.  The lock file and what is half fetched have hidden names, which
    # count nowhere as data.
    from filelock import FileLock, Timeout

    lock = FileLock(folder / f".{name}.lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            print(f"Another process fetches {name}; waiting for it", flush=True)
            lock.acquire(poll_interval=_LOOK)
        try:
            # Another process may have fetched it since the caller looked.
            if not (folder / name).exists():
                with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.") as temporary:
                    get(Path(temporary))
                    os.replace(Path(temporary) / name, folder / name)
        finally:
            # Removed while it is held.  Who waits makes it anew, and finds the file fetched; after
            # a failure two might fetch at once at worst, each into a folder of its own.
            with suppress(OSError):
                Path(lock.lock_file).unlink()
            lock.release()
    # Whatever the network, the host, the disk or a missing helper raises, the answer is the same.
    except Exception as error:
        raise DataError(f"{failed}: {error or type(error).__name__}. {advice}.") from error
    return folder / name
