"""All real solutions of a polynomial system, exactly."""

from collections.abc import Sequence

import mpmath
import sympy as sp

from taugda.games import Game
from taugda.games.exact_points import without_common_exponential

# Digits in which candidates for exact solutions are put into the equations.
_DIGITS = 60


class NotPolynomialError(ValueError):
    """The equations g = 0 are no polynomial system in the coordinates or their cosines."""


def solve_exactly(game: Game) -> list[tuple[sp.Expr, ...]]:
    """Return all real solutions of g = 0 as exact numbers."""
    if not game.symbolic:
        raise NotPolynomialError(f"game: expected one defined in SymPy, got {game!r}")
    if any(p is not None for p in game.periods):
        return _solve_on_circles(game)
    system = [_polynomial_part(component, game.variables) for component in game.g]
    return _solve_polynomials(system, game.variables)


def _polynomial_part(expression: sp.Expr, variables: Sequence[sp.Symbol]) -> sp.Expr:
    """Return an expression's numerator without the exponentials that multiply all of it."""
    numerator, denominator = sp.fraction(sp.together(expression))
    plain = sp.expand((without_common_exponential([numerator]) or [numerator])[0])
    if not plain.is_polynomial(*variables):
        raise NotPolynomialError(f"g: expected a polynomial system, got {expression}")
    for coefficient in sp.Poly(plain, *variables).coeffs():
        if not coefficient.is_algebraic:  # pi, log(2), sin(1): no field that SymPy can compute in
            raise NotPolynomialError(f"g: expected algebraic coefficients, got {coefficient}")
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

    Each coordinate's values are the real roots of an elimination polynomial; the combinations
    that solve the system are told from the others by the equations' values in many digits.
    """
    system = [p for p in system if p != 0]
    basis = sp.groebner(system, *variables, order="grevlex", field=True, extension=True)
    if basis.exprs == [1]:
        return []
    if not basis.is_zero_dimensional:
        raise ValueError(
            "game: expected finitely many critical points, got a continuum (over the complex "
            "numbers)"
        )
    roots = [_real_roots(_eliminate(basis, v)) for v in variables]
    return _match(system, variables, roots)


def _eliminate(basis: sp.GroebnerBasis, variable: sp.Symbol) -> sp.Poly:
    """Return the lowest polynomial in one variable that vanishes on all solutions.

    The normal forms of 1, v, v^2, ... lie in the finite-dimensional quotient ring; the first
    linear dependence among them is the polynomial.  (SymPy's own change of order, `fglm`, stops at
    some coefficients in a field of roots with "zero divisor".)
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
    factors = [factor for factor, _ in poly.factor_list()[1]]
    rational = [f.lift() if f.get_domain().is_Algebraic else f for f in factors]
    return sorted({root for f in rational for root in f.real_roots(radicals=False)}, key=float)


def _match(
    system: Sequence[sp.Expr], variables: Sequence[sp.Symbol], roots: Sequence[Sequence[sp.Expr]]
) -> list[tuple[sp.Expr, ...]]:
    """Keep the combinations of coordinate values that satisfy every equation.

    Equations are used as soon as all their variables are set, so that combinations of four and
    more coordinates are not enumerated in full.
    """
    partial: list[tuple[sp.Expr, ...]] = [()]
    with mpmath.workdps(_DIGITS):
        digits = {root: _number(root) for values in roots for root in values}
        for k, values in enumerate(roots):
            known, newest = variables[: k + 1], variables[k]
            ready = [p for p in system if {newest} <= p.free_symbols <= set(known)]
            checks = [[(m, _number(c)) for m, c in sp.Poly(p, *known).terms()] for p in ready]
            longer = [(*head, value) for head in partial for value in values]
            partial = [
                point
                for point in longer
                if all(_vanishes(terms, [digits[c] for c in point]) for terms in checks)
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
