"""A small GAN that can represent its data: an affine generator, a cubic discriminator.

Source: the setting of the paper's proposition on regularized GANs (Fiez & Ratliff, 2021, after
Mescheder, Geiger & Nowozin, 2018); this instance of it is ours.
"""

from typing import Any

import sympy as sp

from taugda.checks import count
from taugda.games.exact_numbers import exact, exact_parameter
from taugda.games.game import Game

__all__ = ["realizable_gan", "realizable_gan_matrices"]

_MOST_NODES = 5  # the zeros of the Hermite polynomials up to here are nested square roots


def realizable_gan(
    mu: Any = 1,
    a: Any = 1,
    b: Any = 0.5,
    nodes: int = 3,
    penalty: str = "R1",
    non_saturating: bool = False,
) -> Game:
    r"""Return a GAN that learns where its data lie and how wide they are.

    The latent z takes the nodes of a Gauss-Hermite rule with its weights, so that expectations
    are finite sums; the data are x* = a z + b.  Player 1 is the generator G(z) = theta1 z +
    theta2, player 2 the discriminator D(x) = omega0 + omega1 x + omega2 x^2/2 + omega3 x^3/6:

    f = E l(D(x*)) + E l(-D(G(z))) - (mu/2) E D'(x)^2,  l(t) = -log(1 + exp(-t)).

    Parameters
    ----------
    mu : number or sympy.Expr
        Weight of the gradient penalty, at least 0 (with the theory's factor 1/2); a real symbol
        makes a game for formulas only.
    a, b : number
        Width and place of the data.  At a = 0 they are one point, the generator's width moves
        nothing to first order, and the equilibrium is degenerate.
    nodes : int
        Nodes of the rule, 2 to 5.  k nodes have the standard normal distribution's moments up
        to degree 2k - 1; from 4 on, the Jacobian at the equilibrium is that of normal data.
    penalty : {"R1", "R2"}
        Whether the penalty is taken on the data (x = x*) or on what is generated (x = G(z)).
    non_saturating : bool
        Whether the generator follows -D1 E l(D(G(z))) in place of D1 f, as in practice.  That
        pair of gradients is not the gradient of this f, so the game is then given by g.

    Returns
    -------
    Game
        n1 = 2, n2 = 4.  theta = (a, b), omega = 0 is critical (a known point, as is its mirror
        image theta = (-a, b)), with the same Jacobian there for both penalties and both losses;
        see :func:`realizable_gan_matrices`.

    Raises
    ------
    ValueError
        If mu is negative or an argument is out of range.

    Examples
    --------
    >>> realizable_gan(mu=0.5)
    <realizable GAN, R1: zero-sum game, n1 = 2, n2 = 4>
    """
    mu, parameters = exact_parameter("mu", mu)
    if mu.is_negative:
        raise ValueError(f"mu: expected a number at least 0, got {mu}")
    if penalty not in ("R1", "R2"):
        raise ValueError(f"penalty: expected 'R1' or 'R2', got {penalty!r}")
    a, b = exact("a", a), exact("b", b)
    latent, weights = _rule(nodes)
    theta = sp.symbols("theta1 theta2", real=True)
    omega = sp.symbols("omega:4", real=True)
    data = [a * z + b for z in latent]
    generated = [theta[0] * z + theta[1] for z in latent]

    def discriminator(x: sp.Expr) -> sp.Expr:
        return sum(w * feature for w, feature in zip(omega, _features(x), strict=True))

    def slope(x: sp.Expr) -> sp.Expr:
        return sum(w * feature for w, feature in zip(omega, _slopes(x), strict=True))

    def mean(values: list[sp.Expr]) -> sp.Expr:
        return sum(p * value for p, value in zip(weights, values, strict=True))

    where = data if penalty == "R1" else generated
    cost = (
        mean([_loss(discriminator(x)) for x in data])
        + mean([_loss(-discriminator(x)) for x in generated])
        - mu / 2 * mean([slope(x) ** 2 for x in where])
    )
    mirrored = [(width, b, 0, 0, 0, 0) for width in dict.fromkeys((a, -a))]
    more = {"known_points": mirrored, "parameters": parameters}
    if not non_saturating:
        return Game(cost, theta, omega, name=f"realizable GAN, {penalty}", **more)
    generator = -mean([_loss(discriminator(x)) for x in generated])
    g = [*(sp.diff(generator, t) for t in theta), *(-sp.diff(cost, w) for w in omega)]
    return Game(None, theta, omega, g=g, name=f"non-saturating realizable GAN, {penalty}", **more)


def realizable_gan_matrices(
    a: Any = 1, b: Any = 0.5, nodes: int = 3
) -> tuple[sp.Matrix, sp.Matrix, sp.Matrix]:
    r"""Return B, C and R of :func:`realizable_gan` at its equilibrium, in closed form.

    With the features phi of D = omega . phi and the generator's derivative psi(z) = (z, 1),
    B = -E[psi phi'^T] / 2, C = E[phi phi^T] / 2 and R = E[phi' phi'^T], all at x = x*.

    Parameters
    ----------
    a, b : number
        Width and place of the data.
    nodes : int
        Nodes of the latent's rule, 2 to 5.

    Returns
    -------
    B : sympy.Matrix, shape (2, 4)
    C, R : sympy.Matrix, shape (4, 4)
        Exact; to be put into :func:`taugda.stability.regularized_gan_blocks`.

    Raises
    ------
    ValueError
        If an argument is out of range.

    Notes
    -----
    l'(0) = 1/2 and l''(0) = -1/4; data and generated points coincide, which doubles the second.
    R has the constant in its kernel.  C has a kernel up to 3 nodes: a cubic can vanish on all of
    them.  If a != 0, C + mu R is positive definite for every mu > 0 even so, since no cubic but
    0 vanishes at two points together with its slope.

    Examples
    --------
    >>> realizable_gan_matrices(1, 0, 4)[2]
    Matrix([
    [0,   0, 0,   0],
    [0,   1, 0, 1/2],
    [0,   0, 1,   0],
    [0, 1/2, 0, 3/4]])
    """
    a, b = exact("a", a), exact("b", b)
    B, C, R = sp.zeros(2, 4), sp.zeros(4, 4), sp.zeros(4, 4)
    for z, p in zip(*_rule(nodes), strict=True):
        x = a * z + b
        phi, slope, psi = sp.Matrix(_features(x)), sp.Matrix(_slopes(x)), sp.Matrix([z, 1])
        B -= p / 2 * psi * slope.T
        C += p / 2 * phi * phi.T
        R += p * slope * slope.T
    return tuple(m.applyfunc(lambda e: sp.nsimplify(sp.radsimp(sp.expand(e)))) for m in (B, C, R))


def _rule(nodes: int) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """Return the nodes and weights of a Gauss-Hermite rule for the standard normal law."""
    nodes = count("nodes", nodes, least=2)
    if nodes > _MOST_NODES:
        raise ValueError(f"nodes: expected at most {_MOST_NODES}, got {nodes}")
    x = sp.Symbol("x", real=True)
    hermite = sp.hermite_prob_poly(nodes, x)
    found = sorted(sp.roots(hermite, x), key=float)
    before = sp.hermite_prob_poly(nodes - 1, x)
    weights = [
        sp.radsimp(sp.expand(sp.factorial(nodes - 1) / (nodes * before.subs(x, z) ** 2)))
        for z in found
    ]
    return found, weights


def _loss(t: sp.Expr) -> sp.Expr:
    return -sp.log(1 + sp.exp(-t))


def _features(x: sp.Expr) -> list[sp.Expr]:
    return [sp.Integer(1), x, x**2 / 2, x**3 / 6]


def _slopes(x: sp.Expr) -> list[sp.Expr]:
    return [sp.Integer(0), sp.Integer(1), x, x**2 / 2]
