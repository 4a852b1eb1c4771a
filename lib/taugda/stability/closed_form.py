"""tau* as a formula in the game's parameters, where each player has one coordinate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sympy as sp

if TYPE_CHECKING:
    from taugda.games import Game

__all__ = ["tau_star_closed_form", "tau_star_formula"]


def tau_star_closed_form(a: Any, b: Any, c: Any) -> sp.Expr:
    """Return tau* for the blocks A11 = a, A12 = b, A22 = c of one coordinate each.

    Parameters
    ----------
    a : number or sympy.Expr
        D1^2 f, positive where player 1 is at a strict minimum.
    b : number or sympy.Expr
        D12 f.
    c : number or sympy.Expr
        -D2^2 f, positive where player 2 is at a strict maximum.

    Returns
    -------
    sympy.Expr
        max(0, -a/c) where c > 0 and a c + b^2 > 0 (the point is a differential Stackelberg
        equilibrium); infinity where it is none, so that no finite tau* exists; nan at c = 0,
        where the theory says nothing.  A Piecewise unless the conditions are decided.

    Raises
    ------
    ValueError
        If an entry is not real (declare symbols with ``real=True``) or holds a float.

    Notes
    -----
    The eigenvalues of J_tau have the sum a + tau c and the product tau (a c + b^2); both are
    positive for every tau > tau* and for no smaller one just below it.

    Examples
    --------
    >>> tau_star_closed_form(-1, 1, sp.Rational(1, 2))
    2
    """
    a, b, c = (_real(name, value) for name, value in (("a", a), ("b", b), ("c", c)))
    product = sp.factor(sp.expand(a * c + b**2))
    ratio = sp.factor(sp.cancel(-a / c)) if c != 0 else sp.Integer(0)
    return sp.Piecewise(
        (sp.Max(0, ratio), sp.And(sp.Gt(c, 0), sp.Gt(product, 0))),
        (sp.nan, sp.Eq(c, 0)),
        (sp.oo, True),
    )


def tau_star_formula(game: "Game", point: Sequence[Any]) -> sp.Expr:
    """Return tau* at a critical point as a function of the game's free parameters.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1, its parameters symbols: ``games.torus(a, b)``.
    point : sequence of two SymPy numbers
        A point that is critical whatever the parameters are; may hold the parameters.

    Returns
    -------
    sympy.Expr
        See :func:`tau_star_closed_form`.

    Raises
    ------
    ValueError
        If a player has more than one coordinate, or the point is not critical.

    Examples
    --------
    >>> from taugda import games
    >>> a, b = sp.symbols("a b", positive=True)
    >>> tau_star_formula(games.torus(a, b), (sp.pi, 0)).subs({a: 2, b: 3})
    oo
    """
    from taugda.games.exact_points import symbolic_blocks

    if (game.n1, game.n2) != (1, 1):
        raise ValueError(
            f"game: expected one coordinate for each player, got n1 = {game.n1}, n2 = {game.n2}; "
            f"give the parameters values and use tau_star(..., exact=True)"
        )
    a11, a12, a22 = symbolic_blocks(game, point)
    at = dict(zip(game.variables, point, strict=True))
    for component in game.g:
        if sp.simplify(sp.expand_trig(component).subs(at)) != 0:
            raise ValueError(f"point: expected g = 0 at {tuple(point)}, got {component.subs(at)}")
    return tau_star_closed_form(*(sp.simplify(m[0, 0]) for m in (a11, a12, a22)))


def _real(name: str, value: Any) -> sp.Expr:
    number = sp.sympify(value)
    if not isinstance(number, sp.Expr) or number.has(sp.Float) or not number.is_real:
        raise ValueError(
            f"{name}: expected an exact real number or an expression in symbols declared real "
            f"(Symbol('a', real=True)), got {value!r}"
        )
    return number
