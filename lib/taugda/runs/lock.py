"""One writer a run: a lock file that outlives nobody.

The owner touches its lock every few seconds.  A lock is dead when its owner's process is (on the
same machine), or when nobody touched it for a while (seen from another one, over a shared disk).
Whoever finds a dead lock may take it away, and ends what is left of its owner's kernel first.
"""

import json
import os
import signal
import socket
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from taugda.runs.files import read_json, write_json
from taugda.runs.project import Project

BEAT = 5.0  # seconds between two touches
STALE = 120.0  # seconds without one, after which an owner on another machine counts as dead
_TRIES = 5
_PATIENCE = 10.0  # seconds that a killed kernel has to disappear


class Lock:
    """The lock of one run.

    Parameters
    ----------
    project : Project
        Where the outputs are.
    stem : str
        The notebook's full name.
    run : str
        The run's name.
    interactive : bool
        Whether this process is that of a notebook which is open, and not a batch's.
    """

    def __init__(self, project: Project, stem: str, run: str, interactive: bool = False) -> None:
        self.path = project.locks / stem / f"{run}.lock"
        self._stop = self.path.with_suffix(".stop")
        self._mine = {
            "token": uuid.uuid4().hex,
            "host": socket.gethostname(),
            "place": _place(),
            "owner": _process(os.getpid()),
            "kernel": None,
            "interactive": interactive,
            "since": None,
        }

    def owner(self) -> str | None:
        """Say who holds the lock.

        Returns
        -------
        str or None
            Process and host of a living owner, and since when; None where there is none.
        """
        found = read_json(self.path)
        if not self.path.exists() or self._dead(found):
            return None
        return _describe(found)

    def acquire(self) -> str | None:
        """Take the lock, from a dead owner too.

        Returns
        -------
        str or None
            None on success; otherwise who holds it.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(_TRIES):
            try:
                descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                found = read_json(self.path)
                if self._adopt(found):
                    return None
                if not self._dead(found):
                    return _describe(found)
                self._take_away(found)
                continue
            self._mine["since"] = datetime.now(UTC).isoformat(timespec="seconds")
            try:
                with os.fdopen(descriptor, "w") as file:
                    json.dump(self._mine, file)
            except OSError:
                self.path.unlink(missing_ok=True)
                raise
            self._stop.unlink(missing_ok=True)
            return None
        return "several processes that start at this moment"

    def _adopt(self, found: Any) -> bool:
        """Go on with a lock that an open notebook's own process holds already."""
        keys = ("place", "owner", "interactive")
        if not self._mine["interactive"] or not isinstance(found, dict):
            return False
        if any(found.get(key) != self._mine[key] for key in keys):
            return False
        self._mine = found
        return True

    def beat(self) -> bool:
        """Show that the owner lives.

        Returns
        -------
        bool
            False if the lock is not this object's any more.
        """
        try:
            if not self.owned():
                return False
            os.utime(self.path)
        except OSError:
            return False
        return True

    def owned(self) -> bool:
        """Tell whether the lock is this object's."""
        found = read_json(self.path)
        return isinstance(found, dict) and found.get("token") == self._mine["token"]

    def name_kernel(self, pid: int) -> None:
        """Write down the kernel's process, which might outlive its owner for a moment.

        Parameters
        ----------
        pid : int
            Its id.
        """
        self._mine["kernel"] = _process(pid)
        if self.owned():
            write_json(self.path, self._mine)

    def release(self) -> None:
        """Give the lock back, if it is still this object's."""
        with suppress(OSError):
            if self.owned():
                self.path.unlink(missing_ok=True)
                self._stop.unlink(missing_ok=True)

    def ask_to_stop(self) -> None:
        """Ask whoever holds the lock to end its run; it does within seconds."""
        with suppress(OSError):
            if self.path.exists():
                self._stop.touch()

    def stop_asked(self) -> bool:
        """Tell whether the owner was asked to end its run."""
        return self._stop.exists()

    def _dead(self, found: Any) -> bool:
        if isinstance(found, dict) and found.get("place") == self._mine["place"]:
            return not _alive(found.get("owner"))
        try:
            # The file's time comes from the file server, so ours has to come from there, too.
            probe = self.path.with_name(f".{self.path.name}.{self._mine['token']}.now")
            probe.touch()
            age = probe.stat().st_mtime - self.path.stat().st_mtime
            probe.unlink()
        except OSError:
            return False
        return age > STALE

    def _take_away(self, found: Any) -> None:
        if isinstance(found, dict) and found.get("place") == self._mine["place"]:
            _end(found.get("kernel"))
        aside = self.path.with_name(f".{self.path.name}.{self._mine['token']}.dead")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        # Between reading and renaming, somebody else may have been as quick: give it back.
        if read_json(aside) != found:
            with suppress(OSError):
                os.link(aside, self.path)
        aside.unlink(missing_ok=True)


def _describe(found: Any) -> str:
    if not isinstance(found, dict):
        return "a process that starts at this moment"
    who = f"process {(found.get('owner') or [0])[0]} on {found.get('host')}"
    since = f"since {str(found['since'])[:16].replace('T', ' ')} UTC" if found.get("since") else ""
    if found.get("interactive"):
        return f"an open notebook ({who}, {since})"
    return f"{who} ({since})" if since else who


def _place() -> str:
    """Name the set of processes that this one can see: machine, its start, container."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _facts(pid: int) -> tuple[str, str] | None:
    """State and time of start of a process; None where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    rest = fields.rpartition(")")[2].split()
    return rest[0], rest[19]


def _process(pid: int) -> list[Any]:
    facts = _facts(pid)
    return [pid, facts[1] if facts else None]


def _alive(process: Any) -> bool:
    """Tell whether a process lives; ids are given anew, so its time of start has to agree."""
    match process:
        case [int(pid), birth] if pid > 0:
            pass
        case _:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    facts = _facts(pid)
    return facts is None or (facts[0] not in "ZX" and (birth is None or facts[1] == birth))


def alive_here(pid: Any) -> bool:
    """Tell whether a process of this machine lives.

    Parameters
    ----------
    pid : Any
        Its id; anything else is no process.

    Returns
    -------
    bool
        False for one that has ended and was not collected by its parent, too.
    """
    return isinstance(pid, int) and pid > 0 and _alive([pid, None])


def _end(kernel: Any) -> None:
    """Kill a kernel whose owner is dead, with all it started."""
    if not _alive(kernel):
        return
    with suppress(OSError):
        os.killpg(kernel[0], signal.SIGKILL)
    deadline = time.monotonic() + _PATIENCE
    while _alive(kernel) and time.monotonic() < deadline:
        time.sleep(0.05)
