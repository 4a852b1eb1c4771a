"""Real algebraic numbers in one number field, where zero is seen as zero and signs are proved.

Balls are python-flint's ``arb``: a midpoint and a radius that is sure to hold the true value.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import sympy as sp
from flint import acb, arb, ctx, fmpq, fmpq_mat, fmpq_poly, fmpz_mat, fmpz_poly

__all__ = ["Field", "RealRoot", "TooHardError", "elements", "locate", "precisions", "real_roots"]

# The largest degree of a field that is built; beyond it the arithmetic takes minutes.
MAX_DEGREE = 36


class TooHardError(ValueError):
    """Exact numbers generate a field, or a threshold has a degree, that takes too long."""


def precisions() -> Iterator[int]:
    """Yield the numbers of bits to try one after the other."""
    yield from (128 << k for k in range(12))
    raise TooHardError("exact: two numbers are too close to be told apart in 262144 bits")


class RealRoot:
    """The index-th real root, ascending from 0, of an irreducible polynomial over the integers."""

    def __init__(self, poly: fmpz_poly, index: int = 0) -> None:
        self.poly, self.index, self.degree = poly, index, poly.degree()

    def ball(self, bits: int) -> arb:
        """Return an enclosure good to about ``bits`` bits that holds no other root."""
        return real_roots(self.poly, bits)[self.index]

    def sympy(self) -> sp.Expr:
        """Return the number as a Rational, with a square root, or as a ``CRootOf``."""
        c = [int(k) for k in self.poly.coeffs()]
        if self.degree == 1:
            return sp.Rational(-c[0], c[1])
        if self.degree == 2:
            sign = 1 if (self.index == 1) == (c[2] > 0) else -1
            return sp.expand((sign * sp.sqrt(c[1] ** 2 - 4 * c[0] * c[2]) - c[1]) / (2 * c[2]))
        return sp.CRootOf(sp.Poly(c[::-1], sp.Symbol("x")), self.index, radicals=False)


@cache
def _roots(coefficients: tuple[int, ...], bits: int) -> list[arb | acb]:
    with ctx.workprec(bits):
        return [root for root, _ in fmpz_poly(list(coefficients)).complex_roots()]


def roots(poly: fmpz_poly, bits: int) -> list[arb | acb]:
    """Return enclosures of all complex roots of a squarefree polynomial."""
    return _roots(tuple(map(int, poly.coeffs())), bits)


def real_roots(poly: fmpz_poly, bits: int) -> list[arb]:
    """Return enclosures of the real roots of a squarefree polynomial, ascending."""
    real = [r for r in roots(poly, bits) if isinstance(r, arb) or r.imag == 0]
    return sorted((r.real for r in real), key=lambda ball: ball.mid())


def locate(poly: fmpz_poly, enclosure: Callable[[int], arb]) -> RealRoot:
    """Say which real root of a polynomial a number is that is known to be one."""
    factors = [factor for factor, _ in poly.factor()[1]]
    for bits in precisions():
        ball = enclosure(bits)
        near = [
            RealRoot(factor, index)
            for factor in factors
            for index, root in enumerate(real_roots(factor, bits))
            if root.overlaps(ball)
        ]
        if len(near) == 1:
            return near[0]
    raise AssertionError


class Field:
    """The real field Q(alpha); its elements are ``fmpq_poly`` in alpha of low degree."""

    def __init__(self, root: RealRoot | None = None) -> None:
        self.root = RealRoot(fmpz_poly([0, 1])) if root is None else root
        self.modulus, self.degree = fmpq_poly(self.root.poly), self.root.degree
        self.generator = fmpq_poly([0, 1]) % self.modulus

    def mul(self, a: fmpq_poly, b: fmpq_poly) -> fmpq_poly:
        """Return a b."""
        return (a * b) % self.modulus

    def power(self, a: fmpq_poly, exponent: int) -> fmpq_poly:
        """Return a to a whole power; a is not 0 where that is negative."""
        if exponent < 0:
            a, exponent = a.xgcd(self.modulus)[1] % self.modulus, -exponent
        result = fmpq_poly([1])
        for bit in bin(exponent)[2:]:
            result = self.mul(result, result)
            result = self.mul(result, a) if bit == "1" else result
        return result

    def at(self, poly: fmpq_poly | fmpz_poly, a: fmpq_poly) -> fmpq_poly:
        """Return the value of a rational polynomial at an element."""
        result = fmpq_poly()
        for c in reversed(fmpq_poly(poly).coeffs()):
            result = self.mul(result, a) + c
        return result

    def conjugates(self, bits: int) -> list[arb | acb]:
        """Return enclosures of alpha and, after it, of its conjugates."""
        alpha = self.root.ball(bits)
        return [alpha, *(r for r in roots(self.root.poly, bits) if r != alpha)]

    def ball(self, a: fmpq_poly, bits: int) -> arb:
        """Return an enclosure of an element."""
        with ctx.workprec(bits):
            return value_at(a, self.root.ball(bits)) if a.degree() > 0 else arb(fmpq(a[0]))

    def sign(self, a: fmpq_poly) -> int:
        """Return the sign of an element, -1, 0 or 1, proved."""
        if a.degree() <= 0:
            return int(a[0] > 0) - int(a[0] < 0)
        return next(1 if b > 0 else -1 for b in (self.ball(a, k) for k in precisions()) if b != 0)

    def norm(self, a: fmpq_poly) -> fmpq:
        """Return the product of an element's conjugates, up to a fixed sign."""
        lead = fmpq(self.root.poly.leading_coefficient())
        return fmpq(0) if a.is_zero() else self.modulus.resultant(a) / lead ** a.degree()

    def minimal(self, a: fmpq_poly) -> fmpz_poly:
        """Return the minimal polynomial of an element."""
        d, rows = self.degree, []
        for _ in range(d):
            rows += [a[k] for k in range(d)]
            a = (a * fmpq_poly([0, 1])) % self.modulus
        return fmpq_mat(d, d, rows).minpoly().numer()

    def real_root(self, a: fmpq_poly) -> RealRoot:
        """Return an element as a root of its minimal polynomial."""
        return locate(self.minimal(a), lambda bits: self.ball(a, bits))

    def nth_root(self, a: fmpq_poly, n: int) -> RealRoot:
        """Return the real n-th root of an element that is not negative."""
        inflated = self.minimal(a)(fmpz_poly([0] * n + [1]))

        def enclosure(bits: int) -> arb:
            with ctx.workprec(bits):
                return self.ball(a, bits).root(n)

        return RealRoot(fmpz_poly([0, 1])) if a.is_zero() else locate(inflated, enclosure)

    def adjoin(self, beta: RealRoot) -> tuple["Field", fmpq_poly, fmpq_poly]:
        """Return a field that also holds beta, and alpha and beta in it."""
        if beta.degree == 1:
            return self, self.generator, fmpq_poly([fmpq(-beta.poly[0], beta.poly[1])])
        if self.degree == 1:
            field = Field(beta)
            return field, self.generator, field.generator
        element = self._express(beta)
        if element is not None:
            return self, self.generator, element
        return self._compositum(beta)

    def _express(self, beta: RealRoot) -> fmpq_poly | None:
        """Look for a number in this field by lattice reduction; prove what is found.

        Written as N(alpha) / (c m'(alpha)), m the minimal polynomial of alpha, a number has far
        smaller integers than as a polynomial in alpha.
        """
        d = self.degree
        if d % beta.degree:
            return None
        unit = self.power(self.modulus.derivative(), -1)
        for bits in (256, 512, 1024, 2048, 4096, 8192)[: 2 + d // 2]:
            a, b = self.root.ball(bits + 128), beta.ball(bits + 128)
            with ctx.workprec(bits + 128):
                values = [a**k for k in range(d)] + [b * self.root.poly.derivative()(a)]
                column = [(v.mid() * arb(2) ** bits).floor().unique_fmpz() for v in values]
            unity = [[int(i == j) for j in range(d + 1)] + [column[i]] for i in range(d + 1)]
            lattice = fmpz_mat(unity).lll()
            row = [int(lattice[0, j]) for j in range(d + 1)]
            # A vector that no relation explains has about bits / (d + 1) bits in each entry.
            if row[d] == 0 or max(map(abs, row)).bit_length() > 0.9 * bits / (d + 1):
                continue
            element = self.mul(fmpq_poly(row[:d]) * fmpq(-1, row[d]), unit)
            if self.at(beta.poly, element).is_zero():
                found = locate(beta.poly, lambda bits, e=element: self.ball(e, bits))
                if found.index == beta.index:
                    return element
        return None

    def _compositum(self, beta: RealRoot) -> tuple["Field", fmpq_poly, fmpq_poly]:
        """Build Q(s alpha + beta) from powers of that sum in Q[x, y] / (m_alpha(x), m_beta(y))."""
        m, n = self.degree, beta.degree
        if m * n > MAX_DEGREE:
            raise TooHardError(
                f"exact: expected numbers in a field of degree at most {MAX_DEGREE} over the "
                f"rational numbers, got some of degree {m} and {n}, which generate one of degree "
                f"up to {m * n}; use the numeric route or an enclosure"
            )
        p, q = _companion(self.root.poly), _companion(beta.poly)
        both = list(itertools.product(range(m), range(n)))
        for s in itertools.count(1):
            times = fmpq_mat(m * n, m * n, [
                s * p[i, j] * (k == h) + q[k, h] * (i == j) for i, k in both for j, h in both
            ])  # fmt: skip
            sums = times.charpoly()
            if sums.gcd(sums.derivative()).degree() == 0:
                break
        vector, powers = fmpq_mat(m * n, 1, [int(e == (0, 0)) for e in both]), []
        for _ in both:
            powers.append([vector[i, 0] for i in range(m * n)])
            vector = times * vector
        alpha = (
            fmpq_mat(powers).transpose().solve(fmpq_mat(m * n, 1, [int(e == (1, 0)) for e in both]))
        )

        def enclosure(bits: int) -> arb:
            with ctx.workprec(bits):
                return beta.ball(bits) + s * self.root.ball(bits)

        field = Field(locate(sums.numer(), enclosure))
        image = fmpq_poly([alpha[i, 0] for i in range(m * n)]) % field.modulus
        return field, image, field.generator - s * image


def value_at(a: fmpq_poly, point: arb | acb) -> arb | acb:
    """Return an enclosure of a rational polynomial's value, at the working precision."""
    return a.numer()(point) / arb(a.denom())


def _companion(f: fmpz_poly) -> fmpq_mat:
    d, lead = f.degree(), f.leading_coefficient()
    return fmpq_mat(d, d, [
        int(i == j + 1) - (fmpq(f[i], lead) if j == d - 1 else 0)
        for i in range(d) for j in range(d)
    ])  # fmt: skip


def elements(numbers: Iterable[sp.Expr]) -> tuple[Field, list[fmpq_poly]]:
    """Put real algebraic numbers into one field.

    They are made of rationals, roots (``sqrt``, ``CRootOf``), sums, products and powers, and of
    cosines, sines and tangents of rational multiples of pi.
    """
    numbers = [sp.sympify(number) for number in numbers]
    reader = _Reader()
    # Of high degree first: the others are then most often found in the first field.
    found = {r for number in numbers for r in number.atoms(sp.CRootOf)}
    for root in sorted(found, key=lambda r: (-r.poly.degree(), str(r.poly), r.index)):
        reader.adjoin(root)
    for number in numbers:
        reader.walk(number)
    return reader.field, [reader.value(number) for number in numbers]


class _Reader:
    """Reads SymPy numbers into a field that grows by the roots met on the way."""

    def __init__(self) -> None:
        self.field = Field()
        self.known: dict[sp.Expr, fmpq_poly] = {}

    def walk(self, number: sp.Expr) -> None:
        """Adjoin what a number is made of, the innermost first."""
        if number.is_Add or number.is_Mul or number.is_Pow:
            for part in number.args:
                self.walk(part)
            if not number.is_Pow or (number.exp.is_Rational and number.exp.q == 1):
                return
        if not number.is_Rational and number not in self.known:
            self.adjoin(number)

    def value(self, number: sp.Expr) -> fmpq_poly:
        """Return a number all of whose parts are adjoined."""
        if number.is_Rational:
            return fmpq_poly([fmpq(int(number.p), int(number.q))])
        if number in self.known:
            return self.known[number]
        if number.is_Add:
            return sum(map(self.value, number.args), fmpq_poly())
        if number.is_Mul:
            product = fmpq_poly([1])
            for part in number.args:
                product = self.field.mul(product, self.value(part))
            return product
        base = self.value(number.base)
        if number.exp < 0 and base.is_zero():
            raise ValueError(f"exact: expected finite numbers, got {number}, which divides by 0")
        return self.field.power(base, int(number.exp))

    def adjoin(self, number: sp.Expr) -> None:
        """Let the field grow by one root."""
        if number in self.known:
            return
        power = None
        if isinstance(number, sp.CRootOf) and number.is_real:
            coefficients = [int(c) for c in reversed(number.poly.all_coeffs())]
            root = RealRoot(fmpz_poly(coefficients), number.index)
        elif number.is_Pow and number.exp.is_Rational:
            # x^(p/q) is kept as the p-th power of the q-th root.
            base = self.value(number.base)
            if self.field.sign(base) < 0:
                raise ValueError(f"exact: expected real numbers, got {number}")
            power, root = number.exp.p, self.field.nth_root(base, int(number.exp.q))
        else:
            root = _by_minimal_polynomial(number)
        field, alpha, beta = self.field.adjoin(root)
        self.known = {key: field.at(value, alpha) for key, value in self.known.items()}
        self.field = field
        if power is not None and power < 0 and beta.is_zero():
            raise ValueError(f"exact: expected finite numbers, got {number}, which divides by 0")
        self.known[number] = beta if power is None else field.power(beta, int(power))


def _by_minimal_polynomial(number: sp.Expr) -> RealRoot:
    refusal = ValueError(
        f"exact: expected real algebraic numbers, got {number}; use the numeric route"
    )
    functions = (sp.cos, sp.sin, sp.tan)
    if not isinstance(number, functions) or not (number.args[0] / sp.pi).is_Rational:
        raise refusal
    poly = sp.minimal_polynomial(number, polys=True)
    turn = number.args[0] / sp.pi

    def enclosure(bits: int) -> arb:
        with ctx.workprec(bits):
            angle = arb.pi() * arb(fmpq(int(turn.p), int(turn.q)))
            return getattr(angle, type(number).__name__)()

    return locate(fmpz_poly([int(c) for c in reversed(poly.all_coeffs())]), enclosure)
