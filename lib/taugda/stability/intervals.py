"""The intervals of tau on which a critical point is stable."""

import itertools
import math
from dataclasses import dataclass

import sympy as sp

from taugda.blocks import Blocks, takes_blocks
from taugda.equilibria import classify
from taugda.stability.guard import crossings
from taugda.stability.precise import natural_tau
from taugda.stability.spectra import is_stable


@dataclass(frozen=True)
class Interval:
    """An open interval of tau.

    Attributes
    ----------
    lower, upper : float or sympy.Expr
        The ends, floats or exact numbers; ``upper`` may be infinity.
    """

    lower: float | sp.Expr
    upper: float | sp.Expr

    def __contains__(self, tau: float) -> bool:
        return bool(self.lower < tau < self.upper)

    def __str__(self) -> str:
        ends = (str(e) if _short(e) else f"{float(e):.10g}" for e in (self.lower, self.upper))
        return f"({', '.join(ends)})"

    def latex(self) -> str:
        """Return the interval as TeX: short exact ends as they are, others in six digits."""
        ends = (sp.latex(e) if _short(e) else f"{float(e):.6g}" for e in (self.lower, self.upper))
        return f"$({', '.join(ends)})$".replace("inf", r"\infty")


def _short(end: float | sp.Expr) -> bool:
    """Return whether an end is an exact number that can be written out."""
    return isinstance(end, sp.Expr) and bool(end.is_finite) and not end.has(sp.CRootOf)


@takes_blocks
def stability_intervals(blocks: Blocks) -> list[Interval]:
    """Return the open intervals of tau > 0 on which the critical point is stable.

    The ends are roots of the guard map (two eigenvalues of J_tau sum to zero) and between two
    roots the number of unstable eigenvalues is constant, so one spectrum decides each gap.

    Parameters
    ----------
    blocks : Blocks
        At any critical point, equilibrium or not.

    Returns
    -------
    list of Interval
        Ascending; empty where no tau makes the point stable.  The last one ends at infinity iff
        the point is a differential Stackelberg equilibrium (if A22 and S1 are nonsingular).  A
        root at which a stable spectrum only touches the axis splits an interval.
    """
    if blocks.always_singular:
        return []
    kind = classify(blocks)
    if kind.is_dse and kind.A11_semidefinite:
        # tau* = 0.  Q's exact zero eigenvalues, moved by rounding, would look like crossings.
        return [Interval(0.0, math.inf)]
    ends = [crossing.tau for crossing in crossings(blocks)]
    inside = [natural_tau(blocks)]
    if ends:
        middle = [math.sqrt(a) * math.sqrt(b) for a, b in itertools.pairwise(ends)]
        inside = [ends[0] / 2, *middle, 2 * ends[-1]]
    gaps = zip(itertools.pairwise([0.0, *ends, math.inf]), inside, strict=True)
    return [Interval(*gap) for gap, tau in gaps if is_stable(blocks, tau)]
