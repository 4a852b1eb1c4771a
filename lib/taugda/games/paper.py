"""The six games of the paper's experiments.

Source: Fiez & Ratliff (2021) and the authors' notebooks (github.com/fiezt/Finite-Learning-Ratio).
"""

from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from taugda.blocks import Blocks
from taugda.checks import Array, count, finite_array
from taugda.games.exact_numbers import exact, exact_parameter
from taugda.games.game import Game


def quadratic(v: Any = 4) -> Game:
    """Return the quadratic game on R^2 x R^2.

    f = -(v/2) (x11^2 + 2 x11 x21 + x21^2/2 - x12^2/2 - x12 x22 + x22^2).

    Parameters
    ----------
    v : number
        Not 0; above it the origin is a DSE and no DNE, with tau* = 2.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If v is no real number or 0.
    """
    v = exact("v", v)
    if v == 0:
        raise ValueError("v: expected a number other than 0, got 0")
    x11, x12, x21, x22 = x = sp.symbols("x11 x12 x21 x22", real=True)
    cost = -v * (x11**2 + 2 * x11 * x21 + x21**2 / 2 - x12**2 / 2 - x12 * x22 + x22**2) / 2
    return Game(sp.expand(cost), x[:2], x[2:], name="quadratic game")


def polynomial(a: Any = 0.3, b: Any = 0.3) -> Game:
    """Return the game on R x R whose cost is a polynomial times a Gaussian.

    f = -exp(-(x1^2 + x2^2)/100) ((a x1^2 + x2)^2 + (b x2^2 + x1)^2).

    Parameters
    ----------
    a, b : number
        Coefficients of the squares.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If a or b is no real number.
    """
    a, b = exact("a", a), exact("b", b)
    x1, x2 = sp.symbols("x1 x2", real=True)
    bell = sp.exp(-(x1**2 + x2**2) / 100)
    cost = -bell * ((a * x1**2 + x2) ** 2 + (b * x2**2 + x1) ** 2)
    return Game(cost, [x1], [x2], name="polynomial game")


def nonequilibrium(a: Any = 1, b: Any = 1.25) -> Game:
    """Return the game on R^2 x R^2 with an attracting critical point that is no equilibrium.

    The origin is no DSE, yet stable on a bounded interval of tau; (1, 1, 1, 1) is a DNE.

    Parameters
    ----------
    a, b : number
        Shape (a > 0, since its root enters) and weight of what makes the origin critical.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If a is not positive or b is no real number.
    """
    a, b = exact("a", a, positive=True), exact("b", b)
    x11, x12, x21, x22 = x = sp.symbols("x11 x12 x21 x22", real=True)
    inner = a * x11**2 + 2 * sp.sqrt(a) * x11 * x21 + a * x21**2 / 2
    inner += -(x12**2) / 2 + 2 * sp.sqrt(a) * x12 * x22 - a * x22**2
    outer = (x11 - 1) ** 2 + (x12 - 1) ** 2 - (x21 - 1) ** 2 - (x22 - 1) ** 2
    cost = b * (x11 - 1) ** 2 * inner + x11**2 * outer
    return Game(cost, x[:2], x[2:], name="non-equilibrium game")


def torus(a: Any = 0.15, b: Any = 0.15) -> Game:
    """Return the location game on the torus, f = -a cos x1 + cos(x1 - x2) + b cos x2.

    Parameters
    ----------
    a, b : number or sympy.Expr
        Weights of the players' own terms; real symbols make a game for formulas only.

    Returns
    -------
    Game
        Both coordinates have period 2 pi.

    Raises
    ------
    ValueError
        If a or b is no real number.
    """
    (a, in_a), (b, in_b) = exact_parameter("a", a), exact_parameter("b", b)
    more = {"periods": [2 * sp.pi] * 2, "parameters": tuple(dict.fromkeys(in_a + in_b))}
    x1, x2 = sp.symbols("x1 x2", real=True)
    cost = -a * sp.cos(x1) + sp.cos(x1 - x2) + b * sp.cos(x2)
    return Game(cost, [x1], [x2], name="location game on the torus", **more)


def dirac_gan(mu: Any = 0.3, non_saturating: bool = False) -> Game:
    """Return the Dirac-GAN with gradient penalty, f = l(theta omega) + l(0) - (mu/2) omega^2.

    l(t) = -log(1 + exp(-t)); theta is the generator (player 1), omega the discriminator.

    Parameters
    ----------
    mu : number or sympy.Expr
        Weight of the penalty, at least 0 (with the theory's factor 1/2); a real symbol makes a
        game for formulas only.
    non_saturating : bool
        Whether the generator follows omega l'(-theta omega) instead of D1 f = omega
        l'(theta omega); the game is then given by g, with the same Jacobian at the origin.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If mu is negative or no real number.
    """
    mu, parameters = exact_parameter("mu", mu, negative=False)
    theta, omega = sp.symbols("theta omega", real=True)
    cost = -sp.log(1 + sp.exp(-theta * omega)) - sp.log(2) - mu * omega**2 / 2
    more = {"known_points": [(0, 0)], "parameters": parameters}
    if not non_saturating:
        return Game(cost, [theta], [omega], name="Dirac-GAN", **more)
    pull = -theta / (1 + sp.exp(theta * omega)) + mu * omega  # l'(t) = 1 / (1 + e^t)
    g = [omega / (1 + sp.exp(-theta * omega)), pull]
    return Game(None, [theta], [omega], g=g, name="non-saturating Dirac-GAN", **more)


def covariance_gan(
    d: int = 1, mu: Any = 1, sigma: ArrayLike | None = None, symbolic: bool | None = None
) -> Game:
    """Return the GAN that learns a covariance, f = tr(W (Sigma - V V^T)) - (mu/2) |W|_F^2.

    The generator maps z to V z (player 1: V, d x d, row by row); the discriminator is x^T W x
    (player 2: W, d x d, row by row).

    Parameters
    ----------
    d : int
        Dimension of the data.
    mu : number
        Weight of the regularization, greater than 0.
    sigma : array_like, shape (d, d), optional
        The covariance to learn, symmetric positive definite; the identity if left out.
    symbolic : bool, optional
        Whether to build the game in SymPy; if left out, up to d = 2.

    Returns
    -------
    Game
        n1 = n2 = d^2.  V = Sigma^{1/2}, W = 0 is critical (a known point, but for the symbolic
        form at d > 1, where it lies on a manifold of equilibria V O, O orthogonal).

    Raises
    ------
    ValueError
        If d, mu or sigma is out of range.
    """
    d, mu = count("d", d), exact("mu", mu, positive=True)
    sigma = np.eye(d) if sigma is None else finite_array("sigma", sigma, ndim=2)
    if sigma.shape != (d, d) or not np.allclose(sigma, sigma.T):
        raise ValueError(f"sigma: expected a symmetric matrix of shape {(d, d)}, got {sigma}")
    values, vectors = np.linalg.eigh(sigma)
    if values[0] <= d * np.finfo(float).eps * values[-1]:
        raise ValueError(f"sigma: expected a positive definite matrix, got eigenvalue {values[0]}")
    name, size, m = f"covariance GAN, d = {d}", d * d, float(mu)
    if symbolic if symbolic is not None else d <= 2:
        v, w = (_symbols(name, d) for name in "VW")
        s = sp.Matrix(d, d, lambda i, j: exact("sigma", sigma[i, j]))
        cost = (w * (s - v * v.T)).trace() - mu / 2 * sum(c**2 for c in w)
        known = [(sp.sqrt(s[0, 0]), 0)] if d == 1 else []
        return Game(sp.expand(cost), list(v), list(w), known_points=known, name=name)
    # (I + K) vec W = vec(W + W^T), with K the commutation matrix.
    symmetrize = np.eye(size) + np.eye(size).reshape(d, d, size).swapaxes(0, 1).reshape(size, size)

    def f(x: Array) -> Array:
        v, w = _matrices(x, d)
        gap = sigma - v @ v.mT
        return np.einsum("...ij,...ji->...", w, gap) - m / 2 * (w**2).sum(axis=(-1, -2))

    def gradient(x: Array) -> Array:
        v, w = _matrices(x, d)
        out = np.empty((*x.shape[:-1], 2, d, d))
        out[..., 0, :, :] = -(w + w.mT) @ v
        out[..., 1, :, :] = -(sigma - v @ v.mT) + m * w
        return out.reshape(x.shape)

    def blocks(x: Array) -> Blocks:
        v, w = _matrices(x, d)
        a11, a12 = np.kron(-(w + w.T), np.eye(d)), -np.kron(np.eye(d), v.T) @ symmetrize
        return Blocks(a11, a12, m * np.eye(size))

    known = [[*(vectors @ np.diag(np.sqrt(values)) @ vectors.T).ravel(), *np.zeros(size)]]
    return Game.from_functions(gradient, blocks, size, size, f=f, known_points=known, name=name)


def covariance_errors(x: ArrayLike, sigma: ArrayLike) -> tuple[Array, Array]:
    """Return how far points of :func:`covariance_gan` are from having learned the covariance.

    Parameters
    ----------
    x : array_like, shape (..., 2 d^2)
        Points (V, W), each matrix row by row.
    sigma : array_like, shape (d, d)
        The covariance to learn.

    Returns
    -------
    gap, size : ndarray, shape (...)
        The Frobenius norms of Sigma - V V^T (0 on all equilibria with W = 0) and of W.

    Raises
    ------
    ValueError
        If the points do not have 2 d^2 coordinates.
    """
    sigma, x = finite_array("sigma", sigma, ndim=2), np.asarray(x, dtype=np.float64)
    d = len(sigma)
    if x.shape[-1] != 2 * d * d:
        raise ValueError(f"x: expected {2 * d * d} coordinates on the last axis, got {x.shape}")
    v, w = _matrices(x, d)
    return tuple(np.linalg.norm(m, axis=(-2, -1)) for m in (sigma - v @ v.mT, w))


def covariance_sample(d: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Draw a covariance and a start as the authors do: Sigma = U U^T + I, then V0 and W0.

    Parameters
    ----------
    d : int
        Dimension of the data.
    rng : numpy.random.Generator
        Where the standard normal U, V0 and W0 come from, in this order.

    Returns
    -------
    sigma : ndarray, shape (d, d)
    x0 : ndarray, shape (2 d^2,)
        The start (V0, W0) as one point of :func:`covariance_gan`.

    Raises
    ------
    ValueError
        If d is not a positive whole number.
    """
    u, v0, w0 = rng.standard_normal((3, count("d", d), d))
    return u @ u.T + np.eye(d), np.concatenate([v0.ravel(), w0.ravel()])


def _symbols(name: str, d: int) -> sp.Matrix:
    """Return a matrix of symbols: V, or v11, v12, ..."""
    if d == 1:
        return sp.Matrix([[sp.Symbol(name, real=True)]])
    return sp.Matrix(d, d, lambda i, j: sp.Symbol(f"{name.lower()}{i + 1}{j + 1}", real=True))


def _matrices(x: Array, d: int) -> tuple[Array, Array]:
    """Return V and W of points (V, W), each of shape (..., d, d)."""
    both = x.reshape(*x.shape[:-1], 2, d, d)
    return both[..., 0, :, :], both[..., 1, :, :]
