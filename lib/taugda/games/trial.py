"""Trials of functions that define a game: of stacks of points, and of derivatives."""

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from taugda.blocks import Blocks
from taugda.checks import Array

if TYPE_CHECKING:
    from taugda.games.game import Game

Function = Callable[[Array], Array]
_STEPS = 0.1 * 0.5 ** np.arange(21.0)
_APART = 3e-8  # relative difference from a derivative that is another one
_TRUST = 1000  # times its estimated error a derivative by differences may be off


@np.errstate(all="ignore")
def try_functions(game: "Game", blocks: Callable[[Array], Blocks]) -> None:
    """Compare a stack of points with one at a time, and derivatives with differences."""
    g, f, n, n1, n2 = game.unchecked_gradient, game._f, game.n, game.n1, game.n2
    rng = np.random.default_rng(0)
    around = game.known_points[0] if game.known_points else np.zeros(n)
    points = around + 0.3 * rng.standard_normal((3 if n != 3 else 4, n))
    points[-1] = around + 30 * (points[-1] - around)  # others may not see a point far away
    _try_stack("gradient", g, points, points.shape)
    if f is not None:
        _try_stack("f", f, points, points.shape[:1])
    x = points[0]
    if not np.isfinite(g(x)).all():
        return
    made = blocks(x)
    if not isinstance(made, Blocks):
        raise ValueError(f"blocks: expected taugda.blocks.Blocks, got {type(made).__name__}")
    if (made.n1, made.n2) != (n1, n2):
        raise ValueError(f"blocks: expected n1, n2 = {(n1, n2)}, got {(made.n1, made.n2)}")
    moves = rng.standard_normal((2, n)) * [[1] * n1 + [0] * n2, [0] * n1 + [1] * n2]
    for move, names in zip(moves, (("A11", "A12^T"), ("A12", "A22")), strict=True):
        slope, error = _derivative(g, x, move)
        for name, rows in zip(names, (slice(n1), slice(n1, n)), strict=True):
            if _differ((made.jacobian(1.0) @ move)[rows], slope[rows], error[rows]):
                raise ValueError(f"blocks: expected the derivatives of g, got another {name}")
    for move, side in zip(moves, (1, -1), strict=True) if f else ():
        if _differ(side * (g(x) @ move), *_derivative(f, x, move)):
            raise ValueError("f: expected the cost of which g is (D1 f, -D2 f), got another one")


def _try_stack(name: str, function: Function, points: Array, shape: tuple[int, ...]) -> None:
    """Refuse a function that gives a stack of points other values than one by one."""
    single = np.asarray([function(x) for x in points])
    try:
        many = np.asarray(function(points), dtype=float)
    except (IndexError, TypeError, ValueError):
        many = np.empty(0)
    if many.shape == single.shape == shape:
        gap, size = (np.abs(m.reshape(len(m), -1)).max(axis=1) for m in (many - single, single))
        if not (gap > 1e-8 * size).any():
            return
    raise ValueError(
        f"{name}: expected the coordinates x[..., i] on the last axis of many points; "
        f"a stack of {len(points)} points gives other values than one by one"
    )


def _derivative(function: Function, x: Array, move: Array) -> tuple[Array, Array]:
    """Return a directional derivative and its error, from differences extrapolated (Ridders)."""
    steps = _STEPS * max(1.0, float(np.abs(x).max()))
    ends = [np.asarray(function(x + s * steps[:, None] * move), dtype=float) for s in (1, -1)]
    table = list(((ends[0] - ends[1]).T / (2 * steps)).T)
    noise = np.spacing(np.abs(ends).max(axis=(0, 1))) / steps.reshape(-1, *[1] * (ends[0].ndim - 1))
    best, error = table[-1], np.full_like(table[-1], np.inf)
    for k in range(1, len(steps)):
        finer = [b + (b - a) / (4.0**k - 1) for a, b in itertools.pairwise(table)]
        for value, a, b, least in zip(finer, table[:-1], table[1:], noise[k:], strict=True):
            doubt = np.maximum.reduce([np.abs(value - a), np.abs(value - b), least])
            best, error = np.where(doubt < error, value, best), np.fmin(doubt, error)
        table = finer
    return best, error


def _differ(given: Array, slope: Array, error: Array) -> bool:
    """Return whether a derivative is another one than differences say, for all their error."""
    return bool(np.abs(given - slope).max() > _APART * np.abs(slope).max() + _TRUST * error.max())
