"""A watch over one running notebook: it keeps the lock fresh, and ends what may not go on."""

import os
import signal
import threading
import time
from contextlib import suppress

from taugda.runs.format import show_seconds
from taugda.runs.lock import BEAT, Lock


class Watch:
    """A thread that looks after a notebook's kernel.

    Parameters
    ----------
    lock : Lock
        The run's lock, which this process holds.
    limit : float, optional
        Seconds that the run may take.

    Attributes
    ----------
    reason : str
        Why the kernel was ended; empty as long as it was not.
    """

    def __init__(self, lock: Lock, limit: float | None = None) -> None:
        self.reason = ""
        self._lock = lock
        self._limit = limit
        self._kernel: int | None = None
        self._over = threading.Event()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def started(self, pid: int) -> None:
        """Take note of the kernel.

        Parameters
        ----------
        pid : int
            Its process, which leads a group of its own.
        """
        with self._guard:
            self._kernel = pid
            self._lock.name_kernel(pid)
        if self.reason:
            self._end(self.reason)

    def holds(self) -> bool:
        """Tell whether the results may still be put in place."""
        # A limit or a request that came when the notebook had ended undoes nothing.
        if self._lock.owned():
            return True
        self.reason = _LOST
        return False

    def _look(self) -> None:
        begin = last = time.monotonic()
        while not self._over.wait(min(1.0, BEAT)):
            now = time.monotonic()
            if self._limit is not None and now - begin > self._limit:
                return self._end(f"the time limit of {show_seconds(self._limit)} is over")
            if self._lock.stop_asked():
                return self._end("it was asked to stop")
            if now - last < BEAT:
                continue
            last = now
            with self._guard:
                kept = self._lock.beat()
            if not kept:
                return self._end(_LOST)
        return None

    def _end(self, reason: str) -> None:
        self.reason = reason
        with self._guard, suppress(ProcessLookupError, PermissionError):
            if self._kernel is not None:
                os.killpg(self._kernel, signal.SIGKILL)


_LOST = "its lock is gone: the output folder was removed, or another process took the run over"
