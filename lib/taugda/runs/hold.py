"""The lock of a run that is made outside of a batch: held as long as its notebook needs it."""

import os
import threading
from pathlib import Path

from taugda.runs.errors import BusyError
from taugda.runs.lock import STALE, Lock
from taugda.runs.project import Project

# Only a process on another machine asks when the lock was last touched; so this is often enough.
_EVERY = STALE / 4

# What this process holds, and for how many runs of its notebook: the cell that makes the record
# may be run again, and then there are two for a moment.  A forked child holds nothing.
_held: dict[tuple[int, Path], "_Held"] = {}
_guard = threading.RLock()  # a record can be collected, and give up its hold, at any moment


class Hold:
    """A claim of one record to the lock of its run, which the records of a process share.

    Parameters
    ----------
    project : Project
        Where the outputs are.
    stem : str
        The notebook's full name.
    run : str
        The run's name.

    Raises
    ------
    BusyError
        If another process holds the lock.
    OSError
        If the lock cannot be written.
    """

    def __init__(self, project: Project, stem: str, run: str) -> None:
        self._label = f"{stem}/{run}"
        lock = Lock(project, stem, run, interactive=True)
        self._key = os.getpid(), lock.path
        with _guard:
            self._held = _held.get(self._key) or _Held(lock)
            self._held.claims.add(id(self))
            _held[self._key] = self._held
            try:
                self.keep()
                self._held.start()
            except BaseException:
                self.release()
                raise

    def keep(self) -> None:
        """Make sure that the lock is this process's, and take it again where it was removed.

        Raises
        ------
        BusyError
            If another process has taken it.
        OSError
            If the lock cannot be written.
        """
        with _guard:
            owner = None if self._held.lock.owned() else self._held.lock.acquire()
        if owner:
            raise BusyError(
                f"{self._label}: {owner} is at work on this run, and two would write into each "
                "other's checkpoints and results. Wait for its end, or end it (shut down the other "
                "notebook's kernel, stop the batch with Ctrl-C), and run this cell again; with "
                "another value of a parameter it is another run"
            )

    def release(self) -> None:
        """Give up the claim; the last one gives back the lock."""
        if self._key[0] != os.getpid():
            return
        with _guard:
            self._held.claims.discard(id(self))
            if not self._held.claims and _held.pop(self._key, None):
                self._held.over.set()
                self._held.lock.release()


class _Held:
    """A lock, who claims it, and the thread that keeps it fresh."""

    def __init__(self, lock: Lock) -> None:
        self.lock = lock
        self.claims: set[int] = set()
        self.over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        # One that is lost may come back: `keep` takes it again.
        while not self.over.wait(_EVERY):
            self.lock.beat()
