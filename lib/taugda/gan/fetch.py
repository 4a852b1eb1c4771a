"""Downloads that are whole or not there, made by one process for all that want the same file."""

import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock, Timeout


class DataError(RuntimeError):
    """Pictures are missing, cannot be fetched or cannot be read; the message says which."""


def fetch_into(
    folder: Path, name: str, get: Callable[[Path], object], failed: str, advice: str
) -> Path:
    """Fetch a file into a folder with ``get(folder)``, or wait while another process does."""
    # If the process that fetches fails or dies, the next one tries.  The lock file and what is
    # half fetched have hidden names, which count nowhere as data.
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f".{name}.lock")
        try:
            held = lock.acquire(blocking=False)
        except Timeout:
            print(f"Another process fetches {name}; waiting for it", flush=True)
            held = lock.acquire(poll_interval=0.5)
        with held, TemporaryDirectory(dir=folder, prefix=f".{name}.") as temporary:
            if not (folder / name).exists():
                get(Path(temporary))
                os.replace(Path(temporary) / name, folder / name)
    # Whatever the network, the host, the disk or a missing helper raises, the answer is the same.
    except Exception as error:
        raise DataError(f"{failed}: {error or type(error).__name__}. {advice}.") from error
    return folder / name
