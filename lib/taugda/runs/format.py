"""Values as files and as readers want them."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

_RAISED = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def show_seconds(seconds: float) -> str:
    """Write a duration as people say it.

    Parameters
    ----------
    seconds : float
        The duration.

    Returns
    -------
    str
        For instance ``42 s``, ``3 min``, ``2.5 h``, ``4 d``.
    """
    for unit, size, until in (("s", 1, 100), ("min", 60, 100), ("h", 3600, 50)):
        if seconds < until * size:
            count = seconds / size
            return (
                f"{count:.1f} {unit}" if count < 9.95 and unit != "min" else f"{count:.0f} {unit}"
            )
    return f"{seconds / 86400:.1f} d"


def show_bytes(size: float) -> str:
    """Write a size on disk as people say it.

    Parameters
    ----------
    size : float
        Bytes.

    Returns
    -------
    str
        For instance ``320 kB``, ``1.5 GB``.
    """
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000:
            return f"{size:.1f} {unit}" if size < 9.95 else f"{size:.0f} {unit}"
    return f"{size / 1000:.1f} TB"


def plain(value: Any, name: str = "value") -> Any:
    """Turn a value into what JSON can hold.

    Parameters
    ----------
    value : Any
        Number of any library, bool, text, None, or nested sequences, arrays or mappings.
    name : str
        What to call it in an error.

    Returns
    -------
    Any
        Plain data; NaN and infinities become ``nan``, ``inf``, ``-inf``, fractions become text
        such as ``17/23``.

    Raises
    ------
    TypeError
        If the value is of another kind.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Rational):
        return f"{int(value.numerator)}/{int(value.denominator)}"
    if isinstance(value, Mapping):
        return {str(key): plain(entry, name) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry, name) for entry in value]
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, torch tensors
        return plain(value.tolist(), name)
    if isinstance(value, complex):
        raise TypeError(f"{name} must be real, found {value!r}; record its parts apart")
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must be a number, bool, text, None or a list of these, "
            f"found {type(value).__name__}"
        ) from error
    return number if math.isfinite(number) else str(number)


def show_value(value: Any, uncertainty: Any = None) -> str:
    """Write a value for a reader.

    Parameters
    ----------
    value : Any
        A number of any library, bool, text, None or a list of these.
    uncertainty : Any
        Its uncertainty, if stated.

    Returns
    -------
    str
        Seven significant digits, with the uncertainty behind a plus-minus sign.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        text = ", ".join(show_value(entry) for entry in value)
        spread = max(uncertainty, default=None) if isinstance(uncertainty, list) else uncertainty
        return text if spread is None else f"{text} (each ± {_number(spread, 1)})"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    if isinstance(value, complex):
        sign = "−" if value.imag < 0 else "+"
        return f"{_number(value.real, 5)} {sign} {_number(abs(value.imag), 5)}i"
    if not isinstance(value, str):
        value = plain(value)
    if isinstance(value, float):
        text = _number(value, 7)
    else:
        text = str(value).replace("-", "−") if isinstance(value, int) else str(value)
    text = {"inf": "∞", "-inf": "−∞"}.get(text, text)
    return text if uncertainty is None else f"{text} ± {_number(uncertainty, 1)}"


def _number(value: float, digits: int) -> str:
    """Write a number with a true minus sign and its power of ten as one, which never breaks."""
    text = format(value, f".{digits}g").replace("-", "−")
    factor, mark, exponent = text.partition("e")
    if not mark:
        return text
    power = "10" + str(int(exponent.replace("−", "-"))).replace("-", "−").translate(_RAISED)
    return power if factor == "1" else f"{factor}\u00a0×\u00a0{power}"
