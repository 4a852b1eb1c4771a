"""Plain values against the types that a parameters cell may name."""

import ast
import math
import re
from typing import Any

SCALARS: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}


class MismatchError(Exception):
    """The value does not fit the type."""


def conform(node: ast.expr, value: Any) -> Any:
    """Make a value of the type that an annotation names.

    Parameters
    ----------
    node : ast.expr
        The annotation.
    value : Any
        Plain data.

    Returns
    -------
    Any
        The value, with ints made floats where floats are asked for.

    Raises
    ------
    MismatchError
        If the value does not fit.
    TypeError
        If the annotation is not understood.
    """
    match node:
        case ast.Constant(value=None):
            if value is None:
                return None
            raise MismatchError
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            try:
                return conform(left, value)
            except MismatchError:
                return conform(right, value)
        case ast.Name(id="list"):
            return _conform_list(None, value)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return _conform_list(item, value)
        case ast.Name(id="dict"):
            return _conform_dict(None, value)
        case ast.Subscript(
            value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id="str"), item])
        ):
            return _conform_dict(item, value)
        case ast.Name(id=name) if name in SCALARS:
            return _conform_scalar(name, value)
    expected = "int, float, str, bool, list[...], dict[str, ...], alternatives with |"
    raise TypeError(f"expected {expected}; found {ast.unparse(node)}")


def _conform_scalar(name: str, value: Any) -> Any:
    if name == "float":
        if isinstance(value, str) and re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)[eE][+-]?\d+", value):
            value = float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = float(value) + 0.0  # the sum turns -0.0 into 0.0, one run instead of two
            if math.isfinite(value):
                return value
        raise MismatchError
    if type(value) is not SCALARS[name]:
        raise MismatchError
    return value


def _conform_list(item: ast.expr | None, value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)):
        raise MismatchError
    return [_plain(entry) if item is None else conform(item, entry) for entry in value]


def _conform_dict(item: ast.expr | None, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise MismatchError
    return {k: _plain(v) if item is None else conform(item, v) for k, v in value.items()}


def _plain(value: Any) -> Any:
    """Accept what JSON can hold, where the annotation says nothing more."""
    if isinstance(value, (list, tuple)):
        return _conform_list(None, value)
    if isinstance(value, dict):
        return _conform_dict(None, value)
    if value is None or type(value) in (bool, int, str):
        return value
    return _conform_scalar("float", value)
