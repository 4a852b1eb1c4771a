"""Critical points looked at in many digits: what is one, how exactly it is known, what it is.

Near a degenerate point the Jacobian is as small as the point's own error allows, and far out on
a flat tail g itself is small.  Double precision cannot tell these from what they resemble.
"""

from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from taugda.blocks import Blocks
from taugda.checks import Array
from taugda.equilibria.kinds import Classification, classify
from taugda.games import Game

DIGITS = 60
# Newton's step at a root of multiplicity m is 1/m of the error.
MULTIPLICITY = 30
_MOST_STEPS = 100


class Closeup:
    """A game's g and its Jacobian in many digits, where f is real and finite."""

    def __init__(self, game: Game) -> None:
        self.game = game
        if game.symbolic:
            cost = sp.Integer(0) if game.expr is None else game.expr
            wanted = [cost, *game.g, *game.symbolic_jacobian]
            self._compiled = sp.lambdify(game.variables, wanted, modules="mpmath", cse=True)

    def at(self, x: Sequence[Any]) -> tuple[mpmath.matrix, mpmath.matrix] | None:
        """Return g and the Jacobian at a point; None where f or they are not defined."""
        n = self.game.n
        try:
            values = [mpmath.mpmathify(v) for v in self._values(x)]
        except (ZeroDivisionError, OverflowError, ValueError):
            return None
        for v in values:
            if not mpmath.isfinite(v) or abs(mpmath.im(v)) > mpmath.mpf(10) ** -40 * abs(v):
                return None
        values = [mpmath.re(v) for v in values]
        jacobian = mpmath.matrix(n, n)
        for k, v in enumerate(values[n + 1 :]):
            jacobian[k // n, k % n] = v
        return mpmath.matrix(values[1 : n + 1]), jacobian

    def _values(self, x: Sequence[Any]) -> list[Any]:
        if self.game.symbolic:
            return self._compiled(*x)
        point = np.array([float(c) for c in x])
        cost = 0.0 if self.game._f is None else float(self.game.f(point))
        return [cost, *self.game.gradient(point), *self.game.jacobian(point, 1.0).ravel()]

    def refined(
        self, x: Array, reach: float, small: float, zero: float
    ) -> tuple[list[Any], list[Any]] | None:
        """Follow Newton's method from near a zero of g; return it and the last step, or None.

        No step may be longer than ``reach``, the last longer than ``small``, nor g in the end
        larger than ``zero``: where |g| has its least value a singular J makes short steps too.
        """
        point, size = [mpmath.mpf(float(c)) for c in x], mpmath.inf
        digits = DIGITS if self.game.symbolic else 15
        goal, singular = mpmath.mpf(10) ** -(digits // 2), mpmath.mpf(10) ** (digits - 15)
        for _ in range(_MOST_STEPS):
            here = self.at(point)
            step = None if here is None else _newton(*here, reach, singular)
            if step is None:
                return None
            point = [c - s for c, s in zip(point, step, strict=True)]
            size, last = max(map(abs, step)), size
            if size <= goal * (1 + max(map(abs, point))):
                break
            if size > last:  # near a zero each step is shorter than the one before
                return None
        here = self.at(point)
        if here is None or max(map(abs, here[0])) > zero or size > small:
            return None
        return point, list(step)

    def classified(
        self, x: Sequence[Any], step: Sequence[Any]
    ) -> tuple[Blocks, Classification] | None:
        """Return the blocks and the kind, up to the error that Newton's last step leaves in x."""
        game, n1 = self.game, self.game.n1
        error = [MULTIPLICITY * s for s in step]
        looks = [self.at([c + k * e for c, e in zip(x, error, strict=True)]) for k in (0, 1, -1)]
        if looks[0] is None:
            return None
        j, *others = (np.array(look[1].tolist(), dtype=float) for look in looks if look)
        moved = max((float(np.abs(other - j).max()) for other in others), default=0.0)
        if game.symbolic and game.zero_sum:
            blocks = Blocks(j[:n1, :n1], j[:n1, n1:], j[n1:, n1:])
        else:
            blocks = game.blocks([float(c) for c in x])
        tolerance = max(1e-12, moved / max(blocks.scale, 1e-300))
        return blocks, classify(blocks, tolerance)


def _newton(g: mpmath.matrix, j: mpmath.matrix, reach: float, singular: float) -> list[Any] | None:
    """Return Newton's step; the shortest where J is singular; None if it leads out of reach."""
    scale = max(map(abs, j))
    if scale == 0:
        return [mpmath.mpf(0)] * len(g) if max(map(abs, g)) == 0 else None
    try:
        step = list(mpmath.lu_solve(j, g))
        if max(map(abs, step)) <= reach:
            return step
        any_other = mpmath.matrix([mpmath.mpf(k + 1) / 7 for k in range(len(g))])
        if max(map(abs, mpmath.lu_solve(j, any_other))) * scale < singular:
            return None
    except ZeroDivisionError:
        pass
    a, b = (np.array((m / scale).tolist(), dtype=float) for m in (j, g))
    step = np.linalg.lstsq(a, b[:, 0], rcond=1e-10)[0]
    return [mpmath.mpf(s) for s in step] if np.abs(step).max() <= reach else None
