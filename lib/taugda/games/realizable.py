"""A small GAN that can represent its data: an affine generator, a cubic discriminator.

Source: the setting of the paper's proposition on regularized GANs (Fiez & Ratliff, 2021, after
Mescheder, Geiger & Nowozin, 2018); this instance of it is ours.
"""

from typing import Any

import sympy as sp

from taugda.checks import count
from taugda.games.exact_numbers import exact, exact_parameter
from taugda.games.game import Game


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
        Width and place of the data.  At a = 0 the equilibrium is degenerate.
    nodes : int
        Nodes of the rule, 2 to 5.  k nodes have the standard normal distribution's moments up
        to degree 2k - 1; from 4 on, the Jacobian at the equilibrium is that of normal data.
    penalty : {"R1", "R2"}
        Whether the penalty is taken on the data (x = x*) or on what is generated (x = G(z)).
    non_saturating : bool
        Whether the generator follows -D1 E l(D(G(z))), as in practice; the game is then given
        by g, which is not made of the gradients of this f.

    Returns
    -------
    Game
        n1 = 2, n2 = 4.  theta = (a, b), omega = 0 and its mirror image (-a, b) are known points;
        the Jacobian there is the same for both penalties and both losses.

    Raises
    ------
    ValueError
        If mu is negative or an argument is out of range.
    """
    mu, parameters = exact_parameter("mu", mu, negative=False)
    if penalty not in ("R1", "R2"):
        raise ValueError(f"penalty: expected 'R1' or 'R2', got {penalty!r}")
    a, b = exact("a", a), exact("b", b)
    latent, weights = _rule(nodes)
    theta, omega = sp.symbols("theta1 theta2", real=True), sp.symbols("omega:4", real=True)
    data = [a * z + b for z in latent]
    made = [theta[0] * z + theta[1] for z in latent]

    def mean(values: list[sp.Expr]) -> sp.Expr:
        return sum(p * value for p, value in zip(weights, values, strict=True))

    def losses(points: list[sp.Expr], sign: int) -> sp.Expr:
        return mean([-sp.log(1 + sp.exp(-sign * _features(x)[0].dot(omega))) for x in points])

    slopes = [_features(x)[1].dot(omega) ** 2 for x in (data if penalty == "R1" else made)]
    cost = losses(data, 1) + losses(made, -1) - mu / 2 * mean(slopes)
    mirrored = [(width, b, 0, 0, 0, 0) for width in dict.fromkeys((a, -a))]
    more = {"known_points": mirrored, "parameters": parameters}
    if not non_saturating:
        return Game(cost, theta, omega, name=f"realizable GAN, {penalty}", **more)
    g = [*(-sp.diff(losses(made, 1), t) for t in theta), *(-sp.diff(cost, w) for w in omega)]
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
        To be put into :func:`taugda.stability.regularized_gan_blocks`.  R has the constant in
        its kernel; C has one up to 3 nodes.  If a != 0, C + mu R > 0 for every mu > 0.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    a, b = exact("a", a), exact("b", b)
    B, C, R = sp.zeros(2, 4), sp.zeros(4, 4), sp.zeros(4, 4)
    for z, p in zip(*_rule(nodes), strict=True):
        (phi, slope), psi = _features(a * z + b), sp.Matrix([z, 1])
        B -= p / 2 * psi * slope.T
        C += p / 2 * phi * phi.T
        R += p * slope * slope.T
    return tuple(m.applyfunc(lambda e: sp.nsimplify(sp.radsimp(sp.expand(e)))) for m in (B, C, R))


def _rule(nodes: int) -> tuple[list[sp.Expr], list[sp.Expr]]:
    """Return the nodes and weights of a Gauss-Hermite rule for the standard normal law."""
    if count("nodes", nodes, least=2) > 5:  # up to here the zeros are nested square roots
        raise ValueError(f"nodes: expected at most 5, got {nodes}")
    x = sp.Symbol("x", real=True)
    found = sorted(sp.roots(sp.hermite_prob_poly(nodes, x), x), key=float)
    before = sp.hermite_prob_poly(nodes - 1, x)
    top = sp.factorial(nodes - 1) / nodes
    return found, [sp.radsimp(sp.expand(top / before.subs(x, z) ** 2)) for z in found]


def _features(x: sp.Expr) -> tuple[sp.Matrix, sp.Matrix]:
    """Return phi, where D = omega . phi, and its slope."""
    return sp.Matrix([1, x, x**2 / 2, x**3 / 6]), sp.Matrix([0, 1, x, x**2 / 2])
