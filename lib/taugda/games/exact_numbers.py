"""Parameters of games as exact numbers, or as symbols for formulas."""

from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

__all__ = ["exact", "exact_parameter"]


def exact(name: str, value: Any) -> sp.Expr:
    """Turn a parameter into an exact SymPy number; a float is read as the decimal it prints.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : int, float, Fraction or SymPy number
        The value: 0.15 becomes 3/20, not the nearest binary fraction.

    Returns
    -------
    sympy.Expr

    Raises
    ------
    ValueError
        If the value is no finite real number.

    Examples
    --------
    >>> exact("a", 0.15)
    3/20
    """
    if isinstance(value, sp.Expr):
        number = sp.nsimplify(value, rational=True) if value.has(sp.Float) else value
    elif isinstance(value, Fraction):
        number = sp.Rational(value.numerator, value.denominator)
    elif isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        number = sp.Integer(int(value))
    elif isinstance(value, (float, np.floating)) and np.isfinite(value):
        number = sp.Rational(repr(float(value)))
    else:
        raise ValueError(f"{name}: expected a finite real number, got {value!r}")
    if not (number.is_number and number.is_real and number.is_finite):
        raise ValueError(f"{name}: expected a finite real number, got {value!r}")
    return number


def exact_parameter(name: str, value: Any) -> tuple[sp.Expr, tuple[sp.Symbol, ...]]:
    """Turn a parameter into an exact number, or keep an expression in real symbols.

    Parameters
    ----------
    name : str
        The parameter's name, for the message.
    value : number or sympy.Expr
        See :func:`exact`; an expression in real symbols stays as it is.

    Returns
    -------
    value : sympy.Expr
    symbols : tuple of sympy.Symbol
        The free symbols in it, none for a number.

    Raises
    ------
    ValueError
        If the value is neither a finite real number nor real by its symbols' assumptions.
    """
    if not isinstance(value, sp.Expr) or not value.free_symbols:
        return exact(name, value), ()
    if not value.is_real or value.has(sp.Float):
        raise ValueError(
            f"{name}: expected a number or an exact expression in symbols declared real "
            f"(Symbol('a', real=True)), got {value!r}"
        )
    return value, tuple(sorted(value.free_symbols, key=lambda s: s.name))
