"""Values of SymPy expressions in ball arithmetic.

What holds for a ball (python-flint's ``arb``) holds for each number in it.  Where a function is
not defined on all of one, nothing is proved: every intermediate value has to be finite.
"""

import math
from collections.abc import Sequence

import sympy as sp
from flint import acb, arb, ctx, fmpq, fmpz_poly

_KNOWN = "exp log sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh erf gamma".split()
_FUNCTIONS = {**{name: name for name in _KNOWN}, "loggamma": "lgamma"}


class UndecidedError(ArithmeticError):
    """Balls are too wide to decide, or nothing can be decided at the point; more bits may help."""


class Balls:
    """Encloses expressions on one box, each part once."""

    def __init__(self, variables: Sequence[sp.Symbol] = (), box: Sequence[arb] = ()) -> None:
        self._known: dict[sp.Expr, arb] = dict(zip(variables, box, strict=True))

    def __call__(self, e: sp.Expr) -> arb:
        """Return a ball that holds the expression's value at every point of the box."""
        if e not in self._known:
            value = self._value(e)
            if not value.is_finite():
                raise UndecidedError(f"not a real number there: {str(e)[:80]}")
            self._known[e] = value
        return self._known[e]

    def _value(self, e: sp.Expr) -> arb:
        match e:
            case sp.Rational():
                return arb(fmpq(int(e.p), int(e.q)))
            case sp.Add():
                return sum(map(self, e.args), arb(0))
            case sp.Mul():
                return math.prod(map(self, e.args), start=arb(1))
            case sp.Pow() if e.exp.is_Integer:  # flint's own power is nan for some balls around 0
                product = math.prod([self(e.base)] * abs(int(e.exp)), start=arb(1))
                return product if e.exp > 0 else 1 / product
            case sp.Pow():
                return self(e.base).sqrt() if e.exp == sp.S.Half else self(e.base) ** self(e.exp)
            case sp.CRootOf() if e.is_real:
                coefficients = [int(c) for c in reversed(e.poly.all_coeffs())]
                return real_roots(fmpz_poly(coefficients), ctx.prec)[e.index]
            case sp.atan2():
                return arb.atan2(*map(self, e.args))
            case sp.Float():
                raise ValueError(f"game: expected exact numbers, got the floating-point {e}")
        if e in (sp.pi, sp.E):
            return arb.pi() if e == sp.pi else arb.const_e()
        name = type(e).__name__
        if name not in _FUNCTIONS or len(e.args) != 1:
            known = ", ".join(sorted(_FUNCTIONS))
            raise ValueError(f"game: expected functions out of {known} for a proof, got {name}")
        return getattr(self(e.args[0]), _FUNCTIONS[name])()


_found: dict[tuple[tuple[int, ...], int], list[acb]] = {}


def roots(poly: fmpz_poly, bits: int) -> list[acb]:
    """Return enclosures of all complex roots of a squarefree polynomial."""
    key = (tuple(map(int, poly.coeffs())), bits)
    if key not in _found:
        with ctx.workprec(bits):
            _found[key] = [acb(root) for root, _ in poly.complex_roots()]
    return _found[key]


def real_roots(poly: fmpz_poly, bits: int) -> list[arb]:
    """Return enclosures of the real roots of a squarefree polynomial, ascending."""
    return sorted((r.real for r in roots(poly, bits) if r.imag == 0), key=lambda b: b.mid())


def fractions(ball: arb) -> tuple[fmpq, fmpq]:
    """Return the ends of a ball, exactly."""
    middle, radius = ball.mid().fmpq(), ball.rad().fmpq()
    return middle - radius, middle + radius


def between(a: arb, b: arb | None, bits: int) -> fmpq:
    """Return a short rational number between two balls, another one with other bits."""
    low, k = fractions(a)[1], bits.bit_length()
    high, size = fractions(b)[0] if b is not None else 3 * low + 3, 0
    while True:
        candidate = fmpq(((low * k + high * (k + 1)) / (2 * k + 1) * 2**size).floor(), 2**size)
        if low < candidate < high:
            return candidate
        size += 1
