"""The blocks of a game's Jacobian at an exact point, in exact numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sympy as sp

from taugda.exact import ExactBlocks
from taugda.exact.algebraic import simplest
from taugda.exact.numberfield import FieldTooHardError

if TYPE_CHECKING:
    from taugda.games.game import Game

__all__ = ["exact_blocks", "symbolic_blocks"]


def symbolic_blocks(game: "Game", point: Sequence[Any]) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    """Return A11, A12 and A22 at an exact point, up to a common positive factor.

    Parameters
    ----------
    game : Game
        Defined in SymPy; its ``parameters`` stay in the entries.
    point : sequence of n1 + n2 SymPy numbers

    Returns
    -------
    A11, A12, A22 : sympy.Matrix
        Sines and cosines of angles that are known by theirs are algebraic; an exponential that
        multiplies every entry is left out.

    Raises
    ------
    ValueError
        If the game is not symbolic, the point is no tuple of exact numbers, or the Jacobian is
        not that of a zero-sum game there.
    """
    if not game.symbolic:
        raise ValueError(f"game: expected one defined in SymPy, got {game!r}")
    coordinates = tuple(_coordinate(c, game) for c in point)
    if len(coordinates) != game.n:
        raise ValueError(
            f"point: expected {game.n} coordinates (n1 = {game.n1}, n2 = {game.n2}), got "
            f"{len(coordinates)}"
        )
    at = dict(zip(game.variables, coordinates, strict=True))
    # Without expand_trig the cosine of a difference of two atans is no algebraic expression.
    j = game.symbolic_jacobian
    if any(e.args[0].subs(at) != 0 for e in j.atoms(sp.exp)):  # else they are 1 there
        j = _without_common_exponential(j)
    j = j.applyfunc(lambda e: sp.expand_trig(e).subs(at))
    n1 = game.n1
    a11, a12, a22 = j[:n1, :n1], j[:n1, n1:], j[n1:, n1:]
    if not game.zero_sum and any(sp.simplify(e) != 0 for e in j[n1:, :n1] + a12.T):
        raise ValueError(
            "point: expected one where the game is zero-sum to first order "
            "(D1 g2 = -(D2 g1)^T), got another"
        )
    return a11, a12, a22


def exact_blocks(game: "Game", point: Sequence[Any]) -> ExactBlocks:
    """Return the blocks at an exact point; see :meth:`Game.exact_blocks`.

    Parameters
    ----------
    game : Game
    point : sequence of n1 + n2 SymPy numbers

    Returns
    -------
    ExactBlocks
        Entries in a field of degree at most 2 are written with one square root.

    Raises
    ------
    ValueError
        As :func:`symbolic_blocks`, or if an entry is no real algebraic number.
    """
    parts = symbolic_blocks(game, point)
    blocks = ExactBlocks(*parts)
    try:
        field, rows = blocks.elements
    except FieldTooHardError:
        return blocks
    if field.degree > 2:
        return blocks  # the entries read better as polynomials in the point's coordinates
    return ExactBlocks(*([[simplest(field, e) for e in row] for row in block] for block in rows))


def _coordinate(value: Any, game: "Game") -> sp.Expr:
    number = sp.sympify(value)
    if not isinstance(number, sp.Expr) or number.has(sp.Float):
        raise ValueError(
            f"point: expected exact coordinates (SymPy numbers, as CriticalPoint.exact), "
            f"got {value!r}"
        )
    strange = number.free_symbols - set(game.parameters)
    if strange or number.is_real is False:
        raise ValueError(f"point: expected real numbers, got {number}")
    return number


def _without_common_exponential(matrix: sp.Matrix) -> sp.Matrix:
    """Divide a matrix by the powers of exponentials that all its entries share."""
    exponentials = sorted(matrix.atoms(sp.exp), key=sp.default_sort_key)
    if not exponentials:
        return matrix
    stand_ins = sp.symbols(f"E:{len(exponentials)}", positive=True)
    there = dict(zip(exponentials, stand_ins, strict=True))
    back = {e: x for x, e in there.items()}
    entries = [sp.expand(sp.together(e.xreplace(there))) for e in matrix]
    if any(not e.is_polynomial(*stand_ins) for e in entries):
        return matrix
    monomials = [m for e in entries if e != 0 for m in sp.Poly(e, *stand_ins).monoms()]
    if not monomials:
        return matrix
    common = sp.prod(x ** min(m[i] for m in monomials) for i, x in enumerate(stand_ins))
    return sp.Matrix(*matrix.shape, [sp.expand(e / common).xreplace(back) for e in entries])
