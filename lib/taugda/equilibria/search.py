"""Critical points of games that cannot be solved: Newton's method from many starts."""

import warnings
from typing import Any

import numpy as np

from taugda.checks import Array
from taugda.equilibria.closeup import MULTIPLICITY, Closeup
from taugda.games import Game

_NEAR = 1e-6  # of the box: a last step that is short, and two ends that are one
_FLAT = 1e-9  # of the size that J has in most of the box: zero to rounding
_DOUBTFUL = 100  # ends in flat places that are looked at in more digits
_MORE = 7  # times as many starts again, where points were met from one start only
_STEPS = 40  # of Newton's method, each at most a tenth of the box


@np.errstate(all="ignore")
def search(
    look: Closeup, box: Array, starts: int, rng: np.random.Generator
) -> list[tuple[list[Any], list[Any]]]:
    """Return the points in the box, each with its error; refuse a continuum of them."""
    game, (low, high) = look.game, box.T
    sides = zip(game.periods, high - low, strict=True)
    width = np.array([period or side for period, side in sides], dtype=float)
    # NumPy takes many points almost as fast as one; functions that a user wrote may not.
    seeds = rng.uniform(low, high, (starts * (25 if game.symbolic else 1), game.n))
    seeds[-1] = box.mean(axis=1)  # a symmetric game's point has a small basin in many dimensions
    usual = _size(game, seeds, width)
    usual = float(np.median(usual[np.isfinite(usual)])) if np.isfinite(usual).any() else 0.0
    ends, steps, doubtful, lost = _ends(game, width, seeds, box, usual)
    drawn = len(seeds)
    for _ in range(_MORE):
        # A point that only one start met says that others may have been met by none.
        places, met = np.unique(np.round(ends[~doubtful] / width, 4), axis=0, return_counts=True)
        if not 0 < (met == 1).sum() <= max(20, len(places) / 2):  # scattered ends are no points
            break
        seeds, drawn = rng.uniform(low, high, seeds.shape), drawn + len(seeds)
        more = _ends(game, width, seeds, box, usual)
        both = zip((ends, steps, doubtful, lost), more, strict=True)
        ends, steps, doubtful, lost = map(np.concatenate, both)
    found: list[tuple[list[Any], list[Any]]] = []
    places, alone = np.empty((0, game.n)), 0
    while len(ends):
        x, small = ends[0], 10.0 ** -(look.digits // 2) if doubtful[0] else _NEAR
        apart = np.maximum(_NEAR, MULTIPLICITY * np.abs(steps[0]).max())
        away = (np.abs(game.displacement(ends, x)) > apart * width).any(axis=-1)
        met = len(away) - away.sum()
        ends, steps, doubtful = ends[away], steps[away], doubtful[away]
        sizes, _ = _singular(_local(game, x, width)[1])
        # Where J is regular a short step is enough, however flat most of the box may be.
        scale = max(usual, sizes[0]) if sizes[-1] > 1e-6 * sizes[0] else usual
        refined = look.refined(x, width, small, 1e-12 * scale)
        if refined is None:
            continue
        x = game.wrap([float(c) for c in refined[0]])
        values, directions = _singular(_local(game, x, width)[1])
        if values[-1] <= 1e-6 * usual:
            if any(_goes_on(game, x, d, width) for d in (*directions, *np.eye(game.n))):
                raise ValueError(
                    f"game: expected isolated critical points, got a continuum near {x}"
                )
        if (np.abs(game.displacement(places, x)) > _NEAR * width).any(axis=-1).all():
            found.append(refined)
            places = np.vstack([places, x])
            alone += met == 1
    for x in places:
        lost = lost[(np.abs(game.displacement(lost, x)) > 1e-4 * width).any(axis=-1)]
    place = "flat places, where g and its Jacobian both vanish to rounding"
    if len(lost) and not found:
        raise ValueError(f"game: expected critical points in the box, got only {place}")
    if len(lost):
        _warn(f"met {place}, and took none for a point ({len(lost)} of {drawn} starts)")
    if alone:
        _warn(f"met {alone} of its {len(found)} points from one start each: others may be missing")
    return found


def _ends(
    game: Game, width: Array, seeds: Array, box: Array, usual: float
) -> tuple[Array, Array, Array, Array]:
    """Return where starts end in the box, the next steps, which are doubtful, and flat ends."""
    low, high = box.T
    lines = np.array([p is None for p in game.periods])
    ends, steps = _newton(game, seeds, lines, low, width)
    beside = np.maximum(low - ends, ends - high) / width
    left = (~lines | (beside <= _NEAR)).all(axis=-1)
    ends, steps = ends[left], steps[left]
    around = np.concatenate([np.eye(game.n), -np.eye(game.n)]) * width / 20
    flat = _size(game, ends, width) <= _FLAT * usual
    near = _size(game, ends[flat][:, None] + around, width)
    flat[flat] = (near <= _FLAT * usual).all(axis=-1)
    # A steep game looks flat where it is not steep: more digits tell, for a few of these ends.
    doubtful = flat & (np.cumsum(flat) <= (_DOUBTFUL if game.symbolic else 0))
    # On a tail g and J vanish together, and Newton's step stays as long as the tail.
    short = (~flat | doubtful) & (np.abs(steps) <= 1e-4).all(axis=-1)
    return ends[short], steps[short], doubtful[short], ends[flat]


def _warn(text: str) -> None:
    """Say what the search may have missed, and how to look again."""
    more = "more starts, or bounds around what matters, find more"
    warnings.warn(f"the search {text}; {more}", stacklevel=4)


def _local(game: Game, points: Array, width: Array) -> tuple[Array, Array]:
    """Return g and J in coordinates in which the box has sides of length 1."""
    g, j = game.unchecked_gradient(points), game.jacobian(points, 1.0)
    return g * width, j * width * width[:, None]


def _size(game: Game, points: Array, width: Array) -> Array:
    """Return the largest entry of the Jacobian at points."""
    return np.abs(_local(game, points, width)[1]).max(axis=(-1, -2))


def _newton(
    game: Game, points: Array, lines: Array, low: Array, width: Array
) -> tuple[Array, Array]:
    """Return where Newton's steps lead that stay near the box, and the next steps from there."""
    for k in range(_STEPS + 1):
        inside = ~lines | (np.abs((points - low) / width - 0.5) <= 1.5)  # false where no number
        points = points[(inside & np.isfinite(points)).all(axis=-1)]
        g, j = _local(game, points, width)
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
            most = np.abs(steps).max(axis=-1, keepdims=True)
            points = points - steps / np.maximum(1.0, 10 * most) * width
    return game.wrap(points), steps


def _goes_on(game: Game, x: Array, direction: Array, width: Array) -> bool:
    """Whether g has zeros with a singular Jacobian on both sides of one, too."""
    reach = np.abs(direction).max() / 20
    for start in (direction / 20, -direction / 20):
        y, step = start, start
        for _ in range(60):
            g, j = _local(game, x + y * width, width)
            size = np.abs(j).max()
            if not np.isfinite(size) or (size == 0 and g.any()):
                return False
            step = np.linalg.lstsq(j / size, g / size, rcond=1e-10)[0] if size else 0 * g
            y = y - step
            if not 0.3 * reach < np.abs(y).max() < 2 * reach:
                return False
            if np.abs(step).max() <= 1e-9 * reach:
                break
        values, _ = _singular(_local(game, x + y * width, width)[1])
        if np.abs(step).max() > 1e-9 * reach or values[-1] > 1e-6 * values[0]:
            return False
    return True


def _singular(j: Array) -> tuple[Array, Array]:
    """Return the singular values of a matrix, the largest first, and their directions."""
    _, values, directions = np.linalg.svd(j)
    return values, directions
