"""Regions of attraction: which starts reach which critical point."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taugda.checks import Array, count, finite_array, positive, positives
from taugda.dynamics.trajectories import in_threads
from taugda.games import Game

_PIECE = 512  # points that a thread takes at a time; they stay in the fastest cache
_ROUND = 720  # steps between two looks at what has come to rest; many small periods divide it
_FAR = 4  # rounds between two looks at what is out of reach


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
    ends = [_Ends(game, advance, targets, float(t), step, tolerance) for t in taus.flat]

    def one(piece: tuple[int, slice]) -> None:
        t, part = piece
        states[t, :, part] = _settle(ends[t], states[t, :, part], iterations)

    in_threads(one, [(t, part) for t in range(taus.size) for part in parts], progress)
    labels = label(game, np.moveaxis(states, 1, -1), targets, tolerance)
    return labels.reshape(*taus.shape, points, points)


@dataclass(frozen=True)
class _Ends:
    """How the runs at one tau may end before their last step."""

    game: Game
    move: Callable[..., None]
    targets: Array
    tau: float
    step: float
    tolerance: float

    def advance(self, columns: Array, steps: int) -> None:
        """Move the states, shape (2, m), in place."""
        self.move(columns, self.tau, self.step, steps)

    @cached_property
    def traps(self) -> list[float]:
        """The radius about each attractor from within which no round leads out; 0 without one."""
        return [self._trap(k) for k in range(len(self.targets))]

    def _trap(self, k: int) -> float:
        # It lies within the tolerance and nearer to this attractor than to any other one.
        target, others = self.targets[k], np.delete(self.targets, k, axis=0)
        radius = min(self.tolerance, _gaps(self.game, target, others).min(initial=np.inf) / 2)
        angles = np.linspace(0, 2 * np.pi, 96)
        rim = np.array([np.cos(angles), np.sin(angles)])
        for _ in range(10):  # the game bends: where a round leads outside, a smaller one may do
            disc = np.hstack([share * radius * rim for share in (1.0, 0.7, 0.3)])
            moved = target[:, None] + disc
            self.advance(moved, _ROUND)
            if (_gaps(self.game, moved.T, [target]) < radius).all():
                return radius
            radius /= 4
        return 0.0

    def caught(self, columns: Array, at: Array) -> None:
        """Put the attractor in the place of each state that is in its trap, and mark those."""
        gaps = _gaps(self.game, columns.T, self.targets)
        for k, radius in enumerate(self.traps):
            inside = gaps[:, k] < radius
            columns[:, inside] = self.targets[k][:, None]
            at |= inside

    def out_of_reach(self, columns: Array, left: int) -> NDArray[np.bool_]:
        """Say which states are so slow, and so far away, that no attractor can be reached."""
        # Along a run the speed |Lambda_tau g| grows at most at the rate of the greatest eigenvalue
        # of the symmetric part of -J_tau.  Both are taken at the state as it is, and doubled for
        # what they may become on the short way that is left.
        states, time = np.where(np.isfinite(columns), columns, 0).T, 2 * self.step * left
        with np.errstate(all="ignore"):
            speed = np.linalg.norm(self.game.unchecked_gradient(states) * [1, self.tau], axis=-1)
            (a, b), (c, d) = np.moveaxis(self.game.jacobian(states, self.tau), 0, -1)
            growth = np.maximum(np.hypot(a - d, b + c) - a - d, 0) / 2
            nearest = _gaps(self.game, states, self.targets).min(axis=-1)
            return time * speed * np.exp(time * growth) < nearest - self.tolerance


def _settle(ends: _Ends, columns: Array, iterations: int) -> Array:
    """Return the states, shape (2, m), after the iterations, or others with the same label."""
    # A point retires where its label is decided: in a trap, out of reach, no longer finite, or bit
    # for bit where it was one round of steps ago, since then it repeats for ever.  The odd steps
    # are taken first, so that whole rounds remain and such a point is where it will end.
    columns = np.ascontiguousarray(columns)
    result = columns.copy()
    live = np.arange(columns.shape[1])
    rounds, odd = divmod(iterations, _ROUND)
    ends.advance(columns, odd)
    for number in range(rounds):
        before = columns.copy()
        ends.advance(columns, _ROUND)
        done = (columns == before).all(axis=0) | ~np.isfinite(columns).all(axis=0)
        ends.caught(columns, done)
        if number % _FAR == 0:
            done |= ends.out_of_reach(columns, (rounds - number - 1) * _ROUND)
        if done.any():
            result[:, live[done]] = columns[:, done]
            live, columns = live[~done], np.ascontiguousarray(columns[:, ~done])
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
    gaps = _gaps(game, states, attractors)
    return np.where(gaps.min(axis=-1) <= tolerance, gaps.argmin(axis=-1), -1)


def _gaps(game: Game, states: ArrayLike, attractors: ArrayLike) -> Array:
    """Return each state's distance from each attractor, infinity where it is not finite."""
    with np.errstate(invalid="ignore", over="ignore"):
        ways = game.displacement(np.asarray(states)[..., None, :], attractors)
        gaps = np.linalg.norm(ways, axis=-1)
    return np.where(np.isfinite(gaps), gaps, np.inf)
