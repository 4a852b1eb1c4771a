"""Machine code for the steps of a game that is defined in SymPy.

One step of tau-GDA is a handful of additions and products; in an interpreted loop the overhead
is a hundred times the arithmetic.  Here each game's g is printed as straight-line Python over
scalars, which Numba compiles into one loop over the steps.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numba
import sympy as sp
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from sympy.printing.pycode import PythonCodePrinter

from taugda.games import Game

__all__ = ["advance", "advance_all", "cos", "exp", "sin"]


class _Printer(PythonCodePrinter):
    """Prints small powers as products and fractions as decimals, which is what they cost."""

    def _print_Rational(self, expr: sp.Rational) -> str:
        return repr(expr.p / expr.q)

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.as_base_exp()
        if exponent.is_Integer and 2 <= exponent <= 4 and base.is_Symbol:
            return "(" + "*".join([self._print(base)] * int(exponent)) + ")"
        return super()._print_Pow(expr, rational=rational)


def _assignments(game: Game, components: Sequence[int]) -> list[str]:
    """Return lines that compute g_i from the scalars x_i, sharing subexpressions."""
    names = {v: sp.Symbol(f"x_{i}", real=True) for i, v in enumerate(game.variables)}
    wanted = [game.g[i].xreplace(names) for i in components]
    prefix = f"t{components[0]}_"
    shared, reduced = sp.cse(wanted, symbols=sp.numbered_symbols(prefix), order="none")
    printer = _Printer({"fully_qualified_modules": True, "allow_unknown_functions": False})
    lines = [f"{symbol} = {printer.doprint(value)}" for symbol, value in shared]
    lines += [
        f"g_{i} = {printer.doprint(value)}" for i, value in zip(components, reduced, strict=True)
    ]
    return lines


def _step(game: Game, alternating: bool, quiet: bool = False) -> list[str]:
    """Return the lines of one step; unless ``quiet``, noise is added to g where ``noisy``."""
    first, second = list(range(game.n1)), list(range(game.n1, game.n))

    def half(components: list[int]) -> list[str]:
        rate = {i: "step" if i < game.n1 else "step2" for i in components}
        kick = ["if noisy:", *(f"    g_{i} += noise[k, {i}]" for i in components)]
        return [
            *([] if quiet else kick),
            *(f"x_{i} = x_{i} - {rate[i]} * g_{i}" for i in components),
        ]

    if alternating:
        return [
            *_assignments(game, first),
            *half(first),
            *_assignments(game, second),
            *half(second),
        ]
    return [*_assignments(game, first + second), *half(first + second)]


def _compile(source: str, name: str, fused: bool = False) -> Callable[..., Any]:
    namespace: dict[str, Any] = {"math": math, "exp": exp, "sin": sin, "cos": cos}
    exec(source, namespace)  # the source is printed from SymPy expressions above, never typed in
    # Fused products and sums round once instead of twice; no other liberty is taken.
    liberty = {"contract"} if fused else False
    return numba.njit(nogil=True, error_model="numpy", fastmath=liberty)(namespace[name])


def _indent(lines: Sequence[str], depth: int) -> str:
    return "\n".join("    " * depth + line for line in lines)


@lru_cache(maxsize=64)
def advance(game: Game, alternating: bool) -> Callable[..., None]:
    """Return the compiled loop that advances one trajectory.

    Parameters
    ----------
    game : Game
        A symbolic game.
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.

    Returns
    -------
    callable
        ``f(x, tau, step, iterations, every, noise, rows)``: moves x, shape (n,), in place and
        writes every ``every``-th state to rows, shape (iterations // every, n).  ``noise`` has
        shape (iterations, n), or no rows where the gradients are exact.
    """
    n = range(game.n)
    source = f"""
def advance(x, tau, step, iterations, every, noise, rows):
{_indent([f"x_{i} = x[{i}]" for i in n], 1)}
    step2 = tau * step
    noisy = noise.shape[0] > 0
    row = 0
    left = every
    for k in range(iterations):
{_indent(_step(game, alternating), 2)}
        left -= 1
        if left == 0:
{_indent([f"rows[row, {i}] = x_{i}" for i in n], 3)}
            row += 1
            left = every
{_indent([f"x[{i}] = x_{i}" for i in n], 1)}
"""
    return _compile(source, "advance")


@lru_cache(maxsize=64)
def advance_all(game: Game, alternating: bool) -> Callable[..., None]:
    """Return the compiled loop that advances many points in lockstep.

    The inner loop runs over the points and holds no branch and no call, so that the compiler
    can work on several points with one instruction.  exp, sin and cos are this module's own,
    and products and sums are fused where the processor can.

    Parameters
    ----------
    game : Game
        A symbolic game.
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.

    Returns
    -------
    callable
        ``f(columns, tau, step, steps)``: moves points, given as an array of shape (n, m), in
        place.
    """
    n = range(game.n)
    lines = [
        re.sub(r"math\.(exp|sin|cos)\(", r"\1(", line)
        for line in _step(game, alternating, quiet=True)
    ]
    source = f"""
def advance_all(columns, tau, step, steps):
    step2 = tau * step
{_indent([f"c_{i} = columns[{i}]" for i in n], 1)}
    for k in range(steps):
        for m in range(columns.shape[1]):
{_indent([f"x_{i} = c_{i}[m]" for i in n], 3)}
{_indent(lines, 3)}
{_indent([f"c_{i}[m] = x_{i}" for i in n], 3)}
"""
    return _compile(source, "advance_all", fused=True)


@intrinsic
def _bits(typingctx: Any, value: Any) -> Any:
    """Reinterpret a float64 as an int64."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), code


@intrinsic
def _float(typingctx: Any, bits: Any) -> Any:
    """Reinterpret an int64 as a float64."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), code


@numba.njit(error_model="numpy", inline="always")
def exp(x: float) -> float:
    """Return the exponential to 2 units in the last place, in code that vectorizes.

    The C library's own is a call, and a loop with a call in it runs one point at a time.
    x = k ln 2 + r with |r| <= ln(2)/2; the Taylor polynomial of degree 13 gives exp(r), and k
    goes into the exponent's bits.  Below -708 the result is 0, above 709 infinity.

    Parameters
    ----------
    x : float

    Returns
    -------
    float
    """
    shifted = x * 1.4426950408889634 + 6755399441055744.0  # adding 1.5 * 2^52 rounds to integer
    k = shifted - 6755399441055744.0
    r = (x - k * 0.6931471803691238) - k * 1.9082149292705877e-10  # ln 2 in two pieces
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * (r * r) + r
    result = (1.0 + p) * _float((_bits(shifted) << 52) + 4607182418800017408)
    result = 0.0 if x < -708.0 else result
    return math.inf if x > 709.0 else result


def _taylor(first: int, last: int) -> list[float]:
    """Return (-1)^(k // 2) / k! for k = last, last - 2, ..., first: Horner's order."""
    return [(-1.0) ** (k // 2) / math.factorial(k) for k in range(last, first - 1, -2)]


_SINE, _COSINE = tuple(_taylor(3, 17)), tuple(_taylor(4, 18))


@numba.njit(error_model="numpy", inline="always")
def _turned_sine(x: float, quarters: int) -> float:
    """Return sin(x + quarters pi / 2), from r = x - k pi / 2 with |r| <= pi / 4."""
    shifted = x * 0.6366197723675814 + 6755399441055744.0  # adding 1.5 * 2^52 rounds to integer
    k = shifted - 6755399441055744.0
    # pi / 2 in three pieces, the first two short, so that their products with k are exact.
    r = ((x - k * 1.5707963267341256) - k * 6.07710050630396e-11) - k * 2.0222662487959506e-21
    z = r * r
    s, c = 0.0, 0.0
    for i in range(len(_SINE)):
        s = s * z + _SINE[i]
        c = c * z + _COSINE[i]
    sine = r + r * z * s
    cosine = 1.0 - (0.5 * z - z * z * c)
    quarter = (_bits(shifted) + quarters) & 3
    value = cosine if quarter & 1 else sine
    return -value if quarter & 2 else value


@numba.njit(error_model="numpy", inline="always")
def sin(x: float) -> float:
    """Return the sine for |x| < 1e6, to 2e-16, in code that vectorizes (see :func:`exp`).

    Parameters
    ----------
    x : float
        Radians; beyond a million the reduction by pi / 2 loses digits.

    Returns
    -------
    float
    """
    return _turned_sine(x, 0)


@numba.njit(error_model="numpy", inline="always")
def cos(x: float) -> float:
    """Return the cosine for |x| < 1e6, to 2e-16, in code that vectorizes (see :func:`exp`).

    Parameters
    ----------
    x : float
        Radians; beyond a million the reduction by pi / 2 loses digits.

    Returns
    -------
    float
    """
    return _turned_sine(x, 1)
