"""Closed forms: tau* where each player has one coordinate, and regularized GANs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from taugda.blocks import Blocks
from taugda.checks import finite_array, positive

if TYPE_CHECKING:
    from taugda.games import Game


def tau_star_formula(game: "Game", point: Sequence[Any]) -> sp.Expr:
    """Return tau* at a critical point as a function of the game's free parameters.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1, its parameters symbols: ``games.torus(a, b)``.
    point : sequence of two SymPy numbers
        Critical whatever the parameters are; may hold the parameters.

    Returns
    -------
    sympy.Expr
        max(0, -A11/A22) where A22 > 0 and A11 A22 + A12^2 > 0 (a differential Stackelberg
        equilibrium), infinity where it is none, nan at A22 = 0, where the theory says nothing.
        A Piecewise unless the conditions are decided.

    Raises
    ------
    ValueError
        If a player has more than one coordinate, the point is not critical, or the game is not
        zero-sum to first order there.
    """
    if (game.n1, game.n2) != (1, 1):
        raise ValueError(
            f"game: expected one coordinate for each player, got n1 = {game.n1}, n2 = {game.n2}; "
            f"give the parameters values and use tau_star"
        )
    at = dict(zip(game.variables, point, strict=True))
    g, j = (
        m.applyfunc(lambda e: sp.simplify(sp.expand_trig(e).subs(at)))
        for m in (game.g, game.symbolic_jacobian)
    )
    if not g.is_zero_matrix:
        raise ValueError(f"point: expected g = 0 at {tuple(point)}, got {tuple(g)}")
    if sp.simplify(j[0, 1] + j[1, 0]) != 0:
        raise ValueError(f"point: expected a game that is zero-sum to first order, got J = {j}")
    # The eigenvalues of J_tau have the sum a + tau c and the product tau (a c + b^2); both are
    # positive for every tau > tau* and for no smaller one just below it.
    a, b, c = j[0, 0], j[0, 1], j[1, 1]
    product = sp.factor(sp.expand(a * c + b**2))
    ratio = sp.factor(sp.cancel(-a / c)) if c != 0 else sp.Integer(0)
    return sp.Piecewise(
        (sp.Max(0, ratio), sp.And(sp.Gt(c, 0), sp.Gt(product, 0))),
        (sp.nan, sp.Eq(c, 0)),
        (sp.oo, True),
    )


def regularized_gan_blocks(B: ArrayLike, C: ArrayLike, R: ArrayLike, mu: float) -> Blocks:
    """Return the blocks of a realizable GAN with gradient penalty at its equilibrium.

    Under the conditions checked here it is stable for every tau > 0 (the flow; the step bound
    depends on tau and mu).  Source: Fiez & Ratliff (2021), after Mescheder et al. (2018).

    Parameters
    ----------
    B : array_like or SymPy matrix, shape (n1, n2)
        D12 f, of full row rank (so n1 <= n2).
    C, R : array_like or SymPy matrix, shape (n2, n2)
        The discriminator's own curvature and that of the penalty, symmetric.
    mu : float
        Weight of the penalty (with the theory's factor 1/2), at least 0.

    Returns
    -------
    Blocks
        (0, B, C + mu R), so that J_(tau, mu) = [[0, B], [-tau B^T, tau (C + mu R)]].

    Raises
    ------
    ValueError
        If a shape does not fit, B lacks full row rank, or C + mu R is not positive definite.
    """
    mu = positive("mu", mu, zero=True)
    B, C, R = (finite_array(n, m, ndim=2) for n, m in (("B", B), ("C", C), ("R", R)))
    if C.shape != R.shape:
        raise ValueError(f"R: expected the shape of C, {C.shape}, got {R.shape}")
    blocks = Blocks(np.zeros((B.shape[0], B.shape[0])), B, C + mu * R)
    rank = int(np.linalg.matrix_rank(B))
    if rank < blocks.n1:
        raise ValueError(f"B: expected full row rank {blocks.n1}, got rank {rank}")
    signs = blocks.signs("A22")
    if not signs.positive:
        least = signs.values[0]
        raise ValueError(f"C + mu R: expected a positive definite matrix, got eigenvalue {least:g}")
    return blocks
