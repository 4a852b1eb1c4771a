"""Gradient descent-ascent with finite timescale separation.

A companion to "Local Convergence Analysis of Gradient Descent Ascent with Finite
Timescale Separation" (Fiez & Ratliff, ICLR 2021).  The subjects are modules: ``games``,
``equilibria``, ``stability``, ``dynamics`` and ``plots`` hold the mathematics and its
pictures; ``proofs`` the same numbers in exact and in ball arithmetic; ``gan`` trains image GANs;
``network`` reads a game between PyTorch modules; ``record`` is a notebook's side of a run, ``runs``
and ``report`` execute the notebooks and make the pages.

Nothing is imported here until it is used, so ``import taugda`` takes milliseconds.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_SUBJECTS = (
    "dynamics", "equilibria", "games", "gan", "network", "plots", "proofs", "record", "report",
    "runs", "stability",
)  # fmt: skip
__all__ = [*_SUBJECTS, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _SUBJECTS:
        return import_module(f"taugda.{name}")
    raise AttributeError(f"module 'taugda' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBJECTS])
