"""Real algebraic numbers as balls around all their conjugates, so that zero is seen as zero.

A nonzero algebraic integer and its conjugates have a product of at least 1 in size.  So a number
is 0 once the bounds of all of them multiply to less: no number field need be built.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

import sympy as sp
from flint import acb, arb, ctx, fmpq, fmpq_poly, fmpz_mat, fmpz_poly

# Most conjugates that are carried along.
MAX_DEGREE = 36
Conjugates = Sequence[acb]
T = TypeVar("T")


class TooHardError(ValueError):
    """Exact numbers have too many conjugates, or lie too close together, to be told apart."""


class UndecidedError(ArithmeticError):
    """Balls are too wide to decide; more bits may help."""


def decide(question: Callable[[int], T]) -> T:
    """Answer a question in balls with as many bits as it takes."""
    for k in range(11):
        with ctx.workprec(128 << k):
            try:
                return question(128 << k)
            except UndecidedError:
                continue
    raise TooHardError("exact: not decided in 131072 bits; use the numeric route or an enclosure")


def sign(conjugates: Conjugates) -> int:
    """Return the sign of a real algebraic integer, given with all its conjugates behind it."""
    first = conjugates[0].real
    if first > 0 or first < 0:
        return 1 if first > 0 else -1
    product = abs(first)
    for other in conjugates[1:]:
        product *= arb(1).max(abs(other))
    if product < 1:
        return 0
    raise UndecidedError("a sign is open")


class RealRoot:
    """The index-th real root, ascending from 0, of an irreducible polynomial over the integers."""

    def __init__(self, poly: fmpz_poly, index: int = 0) -> None:
        self.poly, self.index, self.degree = poly, index, poly.degree()

    def ball(self, bits: int) -> arb:
        """Return an enclosure that holds no other root."""
        return real_roots(self.poly, bits)[self.index]

    def sympy(self) -> sp.Expr:
        """Return the number as a Rational, with a square root, or as a ``CRootOf``."""
        c = [int(k) for k in self.poly.coeffs()]
        if self.degree == 1:
            return sp.Rational(-c[0], c[1])
        if self.degree == 2:
            side = 1 if (self.index == 1) == (c[2] > 0) else -1
            return sp.expand((side * sp.sqrt(c[1] ** 2 - 4 * c[0] * c[2]) - c[1]) / (2 * c[2]))
        return sp.CRootOf(sp.Poly(c[::-1], sp.Symbol("x")), self.index, radicals=False)


@lru_cache(4096)
def _roots(coefficients: tuple[int, ...], bits: int) -> list[acb]:
    with ctx.workprec(bits):
        return [acb(root) for root, _ in fmpz_poly(list(coefficients)).complex_roots()]


def roots(poly: fmpz_poly, bits: int) -> list[acb]:
    """Return enclosures of all complex roots of a squarefree polynomial."""
    return _roots(tuple(map(int, poly.coeffs())), bits)


def real_roots(poly: fmpz_poly, bits: int) -> list[arb]:
    """Return enclosures of the real roots of a squarefree polynomial, ascending."""
    return sorted((r.real for r in roots(poly, bits) if r.imag == 0), key=lambda b: b.mid())


def locate(poly: fmpz_poly, enclosure: Callable[[], arb]) -> RealRoot:
    """Say which real root of a polynomial a number is that is known to be one."""
    factors = [factor for factor, _ in poly.factor()[1]]

    def nearest(bits: int) -> RealRoot:
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

    return decide(nearest)


class Numbers:
    """Real algebraic SymPy numbers, put together from roots that are adjoined one by one."""

    def __init__(self, numbers: Iterable[sp.Expr]) -> None:
        self.numbers, self.degree = [sp.sympify(number) for number in numbers], 1
        self._steps: list[tuple] = []  # (key, what it is), in the order they are adjoined
        self._keys: set = set()
        # Of high degree first: the others are then most often found to be polynomials in it.
        found = {root for number in self.numbers for root in number.atoms(sp.CRootOf)}
        for root in sorted(found, key=lambda r: (-r.poly.degree(), str(r.poly), r.index)):
            if not root.is_real:
                raise ValueError(f"exact: expected real numbers, got {root}")
            coefficients = [int(c) for c in reversed(root.poly.all_coeffs())]
            self._adjoin(root, RealRoot(fmpz_poly(coefficients), root.index))
        for number in self.numbers:
            self._walk(number)

    def conjugates(self, numbers: Sequence[sp.Expr] | None = None) -> list[Conjugates]:
        """Return each number times a common positive whole factor, with all conjugates."""
        table = self._table()
        values = [self._value(n, table) for n in (self.numbers if numbers is None else numbers)]
        factor = math.lcm(1, *(d for d, _ in values))
        return [[factor * v for v in balls] for _, balls in values]

    def sign(self, number: sp.Expr) -> int:
        """Return the sign of a number made of those given."""
        return decide(lambda bits: sign(self.conjugates([number])[0]))

    def _adjoin(self, key: object, root: RealRoot | tuple[sp.Expr, int]) -> None:
        first = self._steps[0][1] if self._steps else None
        if isinstance(root, RealRoot) and isinstance(first, RealRoot):
            element = _express(first, root)
            if element is not None:
                root = element
        degree = 1 if isinstance(root, fmpq_poly) else (
            root.degree if isinstance(root, RealRoot) else root[1]
        )  # fmt: skip
        if self.degree * degree > MAX_DEGREE:
            raise TooHardError(
                f"exact: expected numbers in a field of degree at most {MAX_DEGREE} over the "
                f"rational numbers, got some of degree up to {self.degree * degree}; use the "
                "numeric route or an enclosure"
            )
        self.degree *= degree
        self._steps.append((key, root))
        self._keys.add(key)

    def _walk(self, number: sp.Expr) -> None:
        """Adjoin what a number is made of, the innermost first."""
        if number.is_Rational or number in self._keys:
            return
        if number.is_Add or number.is_Mul:
            for part in number.args:
                self._walk(part)
        elif number.is_Pow and number.exp.is_Rational:
            self._walk(number.base)
            base, order = number.base, int(number.exp.q)
            if order == 1 or (base, order) in self._keys:
                return
            side = self.sign(base)
            if side < 0:
                raise ValueError(f"exact: expected real numbers, got {number}")
            self._adjoin((base, order), (base, order) if side else fmpq_poly())
        else:
            self._adjoin(number, _by_minimal_polynomial(number))

    def _table(self) -> dict:
        """Return denominators and conjugates of what was adjoined, at the working precision."""
        table: dict = {}
        count = 1
        for key, what in self._steps:
            if isinstance(what, fmpq_poly):
                if what.degree() > 0:
                    den, values = table[self._steps[0][0]]
                else:
                    den, values = 1, [acb(0)] * count
                den = int(what.denom()) * den ** max(what.degree(), 0)
                table[key] = den, [_at(what, v) for v in values]
                continue
            if isinstance(what, RealRoot):
                ball = acb(what.ball(ctx.prec))
                choices = [ball, *(r for r in roots(what.poly, ctx.prec) if r != ball)]
                den, new = abs(int(what.poly.leading_coefficient())), [choices] * count
            else:
                den, values = self._value(what[0], table)
                new = [_radicals(v, what[1], real=i == 0) for i, v in enumerate(values)]
            times = len(new[0])
            table = {k: (d, [v for v in vs for _ in range(times)]) for k, (d, vs) in table.items()}
            table[key], count = (den, [r for choices in new for r in choices]), count * times
        return table

    def _value(self, number: sp.Expr, table: dict) -> tuple[int, Conjugates]:
        """Return a number's conjugates and a whole number that makes it an algebraic integer."""
        if number in table:
            return table[number]
        if number.is_Rational:
            return int(number.q), [acb(arb(fmpq(int(number.p), int(number.q))))] * self.degree_of(
                table
            )
        if number.is_Pow:
            order, power = int(number.exp.q), int(number.exp.p)
            base = number.base
            den, values = table[base, order] if order > 1 else self._value(base, table)
            if power < 0:
                den, values = _inverse(number, den, values)
            return den ** abs(power), [v ** abs(power) for v in values]
        parts = [self._value(part, table) for part in number.args]
        if number.is_Add:
            return math.lcm(*(d for d, _ in parts)), [
                sum(vs, acb(0)) for vs in zip(*(v for _, v in parts), strict=True)
            ]
        return math.prod(d for d, _ in parts), [
            math.prod(vs, start=acb(1)) for vs in zip(*(v for _, v in parts), strict=True)
        ]

    @staticmethod
    def degree_of(table: dict) -> int:
        """Return how many conjugates the table has so far."""
        return len(next(iter(table.values()))[1]) if table else 1


def _at(poly: fmpq_poly, point: acb) -> acb:
    return acb(poly.numer()(point)) / int(poly.denom())


def _radicals(value: acb, order: int, *, real: bool) -> list[acb]:
    if real:
        first = acb(value.real.root(order))
    elif value.real > 0:
        first = (value.log() / order).exp()
    else:  # away from the logarithm's cut
        first = ((-value).log() / order).exp() * (acb(0, arb.pi()) / order).exp()
    turn = acb(0, 2 * arb.pi()) / order
    return [first * (turn * k).exp() if k else first for k in range(order)]


def _inverse(number: sp.Expr, den: int, values: Conjugates) -> tuple[int, Conjugates]:
    whole = [den * v for v in values]
    if sign(whole) == 0:
        raise ValueError(f"exact: expected finite numbers, got {number}, which divides by 0")
    norm = math.prod(whole, start=acb(1)).real.unique_fmpz()
    if norm is None:
        raise UndecidedError("a norm is open")
    if norm == 0:
        raise TooHardError(f"exact: expected numbers without hidden relations, got {number}")
    return abs(int(norm)), [1 / v for v in values]


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
        lattice = fmpz_mat(unity).lll()
        row = [int(lattice[0, j]) for j in range(d + 1)]
        # A vector that no relation explains has about bits / (d + 1) bits in each entry.
        if row[d] == 0 or max(map(abs, row)).bit_length() > 0.9 * bits / (d + 1):
            continue
        element = (fmpq_poly(row[:d]) * fmpq(-1, row[d]) * unit) % modulus
        value = fmpq_poly()
        for c in reversed(beta.poly.coeffs()):
            value = (value * element) % modulus + int(c)
        if value.is_zero():
            found = locate(beta.poly, lambda e=element: _at(e, acb(alpha.ball(ctx.prec))).real)
            if found.index == beta.index:
                return element
    return None


def _by_minimal_polynomial(number: sp.Expr) -> RealRoot:
    functions = (sp.cos, sp.sin, sp.tan)
    if not isinstance(number, functions) or not (number.args[0] / sp.pi).is_Rational:
        raise ValueError(
            f"exact: expected real algebraic numbers, got {number}; use the numeric route"
        )
    poly = sp.minimal_polynomial(number, polys=True)
    turn = number.args[0] / sp.pi

    def enclosure() -> arb:
        angle = arb.pi() * arb(fmpq(int(turn.p), int(turn.q)))
        return getattr(angle, type(number).__name__)()

    return locate(fmpz_poly([int(c) for c in reversed(poly.all_coeffs())]), enclosure)
