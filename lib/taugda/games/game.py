"""A two-player game: its cost, derivatives and compiled functions."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, cached_property
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike
from sympy.core.function import AppliedUndef
from sympy.printing.numpy import SciPyPrinter

from taugda.blocks import Blocks
from taugda.checks import Array, count, finite_array, positive
from taugda.games.trial import Function, try_functions

# Not smooth on the whole line, or not known to be.
_ROUGH = (sp.Abs, sp.sign, sp.Max, sp.Min, sp.Piecewise, sp.Heaviside, sp.DiracDelta, sp.floor)
_ROUGH += (sp.ceiling, sp.frac, sp.Mod, sp.re, sp.im, sp.conjugate, sp.arg, AppliedUndef)
_ROUGH += (sp.SingularityFunction, sp.KroneckerDelta)
_UNDONE = (sp.Sum, sp.Product, sp.Integral, sp.Derivative, sp.Subs, sp.Limit, sp.UnevaluatedExpr)
_PLAIN = (sp.Add, sp.Mul, sp.Pow, sp.Symbol, sp.NumberSymbol)
_PRINTER = SciPyPrinter({"allow_unknown_functions": False})
_LINE = 200  # characters of TeX beyond which a cost is written a term a line


class Game:
    """A two-player game with its derivatives.

    Parameters
    ----------
    f : sympy.Expr or None
        The cost of player 1, which player 2 maximizes.  None only where ``g`` is given.
    x1, x2 : sequence of sympy.Symbol
        The coordinates of player 1 and of player 2.
    g : sequence of sympy.Expr, optional
        The vector field whose negative the players follow, where it is not (D1 f, -D2 f).
    periods : sequence of (SymPy number or None), optional
        The period of each coordinate, None for a coordinate on the line.
    known_points : sequence of sequences, optional
        Critical points known exactly, for equations SymPy cannot solve; g must vanish there.
    parameters : sequence of sympy.Symbol, optional
        Other symbols in f or g; such a game has derivatives, but evaluating it raises.
    name : str

    Raises
    ------
    ValueError
        If f or g holds an undeclared symbol, a symbol is declared twice, or a length is wrong.
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
        # Defined in SymPy it has exact derivatives.
        self.name, self.zero_sum, self.symbolic = name, g is None, True
        self.parameters = _symbols("parameters", parameters) if parameters else ()
        self.x1, self.x2 = _symbols("x1", x1), _symbols("x2", x2)
        self.variables = self.x1 + self.x2
        for s in self.variables:  # a coordinate takes every value on the line
            if not s.assumptions0.items() <= sp.Symbol("x", real=True).assumptions0.items():
                got = sp.srepr(s)
                raise ValueError(f"x1, x2: expected Symbol({s.name!r}, real=True), got {got}")
        self.n1, self.n2, self.n = len(self.x1), len(self.x2), len(self.variables)
        names = [s.name for s in self.variables + self.parameters]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"x1, x2: expected distinct coordinates, got {twice} twice")
        if f is None and g is None:
            raise ValueError("f: expected an expression where no g is given, got None")
        self.expr = None if f is None else self._expression("f", f)
        if g is None:
            signs = [1] * self.n1 + [-1] * self.n2
            g = [s * sp.diff(self.expr, v) for s, v in zip(signs, self.variables, strict=True)]
        periods = [None] * self.n if periods is None else periods
        for name, given in (("g", g), ("periods", periods)):
            if len(given) != self.n:
                raise ValueError(f"{name}: expected {self.n} entries, got {len(given)}")
        self.g = sp.Matrix([self._expression("g", component) for component in g])
        self.periods = tuple(None if p is None else sp.sympify(p) for p in periods)
        self._check_periods()
        self.known_points = tuple(self._known(point) for point in known_points)

    @classmethod
    def from_functions(
        cls,
        gradient: Function,
        blocks: Callable[[Array], Blocks],
        n1: int,
        n2: int,
        *,
        f: Function | None = None,
        known_points: Iterable[ArrayLike] = (),
        name: str = "game",
    ) -> "Game":
        """Make a zero-sum game from NumPy functions, where a symbolic form is too large.

        Parameters
        ----------
        gradient : callable
            Maps points of shape (..., n1 + n2) to g = (D1 f, -D2 f) of the same shape.
        blocks : callable
            Maps one point of shape (n1 + n2,) to its :class:`Blocks`.
        n1, n2 : int
            Numbers of coordinates of the players.
        f : callable, optional
            Maps points of shape (..., n1 + n2) to costs of shape (...).
        known_points : iterable of array_like
            Critical points; g must vanish there to 1e-8 of its scale nearby.
        name : str

        Returns
        -------
        Game
            A game whose ``symbolic`` is False.

        Raises
        ------
        ValueError
            If a dimension is not positive, g does not vanish at a known point, or trials near
            the first known point (or the origin) show that a function mixes the points of a
            stack, or that the blocks or the gradient are not the derivatives that they should be.
        """
        for argument, value in (("gradient", gradient), ("blocks", blocks), ("f", f)):
            if not callable(value) and not (argument == "f" and f is None):
                raise ValueError(f"{argument}: expected a function, got {value!r}")
        game = object.__new__(cls)
        game.name, game.zero_sum, game.symbolic, game.parameters = name, True, False, ()
        game.n1, game.n2 = count("n1", n1), count("n2", n2)
        game.n = game.n1 + game.n2
        game.periods = (None,) * game.n

        def jacobians(points: Array) -> Array:
            found = np.array([blocks(x).jacobian(1.0) for x in points.reshape(-1, game.n)])
            return found.reshape(*points.shape, game.n)

        # In place of what would be compiled from SymPy.
        vars(game).update(_f=f, unchecked_gradient=gradient, _jacobian=jacobians, expr=None, g=None)
        game.known_points = tuple(game.point(x, "known_points") for x in known_points)
        for x in game.known_points:
            residual = float(np.abs(game.gradient(x)).max())
            if residual > 1e-8 * max(1.0, float(np.abs(x).max()) ** 2):
                raise ValueError(f"known_points: expected g = 0 at {x}, got size {residual:.3g}")
        try_functions(game, blocks)
        return game

    def _repr_latex_(self) -> str:
        if not self.symbolic:
            return repr(self)
        left, right = ("g(x)", self.g) if self.expr is None else ("f(x_1, x_2)", self.expr)
        text = sp.latex(right)
        if self.expr is not None and len(text) > _LINE:  # a term a line, so that pages can hold it
            first, *others = map(sp.latex, self.expr.as_ordered_terms())
            lines = [first, *(term if term.startswith("-") else f"+ {term}" for term in others)]
            text = r" \\ & ".join(lines)
            return rf"$\displaystyle \begin{{aligned}} {left} = {{}} & {text} \end{{aligned}}$"
        return f"$\\displaystyle {left} = {text}$"

    def __repr__(self) -> str:
        kind = "zero" if self.zero_sum else "general"
        return f"<{self.name}: {kind}-sum game, n1 = {self.n1}, n2 = {self.n2}>"

    def point(self, x: ArrayLike, name: str = "x") -> Array:
        """Return one point or an array of points, shape (..., n1 + n2), checked."""
        points = finite_array(name, x)
        if points.shape[-1:] != (self.n,):
            raise ValueError(f"{name}: expected {self.n} coordinates each, got shape {np.shape(x)}")
        return points

    def f(self, x: ArrayLike) -> Array:
        """Return the cost of player 1 at points of shape (..., n1 + n2)."""
        if self._f is None:
            raise ValueError(f"game: expected one with a cost f, got {self!r}")
        return self._f(self.point(x))

    def gradient(self, x: ArrayLike) -> Array:
        """Return g = (D1 f, -D2 f) at points of shape (..., n1 + n2).

        Parameters
        ----------
        x : array_like, shape (..., n1 + n2)

        Returns
        -------
        ndarray, shape (..., n1 + n2)
            Both players follow -g; it is 0 at a critical point.
        """
        return self.unchecked_gradient(self.point(x))

    def blocks(self, x: ArrayLike) -> Blocks:
        """Return the blocks at one point; refused where a game given by g is not zero-sum.

        Parameters
        ----------
        x : array_like, shape (n1 + n2,)

        Returns
        -------
        Blocks
            A11 = D1^2 f, A12 = D12 f and A22 = -D2^2 f.

        Raises
        ------
        ValueError
            If x is not one point, or the game is not zero-sum to first order there.
        """
        point = self.point(x)
        if point.ndim != 1:
            raise ValueError(f"x: expected one point of {self.n} coordinates, got {point.shape}")
        j, n1 = self._jacobian(point), self.n1
        gap = 0.0 if self.zero_sum else float(np.abs(j[n1:, :n1] + j[:n1, n1:].T).max())
        if gap > 1e-10 * max(float(np.abs(j).max()), 1e-300):
            got = f"D1 g2 + (D2 g1)^T of size {gap:.3g}; use jacobian"
            raise ValueError(f"x: expected a point where the game is zero-sum, got {got}")
        return Blocks(j[:n1, :n1], j[:n1, n1:], j[n1:, n1:])

    def jacobian(self, x: ArrayLike, tau: float) -> Array:
        """Return J_tau, shape (..., n, n), at points of shape (..., n), where n = n1 + n2.

        Parameters
        ----------
        x : array_like, shape (..., n1 + n2)
        tau : float
            Timescale separation, greater than 0.

        Returns
        -------
        ndarray, shape (..., n, n)
            The Jacobian of Lambda_tau g; stable if all eigenvalues have positive real parts.
        """
        tau = positive("tau", tau)
        j = self._jacobian(self.point(x))
        j[..., self.n1 :, :] *= tau
        return j

    def wrap(self, x: ArrayLike) -> Array:
        """Bring periodic coordinates into (-period/2, period/2]; others stay."""
        wrapped = np.array(x, dtype=np.float64)
        for i, period in enumerate(self.periods):
            if period is not None:
                wrapped[..., i] -= float(period) * np.ceil(wrapped[..., i] / float(period) - 0.5)
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
    def _f(self) -> Function | None:
        return None if self.expr is None else self._compiled([self.expr], ())

    @cached_property
    def unchecked_gradient(self) -> Function:
        """The function behind :meth:`gradient`, which does not look at x (for inner loops)."""
        return self._compiled(list(self.g), (self.n,))

    @cached_property
    def _jacobian(self) -> Function:
        return self._compiled(list(self.symbolic_jacobian), (self.n, self.n))

    def _compiled(self, expressions: Sequence[sp.Expr], shape: tuple[int, ...]) -> Function:
        """Return a function of points, shape (..., n), with values of shape (..., *shape)."""
        if self.parameters:
            got = f"{self!r} with {[s.name for s in self.parameters]}"
            raise ValueError(f"game: expected one without free parameters, got {got}")
        compiled = sp.lambdify(self.variables, expressions, ["scipy", "numpy"], cse=True)

        def evaluate(points: Array) -> Array:
            out = np.empty((*points.shape[:-1], len(expressions)))
            for i, value in enumerate(compiled(*np.moveaxis(points, -1, 0))):
                if np.iscomplexobj(value):  # as some of SciPy's functions are where they are real
                    value = np.where(np.imag(value) == 0, np.real(value), np.nan)
                out[..., i] = value  # constant entries come as scalars and are spread here
            return out.reshape((*points.shape[:-1], *shape))[()]  # a number where there is no axis

        return evaluate

    def _expression(self, name: str, expression: Any) -> sp.Expr:
        with suppress(sp.SympifyError):
            expression = sp.sympify(expression)
        no_number = isinstance(expression, (sp.Lambda, sp.MatrixExpr))
        if no_number or not isinstance(expression, sp.Expr):
            raise ValueError(f"{name}: expected a SymPy expression, got {expression!r}")
        if expression.has(*_UNDONE):
            expression = expression.doit()
        unknown = sorted(map(str, expression.free_symbols - {*self.variables, *self.parameters}))
        if unknown:
            names = [s.name for s in self.variables]
            got = f"{unknown}{' with other assumptions' if {*unknown} & {*names} else ''}"
            raise ValueError(f"{name}: expected only the coordinates {names}, got also {got}")
        _check_smooth(name, expression)
        for s in self.variables:
            if not s.is_real:  # the root of a square is no absolute value until it is
                _check_smooth(name, expression.xreplace({s: sp.Symbol(s.name, real=True)}))
        return expression

    def _check_periods(self) -> None:
        """Refuse a period that is no positive number, or with which g does not repeat."""
        at = {s: sp.Rational(k + 5, 13) for k, s in enumerate(self.variables + self.parameters)}
        here = sp.N(self.g.xreplace(at), 30) if any(self.periods) else None
        for s, period in zip(self.variables, self.periods, strict=True):
            if period is None:
                continue
            if not (period.is_number and period.is_positive and period.is_finite):
                raise ValueError(f"periods: expected a number greater than 0, got {period}")
            there = sp.N(self.g.xreplace({**at, s: at[s] + period}), 30)
            if any(abs(a - b) > 1e-12 * (1 + abs(a)) for a, b in zip(here, there, strict=True)):
                grows = f"{s} grows by {period}"
                raise ValueError(f"periods: expected a game that repeats when {grows}")

    def _known(self, point: Sequence[Any]) -> tuple[sp.Expr, ...]:
        exact_point = tuple(sp.sympify(c) for c in point)
        if len(exact_point) != self.n:
            raise ValueError(f"known_points: expected {self.n} coordinates, got {len(exact_point)}")
        values = self.g.subs(list(zip(self.variables, exact_point, strict=True)))
        if any(sp.simplify(value) != 0 for value in values):
            raise ValueError(f"known_points: expected g = 0 at {exact_point}")
        return exact_point


def _symbols(name: str, symbols: Sequence[sp.Symbol]) -> tuple[sp.Symbol, ...]:
    try:
        found = tuple(symbols)
    except TypeError:
        found = ()
    if not found or not all(isinstance(s, sp.Symbol) for s in found):
        raise ValueError(f"{name}: expected a list of at least one SymPy symbol, got {symbols!r}")
    return found


@cache
def _in_scipy(function: type[sp.Function], *args: Any) -> bool:
    """Return whether SciPy has a function; arguments are None where they hold symbols."""
    try:
        _PRINTER.doprint(function(*(sp.Dummy() if a is None else a for a in args)))
    except NotImplementedError:
        return False
    return True


def _check_smooth(name: str, expression: sp.Expr) -> None:
    """Refuse what is not smooth, not real, or no function that SciPy has."""
    nodes, walk = set(), sp.preorder_traversal(expression)
    for e in walk:
        if e in nodes:
            walk.skip()
            continue
        nodes.add(e)
        if isinstance(e, sp.Expr) and not e.free_symbols:
            if not e.is_finite or e.is_real is False:
                raise ValueError(f"{name}: expected real and finite numbers, got {e}")
            walk.skip()
        elif isinstance(e, sp.Function) and not isinstance(e, _ROUGH):
            fixed = (None if isinstance(a, sp.Expr) and a.free_symbols else a for a in e.args)
            if not _in_scipy(e.func, *fixed):
                raise ValueError(f"{name}: expected functions that SciPy has, got {e}")
        elif not isinstance(e, _PLAIN):
            got = f"{type(e).__name__} in {e}"
            raise ValueError(f"{name}: expected a smooth function that is known, got {got}")
