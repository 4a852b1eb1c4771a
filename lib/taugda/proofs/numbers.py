"""Real algebraic numbers as balls around all their conjugates, so that zero is seen as zero.

A nonzero algebraic integer and its conjugates have a product of at least 1 in size.  So a number
is 0 once the bounds of all of them multiply to less: no number field need be built.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sympy as sp
from flint import acb, acb_poly, arb, ctx, fmpq, fmpz_poly

from taugda.proofs.balls import Balls, UndecidedError, real_roots, roots

# Most conjugates that are carried along, and most sums of two that are looked at for it.
MAX_DEGREE, _MAX_PAIRS = 36, 36**2
Conjugates = Sequence[acb]


class TooHardError(ValueError):
    """Exact numbers have too many conjugates, or lie too close together, to be told apart."""


def decide(question: Callable[[int], Any]) -> Any:
    """Answer a question in balls with as many bits as it takes."""
    for bits in (128 << k for k in range(11)):
        with ctx.workprec(bits):
            try:
                return question(bits)
            except UndecidedError:
                continue
    raise TooHardError("exact: not decided in 131072 bits; use the numeric route or an enclosure")


def sign(conjugates: Conjugates, *, whole: bool = True) -> int:
    """Return the sign of a real number; if whole, an algebraic integer with all its conjugates."""
    first = conjugates[0].real
    if first > 0 or first < 0 or first == 0:  # a ball equals 0 only if it is nothing else
        return int(first > 0) - int(first < 0)
    if whole and math.prod((arb(1).max(abs(c)) for c in conjugates[1:]), start=abs(first)) < 1:
        return 0
    raise UndecidedError("a sign is open")


class RealRoot:
    """The index-th real root, ascending from 0, of an irreducible polynomial over the integers."""

    def __init__(self, poly: fmpz_poly, index: int) -> None:
        self.poly, self.index, self.degree = poly, index, poly.degree()

    def ball(self, bits: int) -> arb:
        """Return an enclosure that holds no other root."""
        return real_roots(self.poly, bits)[self.index]

    def conjugates(self) -> list[acb]:
        """Return enclosures of the root and, after it, of the polynomial's others."""
        first = acb(self.ball(ctx.prec))
        return [first, *(r for r in roots(self.poly, ctx.prec) if r != first)]

    def sympy(self) -> sp.Expr:
        """Return the number as a Rational, with a square root, or as a ``CRootOf``."""
        c = [int(k) for k in self.poly.coeffs()]
        if self.degree == 1:
            return sp.Rational(-c[0], c[1])
        if self.degree == 2:
            side = 1 if (self.index == 1) == (c[2] > 0) else -1
            return sp.expand((side * sp.sqrt(c[1] ** 2 - 4 * c[0] * c[2]) - c[1]) / (2 * c[2]))
        return sp.CRootOf(sp.Poly(c[::-1], sp.Symbol("x")), self.index, radicals=False)


def locate(poly: fmpz_poly, enclosure: Callable[[], arb]) -> RealRoot:
    """Say which real root of a polynomial a number is that is known to be one."""
    factors = [factor for factor, _ in poly.factor()[1]]

    def only(bits: int) -> RealRoot:
        ball = enclosure()
        near = [factor for factor in factors if factor(ball).contains(0)]
        places = [k for k, r in enumerate(real_roots(near[0], bits)) if r.overlaps(ball)]
        if len(near) > 1 or len(places) > 1:
            raise UndecidedError("two roots are close")
        return RealRoot(near[0], places[0])

    return decide(only)


class Numbers:
    """Real algebraic SymPy numbers: sums, products and powers of roots, with all conjugates.

    Which conjugates of several roots belong together is read off a weighted sum of the roots that
    differs for all combinations: those belong together whose sum is one of its conjugates.
    """

    def __init__(self, numbers: Iterable[sp.Expr]) -> None:
        self.numbers = [sp.sympify(number) for number in numbers]
        self.leaves = sorted({leaf for n in self.numbers for leaf in _leaves(n)}, key=str)
        self._joined: list[tuple[RealRoot, int, RealRoot]] = []  # a root, its weight, the sum
        joint = RealRoot(fmpz_poly([0, 1]), 0)
        for root in map(_real_root, self.leaves):
            weight, joint = _weighted_sum(joint, root)
            self._joined.append((root, weight, joint))
        self.degree = joint.degree

    def _combinations(self) -> list[tuple[acb, ...]]:
        """Return the conjugates of the leaves that belong together, the leaves themselves first."""
        found = [((), acb(0))]
        for root, weight, joint in self._joined:
            sums = joint.conjugates()
            longer = [((*t, r), s + weight * r) for t, s in found for r in root.conjugates()]
            found = [(t, s) for t, s in longer if any(map(s.overlaps, sums))]
            if len(found) > joint.degree:
                raise UndecidedError("conjugates are close")
        return [combination for combination, _ in found]

    def conjugates(self, numbers: Sequence[sp.Expr] | None = None) -> list[Conjugates]:
        """Return each number times a common positive whole factor, with all conjugates."""
        leads = [abs(int(root.poly.leading_coefficient())) for root, _, _ in self._joined]
        values = zip(*self._combinations(), strict=True)
        table = dict(zip(self.leaves, zip(leads, values, strict=True), strict=True))
        found = [self._value(n, table) for n in (self.numbers if numbers is None else numbers)]
        factor = math.lcm(1, *(den for den, _ in found))
        return [[factor * v for v in values] for _, values in found]

    def sign(self, number: sp.Expr) -> int:
        """Return the sign of a number made of those given."""
        return decide(lambda bits: sign(self.conjugates([number])[0]))

    def _value(self, number: sp.Expr, table: dict) -> tuple[int, Conjugates]:
        """Return a whole number that makes a number an algebraic integer, and its conjugates."""
        if number in table:
            return table[number]
        if number.is_Rational:
            return int(number.q), [acb(arb(fmpq(int(number.p), int(number.q))))] * self.degree
        dens, values = zip(*(self._value(part, table) for part in number.args), strict=True)
        if number.is_Add:
            return math.lcm(*dens), [sum(v, acb(0)) for v in zip(*values, strict=True)]
        if number.is_Mul:
            return math.prod(dens), [math.prod(v, start=acb(1)) for v in zip(*values, strict=True)]
        (den, _), (base, _), power = dens, values, int(number.exp)
        if power < 0:
            whole = [den * v for v in base]
            if sign(whole) == 0:
                raise ValueError(f"exact: expected finite numbers, got {number}: it divides by 0")
            # 1/a is an algebraic integer over the norm of a, a whole number.
            norm = math.prod(whole, start=acb(1)).real.unique_fmpz()
            if not norm:
                raise UndecidedError("a norm is open")
            den, base = abs(int(norm)), [1 / v for v in base]
        return den ** abs(power), [v ** abs(power) for v in base]


def _leaves(number: sp.Expr) -> Iterable[sp.Expr]:
    """Yield the parts of a number that are no sums, products and whole powers of others."""
    if number.is_Add or number.is_Mul or (number.is_Pow and number.exp.is_Integer):
        for part in number.args:
            yield from _leaves(part)
    elif not number.is_Rational:
        yield number


def _real_root(number: sp.Expr) -> RealRoot:
    """Return an irrational real algebraic number as a root of a polynomial."""
    if isinstance(number, sp.CRootOf) and number.is_real:
        poly = number.poly
    else:
        refusal = f"exact: expected real algebraic numbers, got {number}; use the numeric route"
        if not number.is_real or number.is_algebraic is False:
            raise ValueError(refusal)
        try:
            poly = sp.minimal_polynomial(number, polys=True)
        except (NotImplementedError, sp.PolynomialError) as error:
            raise ValueError(refusal) from error
    coefficients = [int(c) for c in reversed(poly.all_coeffs())]
    return locate(fmpz_poly(coefficients), lambda: Balls()(number))


def _weighted_sum(a: RealRoot, b: RealRoot) -> tuple[int, RealRoot]:
    """Return k and a + k b with the least k for which all conjugates of a and b differ in it."""
    degree = a.degree * b.degree
    if degree <= _MAX_PAIRS:
        for weight in itertools.count(1):
            poly = decide(lambda bits, k=weight: _sums(a, b, k))
            if poly.gcd(poly.derivative()).degree() == 0:
                break
        joint = locate(poly, lambda: a.ball(ctx.prec) + weight * b.ball(ctx.prec))
        degree = joint.degree
    if degree > MAX_DEGREE:
        raise TooHardError(
            f"exact: expected numbers in a field of degree at most {MAX_DEGREE} over the rational "
            f"numbers, got some of degree up to {degree}; use the numeric route or an enclosure"
        )
    return weight, joint


def _sums(a: RealRoot, b: RealRoot, weight: int) -> fmpz_poly:
    """Return a polynomial whose roots are the conjugates of a plus weight times those of b."""
    lead_a, lead_b = (abs(int(root.poly.leading_coefficient())) for root in (a, b))
    sums = [x + weight * y for x in a.conjugates() for y in b.conjugates()]
    poly = lead_a**b.degree * lead_b**a.degree * acb_poly.from_roots(sums)
    if poly.unique_fmpz_poly() is None:
        raise UndecidedError("a coefficient is open")
    return poly.unique_fmpz_poly()
