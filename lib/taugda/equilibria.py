"""Critical points of a game: finding them, exactly where that can be done, and classifying them.

A point is critical where g(x) = (D1 f, -D2 f) = 0.  It is a differential Nash equilibrium (DNE)
if A11 > 0 and A22 > 0, and a differential Stackelberg equilibrium (DSE, strict local minmax) if
A22 > 0 and the Schur complement S1 = A11 + A12 A22^{-1} A12^T > 0.  Every DNE is a DSE.

Source of the definitions: Fiez & Ratliff (2021), preliminaries.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
import scipy.optimize
import sympy as sp
from numpy.typing import ArrayLike, NDArray

from taugda.blocks import Blocks
from taugda.checks import count, finite_array
from taugda.games import Game

__all__ = ["Classification", "CriticalPoint", "NotPolynomialError", "classify", "critical_points"]

Array = NDArray[np.float64]

# Digits in which candidates for exact solutions are put into the equations.
_DIGITS = 60


@dataclass(frozen=True)
class Classification:
    """What a critical point is, and by how much.

    Attributes
    ----------
    kind : {"DNE", "DSE", "neither", "degenerate"}
        "DSE" means a differential Stackelberg equilibrium that is no Nash equilibrium;
        "degenerate" that an eigenvalue which would decide is zero to working precision.
    margin : float
        The smallest of the eigenvalues that decide (negative for "neither", about 0 for
        "degenerate"): how far the blocks may move before the answer changes.
    min_A11, min_A22, min_S1 : float
        Smallest eigenvalues; ``min_S1`` is nan where A22 is singular.
    A11_semidefinite : bool
        Whether A11 >= 0 to working precision; at a DSE, tau* = 0 iff this holds.
    reason : str
        One phrase with the deciding eigenvalues.
    """

    kind: str
    margin: float
    min_A11: float
    min_A22: float
    min_S1: float
    A11_semidefinite: bool
    reason: str

    @property
    def is_dse(self) -> bool:
        """Whether the point is a strict local minmax point; a DNE is one too."""
        return self.kind in ("DNE", "DSE")

    @property
    def undefined(self) -> bool:
        """Whether A22 is singular, where the theory (and tau*) says nothing."""
        return bool(np.isnan(self.min_S1))


def classify(blocks: Blocks, tolerance: float = 1e-12) -> Classification:
    """Say whether a critical point is a DNE, a DSE, neither or degenerate.

    Parameters
    ----------
    blocks : Blocks
        The blocks at a critical point.
    tolerance : float
        An eigenvalue is zero if smaller than this times the size of the blocks.

    Returns
    -------
    Classification

    Raises
    ------
    ValueError
        If the tolerance is negative or not finite.

    Examples
    --------
    >>> classify(Blocks([[-1.0]], [[2.0]], [[1.0]])).kind
    'DSE'
    """
    tolerance = float(finite_array("tolerance", tolerance, ndim=0))
    if tolerance < 0:
        raise ValueError(f"tolerance: expected a number at least 0, got {tolerance}")
    values_22 = np.linalg.eigvalsh(blocks.A22)
    a11, a22 = float(np.linalg.eigvalsh(blocks.A11)[0]), float(values_22[0])
    zero = tolerance * max(blocks.n1, blocks.n2) * blocks.scale
    semidefinite = a11 >= -zero
    if np.abs(values_22).min() <= zero:
        kind, margin, s1 = "degenerate", float(np.abs(values_22).min()), np.nan
        # A negative eigenvalue beside the zero one already decides against an equilibrium.
        reason = f"A22 is singular: eigenvalues {_list(values_22)}"
        if a22 < -zero:
            kind, margin = "neither", a22
            reason = f"not a DSE: min eig A22 = {a22:.6g}, and A22 is singular"
        return Classification(kind, margin, a11, a22, s1, semidefinite, reason)
    # S1 holds A22^{-1}, whose size sets the rounding in it.
    values_s1 = np.linalg.eigvalsh(blocks.schur_complement)
    s1 = float(values_s1[0])
    zero_s1 = tolerance * blocks.n1 * max(blocks.scale, float(np.abs(values_s1).max()))
    numbers = f"min eig A22 = {a22:.6g}, min eig S1 = {s1:.6g}"
    if a22 < 0 or s1 < -zero_s1:
        return Classification(
            "neither", min(a22, s1), a11, a22, s1, semidefinite, f"not a DSE: {numbers}"
        )
    if s1 <= zero_s1:
        return Classification(
            "degenerate", s1, a11, a22, s1, semidefinite, f"S1 is singular: {numbers}"
        )
    if a11 > zero:
        return Classification(
            "DNE", min(a11, a22), a11, a22, s1, True, f"DNE: min eig A11 = {a11:.6g}, {numbers}"
        )
    return Classification("DSE", min(a22, s1), a11, a22, s1, semidefinite, f"DSE: {numbers}")


@dataclass(frozen=True, eq=False)
class CriticalPoint:
    """A critical point of a game.

    Attributes
    ----------
    x : ndarray, shape (n1 + n2,)
        The point in double precision, player 1's coordinates first.
    exact : tuple of sympy.Expr or None
        The same point in exact form, where it is known.
    residual : float
        The largest |component of g| at ``x``, in double precision.
    classification : Classification
    blocks : Blocks
        The blocks there.
    """

    x: Array
    exact: tuple[sp.Expr, ...] | None
    residual: float
    classification: Classification
    blocks: Blocks

    @property
    def kind(self) -> str:
        """The classification in a word: DNE, DSE, neither or degenerate."""
        return self.classification.kind

    def exact_form(self, degree: int = 4) -> str:
        r"""Say what the exact point is, in a phrase with TeX between dollar signs.

        Parameters
        ----------
        degree : int
            Polynomials up to this degree are written out, with r_k for the k-th real root in
            ascending order; of others only the degree is told.

        Returns
        -------
        str
            "numerical" where no exact form is known.

        Examples
        --------
        >>> from taugda import games
        >>> print(critical_points(games.polynomial())[1].exact_form())
        $(5 r_{1},\ 5 r_{1})$ with $3 r^{3} + 2 r^{2} - 12 r - 4 = 0$
        """
        if self.exact is None:
            return "numerical"
        roots = set().union(*(c.atoms(sp.CRootOf) for c in self.exact))
        polynomials = {root.poly.as_expr(sp.Symbol("r")) for root in roots}
        top = max((root.poly.degree() for root in roots), default=0)
        if top > degree or len(polynomials) > 1:
            return f"algebraic of degree {top}"
        names = {root: sp.Symbol(f"r_{{{root.index + 1}}}") for root in roots}
        text = "$(" + r",\ ".join(sp.latex(c.xreplace(names)) for c in self.exact) + ")$"
        return text + "".join(f" with ${sp.latex(p)} = 0$" for p in polynomials)

    def latex(self) -> str:
        """Return the point in LaTeX: exact where roots suffice, else seven digits."""
        return "(" + ", ".join(map(_latex, self.exact or self.x, self.x)) + ")"


class NotPolynomialError(ValueError):
    """The equations g = 0 are no polynomial system in the coordinates or their cosines."""


def critical_points(
    game: Game,
    *,
    method: str | None = None,
    bounds: ArrayLike | None = None,
    starts: int = 200,
    tolerance: float = 1e-9,
    rng: np.random.Generator | None = None,
) -> list[CriticalPoint]:
    """Find the critical points of a game.

    Parameters
    ----------
    game : Game
    method : {"exact", "known", "search"}, optional
        "exact" solves g = 0 exactly: all real solutions where the system is polynomial after
        dropping factors that never vanish, or polynomial in the sines and cosines of
        coordinates of period 2 pi.  "known" returns the game's known points.  "search" runs
        Newton's method from random starts and promises no completeness.  If left out, the
        first of these that applies.
    bounds : array_like, shape (n1 + n2, 2), optional
        For the search: the box of starts, [-3, 3] in each coordinate if left out.
    starts : int
        For the search: how many starts.
    tolerance : float
        For the search: the largest |component of g| that counts as zero, relative to the size
        of the Jacobian; and how far apart two points must be to be two.
    rng : numpy.random.Generator, optional
        For the search: where the starts come from; seeded with 0 if left out.

    Returns
    -------
    list of CriticalPoint
        Sorted by coordinates; periodic coordinates in (-period/2, period/2].

    Raises
    ------
    NotPolynomialError
        If ``method`` is "exact" and the system is not polynomial.
    ValueError
        If there are infinitely many solutions or an argument is out of range.

    Examples
    --------
    >>> from taugda import games
    >>> [p.kind for p in critical_points(games.nonequilibrium())]
    ['DNE', 'neither', 'DNE']
    """
    if method not in (None, "exact", "known", "search"):
        raise ValueError(f"method: expected 'exact', 'known' or 'search', got {method!r}")
    if method in (None, "exact") and game.symbolic:
        try:
            return _collect(game, _solve_exactly(game))
        except NotPolynomialError:
            if method == "exact":
                raise
    elif method == "exact":
        raise NotPolynomialError(f"game: expected one defined in SymPy, got {game!r}")
    if method == "known" or (method is None and game.known_points):
        return _collect(game, game.known_points)
    box = np.tile([-3.0, 3.0], (game.n, 1)) if bounds is None else finite_array("bounds", bounds)
    if box.shape != (game.n, 2) or (box[:, 0] >= box[:, 1]).any():
        raise ValueError(
            f"bounds: expected {game.n} rows (low, high) with low < high, got {bounds}"
        )
    rng = np.random.default_rng(0) if rng is None else rng
    found = _search(game, box, count("starts", starts), tolerance, rng)
    return _collect(game, found)


def _collect(game: Game, points: Iterable[Sequence]) -> list[CriticalPoint]:
    result = []
    for point in points:
        exact = None if isinstance(point, np.ndarray) else tuple(point)
        x = point if exact is None else np.array([float(c.evalf(30)) for c in exact])
        x = game.wrap(x)
        blocks = game.blocks(x)
        residual = float(np.abs(game.gradient(x)).max())
        result.append(CriticalPoint(x, exact, residual, classify(blocks), blocks))
    return sorted(result, key=lambda p: tuple(np.round(p.x, 9)))


def _solve_exactly(game: Game) -> list[tuple[sp.Expr, ...]]:
    """Return all real solutions of g = 0 as exact numbers."""
    if any(p is not None for p in game.periods):
        return _solve_on_circles(game)
    system = [_polynomial_part(component, game.variables) for component in game.g]
    return _solve_polynomials(system, game.variables)


def _polynomial_part(expression: sp.Expr, variables: Sequence[sp.Symbol]) -> sp.Expr:
    """Return an expression's numerator without the exponentials that multiply all of it."""
    numerator, denominator = sp.fraction(sp.together(expression))
    exponentials = sorted(numerator.atoms(sp.exp), key=sp.default_sort_key)
    stand_ins = sp.symbols(f"E:{len(exponentials)}", positive=True)
    plain = numerator.xreplace(dict(zip(exponentials, stand_ins, strict=True)))
    plain = sp.expand(plain)
    if exponentials:
        try:
            monomials = sp.Poly(plain, *stand_ins).monoms()
        except sp.PolynomialError as error:
            raise NotPolynomialError(
                f"g: expected a polynomial system, got {expression}"
            ) from error
        common = [min(m[i] for m in monomials) for i in range(len(stand_ins))]
        plain = sp.expand(plain / sp.prod(e**k for e, k in zip(stand_ins, common, strict=True)))
    if plain.free_symbols - set(variables) or not plain.is_polynomial(*variables):
        raise NotPolynomialError(f"g: expected a polynomial system, got {expression}")
    if denominator.free_symbols and not (1 / denominator).has(sp.exp):
        raise NotPolynomialError(f"g: expected no denominator that may vanish, got {denominator}")
    return plain


def _solve_on_circles(game: Game) -> list[tuple[sp.Expr, ...]]:
    """Solve a system in the sines and cosines of angles through the circle's equation."""
    if any(p is None or sp.simplify(p - 2 * sp.pi) != 0 for p in game.periods):
        raise NotPolynomialError("periods: expected 2 pi for every coordinate")
    cosines = sp.symbols(f"c:{game.n}", real=True)
    sines = sp.symbols(f"s:{game.n}", real=True)
    pairs = list(zip(game.variables, cosines, sines, strict=True))
    to_circle = {sp.cos(x): c for x, c, _ in pairs} | {sp.sin(x): s for x, _, s in pairs}
    system = [sp.expand_trig(component).xreplace(to_circle) for component in game.g]
    for component in system:
        if component.free_symbols & set(game.variables):
            raise NotPolynomialError(f"g: expected sines and cosines of angles, got {component}")
    system = [_polynomial_part(component, (*cosines, *sines)) for component in system]
    system += [c**2 + s**2 - 1 for _, c, s in pairs]
    solutions = _solve_polynomials(system, (*cosines, *sines))
    return [
        tuple(sp.atan2(s, c) for c, s in zip(point[: game.n], point[game.n :], strict=True))
        for point in solutions
    ]


def _solve_polynomials(
    system: Sequence[sp.Expr], variables: Sequence[sp.Symbol]
) -> list[tuple[sp.Expr, ...]]:
    """Return all real solutions of a polynomial system with finitely many.

    Each coordinate's values are the real roots of an elimination polynomial, found in the
    Groebner basis's quotient ring; the combinations that solve the system are told from the
    others by the equations' values in many digits.
    """
    system = [p for p in system if p != 0]
    basis = sp.groebner(system, *variables, order="grevlex", field=True, extension=True)
    if basis.exprs == [1]:
        return []
    if not basis.is_zero_dimensional:
        raise ValueError(
            "game: expected finitely many critical points, got a continuum (over the complex "
            "numbers); search for some with method='search'"
        )
    roots = [_real_roots(_eliminate(basis, v)) for v in variables]
    return _match(system, variables, roots)


def _eliminate(basis: sp.GroebnerBasis, variable: sp.Symbol) -> sp.Poly:
    """Return the lowest polynomial in one variable that vanishes on all solutions.

    The normal forms of 1, v, v^2, ... lie in the finite-dimensional quotient ring; the first
    linear dependence among them is the polynomial.
    """
    powers: list[sp.Poly] = []
    monomials: dict[tuple[int, ...], int] = {}
    form = sp.Integer(1)
    while True:
        form = sp.expand(basis.reduce(form)[1])
        poly = sp.Poly(form, *basis.gens)
        powers.append(poly)
        for monomial in poly.monoms():
            monomials.setdefault(monomial, len(monomials))
        matrix = sp.zeros(len(monomials), len(powers))
        for column, p in enumerate(powers):
            for monomial, coefficient in p.terms():
                matrix[monomials[monomial], column] = coefficient
        # Without the extension an irrational coefficient would make it symbolic and very slow.
        exact = sp.polys.matrices.DomainMatrix.from_Matrix(matrix, extension=True)
        kernel = exact.to_field().nullspace()
        if kernel.shape[0]:
            coefficients = kernel.to_Matrix().row(0)
            return sp.Poly(
                sum(c * variable**k for k, c in enumerate(coefficients)), variable, extension=True
            )
        form = form * variable


def _real_roots(poly: sp.Poly) -> list[sp.Expr]:
    """Return the real roots of a polynomial with algebraic coefficients, and maybe others'.

    Irrational coefficients are removed by multiplying with the conjugate polynomials.
    """
    found: set[sp.Expr] = set()
    for factor, _ in poly.factor_list()[1]:
        rational = factor.lift() if factor.get_domain().is_Algebraic else factor
        found.update(rational.real_roots(radicals=False))
    return sorted(found, key=float)


def _match(
    system: Sequence[sp.Expr], variables: Sequence[sp.Symbol], roots: Sequence[Sequence[sp.Expr]]
) -> list[tuple[sp.Expr, ...]]:
    """Keep the combinations of coordinate values that satisfy every equation.

    Equations are used as soon as all their variables are set, so that combinations of four and
    more coordinates are not enumerated in full.
    """
    with mpmath.workdps(_DIGITS):
        digits = {r: _number(r) for values in roots for r in values}
        partial: list[tuple[sp.Expr, ...]] = [()]
        for k, values in enumerate(roots):
            known, newest = variables[: k + 1], variables[k]
            checks = [
                [(m, _number(c)) for m, c in sp.Poly(p, *known).terms()]
                for p in system
                if newest in p.free_symbols and p.free_symbols <= set(known)
            ]
            partial = [
                (*head, value)
                for head, value in itertools.product(partial, values)
                if all(_vanishes(terms, [digits[c] for c in (*head, value)]) for terms in checks)
            ]
    return partial


def _number(c: sp.Expr) -> mpmath.mpf:
    return mpmath.mpf(str(sp.N(c, _DIGITS)))


def _vanishes(
    terms: Sequence[tuple[tuple[int, ...], mpmath.mpf]], point: Sequence[mpmath.mpf]
) -> bool:
    """Return whether a polynomial is zero at a point to half of the digits carried."""
    parts = [c * mpmath.fprod(x**e for x, e in zip(point, m, strict=True)) for m, c in terms]
    size = mpmath.fsum(map(abs, parts))
    return bool(abs(mpmath.fsum(parts)) <= size * mpmath.mpf(10) ** (-_DIGITS // 2))


def _search(
    game: Game, box: Array, starts: int, tolerance: float, rng: np.random.Generator
) -> list[Array]:
    """Run Newton's method (MINPACK's hybrid) from random starts; keep what it converges to."""

    def inside(x: Array) -> Array:
        if not np.isfinite(x).all():
            raise FloatingPointError("the search left the finite numbers")
        return x

    found: list[Array] = []
    for x0 in rng.uniform(box[:, 0], box[:, 1], (starts, game.n)):
        try:
            solution = scipy.optimize.root(
                lambda x: game.gradient(inside(x)),
                x0,
                jac=lambda x: game.jacobian(inside(x), 1.0),
                tol=1e-14,
            )
        except FloatingPointError:
            continue
        x = game.wrap(solution.x)
        if not np.isfinite(x).all() or (game.periods[0] is None and _outside(x, box)):
            continue
        size = max(1.0, float(np.abs(game.jacobian(x, 1.0)).max()))
        if np.abs(game.gradient(x)).max() > tolerance * size:
            continue
        if all(np.abs(game.displacement(x, y)).max() > np.sqrt(tolerance) for y in found):
            found.append(x)
    return found


def _outside(x: Array, box: Array) -> bool:
    """Return whether a point left the box by more than its width (a flat tail, say)."""
    width = box[:, 1] - box[:, 0]
    return bool(((x < box[:, 0] - width) | (x > box[:, 1] + width)).any())


def _latex(coordinate: sp.Expr | float, value: float) -> str:
    if isinstance(coordinate, sp.Expr):
        roots = coordinate.atoms(sp.CRootOf)
        coordinate = coordinate.xreplace(
            {r: sp.rootof(r.poly.as_expr(), r.index) for r in roots if r.poly.degree() <= 2}
        )
        if not coordinate.has(sp.CRootOf):
            return sp.latex(coordinate, inv_trig_style="full")
    return f"{value:.7g}"


def _list(values: Array) -> str:
    return "(" + ", ".join(f"{v:.6g}" for v in values) + ")"
