"""The intervals of tau on which a critical point is stable."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from taugda.blocks import Blocks
from taugda.equilibria import classify
from taugda.stability.guard import guard_roots
from taugda.stability.spectra import is_stable

__all__ = ["Interval", "stability_intervals"]


@dataclass(frozen=True)
class Interval:
    """An open interval of tau; ``upper`` is infinity where it never ends."""

    lower: float
    upper: float

    def __contains__(self, tau: float) -> bool:
        return self.lower < tau < self.upper

    def __str__(self) -> str:
        return f"({self.lower:.10g}, {self.upper:.10g})"

    def latex(self) -> str:
        """Return the interval as TeX between dollar signs, with six digits."""
        upper = r"\infty" if self.upper == math.inf else f"{self.upper:.6g}"
        return f"$({self.lower:.6g}, {upper})$"


def stability_intervals(blocks: Blocks) -> list[Interval]:
    """Return the open intervals of tau > 0 on which the critical point is stable.

    The ends are roots of the guard map (two eigenvalues of J_tau sum to zero) and between two
    roots the number of unstable eigenvalues is constant, so one spectrum decides each gap.  A
    root at which a stable spectrum only touches the axis splits an interval.

    Parameters
    ----------
    blocks : Blocks
        The blocks at any critical point, equilibrium or not.

    Returns
    -------
    list of Interval
        In ascending order.  The last one ends at infinity iff the point is a differential
        Stackelberg equilibrium (where A22 and S1 are nonsingular); an empty list means that
        no tau makes the point stable.

    Examples
    --------
    >>> from taugda import games
    >>> print(*stability_intervals(games.quadratic().blocks([0, 0, 0, 0])))
    (2, inf)
    """
    if _always_singular(blocks):
        return []
    kind = classify(blocks)
    if kind.is_dse and kind.A11_semidefinite:
        # tau* = 0.  Q's exact zero eigenvalues, moved by rounding, would look like crossings.
        return [Interval(0.0, math.inf)]
    roots = [r for r in guard_roots(blocks) if _pair_on_axis(blocks, r)]
    edges = [0.0, *roots, math.inf]
    intervals = []
    for lower, upper in itertools.pairwise(edges):
        if is_stable(blocks, _between(lower, upper)):
            intervals.append(Interval(lower, upper))
    return intervals


def _between(lower: float, upper: float) -> float:
    if lower == 0.0:
        return 1.0 if upper == math.inf else upper / 2
    return 2 * lower if upper == math.inf else math.sqrt(lower * upper)


def _always_singular(blocks: Blocks) -> bool:
    """Return whether J_tau has an eigenvalue 0 for every tau (det J_tau is tau^n2 times it)."""
    values = np.linalg.svd(blocks.jacobian(1.0), compute_uv=False)
    return bool(values[-1] <= 1e-12 * len(values) * values[0])


def _pair_on_axis(blocks: Blocks, tau: float) -> bool:
    """Return whether J_tau has eigenvalues on the imaginary axis, not just a pair +-l."""
    values = np.linalg.eigvals(blocks.jacobian(tau))
    return bool(np.abs(values.real).min() <= 1e-7 * np.abs(values).max())
