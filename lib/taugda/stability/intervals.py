"""The intervals of tau on which a critical point is stable."""

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from taugda.blocks import Blocks
from taugda.equilibria import classify
from taugda.stability.guard import guard_roots
from taugda.stability.spectra import is_stable

if TYPE_CHECKING:
    from taugda.exact import ExactBlocks

__all__ = ["Interval", "stability_intervals"]


@dataclass(frozen=True)
class Interval:
    """An open interval of tau; ``upper`` is infinity where it never ends.

    The ends are floats, or SymPy numbers where the exact route found them.
    """

    lower: float | sp.Expr
    upper: float | sp.Expr

    def __contains__(self, tau: float) -> bool:
        return bool(self.lower < tau < self.upper)

    def __str__(self) -> str:
        return f"({_text(self.lower, 10)}, {_text(self.upper, 10)})"

    def latex(self) -> str:
        """Return the interval as TeX between dollar signs: short exact ends, else six digits."""
        return f"$({_latex(self.lower)}, {_latex(self.upper)})$"


def _text(end: float | sp.Expr, digits: int) -> str:
    if isinstance(end, sp.Expr) and end.is_finite and not end.has(sp.CRootOf):
        return str(end)
    return f"{float(end):.{digits}g}"


def _latex(end: float | sp.Expr) -> str:
    if end == math.inf:
        return r"\infty"
    if isinstance(end, sp.Expr) and not end.has(sp.CRootOf):
        return sp.latex(end)
    return f"{float(end):.6g}"


def stability_intervals(blocks: "Blocks | ExactBlocks", exact: bool = False) -> list[Interval]:
    """Return the open intervals of tau > 0 on which the critical point is stable.

    The ends are roots of the guard map (two eigenvalues of J_tau sum to zero) and between two
    roots the number of unstable eigenvalues is constant, so one spectrum decides each gap.  A
    root at which a stable spectrum only touches the axis splits an interval.

    Parameters
    ----------
    blocks : Blocks or ExactBlocks
        The blocks at any critical point, equilibrium or not.
    exact : bool
        Whether to return exact ends (SymPy numbers); needs :class:`ExactBlocks`.

    Returns
    -------
    list of Interval
        In ascending order.  The last one ends at infinity iff the point is a differential
        Stackelberg equilibrium (where A22 and S1 are nonsingular); an empty list means that
        no tau makes the point stable.

    Raises
    ------
    ValueError
        If ``exact`` and the blocks are not exact, or their number field is too hard
        (``FieldTooHardError``, which says the degree).

    Examples
    --------
    >>> from taugda import games
    >>> print(*stability_intervals(games.quadratic().blocks([0, 0, 0, 0])))
    (2, inf)
    """
    if exact:
        from taugda.stability.exact import exact_stability_intervals

        return exact_stability_intervals(blocks)
    blocks = in_floats(blocks)
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


def in_floats(blocks: "Blocks | ExactBlocks") -> Blocks:
    """Return exact blocks in double precision, and blocks in floats as they are."""
    return blocks if isinstance(blocks, Blocks) else blocks.numeric()


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
