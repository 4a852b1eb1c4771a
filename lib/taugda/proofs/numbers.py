"""Real algebraic numbers as balls around all their conjugates, so that zero is seen as zero.

A nonzero algebraic integer and its conjugates have a product of at least 1 in size.  So a number
is 0 once the bounds of all of them multiply to less: no number field need be built.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sympy as sp
from flint import acb, arb, ctx, fmpq, fmpq_poly, fmpz_mat, fmpz_poly

from taugda.proofs.balls import Balls, UndecidedError, real_roots, roots

# Most conjugates that are carried along.
MAX_DEGREE = 36
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
        near = [
            RealRoot(factor, index)
            for factor in factors
            for index, root in enumerate(real_roots(factor, bits))
            if root.overlaps(ball)
        ]
        if len(near) != 1:
            raise UndecidedError("two roots are close")
        return near[0]

    return decide(only)


class Numbers:
    """Real algebraic SymPy numbers: sums, products and powers of roots, with all conjugates."""

    def __init__(self, numbers: Iterable[sp.Expr]) -> None:
        self.numbers = [sp.sympify(number) for number in numbers]
        self.roots: dict[sp.Expr, RealRoot] = {}
        self.polynomials: dict[sp.Expr, fmpq_poly] = {}  # in the first of the roots
        leaves = {leaf for number in self.numbers for leaf in _leaves(number)}
        found = [(leaf, _real_root(leaf)) for leaf in sorted(leaves, key=str)]
        # Of high degree first: the others are then most often polynomials in it.
        for leaf, root in sorted(found, key=lambda pair: -pair[1].degree):
            element = _express(next(iter(self.roots.values())), root) if self.roots else None
            if element is None:
                self.roots[leaf] = root
            else:
                self.polynomials[leaf] = element
        self.degree = math.prod(root.degree for root in self.roots.values())
        if self.degree > MAX_DEGREE:
            raise TooHardError(
                f"exact: expected numbers in a field of degree at most {MAX_DEGREE} over the "
                f"rational numbers, got some of degree up to {self.degree}; use the numeric route "
                "or an enclosure"
            )

    def conjugates(self, numbers: Sequence[sp.Expr] | None = None) -> list[Conjugates]:
        """Return each number times a common positive whole factor, with all conjugates."""
        tuples = list(itertools.product(*(root.conjugates() for root in self.roots.values())))
        table = {
            leaf: (abs(int(root.poly.leading_coefficient())), [t[k] for t in tuples])
            for k, (leaf, root) in enumerate(self.roots.items())
        }
        for leaf, poly in self.polynomials.items():
            den, values = table[next(iter(self.roots))]
            values = [acb(poly.numer()(v)) / int(poly.denom()) for v in values]
            table[leaf] = int(poly.denom()) * den ** poly.degree(), values
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


def _express(alpha: RealRoot, beta: RealRoot) -> fmpq_poly | None:
    """Look for beta as a polynomial in alpha by lattice reduction; prove what is found.

    Written as N(alpha) / (c m'(alpha)), m the minimal polynomial of alpha, a number has far
    smaller integers than as a polynomial in alpha.
    """
    d, modulus = alpha.degree, fmpq_poly(alpha.poly)
    if d % beta.degree:
        return None
    unit = modulus.derivative().xgcd(modulus)[1] % modulus
    for bits in (256, 512, 1024, 2048, 4096, 8192)[: 2 + d // 2]:
        with ctx.workprec(bits + 128):
            a, b = alpha.ball(bits + 128), beta.ball(bits + 128)
            values = [a**k for k in range(d)] + [b * alpha.poly.derivative()(a)]
            column = [(v.mid() * arb(2) ** bits).floor().unique_fmpz() for v in values]
        unity = [[int(i == j) for j in range(d + 1)] + [column[i]] for i in range(d + 1)]
        row = [int(c) for c in fmpz_mat(unity).lll().tolist()[0][: d + 1]]
        # A vector that no relation explains has about bits / (d + 1) bits in each entry.
        if row[d] == 0 or max(map(abs, row)).bit_length() > 0.9 * bits / (d + 1):
            continue
        element = (fmpq_poly(row[:d]) * fmpq(-1, row[d]) * unit) % modulus
        value = fmpq_poly()
        for c in reversed(beta.poly.coeffs()):
            value = (value * element) % modulus + int(c)
        if value.is_zero():
            found = locate(
                beta.poly, lambda e=element: e.numer()(alpha.ball(ctx.prec)) / int(e.denom())
            )
            if found.index == beta.index:
                return element
    return None
