"""From SymPy's exact numbers to elements of one number field, and back."""

from collections.abc import Iterable

import sympy as sp
from flint import arb, ctx, fmpq, fmpq_poly, fmpz_poly

from taugda.exact.numberfield import Field, FieldTooHardError, RealRoot, locate

__all__ = ["algebraic_elements", "simplest"]


def algebraic_elements(numbers: Iterable[sp.Expr]) -> tuple[Field, list[fmpq_poly]]:
    """Put real algebraic numbers into one number field.

    Parameters
    ----------
    numbers : iterable of sympy.Expr
        Numbers made of rationals, roots (``sqrt``, ``CRootOf``) and sums, products and powers
        of these; also cosines and sines of rational multiples of pi.

    Returns
    -------
    field : Field
    elements : list of flint.fmpq_poly
        The numbers in that field, in order.

    Raises
    ------
    FieldTooHardError
        If they generate a field of too high a degree.
    ValueError
        If a number is not real and algebraic.
    """
    numbers = [sp.sympify(number) for number in numbers]
    reader = _Reader()
    # Of high degree first: the others are then most often found in the first field.
    roots = {r for number in numbers for r in number.atoms(sp.CRootOf)}
    for root in sorted(roots, key=lambda r: (-r.poly.degree(), r.index)):
        reader.element(root)
    for number in numbers:
        reader.element(number)
    # The field has its final size only now; what was read before it grew is read again.
    return reader.field, [reader.element(number) for number in numbers]


def simplest(field: Field, element: fmpq_poly) -> sp.Expr:
    """Return an element as a Rational, with a square root, or as a ``CRootOf``.

    Parameters
    ----------
    field : Field
    element : flint.fmpq_poly

    Returns
    -------
    sympy.Expr
    """
    return field.real_root(element).sympy()


class _Reader:
    """Reads SymPy numbers into a field that grows by the roots met on the way."""

    def __init__(self) -> None:
        self.field = Field()
        self.known: dict[sp.Expr, fmpq_poly] = {}

    def element(self, number: sp.Expr) -> fmpq_poly:
        if number.is_Rational:
            return fmpq_poly([fmpq(int(number.p), int(number.q))])
        if number in self.known:
            return self.known[number]
        if number.is_Add or number.is_Mul:
            return self._fold(number)
        if number.is_Pow and number.exp.is_Rational:
            return self._power(number)
        if isinstance(number, sp.CRootOf):
            if not number.is_real:
                raise ValueError(f"exact: expected real numbers, got {number}")
            coefficients = [int(c) for c in reversed(number.poly.all_coeffs())]
            return self._adjoin(number, RealRoot(fmpz_poly(coefficients), number.index))
        return self._adjoin(number, _by_minimal_polynomial(number))

    def _fold(self, number: sp.Expr) -> fmpq_poly:
        if number.has(sp.I):
            # A real number that SymPy writes through complex ones (Cardano's formula).
            return self._adjoin(number, _by_minimal_polynomial(number))
        while True:
            field = self.field
            parts = [self.element(part) for part in number.args]
            if field is self.field:
                break  # else some parts were read before the field grew
        if number.is_Add:
            return sum(parts, fmpq_poly())
        product = fmpq_poly([1])
        for part in parts:
            product = field.mul(product, part)
        return product

    def _power(self, number: sp.Pow) -> fmpq_poly:
        base = self.element(number.base)
        p, q = int(number.exp.p), int(number.exp.q)
        if q > 1:
            if self.field.sign(base) < 0:
                raise ValueError(f"exact: expected real numbers, got {number}")
            root = sp.Pow(number.base, sp.Rational(1, q), evaluate=False)
            if root not in self.known:
                self._adjoin(root, self.field.nth_root(base, q))
            base = self.known[root]
        if p < 0 and base.is_zero():
            raise ValueError(f"exact: expected finite numbers, got {number}, which divides by 0")
        return self.field.power(base, p)

    def _adjoin(self, number: sp.Expr, root: RealRoot) -> fmpq_poly:
        field, alpha, beta = self.field.adjoin(root)
        if field is not self.field:
            self.known = {key: field.at(value, alpha) for key, value in self.known.items()}
            self.field = field
        self.known[number] = beta
        return beta


def _by_minimal_polynomial(number: sp.Expr) -> RealRoot:
    """Let SymPy find the minimal polynomial of a number that is no plain expression of roots."""
    refusal = ValueError(
        f"exact: expected real algebraic numbers, got {number}; use the numeric route"
    )
    if not number.is_number or number.is_real is False or number.is_algebraic is False:
        raise refusal
    try:
        poly = sp.minimal_polynomial(number, polys=True)
    except (NotImplementedError, sp.PolynomialError) as error:
        raise refusal from error
    if poly.degree() > 100:
        raise FieldTooHardError(f"exact: {number} has degree {poly.degree()}")
    if abs(sp.im(sp.N(number, 60))) > sp.Float("1e-40"):
        raise refusal

    def enclosure(bits: int) -> arb:
        digits = bits // 3
        value = sp.re(sp.N(number, digits + 10))
        with ctx.workprec(bits + 64):
            # evalf's digits are not proved, so only two thirds of them are used.
            return arb(str(value), arb(10) ** (-2 * digits // 3) * (1 + abs(arb(str(value)))))

    return locate(fmpz_poly([int(c) for c in reversed(poly.all_coeffs())]), enclosure)
