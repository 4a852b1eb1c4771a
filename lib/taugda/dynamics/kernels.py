"""Machine code for the steps of a game that is defined in SymPy.

Each game's g is printed as straight-line Python over scalars, which Numba compiles into one loop
over the steps: in an interpreted loop the overhead is a hundred times the arithmetic.  Where
NUMBA_CACHE_DIR names a folder, as in a batch, the machine code is kept there.
"""

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numba
import sympy as sp
from sympy.printing.pycode import PythonCodePrinter

from taugda.atomic import write_atomic
from taugda.dynamics import vectormath
from taugda.games import Game


def _move(game: Game, components: Sequence[int]) -> list[str]:
    """Return the lines that compute g_i at the scalars x_i, sharing subexpressions, and step."""
    names = {v: sp.Symbol(f"x_{i}", real=True) for i, v in enumerate(game.variables)}
    wanted = [game.g[i].xreplace(names) for i in components]
    prefix = f"t{components[0]}_"
    shared, reduced = sp.cse(wanted, symbols=sp.numbered_symbols(prefix), order="none")
    shared += [(f"g_{i}", value) for i, value in zip(components, reduced, strict=True)]
    printer = PythonCodePrinter({"fully_qualified_modules": True, "allow_unknown_functions": False})
    lines = [f"{symbol} = {printer.doprint(value)}" for symbol, value in shared]
    rate = {i: "step" if i < game.n1 else "step2" for i in components}
    return lines + [f"x_{i} = x_{i} - {rate[i]} * g_{i}" for i in components]


def _step(game: Game, alternating: bool) -> list[str]:
    """Return the lines of one step."""
    if alternating:
        return _move(game, range(game.n1)) + _move(game, range(game.n1, game.n))
    return _move(game, range(game.n))


def _compile(source: str, fused: bool = False) -> Callable[..., Any]:
    # Fused products and sums round once instead of twice; no other liberty is taken.
    options = {"error_model": "numpy", "fastmath": {"contract"} if fused else False}
    folder, place = numba.config.CACHE_DIR, "<game>"
    if folder:  # Numba keeps machine code by the file that a function stands in
        parts = (source, str(options), Path(vectormath.__file__).read_text(encoding="utf-8"))
        file = Path(folder, f"taugda-{sha256(repr(parts).encode()).hexdigest()[:32]}.py")
        if not file.exists():  # a newer file would make what was kept for it count as old
            write_atomic(file, source)
        place = str(file)
    names = ("exp", "sin", "cos")
    namespace = {"math": math, "__name__": __name__}
    namespace |= {name: getattr(vectormath, name) for name in names}
    # The source is printed from SymPy expressions above, never typed in.
    exec(compile(source, place, "exec"), namespace)
    return numba.njit(nogil=True, cache=bool(folder), **options)(namespace["advance"])


def _indent(lines: Sequence[str], depth: int) -> str:
    return "\n".join("    " * depth + line for line in lines)


@lru_cache(maxsize=64)
def advance(game: Game, alternating: bool) -> Callable[..., None]:
    """Return the compiled loop ``f(x, tau, step, iterations, every, rows)`` of one run."""
    # x, shape (n,), moves in place and every ``every``-th state goes to rows, shape
    # (iterations // every, n).
    n = range(game.n)
    return _compile(f"""
def advance(x, tau, step, iterations, every, rows):
{_indent([f"x_{i} = x[{i}]" for i in n], 1)}
    step2 = tau * step
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
""")


@lru_cache(maxsize=64)
def advance_all(game: Game, alternating: bool) -> Callable[..., None]:
    """Return the compiled loop ``f(columns, tau, step, steps)`` that moves (n, m) in lockstep."""
    # The inner loop runs over the m points and holds no branch and no call, so that the compiler
    # can work on several points with one instruction; products and sums are fused.
    n = range(game.n)
    lines = [re.sub(r"math\.(exp|sin|cos)\(", r"\1(", x) for x in _step(game, alternating)]
    return _compile(
        f"""
def advance(columns, tau, step, steps):
    step2 = tau * step
{_indent([f"c_{i} = columns[{i}]" for i in n], 1)}
    for k in range(steps):
        for m in range(columns.shape[1]):
{_indent([f"x_{i} = c_{i}[m]" for i in n], 3)}
{_indent(lines, 3)}
{_indent([f"c_{i}[m] = x_{i}" for i in n], 3)}
""",
        fused=True,
    )
