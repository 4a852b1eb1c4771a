"""A game's expressions over balls: exact numbers in, enclosures out.

A ball is python-flint's ``arb``: a midpoint and a radius that is sure to hold the true value.
flint is imported where it is used, so that nothing else pays for it.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from typing import Any

import sympy as sp

__all__ = ["Program", "UndecidedError", "decimal", "exact_values", "fraction", "precision"]

# Decimals that a certificate may hold: "1e-999999999" must not fill the memory.
_DECIMAL = re.compile(r"-?\d{1,400}(\.\d{1,400})?(e[+-]?\d{1,4})?", re.ASCII)


class UndecidedError(ArithmeticError):
    """The balls are too wide to decide; a higher precision or a smaller ball may help."""


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Set flint's working precision within a block.

    Parameters
    ----------
    bits : int
        Working precision in bits.
    """
    import flint

    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def fraction(text: str) -> Fraction:
    """Read a decimal number exactly.

    Parameters
    ----------
    text : str
        Digits with an optional point and exponent.

    Returns
    -------
    fractions.Fraction

    Raises
    ------
    ValueError
        If the text is no such number.

    Examples
    --------
    >>> fraction("-1.5e-1")
    Fraction(-3, 20)
    """
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise ValueError(f"certificate: expected a decimal number, got {str(text)[:80]!r}")
    return Fraction(text)


def decimal(value: Fraction, digits: int, up: bool) -> str:
    """Write a fraction as a decimal that bounds it from one side.

    Parameters
    ----------
    value : fractions.Fraction
    digits : int
        Significant digits.
    up : bool
        Whether to round towards plus infinity instead of minus infinity.

    Returns
    -------
    str

    Examples
    --------
    >>> decimal(Fraction(17, 23), 6, up=False), decimal(Fraction(17, 23), 6, up=True)
    ('0.739130', '0.739131')
    """
    context = Context(prec=digits, rounding=ROUND_CEILING if up else ROUND_FLOOR)
    quotient = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return str(quotient).lower()


class Program:
    """SymPy expressions printed to straight-line code over balls.

    Parameters
    ----------
    expressions : sequence of sympy.Expr
        Built of exact numbers, pi, e, the variables, sums, products, powers and the functions
        exp, log, sin, cos, tan, atan, sinh, cosh, tanh.
    variables : sequence of sympy.Symbol

    Raises
    ------
    ValueError
        If an expression holds anything else, a floating-point number included.

    Examples
    --------
    >>> import flint
    >>> x = sp.Symbol("x")
    >>> [value] = Program([x**2 - sp.Rational(1, 4)], [x])([flint.arb(0.5)])
    >>> value.is_zero()
    True
    """

    def __init__(self, expressions: Sequence[sp.Expr], variables: Sequence[sp.Symbol]) -> None:
        self._slots: dict[sp.Basic, int] = {v: i for i, v in enumerate(variables)}
        self._inputs = len(self._slots)
        self._steps: list[tuple[Callable[..., Any], tuple[int, ...]]] = []
        self._outputs = [self._slot(e) for e in expressions]

    def __call__(self, point: Sequence[Any]) -> list[Any]:
        """Return enclosures of the expressions at every point of a box.

        Parameters
        ----------
        point : sequence of flint.arb

        Returns
        -------
        list of flint.arb

        Raises
        ------
        UndecidedError
            If an expression is not known to be defined and finite on the whole box.
        """
        values = list(point)
        for operation, arguments in self._steps:
            values.append(operation(*(values[i] for i in arguments)))
        out = [values[i] for i in self._outputs]
        if not all(v.is_finite() for v in out):
            raise UndecidedError("an expression is not known to be finite on the whole ball")
        return out

    def _slot(self, e: sp.Basic) -> int:
        if e not in self._slots:
            step = self._step(e)  # its arguments take their slots first
            self._steps.append(step)
            self._slots[e] = self._inputs + len(self._steps) - 1
        return self._slots[e]

    def _step(self, e: sp.Basic) -> tuple[Callable[..., Any], tuple[int, ...]]:
        import flint

        match e:
            case sp.Rational():
                return (lambda: flint.arb(flint.fmpq(int(e.p), int(e.q)))), ()
            case sp.Add():
                return _sum, tuple(map(self._slot, e.args))
            case sp.Mul():
                return _product, tuple(map(self._slot, e.args))
            case sp.Pow() if e.exp.is_Integer:
                exponent = int(e.exp)
                return (lambda x: _integer_power(x, exponent)), (self._slot(e.base),)
            case sp.Pow():
                # SymPy's principal branch; smooth only where the base is positive.
                return _real_power, (self._slot(e.base), self._slot(e.exp))
        if e is sp.pi:
            return flint.arb.pi, ()
        if e is sp.E:
            return flint.arb.const_e, ()
        name = type(e).__name__
        if name in _FUNCTIONS and len(e.args) == 1:
            return _FUNCTIONS[name], (self._slot(e.args[0]),)
        if isinstance(e, sp.Float):
            raise ValueError(
                f"game: expected exact numbers, got the floating-point {e}; write a fraction"
            )
        raise ValueError(
            "game: expected numbers, coordinates, + - * / **, "
            f"{', '.join(sorted(_FUNCTIONS))} and sqrt, got {str(e)[:120]}"
        )


def _sum(*terms: Any) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _product(*factors: Any) -> Any:
    return math.prod(factors[1:], start=factors[0])


def _integer_power(x: Any, n: int) -> Any:
    # flint's own power answers nan for some balls around zero.
    if n < 0:
        return 1 / _integer_power(x, -n)
    result = x * 0 + 1
    for bit in bin(n)[2:]:
        result = result * result
        if bit == "1":
            result = result * x
    return result


def _real_power(x: Any, y: Any) -> Any:
    if not x > 0:
        raise UndecidedError("the base of a fractional power is not known to be positive")
    if y.is_exact() and y * 2 == 1:
        return x.sqrt()
    return (y * x.log()).exp()


def _log(x: Any) -> Any:
    if not x > 0:
        raise UndecidedError("the argument of a logarithm is not known to be positive")
    return x.log()


_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": lambda x: x.exp(),
    "log": _log,
    "sin": lambda x: x.sin(),
    "cos": lambda x: x.cos(),
    "tan": lambda x: x.tan(),
    "atan": lambda x: x.atan(),
    "sinh": lambda x: x.sinh(),
    "cosh": lambda x: x.cosh(),
    "tanh": lambda x: x.tanh(),
}


def exact_values(
    expressions: Sequence[sp.Expr], variables: Sequence[sp.Symbol], point: Sequence[sp.Expr]
) -> list[Fraction | None]:
    """Put an exact point into expressions and return the values that are rational.

    Parameters
    ----------
    expressions : sequence of sympy.Expr
    variables : sequence of sympy.Symbol
    point : sequence of sympy.Expr
        Exact real numbers.

    Returns
    -------
    list of (fractions.Fraction or None)
        None where SymPy does not reduce the value to a rational number.
    """
    at = dict(zip(variables, point, strict=True))
    out: list[Fraction | None] = []
    for expression in expressions:
        value = expression.xreplace(at)
        if not value.is_Rational:
            value = sp.expand(value)
        out.append(Fraction(int(value.p), int(value.q)) if value.is_Rational else None)
    return out
