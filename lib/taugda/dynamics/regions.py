"""Regions of attraction: which starts reach which critical point."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taugda.checks import Array, count, finite_array, positive, positives
from taugda.dynamics.trajectories import in_threads
from taugda.games import Game

_PIECE = 512  # points that a thread takes at a time; they stay in the fastest cache
_ROUND = 720  # steps between two looks at what has come to rest; many small periods divide it


def region_of_attraction(
    game: Game, attractors: ArrayLike, tau: ArrayLike, step: float, iterations: int,
    bounds: ArrayLike, points: int, tolerance: float, alternating: bool = False, *,
    progress: bool = False,
) -> NDArray[np.int64]:  # fmt: skip
    """Label the points of a grid by the attractor that tau-GDA has reached at the end.

    Parameters
    ----------
    game : Game
        A symbolic game with n1 = n2 = 1.
    attractors : array_like, shape (m, 2)
        Points to be reached; label i stands for ``attractors[i]``.
    tau, step, iterations, alternating
        As :func:`simulate` takes them.
    bounds : array_like, shape (2, 2)
        ((low, high) of x1, (low, high) of x2), both ends on the grid.
    points : int
        Number of grid points along each axis.
    tolerance : float
        Largest distance (periodic where the game is) of the last state from its attractor.
    progress : bool
        Whether to show a progress bar while it works.

    Returns
    -------
    ndarray of int, shape tau.shape + (points, points)
        Entry [..., i, j] belongs to (x1[j], x2[i]), as in an image with x2 upward; -1 where no
        attractor was reached (diverged points among them).

    Raises
    ------
    ValueError
        If an argument is out of range or the game does not have two coordinates in SymPy.
    """
    if not game.symbolic or (game.n1, game.n2) != (1, 1):
        raise ValueError(f"game: expected a symbolic one with n1 = n2 = 1, got {game!r}")
    targets, taus = np.atleast_2d(game.point(attractors, "attractors")), positives("tau", tau)
    step, tolerance = positive("step", step), positive("tolerance", tolerance)
    iterations, points = count("iterations", iterations), count("points", points, least=2)
    box = finite_array("bounds", bounds)
    if box.shape != (2, 2) or (box[:, 0] >= box[:, 1]).any():
        raise ValueError(f"bounds: expected ((low, high), (low, high)), ascending, got {bounds}")
    from taugda.dynamics import kernels

    advance = kernels.advance_all(game, alternating)
    x1, x2 = (np.linspace(low, high, points) for low, high in box)
    grid = np.stack(np.meshgrid(x1, x2)).reshape(2, -1)
    states = np.tile(grid, (taus.size, 1, 1))
    # A piece holds every k-th point: slow and quick regions mix, and pieces take the same time.
    stride = max(1, grid.shape[1] // _PIECE)
    parts = [slice(offset, None, stride) for offset in range(stride)]

    def one(piece: tuple[int, slice]) -> None:
        t, part = piece
        states[t, :, part] = _settle(advance, states[t, :, part], taus.flat[t], step, iterations)

    in_threads(one, [(t, part) for t in range(taus.size) for part in parts], progress)
    labels = label(game, np.moveaxis(states, 1, -1), targets, tolerance)
    return labels.reshape(*taus.shape, points, points)


def _settle(
    advance: Callable[..., None], columns: Array, tau: float, step: float, iterations: int
) -> Array:
    """Return the states, shape (n, m), after the iterations."""
    # A state that is bit for bit what it was one round of steps ago repeats for ever.  The odd
    # steps are taken first, so that what remains is whole rounds, and such a point already is
    # where it will end: it retires, and its label is that of the plain loop.  So do points that
    # are no longer finite.
    columns = np.ascontiguousarray(columns)
    result = columns.copy()
    live = np.arange(columns.shape[1])
    rounds, odd = divmod(iterations, _ROUND)
    advance(columns, tau, step, odd)
    for _ in range(rounds):
        before = columns.copy()
        advance(columns, tau, step, _ROUND)
        moving = (columns != before).any(axis=0) & np.isfinite(columns).all(axis=0)
        if not moving.all():
            result[:, live[~moving]] = columns[:, ~moving]
            live, columns = live[moving], np.ascontiguousarray(columns[:, moving])
            if not live.size:
                return result
    result[:, live] = columns
    return result


def basin_sizes(labels: ArrayLike, attractors: int) -> NDArray[np.int64]:
    """Count the starts that reach each attractor.

    Parameters
    ----------
    labels : array_like of int, shape (..., points, points)
        From :func:`region_of_attraction`.
    attractors : int
        How many attractors there are.

    Returns
    -------
    ndarray of int, shape (..., attractors + 1)
        The last entry counts the starts that reach none.
    """
    images = np.asarray(labels)
    which = [*range(count("attractors", attractors)), -1]
    return np.stack([(images == k).sum(axis=(-2, -1)) for k in which], axis=-1)


def label(
    game: Game, states: ArrayLike, attractors: ArrayLike, tolerance: float
) -> NDArray[np.int64]:
    """Return the index of the attractor within the tolerance of each state, -1 where none is.

    Parameters
    ----------
    game : Game
    states : array_like, shape (..., n1 + n2)
        May hold nan, which is near nothing.
    attractors : array_like, shape (m, n1 + n2)
    tolerance : float
        Largest Euclidean distance, along the shortest way where coordinates are periodic.

    Returns
    -------
    ndarray of int, shape (...)
    """
    states = np.asarray(states, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        gaps = np.stack(
            [np.linalg.norm(game.displacement(states, a), axis=-1) for a in attractors], axis=-1
        )
    gaps = np.where(np.isfinite(gaps), gaps, np.inf)
    return np.where(gaps.min(axis=-1) <= tolerance, gaps.argmin(axis=-1), -1)
