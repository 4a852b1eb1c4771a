"""One writer a run: a lock that the system frees, however its holder ends.

It belongs to an open file: whoever has that file open, a kernel that it was handed to included,
holds the lock.  The file stays when the lock is given back; it only names the last holder.
"""

import fcntl
import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from taugda.runs.project import Project


class BusyError(RuntimeError):
    """Somebody else is at work on the run; `holder` says who."""

    def __init__(self, label: str, holder: str) -> None:
        super().__init__(f"{label}: {holder} is at work on it")
        self.holder = holder


class Lock:
    """A lock that this process holds; `descriptor` is that of its open file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        # The lock is freed, too, when nobody refers to this object any more.
        self._file = path.open("a", encoding="utf-8")
        self.descriptor = self._file.fileno()
        fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def sign(self, holder: str) -> None:
        """Write down who holds the lock."""
        self._file.truncate(0)
        self._file.write(holder)
        self._file.flush()

    def held(self) -> bool:
        """Whether others would find this lock: its file may have been removed."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.stat(self._path))
        except OSError:
            return False

    def release(self) -> None:
        """Close the file; the lock is free when a kernel that it was handed to is gone, too."""
        self._file.close()


def hold(project: Project, stem: str, run: str, interactive: bool = False) -> Lock:
    """Take the lock of a run; BusyError says who has it, OSError why it cannot be taken."""
    path = project.locks / stem / f"{run}.lock"
    try:
        lock = Lock(path)
    except BlockingIOError:
        holder = path.read_text(encoding="utf-8") or "a process that starts at this moment"
        raise BusyError(f"{stem}/{run}", holder) from None
    who = f"process {os.getpid()} on {socket.gethostname()}"
    since = datetime.now(UTC).strftime("since %Y-%m-%d %H:%M UTC")
    lock.sign(f"an open notebook ({who}, {since})" if interactive else f"{who} ({since})")
    return lock
