"""Checks of arguments, so that bad input fails at once and says how."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Array", "ComplexArray", "count", "finite_array", "positive", "positives"]

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]


def finite_array(name: str, value: ArrayLike, *, ndim: int | None = None) -> NDArray[np.float64]:
    """Convert to a float array and refuse anything that is not finite.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : array_like
        What came.
    ndim : int, optional
        The number of dimensions that is expected.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    ValueError
        If the value is no array of finite numbers or has another number of dimensions.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: expected real numbers, got {value!r}") from error
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name}: expected {ndim} dimension(s), got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers, got {_some_bad(array)}")
    return array


def positive(name: str, value: float, *, zero: bool = False) -> float:
    """Return a finite number greater than zero as a float.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : float
        What came.
    zero : bool
        Whether zero is allowed.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the value is not a finite positive number.
    """
    array = positives(name, value, zero=zero)
    if array.ndim:
        raise ValueError(f"{name}: expected one number, got shape {array.shape}")
    return float(array)


def positives(name: str, value: ArrayLike, *, zero: bool = False) -> NDArray[np.float64]:
    """Return finite numbers greater than zero (at least zero if ``zero``) as an array.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : array_like
        What came.
    zero : bool
        Whether zero is allowed.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    ValueError
        If an entry is not a finite positive number.
    """
    array = finite_array(name, value)
    bad = array < 0 if zero else array <= 0
    if bad.any():
        least = "at least 0" if zero else "greater than 0"
        raise ValueError(f"{name}: expected numbers {least}, got {array[bad].flat[0]:g}")
    return array


def count(name: str, value: int, *, least: int = 1) -> int:
    """Return a whole number that is at least ``least``.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : int
        What came.
    least : int
        The smallest value that is allowed.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the value is no whole number or too small.
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name}: expected a whole number, at least {least}, got {value!r}")
    return int(value)


def _some_bad(array: NDArray[np.float64]) -> str:
    where: Sequence[int] = np.argwhere(~np.isfinite(array))[0].tolist()
    bad = array[tuple(where)]
    return f"{bad} at index {tuple(where)}" if where else f"{bad}"
