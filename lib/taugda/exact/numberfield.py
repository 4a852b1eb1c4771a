"""Exact arithmetic with real algebraic numbers: fields Q(alpha) on top of FLINT.

A real algebraic number is a :class:`RealRoot` (an irreducible polynomial over the integers and
which of its real roots is meant).  Numbers that are computed with together live in one
:class:`Field` Q(alpha) as polynomials in alpha, so that zero is recognised as zero; signs come
from ball arithmetic (FLINT's ``arb``), whose enclosures are rigorous, at rising precision.
"""

import itertools
from collections.abc import Callable, Sequence
from functools import cached_property

import sympy as sp
from flint import acb, arb, ctx, fmpq, fmpq_mat, fmpq_poly, fmpz, fmpz_mat, fmpz_poly

__all__ = ["MAX_DEGREE", "Field", "FieldTooHardError", "RealRoot", "locate"]

# The largest degree of a field that is built; beyond it the arithmetic takes minutes.
MAX_DEGREE = 36
_START_BITS = 128
# Bits at which an enclosure that still does not decide means a programming error.
_LAST_BITS = 1 << 18


class FieldTooHardError(ValueError):
    """The exact numbers generate a field of too high a degree for the exact routes."""


class RealRoot:
    """A real root of an irreducible polynomial over the integers.

    Parameters
    ----------
    poly : flint.fmpz_poly
        Irreducible, primitive; low coefficients first, as everywhere in FLINT.
    index : int
        Which real root, counted from 0 in ascending order (as SymPy's ``CRootOf`` counts).
    """

    def __init__(self, poly: fmpz_poly, index: int) -> None:
        self.poly, self.index = poly, index
        self._balls: dict[int, arb] = {}

    @classmethod
    def rational(cls, value: fmpq) -> "RealRoot":
        """Return a rational number as the root of its linear polynomial."""
        return cls(fmpz_poly([-value.p, value.q]), 0)

    @property
    def degree(self) -> int:
        """Degree of the minimal polynomial."""
        return self.poly.degree()

    def ball(self, bits: int) -> arb:
        """Return an enclosure that holds this root and no other, good to about ``bits`` bits."""
        if bits not in self._balls:
            with ctx.workprec(bits):
                self._balls[bits] = real_roots(self.poly)[self.index]
        return self._balls[bits]

    def sympy(self) -> sp.Expr:
        """Return the number as a Rational, with a square root, or as a ``CRootOf``."""
        c = [int(k) for k in self.poly.coeffs()]
        if self.degree == 1:
            return sp.Rational(-c[0], c[1])
        if self.degree == 2:
            root = sp.sqrt(c[1] ** 2 - 4 * c[0] * c[2])
            sign = 1 if (self.index == 1) == (c[2] > 0) else -1
            return sp.expand((-c[1] + sign * root) / (2 * c[2]))
        return sp.CRootOf(sp.Poly(c[::-1], sp.Symbol("x")), self.index, radicals=False)


def real_roots(poly: fmpz_poly) -> list[arb]:
    """Return enclosures of the real roots in ascending order, at the current precision."""
    found = []
    for root, _ in poly.complex_roots():
        if not isinstance(root, acb):
            found.append(root)
        elif root.imag == 0:
            found.append(root.real)
    return sorted(found, key=lambda ball: ball.mid())


def precisions() -> Sequence[int]:
    """Return the numbers of bits to try one after the other."""
    return list(itertools.takewhile(lambda b: b <= _LAST_BITS, (128 << k for k in range(20))))


def locate(poly: fmpz_poly, enclosure: Callable[[int], arb]) -> RealRoot:
    """Say which real root of a polynomial a number is.

    Parameters
    ----------
    poly : flint.fmpz_poly
        Any nonzero polynomial of which the number is known to be a root.
    enclosure : callable
        Maps a number of bits to a ball that holds the number, shrinking as the bits grow.

    Returns
    -------
    RealRoot

    Raises
    ------
    ArithmeticError
        If the enclosures do not shrink enough to tell the roots apart.
    """
    factors = [factor for factor, _ in poly.factor()[1]]
    for bits in precisions():
        ball = enclosure(bits)
        with ctx.workprec(bits):
            near = [f for f in factors if f(ball).contains(0)]
            roots = [
                RealRoot(f, index)
                for f in near
                for index, root in enumerate(real_roots(f))
                if root.overlaps(ball)
            ]
        if len(roots) == 1:
            return roots[0]
    raise ArithmeticError("locate: the enclosure does not tell the roots apart")


class Field:
    """The real field Q(alpha); its elements are ``fmpq_poly`` in alpha of low degree.

    Parameters
    ----------
    root : RealRoot, optional
        The generator alpha; the rational numbers if left out.
    """

    def __init__(self, root: RealRoot | None = None) -> None:
        self.root = RealRoot(fmpz_poly([0, 1]), 0) if root is None else root
        self.modulus = fmpq_poly(self.root.poly)

    @property
    def degree(self) -> int:
        """Degree over the rational numbers."""
        return self.root.degree

    @cached_property
    def generator(self) -> fmpq_poly:
        """The element alpha."""
        return fmpq_poly([0, 1]) % self.modulus

    def mul(self, a: fmpq_poly, b: fmpq_poly) -> fmpq_poly:
        """Return a b."""
        return (a * b) % self.modulus

    def inverse(self, a: fmpq_poly) -> fmpq_poly:
        """Return 1 / a.

        Raises
        ------
        ZeroDivisionError
            If a is 0.
        """
        if a.is_zero():
            raise ZeroDivisionError("inverse of the element 0")
        return a.xgcd(self.modulus)[1] % self.modulus

    def power(self, a: fmpq_poly, exponent: int) -> fmpq_poly:
        """Return a to a whole power."""
        if exponent < 0:
            a, exponent = self.inverse(a), -exponent
        result = fmpq_poly([1])
        while exponent:
            if exponent & 1:
                result = self.mul(result, a)
            a, exponent = self.mul(a, a), exponent >> 1
        return result

    def at(self, poly: fmpq_poly | fmpz_poly, a: fmpq_poly) -> fmpq_poly:
        """Return the value of a rational polynomial at an element."""
        result = fmpq_poly()
        for c in reversed(fmpq_poly(poly).coeffs()):
            result = self.mul(result, a) + c
        return result

    def ball(self, a: fmpq_poly, bits: int) -> arb:
        """Return an enclosure of an element."""
        with ctx.workprec(bits):
            if a.degree() <= 0:
                return arb(a[0])
            return a.numer()(self.root.ball(bits)) / arb(a.denom())

    def sign(self, a: fmpq_poly) -> int:
        """Return the sign of an element, -1, 0 or 1, proved."""
        if a.is_zero():
            return 0
        if a.degree() == 0:
            return 1 if a[0] > 0 else -1
        for bits in precisions():
            ball = self.ball(a, bits)
            if ball > 0:
                return 1
            if ball < 0:
                return -1
        raise ArithmeticError("sign: an element that is not 0 could not be told from 0")

    def real_root(self, a: fmpq_poly) -> RealRoot:
        """Return an element as a root of its minimal polynomial."""
        if a.degree() <= 0:
            return RealRoot.rational(fmpq(a[0]))
        return locate(self._minimal(a), lambda bits: self.ball(a, bits))

    def norm(self, a: fmpq_poly) -> fmpq:
        """Return the norm over the rational numbers up to a fixed sign, 0 only for 0."""
        if a.is_zero():
            return fmpq(0)
        leading = fmpq(self.root.poly.leading_coefficient())
        return self.modulus.resultant(a) / leading ** a.degree()

    def nth_root(self, a: fmpq_poly, n: int) -> RealRoot:
        """Return the real n-th root of an element that is not negative."""
        minimal = self._minimal(a) if a.degree() > 0 else self.real_root(a).poly
        inflated = [0] * (n * minimal.degree() + 1)
        inflated[::n] = minimal.coeffs()

        def enclosure(bits: int) -> arb:
            ball = self.ball(a, bits)
            with ctx.workprec(bits):
                return ball.root(n)

        return locate(fmpz_poly(inflated), enclosure)

    def _minimal(self, a: fmpq_poly) -> fmpz_poly:
        d, row, power = self.degree, [], a
        for _ in range(d):
            row += [power[k] for k in range(d)]
            power = (power * fmpq_poly([0, 1])) % self.modulus
        return fmpq_mat(d, d, row).minpoly().numer()

    def adjoin(self, beta: RealRoot) -> tuple["Field", fmpq_poly, fmpq_poly]:
        """Return a field that holds this one and a further number.

        Parameters
        ----------
        beta : RealRoot

        Returns
        -------
        field : Field
        alpha, beta : flint.fmpq_poly
            This field's generator and the number, as elements of the new field.

        Raises
        ------
        FieldTooHardError
            If the number is not found in this field and the composite field may have a degree
            above ``MAX_DEGREE``.
        """
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

        Writing beta as N(alpha) / (c m'(alpha)), with m the minimal polynomial of alpha, keeps
        the integers in N far smaller than those of beta as a polynomial in alpha.
        """
        d = self.degree
        if d % beta.degree:
            return None
        derivative = self.modulus.derivative()
        unit = self.inverse(derivative)
        for bits in (256, 512, 1024, 2048, 4096, 8192)[: 2 + d // 2]:
            a, b = self.root.ball(bits + 128), beta.ball(bits + 128)
            with ctx.workprec(bits + 128):
                values = [a**k for k in range(d)]
                values.append(b * self.root.poly.derivative()(a))
                column = [
                    fmpz(int((v * arb(2) ** bits).mid().floor().unique_fmpz())) for v in values
                ]
            size = d + 1
            lattice = fmpz_mat(
                size, size + 1, [
                    entry
                    for i in range(size)
                    for entry in [*(int(i == j) for j in range(size)), column[i]]
                ],
            )  # fmt: skip
            row = [int(lattice.lll()[0, j]) for j in range(size)]
            # A vector that no relation explains has about bits / size bits in each entry.
            if row[d] == 0 or max(map(abs, row)).bit_length() > 0.9 * bits / size:
                continue
            element = self.mul(fmpq_poly(row[:d]) * fmpq(-1, row[d]), unit)
            if self.at(beta.poly, element).is_zero():
                found = locate(beta.poly, lambda bits, e=element: self.ball(e, bits))
                if found.index == beta.index:
                    return element
        return None

    def _compositum(self, beta: RealRoot) -> tuple["Field", fmpq_poly, fmpq_poly]:
        alpha = self.root
        if alpha.degree * beta.degree > MAX_DEGREE:
            raise FieldTooHardError(
                f"exact: expected numbers in a field of degree at most {MAX_DEGREE} over the "
                f"rational numbers, got some of degree {alpha.degree} and {beta.degree}, which "
                f"generate one of degree up to {alpha.degree * beta.degree}; use the numeric "
                f"route (exact=False) or an enclosure"
            )
        for s in itertools.chain.from_iterable((k, -k) for k in itertools.count(1)):
            sums = _sum_polynomial(alpha.poly, beta.poly, s)
            if sums.gcd(sums.derivative()).degree() == 0:
                break

        def enclosure(bits: int) -> arb:
            with ctx.workprec(bits):
                return beta.ball(bits) + s * alpha.ball(bits)

        field = Field(locate(sums, enclosure))
        # alpha is the only common root of its own polynomial and of beta's at gamma - s x.
        shifted = [fmpq_poly()]
        for c in reversed(beta.poly.coeffs()):
            shifted = _times_linear(field, shifted, field.generator, fmpq_poly([-s]))
            shifted[0] += c
        common = poly_gcd(field, [fmpq_poly([c]) for c in alpha.poly.coeffs()], shifted)
        if len(common) != 2:
            raise ArithmeticError("adjoin: the primitive element does not separate the roots")
        image = -common[0]
        return field, image, field.generator - s * image


def _sum_polynomial(f: fmpz_poly, g: fmpz_poly, s: int) -> fmpz_poly:
    """Return a polynomial whose roots are the sums s a + b of roots a of f and b of g."""
    p, q = _companion(f), _companion(g)
    m, n = len(p), len(q)
    entries = [
        s * p[i][j] * (k == h) + q[k][h] * (i == j)
        for i in range(m)
        for k in range(n)
        for j in range(m)
        for h in range(n)
    ]
    return fmpq_mat(m * n, m * n, entries).charpoly().numer()


def _companion(f: fmpz_poly) -> list[list[fmpq]]:
    d, lead = f.degree(), f.leading_coefficient()
    rows = [[fmpq(int(i == j + 1)) for j in range(d)] for i in range(d)]
    for i in range(d):
        rows[i][d - 1] += fmpq(-f[i], lead)
    return rows


def _times_linear(
    field: Field, poly: Sequence[fmpq_poly], low: fmpq_poly, high: fmpq_poly
) -> list[fmpq_poly]:
    """Return poly times (low + high x)."""
    result = [fmpq_poly()] * (len(poly) + 1)
    for k, c in enumerate(poly):
        result[k] = result[k] + field.mul(c, low)
        result[k + 1] = result[k + 1] + field.mul(c, high)
    return result


def poly_gcd(field: Field, f: Sequence[fmpq_poly], g: Sequence[fmpq_poly]) -> list[fmpq_poly]:
    """Return the monic greatest common divisor of two polynomials over a field."""
    f, g = _trimmed(f), _trimmed(g)
    while g:
        f, g = g, poly_divide(field, f, g)[1]
    return monic(field, f)


def poly_divide(
    field: Field, f: Sequence[fmpq_poly], g: Sequence[fmpq_poly]
) -> tuple[list[fmpq_poly], list[fmpq_poly]]:
    """Return quotient and remainder of polynomials over a field, low coefficients first."""
    rest, g = list(f), monic(field, g)
    quotient = [fmpq_poly()] * max(len(rest) - len(g) + 1, 0)
    for k in reversed(range(len(quotient))):
        c = rest[k + len(g) - 1]
        quotient[k] = c
        for j, b in enumerate(g):
            rest[k + j] = rest[k + j] - field.mul(c, b)
    return quotient, _trimmed(rest)


def monic(field: Field, f: Sequence[fmpq_poly]) -> list[fmpq_poly]:
    """Return a polynomial over a field divided by its leading coefficient."""
    f = _trimmed(f)
    lead = field.inverse(f[-1])
    return [field.mul(c, lead) for c in f]


def _trimmed(f: Sequence[fmpq_poly]) -> list[fmpq_poly]:
    f = list(f)
    while f and f[-1].is_zero():
        f.pop()
    return f
