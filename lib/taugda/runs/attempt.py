"""One attempt at a run: under its lock, and only if nobody else has done it meanwhile."""

import time

from taugda.runs.execute import Outcome, execute
from taugda.runs.lock import Lock
from taugda.runs.plan import FORCED, UP_TO_DATE, Item, finished, status
from taugda.runs.project import Project
from taugda.runs.watch import Watch


def attempt(project: Project, item: Item, threads: int = 1, limit: float | None = None) -> Outcome:
    """Execute one run of a plan, unless another process is at it or has done it.

    Parameters
    ----------
    project : Project
        Where notebook and outputs are.
    item : Item
        The run.
    threads : int
        Threads that the notebook's numerical libraries may use.
    limit : float, optional
        Seconds that it may take.

    Returns
    -------
    Outcome
        With ``busy`` set where another process holds the run, and ``shared`` where one has
        finished it since the plan was made.
    """
    started = time.monotonic()
    lock = Lock(project, item.stem, item.run)
    try:
        owner = lock.acquire()
    except OSError as error:
        reason = f"its lock cannot be written ({error.strerror})"
        return Outcome(item.stem, item.run, time.monotonic() - started, reason)
    if owner:
        return Outcome(item.stem, item.run, time.monotonic() - started, busy=owner)
    try:
        if _done_meanwhile(project, item):
            return Outcome(item.stem, item.run, time.monotonic() - started, shared=True)
        with Watch(lock, limit) as watch:
            return execute(project, item.stem, item.parameters, threads, watch)
    finally:
        lock.release()


def _done_meanwhile(project: Project, item: Item) -> bool:
    now = status(project, item.stem, item.run, item.parameters)
    if now.state != UP_TO_DATE:
        return False
    return item.state != FORCED or finished(project, item.stem, item.run) != item.finished
