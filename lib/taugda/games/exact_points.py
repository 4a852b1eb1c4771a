"""The blocks of a game's Jacobian at an exact point, in SymPy."""

from collections.abc import Sequence
from typing import Any

import sympy as sp

from taugda.games.game import Game


def symbolic_blocks(game: Game, point: Sequence[Any]) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """Return A11, A12, A22 at an exact point, up to a common exponential; ``parameters`` stay."""
    if not game.symbolic:
        raise ValueError(f"game: expected one defined in SymPy, got {game!r}")
    coordinates = [sp.sympify(c) for c in point]
    if any(not isinstance(c, sp.Expr) or c.has(sp.Float) for c in coordinates):
        raise ValueError(f"point: expected exact coordinates (CriticalPoint.exact), got {point}")
    if any(c.free_symbols - set(game.parameters) or c.is_real is False for c in coordinates):
        raise ValueError(f"point: expected real numbers, got {point}")
    if len(coordinates) != game.n:
        raise ValueError(f"point: expected {game.n} coordinates, got {len(coordinates)}")
    at = dict(zip(game.variables, coordinates, strict=True))
    j, n1 = game.symbolic_jacobian, game.n1
    if any(e.args[0].subs(at) != 0 for e in j.atoms(sp.exp)):  # else they are 1 there
        plain = without_common_exponential(list(j))
        j = j if plain is None else sp.Matrix(*j.shape, plain)
    # Without expand_trig the cosine of a difference of two atans is no algebraic expression.
    j = j.applyfunc(lambda e: sp.expand_trig(e).subs(at))
    if not game.zero_sum and any(sp.simplify(e) != 0 for e in j[n1:, :n1] + j[:n1, n1:].T):
        raise ValueError("point: expected one where the game is zero-sum, D1 g2 = -(D2 g1)^T")
    return j[:n1, :n1], j[:n1, n1:], j[n1:, n1:]


def without_common_exponential(expressions: Sequence[sp.Expr]) -> list[sp.Expr] | None:
    """Divide by the exponentials that all terms share; None if these do not enter as powers."""
    exponentials = sorted(sp.Tuple(*expressions).atoms(sp.exp), key=sp.default_sort_key)
    if not exponentials:
        return list(expressions)
    stand_ins = sp.symbols(f"E:{len(exponentials)}", positive=True)
    there = dict(zip(exponentials, stand_ins, strict=True))
    entries = [sp.expand(sp.together(e.xreplace(there))) for e in expressions]
    if not all(e.is_polynomial(*stand_ins) for e in entries):
        return None
    monomials = [m for e in entries if e != 0 for m in sp.Poly(e, *stand_ins).monoms()]
    common = sp.prod(x ** min([m[i] for m in monomials] or [0]) for i, x in enumerate(stand_ins))
    return [sp.expand(e / common).xreplace({x: e for e, x in there.items()}) for e in entries]
