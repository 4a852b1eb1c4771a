"""Values as files and as readers want them."""

import math
import numbers
import re
from collections.abc import Mapping
from typing import Any

_SMALL = 1e-9
_RAISED = str.maketrans("0123456789−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def plain(value: Any, name: str = "value") -> Any:
    """Turn a value, by its `name`, into what JSON holds: ``17/23``, ``nan``, ``inf`` are texts."""
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
    """Write a value with six significant digits, its uncertainty behind a plus-minus sign."""
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
        return f"{_number(value.real)} {sign} {_number(abs(value.imag))}i"
    if isinstance(value, str):
        value = re.sub(r"(?<![\w$\\-])-(?=\d)", "−", value)  # not in names and dates
    else:
        value = plain(value)
    text = _number(value) if isinstance(value, float) else str(value)
    text = text.replace("-", "−") if isinstance(value, int) else text
    text = {"inf": "∞", "-inf": "−∞"}.get(text, text)
    return text if uncertainty is None else f"{text} ± {_number(uncertainty, 1)}"


def _number(value: float, digits: int | None = None) -> str:
    """Write a number with a true minus sign and its power of ten as one, which never breaks."""
    # What is as small as rounding has no more digits that mean anything.
    digits = digits or (6 if value == 0 or not abs(value) < _SMALL else 2)
    text = format(value, f".{digits}g").replace("-", "−")
    factor, mark, exponent = text.partition("e")
    if not mark:
        return text
    power = "10" + str(int(exponent.replace("−", "-"))).replace("-", "−").translate(_RAISED)
    return power if factor == "1" else f"{factor}\u00a0×\u00a0{power}"
