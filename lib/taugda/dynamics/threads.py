"""Compiled work on this process's share of the cores."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tqdm import tqdm

__all__ = ["in_threads"]


def in_threads(
    work: Callable[[Any], None],
    items: Iterable[Any],
    progress: bool = False,
) -> None:
    """Run compiled work, which holds no interpreter lock, on this process's share of the cores.

    ``TAUGDA_THREADS`` is that share; the batch runner sets it when it runs several notebooks.
    """
    threads = int(os.environ.get("TAUGDA_THREADS") or len(os.sched_getaffinity(0)))
    items = list(items)
    with ThreadPoolExecutor(max(1, min(threads, len(items)))) as pool:
        done = pool.map(work, items)
        # The bar goes when the work is done, so that no page keeps it.
        for _ in tqdm(done, total=len(items), disable=not progress, leave=False):
            pass
