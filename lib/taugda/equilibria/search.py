"""Critical points of games that cannot be solved: Newton's method from many starts."""

import warnings
from typing import Any

import numpy as np

from taugda.checks import Array
from taugda.equilibria.closeup import MULTIPLICITY, Closeup
from taugda.games import Game

_FLAT = 1e-9  # of the size that J has in most of the box: zero to rounding
_STEPS = 40  # of Newton's method, each at most a tenth of the box


@np.errstate(all="ignore")
def search(
    look: Closeup, box: Array, starts: int, tolerance: float, rng: np.random.Generator
) -> list[tuple[list[Any], list[Any]]]:
    """Return the points in the box, each with its error; refuse a continuum of them."""
    game, (low, high) = look.game, box.T
    width = np.array([p or w for p, w in zip(game.periods, high - low, strict=True)], dtype=float)
    slack, reach = tolerance * width, float(width.min()) / 20
    # NumPy takes many points almost as fast as one; functions that a user wrote may not.
    seeds = rng.uniform(low, high, (starts * (25 if game.symbolic else 1), game.n))
    sizes = _size(game, seeds)
    usual = float(np.median(sizes[np.isfinite(sizes)])) if np.isfinite(sizes).any() else 0.0
    ends, steps = _newton(game, seeds, low - width, high + width, width / 10)
    lines = np.array([p is None for p in game.periods])
    left = (~lines | ((ends >= low - slack) & (ends <= high + slack))).all(axis=-1)
    ends, steps = ends[left], steps[left]
    around = reach * np.concatenate([np.eye(game.n), -np.eye(game.n)])
    flat = _size(game, ends) <= _FLAT * usual
    flat[flat] = (_size(game, ends[flat][:, None] + around) <= _FLAT * usual).all(axis=-1)
    # On a tail g and J vanish together, and Newton's step stays as long as the tail.
    short = ~flat & (np.abs(steps) <= 1e-4 * width).all(axis=-1)
    ends, steps = ends[short], steps[short]
    found: list[tuple[list[Any], list[Any]]] = []
    places = np.empty((0, game.n))
    while len(ends):
        x, step = ends[0], steps[0]
        apart = np.maximum(slack, MULTIPLICITY * np.abs(step).max())
        away = (np.abs(game.displacement(ends, x)) > apart).any(axis=-1)
        ends, steps = ends[away], steps[away]
        refined = look.refined(x, 1e-3 * width.min(), slack.min(), 1e-12 * usual * width.min())
        if refined is None:
            continue
        x = game.wrap([float(c) for c in refined[0]])
        values, directions = _singular(game, x)
        degenerate = values[-1] <= 1e-6 * usual
        if degenerate and any(_goes_on(game, x, reach * d) for d in (*directions, *np.eye(game.n))):
            raise ValueError(f"game: expected isolated critical points, got a continuum near {x}")
        if (np.abs(game.displacement(places, x)) > slack).any(axis=-1).all():
            found.append(refined)
            places = np.vstack([places, x])
    if flat.any():
        place = "flat places, where g and its Jacobian both vanish to rounding"
        if not found:
            raise ValueError(f"game: expected critical points in the box, got only {place}")
        share = f"{flat.sum()} of {len(seeds)} starts"
        warnings.warn(f"the search met {place} ({share}): no critical points", stacklevel=3)
    return found


def _size(game: Game, points: Array) -> Array:
    """Return the largest entry of the Jacobian at points."""
    return np.abs(game.jacobian(points, 1.0)).max(axis=(-1, -2))


def _newton(game: Game, points: Array, low: Array, high: Array, most: Array) -> tuple[Array, Array]:
    """Return where Newton's steps lead that stay within bounds, and the next steps from there."""
    lines = np.array([p is None for p in game.periods])
    for k in range(_STEPS + 1):
        inside = ~lines | ((points >= low) & (points <= high))  # false where not a number
        points = points[(inside & np.isfinite(points)).all(axis=-1)]
        g, j = game.unchecked_gradient(points), game.jacobian(points, 1.0)
        size = np.abs(j).max(axis=(-1, -2))
        good = np.isfinite(size) & np.isfinite(g).all(axis=-1)
        points, g, j, size = points[good], g[good], j[good], size[good, None]
        size[size == 0] = 1.0
        g, j = (g / size)[..., None], j / size[..., None]
        try:
            steps = np.linalg.solve(j, g)[..., 0]
        except np.linalg.LinAlgError:  # one of them is singular; this takes longer
            steps = (np.linalg.pinv(j) @ g)[..., 0]
        if k < _STEPS:
            points = points - steps / np.maximum(1.0, np.abs(steps / most).max(axis=-1)[:, None])
    return game.wrap(points), steps


def _goes_on(game: Game, x: Array, aside: Array) -> bool:
    """Whether g has zeros with a singular Jacobian on both sides of one, too."""
    reach = np.abs(aside).max()
    for y in (x + aside, x - aside):
        for _ in range(60):
            g, j = game.gradient(y), game.jacobian(y, 1.0)
            size = np.abs(j).max()
            if not np.isfinite(size) or (size == 0 and g.any()):
                return False
            step = np.linalg.lstsq(j / size, g / size, rcond=1e-10)[0] if size else 0 * g
            y = y - step
            if not 0.3 * reach < np.abs(y - x).max() < 2 * reach:
                return False
            if np.abs(step).max() <= 1e-9 * reach:
                break
        values, _ = _singular(game, y)
        if np.abs(step).max() > 1e-9 * reach or values[-1] > 1e-6 * values[0]:
            return False
    return True


def _singular(game: Game, x: Array) -> tuple[Array, Array]:
    """Return the singular values of the Jacobian, largest first, and their directions."""
    _, values, directions = np.linalg.svd(game.jacobian(x, 1.0))
    return values, directions
