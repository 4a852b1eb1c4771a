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
from taugda.signs import ROUNDING

DIGITS = 60
# Newton's step at a root of multiplicity m is 1/m of the error.
MULTIPLICITY = 30
_MOST_STEPS, _FEW_STEPS = 100, 8  # the latter where Newton's method has to double the digits
_LONGER = 3  # steps that may be no shorter than the one before
# SymPy's names for what mpmath has as options.
_AIRY = {
    "airyaiprime": lambda x: mpmath.airyai(x, derivative=1),
    "airybiprime": lambda x: mpmath.airybi(x, derivative=1),
}


class Closeup:
    """A game's g and Jacobian where f is defined, in double precision or in many digits."""

    def __init__(self, game: Game, digits: int = 15) -> None:
        self.game, self.digits = game, digits
        if digits > 15:
            cost = sp.Integer(0) if game.expr is None else game.expr
            wanted = [cost, *game.g, *game.symbolic_jacobian]
            self._compiled = sp.lambdify(game.variables, wanted, [_AIRY, "mpmath"], cse=True)

    @np.errstate(all="ignore")
    def at(self, x: Sequence[Any], sure: bool = False) -> tuple[Any, Any] | None:
        """Return g and the Jacobian at a point; None where f or they are not real and finite.

        If ``sure``, what more digits change altogether is 0: sin(1)^2 + cos(1)^2 - 1.
        """
        game, n = self.game, self.game.n
        if self.digits == 15:
            point = _floats(x)
            cost = 0.0 if game._f is None else game.f(point)
            g, j = game.gradient(point), game.jacobian(point, 1.0)
            return (g, j) if np.isfinite([cost, *g, *j.ravel()]).all() else None
        try:
            values = [mpmath.mpmathify(v) for v in self._compiled(*x)]
            with mpmath.workdps(2 * self.digits):
                finer = [mpmath.mpmathify(v) for v in self._compiled(*x)] if sure else values
        except (ZeroDivisionError, OverflowError, ValueError):
            return None
        for v in values:
            if not mpmath.isfinite(v) or abs(mpmath.im(v)) > mpmath.mpf(10) ** -40 * abs(v):
                return None
        pairs = zip(values[1:], finer[1:], strict=True)
        values = [mpmath.re(b) if abs(a - b) < abs(a) / 2 else mpmath.mpf(0) for a, b in pairs]
        rows = [values[k : k + n] for k in range(n, n + n * n, n)]
        return mpmath.matrix(values[:n]), mpmath.matrix(rows)

    def refined(
        self, x: Array, width: Array, small: float, zero: float
    ) -> tuple[list[Any], list[Any]] | None:
        """Follow Newton's method from near a zero of g; return it and its error, or None.

        In units of the box's width the last step must be ``small`` and g in the end at most
        ``zero``: where |g| only has its least value, a singular J makes short steps too.
        """
        point, size = [mpmath.mpf(float(c)) for c in x], mpmath.inf
        steps = _MOST_STEPS if small > mpmath.mpf(10) ** -(self.digits // 3) else _FEW_STEPS
        longer = 0
        for _ in range(steps):
            here = self.at(point)
            step = None if here is None else self._step(*here, width)
            if step is None:
                return None
            point = [c - s for c, s in zip(point, step, strict=True)]
            size, last = max(abs(s) / w for s, w in zip(step, width, strict=True)), size
            if size <= mpmath.mpf(10) ** -(self.digits // 2):
                break
            # Near a zero steps get shorter, but for a few of the first; on a tail hardly.
            longer += size > 0.98 * last
            if longer > _LONGER:
                return None
        here = self.at(point)
        if here is None or size > small:
            return None
        if max(abs(c) * w for c, w in zip(here[0], width, strict=True)) > zero:
            return None
        return point, [MULTIPLICITY * s for s in step]

    def _step(self, g: Any, j: Any, width: Array) -> list[Any] | None:
        """Return Newton's step; the shortest where J is singular; None if it leads too far."""
        n = len(width)
        g, j = mpmath.matrix(g), mpmath.matrix(j)
        scale = max(map(abs, j))
        if scale == 0:
            return None
        reach = 1e-3 * width
        try:
            step = list(mpmath.lu_solve(j, g))
            if (np.abs(step) <= reach).all():
                return step
            other = mpmath.matrix([scale * (k + 1) / n for k in range(n)])
            if max(map(abs, mpmath.lu_solve(j, other))) < mpmath.mpf(10) ** max(
                self.digits - 15, 12
            ):
                return None
        except ZeroDivisionError:
            pass
        a, b = (np.array((m / scale).tolist(), dtype=float) for m in (j, g))
        step = np.linalg.lstsq(a * width, b[:, 0], rcond=1e-10)[0] * width
        return [mpmath.mpf(s) for s in step] if (np.abs(step) <= reach).all() else None

    def classified(
        self, x: Sequence[Any], error: Sequence[Any]
    ) -> tuple[Blocks, Classification] | None:
        """Return the blocks and the kind, as far as the error of x lets it be known, or None."""
        game, n1 = self.game, self.game.n1
        looks = [
            self.at([c + k * e for c, e in zip(x, error, strict=True)], True) for k in (0, 1, -1)
        ]
        if looks[0] is None:
            return None
        j, *others = (np.array(look[1].tolist(), dtype=float) for look in looks if look)
        moved = np.max([np.abs(other - j) for other in others] or [np.zeros_like(j)], axis=0)
        exact = self.digits > 15 and game.zero_sum
        blocks = Blocks(*_parts(j, n1)) if exact else game.blocks(_floats(x))
        doubts = [float(part.max()) for part in _parts(moved, n1)]
        if not exact:  # an entry may be a small difference
            sizes = (blocks.A11, blocks.A12, blocks.A22)
            doubts = [
                d + ROUNDING * float(np.abs(m).max()) for d, m in zip(doubts, sizes, strict=True)
            ]
        blocks = _without_doubt(blocks, doubts)
        return blocks, classify(blocks, doubt=doubts)


def _parts(j: Array, n1: int) -> tuple[Array, Array, Array]:
    return j[:n1, :n1], j[:n1, n1:], j[n1:, n1:]


def _without_doubt(blocks: Blocks, doubts: Sequence[float]) -> Blocks:
    """Return the blocks with 0 for what the point's error may have made of 0."""
    a11, a12, a22 = blocks.A11, blocks.A12, blocks.A22
    found = [np.where(np.abs(a12) <= doubts[1], 0.0, a12)]
    for block, doubt in ((a11, doubts[0]), (a22, doubts[2])):
        values, vectors = np.linalg.eigh(block)
        small = np.abs(values) <= len(values) * doubt
        found.append((vectors * np.where(small, 0.0, values)) @ vectors.T if small.any() else block)
    return Blocks(found[1], found[0], found[2])


def _floats(x: Sequence[Any]) -> Array:
    return np.array([float(c) for c in x])
