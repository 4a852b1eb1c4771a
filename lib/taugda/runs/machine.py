"""What a run takes of this machine: its lock, cores, and a GPU.

A lock is freed by the system, however its holder ends.  It belongs to an open file: whoever has
that file open, a kernel that it was handed to included, holds the lock.  The file stays when the
lock is given back; it only names the last holder.
"""

import fcntl
import itertools
import os
import socket
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO


class BusyError(RuntimeError):
    """Somebody else is at work on the run; `holder` says who."""

    def __init__(self, label: str, holder: str) -> None:
        hint = "when it has ended, or been ended, do this again"
        super().__init__(f"{label}: {holder} is at work on it; {hint}")
        self.holder = holder


def lock(path: Path) -> TextIO:
    """Open and lock a file, or raise BlockingIOError; the lock is freed with the last reference."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a", encoding="utf-8")
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file


def hold(path: Path, label: str, interactive: bool = False) -> TextIO:
    """Take the lock of a run; BusyError says who has it, OSError why it cannot be taken."""
    try:
        file = lock(path)
    except BlockingIOError:
        holder = path.read_text(encoding="utf-8") or "a process that starts at this moment"
        raise BusyError(label, holder) from None
    who = f"process {os.getpid()} on {socket.gethostname()}"
    since = datetime.now(UTC).strftime("since %Y-%m-%d %H:%M UTC")
    file.truncate(0)
    file.write(f"an open notebook ({who}, {since})" if interactive else f"{who} ({since})")
    file.flush()
    return file


def held(file: TextIO) -> bool:
    """Whether others would find this lock: its file may have been removed."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(file.name))
    except OSError:
        return False


def cores() -> int:
    """Count the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def gpus() -> list[str]:
    """Find the NVIDIA GPUs that this process may use, without loading torch."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]
    return [name for name in map(str.strip, named.split(",")) if name and name != "-1"]


def take_gpu(devices: list[str]) -> tuple[str, TextIO]:
    """Take the device that the fewest runs of this user on this machine are at."""
    for others in itertools.count():
        for device in devices:
            name = f"taugda-{os.getuid()}-gpu-{device}-{others}.lock"
            with suppress(BlockingIOError):
                return device, lock(Path(tempfile.gettempdir(), name))
