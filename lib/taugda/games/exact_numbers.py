"""Parameters of games as exact numbers, or as symbols for formulas."""

from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp


def exact(name: str, value: Any, *, positive: bool = False) -> sp.Expr:
    """Return a finite real number exactly; a float is read as the decimal it prints."""
    number = sp.nan
    if isinstance(value, sp.Expr):
        number = sp.nsimplify(value, rational=True) if value.has(sp.Float) else value
    elif isinstance(value, (int, np.integer, Fraction)) and not isinstance(value, bool):
        number = sp.Rational(int(value.numerator), int(value.denominator))
    elif isinstance(value, (float, np.floating)) and np.isfinite(value):
        number = sp.Rational(repr(float(value)))
    if not (number.is_number and number.is_real and number.is_finite):
        raise ValueError(f"{name}: expected a finite real number, got {value!r}")
    if positive and not number.is_positive:
        raise ValueError(f"{name}: expected a number greater than 0, got {number}")
    return number


def exact_parameter(
    name: str, value: Any, *, negative: bool = True
) -> tuple[sp.Expr, tuple[sp.Symbol, ...]]:
    """Return an exact number, or an expression in real symbols as it is, and these symbols."""
    formula = isinstance(value, sp.Expr) and value.free_symbols
    number = value if formula else exact(name, value)
    if not number.is_real or number.has(sp.Float):
        raise ValueError(
            f"{name}: expected a number or an exact expression in real symbols, got {value!r}"
        )
    if number.is_negative and not negative:
        raise ValueError(f"{name}: expected a number at least 0, got {number}")
    return number, tuple(sorted(number.free_symbols, key=lambda s: s.name))
