"""Games typed in as text, read through a whitelist.

Only the nodes of the text's syntax tree that are named here are turned into SymPy; nothing is
ever evaluated as Python.  Decimals become exact fractions, so that exact methods apply.
"""

import ast
import math
import operator
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy as sp

from taugda.games.exact_numbers import exact
from taugda.games.game import Game

_NAMES = "sin cos tan sinh cosh tanh atan exp log sqrt".split()
FUNCTIONS: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {n: getattr(sp, n) for n in _NAMES}
_CONSTANTS = {"pi": sp.pi}
_OPERATORS: Mapping[type, Callable[..., sp.Expr]] = {
    **{ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul},
    **{ast.Div: operator.truediv, ast.USub: operator.neg, ast.UAdd: operator.pos},
}
# What other programs and keyboards write.
_WRITTEN = str.maketrans({"^": "**", "−": "-", "·": "*", "×": "*", "²": "**2", "³": "**3"})
_POWER = 64  # largest exponent: 9**9**9 must not fill the memory


def parse(name: str, text: str, symbols: Mapping[str, sp.Expr]) -> sp.Expr:
    """Turn a formula in the declared names into a SymPy expression; ``name`` is for messages."""
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name}: expected a formula as text, got {text!r}")
    if len(text) > 5_000:  # no formula that someone typed
        raise ValueError(f"{name}: expected at most 5000 characters, got {len(text)}")
    source = f"({text.translate(_WRITTEN)}\n)"  # so that it may go on over several lines

    def read(node: ast.expr) -> sp.Expr:
        expected = "numbers, names, + - * / ** and functions of one argument"
        got = ast.get_source_segment(source, node) or ast.dump(node)
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                # A tiny number such as 1e-999999999 is 0.0 as a float, but no short fraction.
                digits = str(value) if isinstance(value, int) else got.lower()
                if math.isfinite(value) and abs(int(digits.partition("e")[2] or 0)) <= 400:
                    return sp.Rational(digits.replace("_", ""))
                expected = "a decimal within 1e-400"
            case ast.Name(id=symbol):
                if symbol in symbols or symbol in _CONSTANTS:
                    return {**_CONSTANTS, **symbols}[symbol]
                expected = f"only the names {', '.join(symbols)}"
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](read(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](read(left), read(right))
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                base, exponent = read(left), read(right)
                if not exponent.is_Rational or abs(exponent) > _POWER:
                    expected = f"a fixed exponent between -{_POWER} and {_POWER} (else exp(...))"
                # Nested powers of numbers would multiply past the limit.
                elif base.is_Rational and abs(exponent * math.log2(abs(base.p) + base.q)) > 4096:
                    expected = "a smaller number"
                else:
                    return base**exponent
            case ast.Call(func=ast.Name(id=function), args=[argument], keywords=[]):
                if function in FUNCTIONS:
                    return FUNCTIONS[function](read(argument))
                expected = f"one of the functions {', '.join(FUNCTIONS)}"
        raise ValueError(f"{name}: expected {expected}, got {got!r}")

    try:
        result = read(ast.parse(source, mode="eval").body)
    except SyntaxError as error:
        raise ValueError(f"{name}: expected a formula, got {text!r} ({error.msg})") from error
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"{name}: expected a formula that is less deeply nested") from error
    if result.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise ValueError(f"{name}: expected a finite expression, got {text!r}, which divides by 0")
    return result


def game_from_text(
    f: str,
    x1: Sequence[str],
    x2: Sequence[str],
    constants: Mapping[str, Any] | None = None,
    periodic: Sequence[str] = (),
) -> Game:
    """Make a game from text: the cost, the players' coordinates, constants.

    Parameters
    ----------
    f : str
        The cost that player 1 minimizes: a formula of numbers, + - * / ** ^ ( ), ``pi``, the
        declared names and sin, cos, tan, sinh, cosh, tanh, atan, exp, log, sqrt.
    x1, x2 : sequence of str
        Names of the coordinates of player 1 and player 2.
    constants : mapping of str to number, optional
        Named constants; decimals are read exactly.
    periodic : sequence of str
        Coordinates that are angles of period 2 pi.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If a name is no identifier, declared twice or reserved, or the formula not understood.

    Examples
    --------
    >>> game_from_text("-x^2/2 + 2*x*y - a*y^2", ["x"], ["y"], {"a": 0.5}).blocks([0, 0]).A22
    array([[1.]])
    """
    constants = constants or {}
    symbols: dict[str, sp.Expr] = {}
    for argument, names in (("x1", x1), ("x2", x2), ("constants", constants)):
        if isinstance(names, str) or (names is not constants and not names):
            raise ValueError(f"{argument}: expected a list of at least one name, got {names!r}")
        for given_name in names:
            # As Python reads names: the micro sign is the letter mu.
            text = unicodedata.normalize("NFKC", str(given_name))
            if not isinstance(given_name, str) or not text.isidentifier() or text.startswith("_"):
                got = repr(given_name)
                raise ValueError(f"{argument}: expected names of letters and digits, got {got}")
            if text in FUNCTIONS or text in _CONSTANTS:
                raise ValueError(f"{argument}: expected a name that is free, got {text!r}")
            if text in symbols:
                raise ValueError(f"{argument}: expected distinct names, got {text!r} twice")
            given = names is constants
            symbols[text] = exact(text, names[given_name]) if given else sp.Symbol(text, real=True)
    n1, n = len(x1), len(x1) + len(x2)
    coordinates, angles = [*symbols][:n], {unicodedata.normalize("NFKC", v) for v in periodic}
    if unknown := angles.difference(coordinates):
        raise ValueError(f"periodic: expected names of coordinates, got {sorted(unknown)}")
    x = [symbols[v] for v in coordinates]
    periods = [2 * sp.pi if v in angles else None for v in coordinates]
    return Game(parse("f", f, symbols), x[:n1], x[n1:], periods=periods, name="your game")
