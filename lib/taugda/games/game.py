"""A two-player game: its cost, derivatives and compiled functions."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from taugda.blocks import Blocks
from taugda.checks import Array, count, finite_array, positive

if TYPE_CHECKING:
    from taugda.exact import ExactBlocks

__all__ = ["Game"]


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
    parameters : sequence of sympy.Symbol, optional
        Symbols that f or g may hold besides the coordinates, for formulas in the parameters.
        Such a game has derivatives and LaTeX, but no numbers: evaluating it raises.
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
        parameters: Sequence[sp.Symbol] = (),
        name: str = "game",
    ) -> None:
        self.name = name
        self.parameters = self._symbols("parameters", parameters) if parameters else ()
        self.x1 = self._symbols("x1", x1)
        self.x2 = self._symbols("x2", x2)
        self.variables = self.x1 + self.x2
        self.n1, self.n2 = len(self.x1), len(self.x2)
        self.n = self.n1 + self.n2
        names = [s.name for s in self.variables + self.parameters]
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
        from taugda.games.functions import FunctionGame

        game = object.__new__(FunctionGame)
        game.name = name
        game.n1, game.n2 = count("n1", n1), count("n2", n2)
        game.n = game.n1 + game.n2
        game.zero_sum, game.expr, game.g, game.parameters = True, None, None, ()
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
        """Return g(x) as :meth:`gradient` does, without looking at x (for inner loops).

        Parameters
        ----------
        x : ndarray of float64, shape (..., n1 + n2)

        Returns
        -------
        ndarray, shape (..., n1 + n2)
        """
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

    def exact_blocks(self, point: Sequence[Any]) -> "ExactBlocks":
        """Return the blocks at one exact point, in SymPy numbers.

        Parameters
        ----------
        point : sequence of n1 + n2 SymPy numbers
            For example ``CriticalPoint.exact``; no floats.

        Returns
        -------
        ExactBlocks
            Up to a positive factor: an exponential that all entries share is left out, which
            changes no statement about stability or tau*.

        Raises
        ------
        ValueError
            If the game is not symbolic or has free parameters, the point is not exact, or an
            entry there is no real number.
        """
        from taugda.games.exact_points import exact_blocks

        return exact_blocks(self, point)

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
        return self._compile([self.expr])

    @cached_property
    def _compiled_g(self) -> Callable[..., list[Any]]:
        return self._compile(list(self.g))

    @cached_property
    def _compiled_jacobian(self) -> Callable[..., list[Any]]:
        return self._compile(list(self.symbolic_jacobian))

    def _compile(self, expressions: list[sp.Expr]) -> Callable[..., list[Any]]:
        if self.parameters:
            raise ValueError(
                f"game: expected one without free parameters, got {self!r} with "
                f"{[s.name for s in self.parameters]}; give them values to compute numbers"
            )
        return sp.lambdify(self.variables, expressions, modules="numpy", cse=True)

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
        unknown = expression.free_symbols - set(self.variables + self.parameters)
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
