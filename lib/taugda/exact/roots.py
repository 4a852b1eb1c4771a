"""The positive roots of the guard polynomial, isolated with proof and named exactly."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import sympy as sp
from flint import acb_poly, arb, ctx, fmpq, fmpq_poly, fmpz_poly, nmod_poly

from taugda.exact.linear import interpolate
from taugda.exact.numberfield import (
    Field,
    FieldTooHardError,
    RealRoot,
    locate,
    poly_divide,
    poly_gcd,
    precisions,
    real_roots,
)

__all__ = ["Root", "between", "field_roots", "rational_roots", "squarefree_part"]

# Largest degree over the rational numbers of the polynomial among whose roots an end is found
# (5 s there on one core; 270 took 16 s).
_NORM_DEGREE = 200
# The same where repeated factors must be divided out over the field first (7 s there).
_REPEATED_DEGREE = 160


@dataclass(frozen=True, eq=False)
class Root:
    """A positive root of the guard polynomial: an enclosure, and its exact form on demand.

    Attributes
    ----------
    ball : callable
        Maps a number of bits to an enclosure of about that accuracy.
    isolated : flint.arb
        An enclosure that overlaps that of no other positive root.
    exact : callable
        Returns the root as a root of its minimal polynomial.
    """

    ball: Callable[[int], arb]
    isolated: arb
    exact: Callable[[], RealRoot]

    def sympy(self) -> sp.Expr:
        """Return the root as a SymPy number."""
        return self.exact().sympy()


def rational_roots(poly: fmpz_poly) -> list[Root]:
    """Isolate the positive roots of a polynomial with rational coefficients.

    Parameters
    ----------
    poly : flint.fmpz_poly
        Without the root 0; repeated factors are allowed.

    Returns
    -------
    list of Root
        Each once, ascending.

    Raises
    ------
    ArithmeticError
        If the roots could not be separated.
    """
    factors = [factor for factor, _ in poly.factor()[1]]
    for bits in precisions():
        with ctx.workprec(bits):
            found = [
                (root, RealRoot(f, index))
                for f in factors
                for index, root in enumerate(real_roots(f))
                if not root < 0
            ]
            found.sort(key=lambda pair: pair[0].mid())
            if _apart([ball for ball, _ in found]):
                return [Root(r.ball, ball, lambda r=r: r) for ball, r in found]
    raise ArithmeticError("the roots of the guard polynomial could not be separated")


def _apart(balls: list[arb]) -> bool:
    """Return whether balls in ascending order of midpoints are positive and well separated."""
    edges = [arb(0), *balls]
    return all(
        (b.lower() - a.upper()) > 64 * (a.rad() + b.rad()) for a, b in itertools.pairwise(edges)
    )


def squarefree_part(field: Field, poly: list[fmpq_poly]) -> list[fmpq_poly]:
    """Divide a polynomial over a field by its repeated factors.

    Parameters
    ----------
    field : Field
    poly : list of flint.fmpq_poly
        Monic, low coefficients first.

    Returns
    -------
    list of flint.fmpq_poly
        Monic, with the same roots, each simple.

    Raises
    ------
    FieldTooHardError
        If that takes too long.
    """
    if _surely_squarefree(field, poly):
        return poly
    _require_degree(field, poly, _REPEATED_DEGREE)
    derivative = [c * k for k, c in enumerate(poly)][1:]
    return poly_divide(field, poly, poly_gcd(field, poly, derivative))[0]


def _surely_squarefree(field: Field, poly: list[fmpq_poly]) -> bool:
    """Look for a prime modulo which the polynomial has no repeated factor; a proof if found."""
    denominators = math.lcm(*(int(c.denom()) for c in poly), 1)
    bad = denominators * int(field.root.poly.leading_coefficient())
    reductions, p = 0, 1_000_003
    for _ in range(400):
        p = int(sp.nextprime(p))
        if bad % p == 0:
            continue
        modulus = [int(c) % p for c in field.root.poly.coeffs()]
        for alpha, multiplicity in nmod_poly(modulus, p).roots():
            if multiplicity > 1:
                continue  # p divides the discriminant
            reduced = []
            for c in poly:
                value = nmod_poly([int(k) % p for k in c.numer().coeffs()] or [0], p)(int(alpha))
                reduced.append(int(value) * pow(int(c.denom()), -1, p) % p)
            image = nmod_poly(reduced, p)
            if image.gcd(image.derivative()).degree() == 0:
                return True
            reductions += 1
            if reductions == 8:
                return False
    return False


def field_roots(field: Field, poly: list[fmpq_poly]) -> list[Root]:
    """Isolate the positive roots of a polynomial over a field.

    Parameters
    ----------
    field : Field
    poly : list of flint.fmpq_poly
        Squarefree and monic, without the root 0, low coefficients first.

    Returns
    -------
    list of Root
        Ascending.  Their exact forms raise ``FieldTooHardError`` where the degree over the
        rational numbers is too high.

    Raises
    ------
    ArithmeticError
        If the roots could not be isolated.
    """

    @cache
    def norm() -> fmpz_poly:
        return _norm(field, poly)

    @cache
    def isolate(bits: int) -> list[arb] | None:
        with ctx.workprec(4 * bits):
            coefficients = [field.ball(c, 4 * bits) for c in poly]
            try:
                boxes = acb_poly(coefficients).roots(tol=arb(2) ** -bits)
            except ValueError:
                return None
            balls = []
            for box in boxes:
                if not box.imag.contains(0):
                    continue
                mirrored = box.conjugate()
                # The conjugate root lies in the mirrored box and in some box: it is this root.
                if any(other is not box and other.overlaps(mirrored) for other in boxes):
                    return None
                if not box.real < 0:
                    balls.append(box.real)
            balls.sort(key=lambda ball: ball.mid())
            return balls if _apart(balls) else None

    def refined(index: int) -> Callable[[int], arb]:
        def ball(bits: int) -> arb:
            for more in precisions():
                balls = isolate(max(bits, more))
                if more >= bits and balls is not None:
                    return balls[index]
            raise ArithmeticError("the roots of the guard polynomial could not be isolated")

        return ball

    def exact(index: int) -> RealRoot:
        return locate(norm(), refined(index))

    for bits in precisions():
        balls = isolate(bits)
        if balls is not None:
            return [Root(refined(k), ball, lambda k=k: exact(k)) for k, ball in enumerate(balls)]
    raise ArithmeticError("the roots of the guard polynomial could not be isolated")


def _norm(field: Field, poly: list[fmpq_poly]) -> fmpz_poly:
    """Return a rational polynomial that vanishes on the roots of one over a field."""
    degree = _require_degree(field, poly, _NORM_DEGREE)
    nodes = [fmpq((k + 1) // 2 * (-1) ** k) for k in range(degree + 1)]
    values = []
    for node in nodes:
        value = fmpq_poly()
        for c in reversed(poly):
            value = value * node + c
        values.append(fmpq_poly([field.norm(value)]))
    return fmpq_poly([c[0] for c in interpolate(nodes, values)]).numer()


def _require_degree(field: Field, poly: list[fmpq_poly], most: int) -> int:
    """Return the degree over the rational numbers of a polynomial over a field, if not too high."""
    degree = field.degree * (len(poly) - 1)
    if degree > most:
        raise FieldTooHardError(
            f"exact: expected thresholds of degree at most {most} over the rational numbers, got "
            f"some of degree up to {degree} (entries in a field of degree {field.degree}, a guard "
            f"polynomial of degree {len(poly) - 1}); use the numeric route (exact=False) or an "
            f"enclosure"
        )
    return degree


def between(lower: "Root | None", upper: "Root | None") -> fmpq:
    """Return a short rational number between two neighbouring roots.

    Parameters
    ----------
    lower, upper : Root or None
        None stands for 0 and for infinity.

    Returns
    -------
    flint.fmpq
    """
    if upper is None:
        return fmpq(1) if lower is None else fmpq(_ceiling(lower.isolated) + 1)
    low = fmpq(0) if lower is None else _fraction(lower.isolated.upper())
    high = _fraction(upper.isolated.lower())
    bits = 0
    while True:
        grid = fmpq(1, 1 << bits)
        k = ((low + high) / 2 / grid).floor()
        for candidate in (k * grid, (k + 1) * grid):
            if low < candidate < high:
                return candidate
        bits += 1


def _ceiling(ball: arb) -> int:
    return int(ball.upper().ceil().unique_fmpz())


def _fraction(end: arb) -> fmpq:
    """Return an end of a ball, a dyadic number, as a fraction."""
    mantissa, exponent = end.mid().man_exp()
    return fmpq(mantissa) * fmpq(2) ** int(exponent)
