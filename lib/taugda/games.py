"""Two-player games, each defined once, in SymPy.

A zero-sum game is a function f(x1, x2): player 1 chooses x1 in R^n1 to minimize it, player 2
chooses x2 in R^n2 to maximize it.  From f come the vector field g(x) = (D1 f, -D2 f), the
blocks of its Jacobian, LaTeX, and compiled NumPy functions over many points at once.  A point
is one array of n1 + n2 coordinates, player 1's first.

Source of the games: the experiments of Fiez & Ratliff (2021), with the parameters of the
authors' notebooks (github.com/fiezt/Finite-Learning-Ratio) as defaults.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from taugda.blocks import Blocks
from taugda.checks import count, finite_array, positive

__all__ = [
    "Blocks",
    "Game",
    "covariance_errors",
    "covariance_gan",
    "covariance_sample",
    "dirac_gan",
    "exact",
    "nonequilibrium",
    "polynomial",
    "quadratic",
    "torus",
]

Array = NDArray[np.float64]


def exact(name: str, value: Any) -> sp.Expr:
    """Turn a parameter into an exact SymPy number; a float is read as the decimal it prints.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : int, float, Fraction or SymPy number
        The value: 0.15 becomes 3/20, not the nearest binary fraction.

    Returns
    -------
    sympy.Expr

    Raises
    ------
    ValueError
        If the value is no finite real number.

    Examples
    --------
    >>> exact("a", 0.15)
    3/20
    """
    if isinstance(value, sp.Expr):
        number = sp.nsimplify(value, rational=True) if value.has(sp.Float) else value
    elif isinstance(value, Fraction):
        number = sp.Rational(value.numerator, value.denominator)
    elif isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        number = sp.Integer(int(value))
    elif isinstance(value, (float, np.floating)) and np.isfinite(value):
        number = sp.Rational(repr(float(value)))
    else:
        raise ValueError(f"{name}: expected a finite real number, got {value!r}")
    if not (number.is_number and number.is_real and number.is_finite):
        raise ValueError(f"{name}: expected a finite real number, got {value!r}")
    return number


class Game:
    r"""A two-player game with its derivatives.

    Parameters
    ----------
    f : sympy.Expr or None
        The cost of player 1, which player 2 maximizes.  None only where ``g`` is given.
    x1, x2 : sequence of sympy.Symbol
        The coordinates of player 1 and of player 2.
    g : sequence of sympy.Expr, optional
        The vector field whose negative the players follow, n1 + n2 components.  It is needed
        only where the game is not zero-sum; otherwise g = (D1 f, -D2 f).
    periods : sequence of (SymPy number or None), optional
        The period of each coordinate, None for a coordinate on the line.
    known_points : sequence of sequences, optional
        Critical points that are known exactly, for games whose equations SymPy cannot solve.
        Each is put into g and refused unless g vanishes there.
    name : str
        A short name, for figures and messages.

    Raises
    ------
    ValueError
        If f or g holds an undeclared symbol, a symbol is declared twice, or a length is wrong.

    Examples
    --------
    >>> x, y = sp.symbols("x y", real=True)
    >>> game = Game(-x**2 / 2 + 2 * x * y - y**2, [x], [y], name="saddle")
    >>> game.gradient([1.0, 1.0])
    array([1., 0.])
    >>> game.latex()
    '- \\frac{x^{2}}{2} + 2 x y - y^{2}'
    """

    def __init__(
        self,
        f: sp.Expr | None,
        x1: Sequence[sp.Symbol],
        x2: Sequence[sp.Symbol],
        *,
        g: Sequence[sp.Expr] | None = None,
        periods: Sequence[Any] | None = None,
        known_points: Iterable[Sequence[Any]] = (),
        name: str = "game",
    ) -> None:
        self.name = name
        self.x1 = self._symbols("x1", x1)
        self.x2 = self._symbols("x2", x2)
        self.variables = self.x1 + self.x2
        self.n1, self.n2 = len(self.x1), len(self.x2)
        self.n = self.n1 + self.n2
        names = [s.name for s in self.variables]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"x1, x2: expected distinct coordinates, got {sorted(twice)} twice")
        if f is None and g is None:
            raise ValueError("f: expected an expression where no g is given, got None")
        self.expr = None if f is None else self._expression("f", f)
        self.zero_sum = g is None
        if g is None:
            g = [
                *(sp.diff(self.expr, s) for s in self.x1),
                *(-sp.diff(self.expr, s) for s in self.x2),
            ]
        if len(g) != self.n:
            raise ValueError(f"g: expected {self.n} components, got {len(g)}")
        self.g = sp.Matrix([self._expression("g", component) for component in g])
        self.periods = self._periods(periods)
        self.known_points = tuple(self._known(point) for point in known_points)

    @classmethod
    def from_functions(
        cls,
        gradient: Callable[[Array], Array],
        blocks: Callable[[Array], Blocks],
        n1: int,
        n2: int,
        *,
        f: Callable[[Array], Array] | None = None,
        known_points: Iterable[ArrayLike] = (),
        name: str = "game",
    ) -> "Game":
        """Make a zero-sum game from NumPy functions, where a symbolic form is too large.

        Parameters
        ----------
        gradient : callable
            Maps points of shape (..., n1 + n2) to g of the same shape.
        blocks : callable
            Maps one point of shape (n1 + n2,) to its :class:`Blocks`.
        n1, n2 : int
            Numbers of coordinates of the players.
        f : callable, optional
            Maps points of shape (..., n1 + n2) to costs of shape (...).
        known_points : iterable of array_like
            Critical points; g must vanish there to 1e-8 of its scale nearby.
        name : str
            A short name.

        Returns
        -------
        Game
            A game whose ``symbolic`` is False.

        Raises
        ------
        ValueError
            If a dimension is not positive or g does not vanish at a known point.
        """
        game = object.__new__(_FunctionGame)
        game.name = name
        game.n1, game.n2 = count("n1", n1), count("n2", n2)
        game.n = game.n1 + game.n2
        game.zero_sum, game.expr, game.g = True, None, None
        game.periods = (None,) * game.n
        game._functions = (gradient, blocks, f)
        points = []
        for point in known_points:
            x = game.point(point)
            residual = float(np.abs(game.gradient(x)).max())
            if residual > 1e-8 * max(1.0, float(np.abs(x).max()) ** 2):
                raise ValueError(f"known_points: expected g = 0 at {x}, got size {residual:.3g}")
            points.append(x)
        game.known_points = tuple(points)
        return game

    @property
    def symbolic(self) -> bool:
        """Whether the game is defined in SymPy (and so has exact derivatives)."""
        return True

    def latex(self) -> str:
        """Return f in LaTeX, or g where the game is given by its gradients."""
        return sp.latex(self.g if self.expr is None else self.expr)

    def _repr_latex_(self) -> str:
        left = "g(x)" if self.expr is None else "f(x_1, x_2)"
        return f"$\\displaystyle {left} = {self.latex()}$"

    def __repr__(self) -> str:
        kind = "zero-sum" if self.zero_sum else "general-sum"
        return f"<{self.name}: {kind} game, n1 = {self.n1}, n2 = {self.n2}>"

    def point(self, x: ArrayLike, name: str = "x") -> Array:
        """Check one point or an array of points.

        Parameters
        ----------
        x : array_like, shape (..., n1 + n2)
            Player 1's coordinates first.
        name : str
            The argument's name, for the message.

        Returns
        -------
        ndarray of float64

        Raises
        ------
        ValueError
            If the last axis does not have n1 + n2 entries or a coordinate is not finite.
        """
        points = finite_array(name, x)
        if points.ndim == 0 or points.shape[-1] != self.n:
            raise ValueError(
                f"{name}: expected {self.n} coordinates on the last axis (n1 = {self.n1}, "
                f"n2 = {self.n2}), got shape {points.shape}"
            )
        return points

    def f(self, x: ArrayLike) -> Array:
        """Return the cost of player 1.

        Parameters
        ----------
        x : array_like, shape (..., n1 + n2)

        Returns
        -------
        ndarray, shape (...)

        Raises
        ------
        ValueError
            If the points have the wrong length or the game has no single cost f.
        """
        points = self.point(x)
        if self.expr is None:
            raise ValueError(f"game: expected one with a cost f, got {self!r}, given by g alone")
        return self._evaluate(self._compiled_f, points)[..., 0]

    def gradient(self, x: ArrayLike) -> Array:
        """Return g(x) = (D1 f, -D2 f); the players move along -(g1, tau g2).

        Parameters
        ----------
        x : array_like, shape (..., n1 + n2)

        Returns
        -------
        ndarray, shape (..., n1 + n2)

        Raises
        ------
        ValueError
            If the points have the wrong length.
        """
        return self.unchecked_gradient(self.point(x))

    def unchecked_gradient(self, x: Array) -> Array:
        """Return g(x) as :meth:`gradient` does, without looking at x (for inner loops)."""
        return self._evaluate(self._compiled_g, x)

    def blocks(self, x: ArrayLike) -> Blocks:
        """Return the blocks of the Jacobian of g at one point.

        Parameters
        ----------
        x : array_like, shape (n1 + n2,)

        Returns
        -------
        Blocks

        Raises
        ------
        ValueError
            If x has the wrong shape, or the Jacobian is not that of a zero-sum game at x
            (possible only in a game given by g; ``jacobian`` still works there).
        """
        point = self._one_point(x)
        j = self._derivative(point)
        n1 = self.n1
        if not self.zero_sum:
            gap = np.abs(j[n1:, :n1] + j[:n1, n1:].T).max()
            if gap > 1e-10 * max(np.abs(j).max(), 1e-300):
                raise ValueError(
                    f"x: expected a point where the game is zero-sum to first order "
                    f"(D1 g2 = -(D2 g1)^T), got a difference of {gap:.3g}; use jacobian"
                )
        return Blocks(j[:n1, :n1], j[:n1, n1:], j[n1:, n1:])

    def jacobian(self, x: ArrayLike, tau: float) -> Array:
        """Return J_tau(x), the Jacobian of Lambda_tau g.

        Parameters
        ----------
        x : array_like, shape (..., n1 + n2)
        tau : float
            Timescale separation, greater than 0.

        Returns
        -------
        ndarray, shape (..., n1 + n2, n1 + n2)

        Raises
        ------
        ValueError
            If tau is not positive and finite or the points have the wrong length.
        """
        tau = positive("tau", tau)
        j = self._derivative(self.point(x)).copy()
        j[..., self.n1 :, :] *= tau
        return j

    def wrap(self, x: ArrayLike) -> Array:
        """Bring periodic coordinates into (-period/2, period/2]; others stay.

        Parameters
        ----------
        x : array_like, shape (..., n1 + n2)

        Returns
        -------
        ndarray, shape (..., n1 + n2)
        """
        wrapped = np.array(x, dtype=np.float64)
        for i, period in enumerate(self.periods):
            if period is not None:
                p = float(period)
                wrapped[..., i] -= p * np.ceil(wrapped[..., i] / p - 0.5)
        return wrapped

    def displacement(self, x: ArrayLike, origin: ArrayLike) -> Array:
        """Return x - origin along the shortest way, which may cross a periodic seam.

        Parameters
        ----------
        x, origin : array_like, shape (..., n1 + n2)

        Returns
        -------
        ndarray, shape (..., n1 + n2)
        """
        return self.wrap(np.asarray(x, dtype=np.float64) - np.asarray(origin, dtype=np.float64))

    @cached_property
    def symbolic_jacobian(self) -> sp.Matrix:
        """The Jacobian of g in SymPy, shape (n1 + n2, n1 + n2); rows of player 2 without tau."""
        return self.g.jacobian(list(self.variables))

    @cached_property
    def _compiled_f(self) -> Callable[..., list[Any]]:
        return sp.lambdify(self.variables, [self.expr], modules="numpy", cse=True)

    @cached_property
    def _compiled_g(self) -> Callable[..., list[Any]]:
        return sp.lambdify(self.variables, list(self.g), modules="numpy", cse=True)

    @cached_property
    def _compiled_jacobian(self) -> Callable[..., list[Any]]:
        return sp.lambdify(self.variables, list(self.symbolic_jacobian), modules="numpy", cse=True)

    def _evaluate(self, compiled: Callable[..., list[Any]], points: Array) -> Array:
        values = compiled(*np.moveaxis(points, -1, 0))
        out = np.empty((*points.shape[:-1], len(values)))
        for i, value in enumerate(values):
            out[..., i] = value  # constant entries come as scalars and are spread here
        return out

    def _derivative(self, points: Array) -> Array:
        flat = self._evaluate(self._compiled_jacobian, points)
        return flat.reshape(*points.shape[:-1], self.n, self.n)

    def _one_point(self, x: ArrayLike) -> Array:
        point = self.point(x)
        if point.ndim != 1:
            raise ValueError(f"x: expected one point of {self.n} coordinates, got {point.shape}")
        return point

    @staticmethod
    def _symbols(name: str, symbols: Sequence[sp.Symbol]) -> tuple[sp.Symbol, ...]:
        symbols = tuple(symbols)
        if not symbols or not all(isinstance(s, sp.Symbol) for s in symbols):
            raise ValueError(f"{name}: expected at least one SymPy symbol, got {symbols!r}")
        return symbols

    def _expression(self, name: str, expression: Any) -> sp.Expr:
        expression = sp.sympify(expression)
        if not isinstance(expression, sp.Expr) or expression.is_Matrix:
            raise ValueError(f"{name}: expected a SymPy expression, got {expression!r}")
        unknown = expression.free_symbols - set(self.variables)
        if unknown:
            names = sorted(s.name for s in unknown)
            declared = [s.name for s in self.variables]
            raise ValueError(f"{name}: expected only the coordinates {declared}, got also {names}")
        return expression

    def _periods(self, periods: Sequence[Any] | None) -> tuple[sp.Expr | None, ...]:
        if periods is None:
            return (None,) * self.n
        if len(periods) != self.n:
            raise ValueError(f"periods: expected {self.n} entries, got {len(periods)}")
        return tuple(None if p is None else sp.sympify(p) for p in periods)

    def _known(self, point: Sequence[Any]) -> tuple[sp.Expr, ...]:
        exact_point = tuple(sp.sympify(c) for c in point)
        if len(exact_point) != self.n:
            raise ValueError(f"known_points: expected {self.n} coordinates, got {len(exact_point)}")
        at = dict(zip(self.variables, exact_point, strict=True))
        if any(sp.simplify(component.subs(at)) != 0 for component in self.g):
            raise ValueError(f"known_points: expected g = 0 at {exact_point}")
        return exact_point


class _FunctionGame(Game):
    """A game made of NumPy functions; only what evaluates differs."""

    _functions: tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any] | None]

    @property
    def symbolic(self) -> bool:
        return False

    def latex(self) -> str:
        raise ValueError(f"game: expected one defined in SymPy, got {self!r}")

    def _repr_latex_(self) -> str:
        return repr(self)

    def f(self, x: ArrayLike) -> Array:
        points = self.point(x)
        if self._functions[2] is None:
            raise ValueError(f"game: expected one with a cost f, got {self!r}")
        return self._functions[2](points)

    def unchecked_gradient(self, x: Array) -> Array:
        return self._functions[0](x)

    def blocks(self, x: ArrayLike) -> Blocks:
        return self._functions[1](self._one_point(x))

    def jacobian(self, x: ArrayLike, tau: float) -> Array:
        points = self.point(x)
        tau = positive("tau", tau)
        flat = points.reshape(-1, self.n)
        stacked = np.stack([self._functions[1](p).jacobian(tau) for p in flat])
        return stacked.reshape(*points.shape[:-1], self.n, self.n)


def quadratic(v: Any = 4) -> Game:
    """Return the quadratic game on R^2 x R^2 with cost x^T M x / 2.

    Parameters
    ----------
    v : number
        The only parameter, not 0; at v > 0 the origin is a differential Stackelberg, not a
        differential Nash equilibrium, with tau* = 2 whatever v is.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If v is no real number or 0.

    Examples
    --------
    >>> quadratic().blocks([0, 0, 0, 0]).A22
    array([[2., 0.],
           [0., 4.]])
    """
    v = exact("v", v)
    if v == 0:
        raise ValueError("v: expected a number other than 0, got 0")
    x = sp.symbols("x11 x12 x21 x22", real=True)
    matrix = sp.Matrix(
        [[-v, 0, -v, 0], [0, v / 2, 0, v / 2], [-v, 0, -v / 2, 0], [0, v / 2, 0, -v]]
    )
    vector = sp.Matrix(x)
    cost = sp.expand((vector.T * matrix * vector)[0] / 2)
    return Game(cost, x[:2], x[2:], name="quadratic game")


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

    The origin is critical and not a differential Stackelberg equilibrium, yet stable on a
    bounded interval of tau; (1, 1, 1, 1) is a differential Nash equilibrium.

    Parameters
    ----------
    a, b : number
        Shape (a > 0, since its root enters) and weight of the part that makes the origin
        critical.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If a is not positive or b is no real number.
    """
    a, b = exact("a", a), exact("b", b)
    if not a.is_positive:
        raise ValueError(f"a: expected a positive number, got {a}")
    x11, x12, x21, x22 = x = sp.symbols("x11 x12 x21 x22", real=True)
    root = sp.sqrt(a)
    inner = (
        a * x11**2 + 2 * root * x11 * x21 + a * x21**2 / 2
        - x12**2 / 2 + 2 * root * x12 * x22 - a * x22**2
    )  # fmt: skip
    outer = (x11 - 1) ** 2 + (x12 - 1) ** 2 - (x21 - 1) ** 2 - (x22 - 1) ** 2
    cost = b * (x11 - 1) ** 2 * inner + x11**2 * outer
    return Game(cost, x[:2], x[2:], name="non-equilibrium game")


def torus(a: Any = 0.15, b: Any = 0.15) -> Game:
    """Return the location game on the torus, f = -a cos x1 + cos(x1 - x2) + b cos x2.

    Parameters
    ----------
    a, b : number
        Weights of the players' own terms.

    Returns
    -------
    Game
        Both coordinates have period 2 pi.

    Raises
    ------
    ValueError
        If a or b is no real number.
    """
    a, b = exact("a", a), exact("b", b)
    x1, x2 = sp.symbols("x1 x2", real=True)
    cost = -a * sp.cos(x1) + sp.cos(x1 - x2) + b * sp.cos(x2)
    return Game(cost, [x1], [x2], periods=[2 * sp.pi, 2 * sp.pi], name="location game on the torus")


def dirac_gan(mu: Any = 0.3, non_saturating: bool = False) -> Game:
    """Return the Dirac-GAN with gradient penalty, f = l(theta omega) + l(0) - (mu/2) omega^2.

    l(t) = -log(1 + exp(-t)); theta is the generator (player 1), omega the discriminator.

    Parameters
    ----------
    mu : number
        Weight of the penalty, at least 0 (the theory's convention, with the factor 1/2).
    non_saturating : bool
        Whether the generator follows omega l'(-theta omega) instead of D1 f = omega
        l'(theta omega).  That pair of gradients is not the gradient of this f, so the game
        is then given by g and has no cost f; at the origin both have the same Jacobian.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If mu is negative or no real number.
    """
    mu = exact("mu", mu)
    if mu.is_negative:
        raise ValueError(f"mu: expected a number at least 0, got {mu}")
    theta, omega = sp.symbols("theta omega", real=True)
    name = "Dirac-GAN"
    if not non_saturating:
        cost = -sp.log(1 + sp.exp(-theta * omega)) - sp.log(2) - mu * omega**2 / 2
        return Game(cost, [theta], [omega], known_points=[(0, 0)], name=name)
    slope = 1 / (1 + sp.exp(theta * omega))  # l'(t) = 1 / (1 + e^t)
    g = [omega / (1 + sp.exp(-theta * omega)), -theta * slope + mu * omega]
    return Game(None, [theta], [omega], g=g, known_points=[(0, 0)], name=f"non-saturating {name}")


def covariance_gan(
    d: int = 1, mu: Any = 1, sigma: ArrayLike | None = None, symbolic: bool | None = None
) -> Game:
    """Return the GAN that learns a covariance, f = tr(W (Sigma - V V^T)) - (mu/2) |W|_F^2.

    The generator maps z to V z (player 1: V, d x d, row by row); the discriminator is x^T W x
    (player 2: W, d x d, row by row).  g = (-(W + W^T) V, -(Sigma - V V^T) + mu W).

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
        form at d > 1, where the root is no short expression).  For d > 1 it lies on a manifold
        of equilibria (V O for orthogonal O), so it is degenerate.

    Raises
    ------
    ValueError
        If d, mu or sigma is out of range.
    """
    d = count("d", d)
    mu = exact("mu", mu)
    if not mu.is_positive:
        raise ValueError(f"mu: expected a number greater than 0, got {mu}")
    sigma = np.eye(d) if sigma is None else finite_array("sigma", sigma, ndim=2)
    if sigma.shape != (d, d) or not np.allclose(sigma, sigma.T):
        raise ValueError(f"sigma: expected a symmetric matrix of shape {(d, d)}, got {sigma}")
    values, vectors = np.linalg.eigh(sigma)
    if values[0] <= d * np.finfo(float).eps * values[-1]:
        raise ValueError(f"sigma: expected a positive definite matrix, got eigenvalue {values[0]}")
    name = f"covariance GAN, d = {d}"
    if symbolic if symbolic is not None else d <= 2:
        v = sp.Matrix(d, d, lambda i, j: sp.Symbol(f"v{i + 1}{j + 1}", real=True))
        w = sp.Matrix(d, d, lambda i, j: sp.Symbol(f"w{i + 1}{j + 1}", real=True))
        s = sp.Matrix(d, d, lambda i, j: exact("sigma", sigma[i, j]))
        cost = (w * (s - v * v.T)).trace() - mu / 2 * sum(c**2 for c in w)
        known = [(sp.sqrt(s[0, 0]), 0)] if d == 1 else []
        return Game(sp.expand(cost), list(v), list(w), known_points=known, name=name)

    m = float(mu)
    root = vectors @ np.diag(np.sqrt(values)) @ vectors.T
    eye = np.eye(d)
    # (I + K) vec W = vec(W + W^T), with K the commutation matrix.
    symmetrize = np.eye(d * d) + np.eye(d * d).reshape(d, d, d, d).swapaxes(2, 3).reshape(d * d, -1)

    def split(x: Array) -> tuple[Array, Array]:
        return x[..., : d * d].reshape(*x.shape[:-1], d, d), x[..., d * d :].reshape(
            *x.shape[:-1], d, d
        )

    def cost_function(x: Array) -> Array:
        v, w = split(x)
        gap = sigma - v @ v.swapaxes(-1, -2)
        return np.einsum("...ij,...ji->...", w, gap) - m / 2 * (w**2).sum(axis=(-1, -2))

    def gradient(x: Array) -> Array:
        v, w = split(x)
        g1 = -(w + w.swapaxes(-1, -2)) @ v
        g2 = -(sigma - v @ v.swapaxes(-1, -2)) + m * w
        shape = (*x.shape[:-1], d * d)
        return np.concatenate([g1.reshape(shape), g2.reshape(shape)], axis=-1)

    def blocks(x: Array) -> Blocks:
        v, w = split(x)
        return Blocks(np.kron(-(w + w.T), eye), -np.kron(eye, v.T) @ symmetrize, m * np.eye(d * d))

    equilibrium = np.concatenate([root.ravel(), np.zeros(d * d)])
    return Game.from_functions(
        gradient, blocks, d * d, d * d, f=cost_function, known_points=[equilibrium], name=name
    )


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
    gap : ndarray, shape (...)
        The Frobenius norm of Sigma - V V^T, 0 on all equilibria with W = 0.
    size : ndarray, shape (...)
        The Frobenius norm of W.

    Raises
    ------
    ValueError
        If the points do not have 2 d^2 coordinates.
    """
    sigma, x = finite_array("sigma", sigma, ndim=2), np.asarray(x, dtype=np.float64)
    d = len(sigma)
    if x.shape[-1] != 2 * d * d:
        raise ValueError(f"x: expected {2 * d * d} coordinates on the last axis, got {x.shape}")
    v, w = np.moveaxis(x.reshape(*x.shape[:-1], 2, d, d), -3, 0)
    gap = sigma - v @ v.swapaxes(-1, -2)
    return np.linalg.norm(gap, axis=(-2, -1)), np.linalg.norm(w, axis=(-2, -1))


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
    d = count("d", d)
    u, v0, w0 = rng.standard_normal((3, d, d))
    return u @ u.T + np.eye(d), np.concatenate([v0.ravel(), w0.ravel()])
