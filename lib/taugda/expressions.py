"""Games typed in as text, read through a whitelist.

The text is parsed to a syntax tree, and only the nodes named here are turned into SymPy; nothing
is ever evaluated as Python.  Decimals become exact fractions, so that exact methods apply.
"""

import ast
import math
from collections.abc import Callable, Mapping, Sequence

import sympy as sp

from taugda.games import Game, exact

__all__ = ["FUNCTIONS", "game_from_text", "parse"]

FUNCTIONS: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "atan": sp.atan,
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
}
_CONSTANTS = {"pi": sp.pi}
_OPERATORS: Mapping[type[ast.operator], Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}
_LONGEST = 5_000  # characters; a longer text is no formula that someone typed
_POWER = 64  # largest exponent: 9**9**9 must not fill the memory


def parse(name: str, text: str, symbols: Mapping[str, sp.Expr]) -> sp.Expr:
    """Turn a formula into a SymPy expression.

    Parameters
    ----------
    name : str
        The argument's name, for messages.
    text : str
        A formula of numbers, + - * / ** ( ), ``pi``, the declared names and the functions
        named in ``FUNCTIONS``.  ``^`` is read as ``**``.
    symbols : mapping of str to sympy.Expr
        What the declared names stand for.

    Returns
    -------
    sympy.Expr

    Raises
    ------
    ValueError
        If the text is no such formula, or names something undeclared; the message quotes the
        part that is not understood.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> parse("f", "0.15*x^2 - cos(x)", {"x": x})
    3*x**2/20 - cos(x)
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{name}: expected a formula as text, got {text!r}")
    if len(text) > _LONGEST:
        raise ValueError(f"{name}: expected at most {_LONGEST} characters, got {len(text)}")
    source = text.replace("^", "**")
    try:
        tree = ast.parse(source.strip(), mode="eval")
        result = _Reader(name, source.strip(), symbols).read(tree.body)
    except SyntaxError as error:
        raise ValueError(f"{name}: expected a formula, got {text!r} ({error.msg})") from error
    except (RecursionError, MemoryError) as error:
        raise ValueError(f"{name}: expected a formula that is less deeply nested") from error
    if result.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
        raise ValueError(f"{name}: expected a finite expression, got {text!r}, which divides by 0")
    return result


class _Reader:
    """Walks a syntax tree and refuses every node that is not named here."""

    def __init__(self, name: str, source: str, symbols: Mapping[str, sp.Expr]) -> None:
        self.name, self.source, self.symbols = name, source, symbols

    def read(self, node: ast.expr) -> sp.Expr:
        match node:
            case ast.Constant(value=bool() | complex() | str() | bytes() | None):
                pass
            case ast.Constant(value=int()):
                return sp.Integer(node.value)
            case ast.Constant(value=float()) if math.isfinite(node.value):
                return self._decimal(node)
            case ast.Name(id=name):
                return self._named(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self.read(operand)
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.read(operand)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._power(self.read(left), self.read(right), node)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return _OPERATORS[type(op)](self.read(left), self.read(right))
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
                if name not in FUNCTIONS:
                    raise ValueError(
                        f"{self.name}: expected one of the functions {', '.join(FUNCTIONS)}, "
                        f"got {name!r}"
                    )
                return FUNCTIONS[name](self.read(argument))
        raise ValueError(
            f"{self.name}: expected numbers, names, + - * / ** and functions of one argument, "
            f"got {self._text(node)!r}"
        )

    def _decimal(self, node: ast.Constant) -> sp.Rational:
        digits = self._text(node).replace("_", "").lower()
        # A tiny number such as 1e-999999999 is 0.0 as a float, but no short exact fraction.
        if abs(int(digits.partition("e")[2] or 0)) > 400:
            raise ValueError(f"{self.name}: expected a decimal within 1e-400, got {digits!r}")
        return sp.Rational(digits)

    def _named(self, name: str) -> sp.Expr:
        if name in self.symbols:
            return self.symbols[name]
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        declared = ", ".join(self.symbols)
        raise ValueError(f"{self.name}: expected only the names {declared}, got {name!r}")

    def _power(self, base: sp.Expr, exponent: sp.Expr, node: ast.expr) -> sp.Expr:
        if not exponent.is_Rational or abs(exponent) > _POWER:
            raise ValueError(
                f"{self.name}: expected a fixed exponent between -{_POWER} and {_POWER}, got "
                f"{self._text(node)!r}; write exp(...) for exponentials"
            )
        # Nested powers of numbers would multiply past the limit.
        if base.is_Rational and max(abs(base.p), base.q).bit_length() * abs(exponent) > 4096:
            raise ValueError(f"{self.name}: expected a smaller number than {self._text(node)!r}")
        return base**exponent

    def _text(self, node: ast.expr) -> str:
        return ast.get_source_segment(self.source, node) or ast.dump(node)


def game_from_text(
    f: str,
    x1: Sequence[str],
    x2: Sequence[str],
    constants: Mapping[str, float] | None = None,
    periodic: Sequence[str] = (),
    name: str = "your game",
) -> Game:
    """Make a game from text: the cost, the players' coordinates, constants.

    Parameters
    ----------
    f : str
        The cost that player 1 minimizes and player 2 maximizes; see :func:`parse`.
    x1, x2 : sequence of str
        Names of the coordinates of player 1 and player 2.
    constants : mapping of str to number, optional
        Named constants; decimals are read exactly.
    periodic : sequence of str
        Coordinates that are angles of period 2 pi.
    name : str
        A short name, for figures.

    Returns
    -------
    Game

    Raises
    ------
    ValueError
        If a name is no identifier, declared twice or reserved, or the formula is not
        understood.

    Examples
    --------
    >>> game_from_text("-x^2/2 + 2*x*y - a*y^2", ["x"], ["y"], {"a": 0.5}).blocks([0, 0]).A22
    array([[1.]])
    """
    symbols: dict[str, sp.Expr] = {}
    for argument, names in (("x1", x1), ("x2", x2), ("constants", constants or {})):
        if isinstance(names, str):
            raise ValueError(f"{argument}: expected a list of names, got the text {names!r}")
        for text in names:
            if not isinstance(text, str) or not text.isidentifier() or text.startswith("_"):
                raise ValueError(f"{argument}: expected names of letters and digits, got {text!r}")
            if text in FUNCTIONS or text in _CONSTANTS:
                raise ValueError(f"{argument}: expected a name that is free, got {text!r}")
            if text in symbols:
                raise ValueError(f"{argument}: expected distinct names, got {text!r} twice")
            if argument == "constants":
                symbols[text] = exact(text, (constants or {})[text])
            else:
                symbols[text] = sp.Symbol(text, real=True)
    unknown = set(periodic) - {*x1, *x2}
    if unknown:
        raise ValueError(f"periodic: expected names of coordinates, got {sorted(unknown)}")
    periods = [2 * sp.pi if v in periodic else None for v in (*x1, *x2)]
    cost = parse("f", f, symbols)
    coordinates = [symbols[v] for v in x1], [symbols[v] for v in x2]
    return Game(cost, *coordinates, periods=periods, name=name)
