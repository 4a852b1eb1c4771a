"""Checks of arguments, so that bad input fails at once and says how."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Array", "ComplexArray", "count", "finite_array", "positive", "positives", "setting"]

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def finite_array(name: str, value: ArrayLike, *, ndim: int | None = None) -> Array:
    """Return an array of finite real numbers, of ``ndim`` dimensions if that is given."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected real numbers, got {value!r}") from error
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} dimension(s), got shape {array.shape}")
    if not np.isfinite(array).all():
        where = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        place = f" at index {where}" if where else ""
        raise ValueError(f"{name}: expected finite numbers, got {array[where]}{place}")
    return array


def positive(name: str, value: float, *, zero: bool = False) -> float:
    """Return one finite number greater than 0 (at least 0 if ``zero``)."""
    array = positives(name, value, zero=zero)
    if array.ndim:
        raise ValueError(f"{name}: expected one number, got shape {array.shape}")
    return float(array)


def positives(name: str, value: ArrayLike, *, zero: bool = False) -> Array:
    """Return an array of finite numbers greater than 0 (at least 0 if ``zero``)."""
    array = finite_array(name, value)
    if not array.size:
        raise ValueError(f"{name}: expected at least one number, got none")
    bad = array < 0 if zero else array <= 0
    if bad.any():
        least = "at least 0" if zero else "greater than 0"
        raise ValueError(f"{name}: expected numbers {least}, got {array[bad].flat[0]:g}")
    return array


def setting(
    name: str, value: ArrayLike, kind: str, least: float = -np.inf, most: float = np.inf
) -> None:
    """Refuse a notebook's parameter that does not fit, before any work.

    Parameters
    ----------
    name : str
    value : number or sequence of numbers
    kind : {"positive", "count", "range"}
        Numbers greater than 0, a whole number, or two numbers (low, high) with low < high.
    least, most : float
        Bounds of a whole number or a range, themselves allowed.

    Raises
    ------
    ValueError
        If it does not fit; the message says what was expected and what came.
    """
    if kind == "count":
        count(name, value, least=least, most=most)
    elif kind == "positive":
        positives(name, value)
    else:
        ends = finite_array(name, value)
        fits = ends.shape == (2,) and least <= ends[0] < ends[1] <= most
        if not fits or not np.isfinite(float(ends[1]) - float(ends[0])):
            within = f" and low at least {least:g}" if least > -np.inf else ""
            raise ValueError(f"{name}: expected two numbers, low < high{within}, got {value}")


def count(name: str, value: int, *, least: int = 1, most: float = np.inf) -> int:
    """Return a whole number that is at least ``least`` and at most ``most``."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or not least <= value <= most:
        top = f" and at most {most:g}" if most < np.inf else ""
        raise ValueError(f"{name}: expected a whole number, at least {least}{top}, got {value!r}")
    return int(value)
