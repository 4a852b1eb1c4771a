"""tau-GDA as the players run it: trajectories and regions of attraction.

One step is x <- x - gamma1 Lambda_tau g(x): player 1 moves by gamma1, player 2 by gamma2 =
tau gamma1.  Simultaneous steps take both gradients at the old point, as the theory does;
alternating steps take player 2's at player 1's new point, as the paper's torus runs and its
regions of attraction do.
"""

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from taugda.checks import count, finite_array, positive, positives
from taugda.games import Game

__all__ = [
    "DivergenceError",
    "basin_sizes",
    "decay_factor",
    "decay_of",
    "iterations_to_reach",
    "label",
    "region_of_attraction",
    "simulate",
]

Array = NDArray[np.float64]

# Noise is drawn for so many steps at a time, so that memory does not grow with the run.
_NOISE_STEPS = 65_536
# Points are handed to the threads in pieces of this size; a piece stays in the fastest cache.
_PIECE = 512
# Between two looks at whether points have come to rest so many steps are taken; many small
# periods divide it.
_ROUND = 720


class DivergenceError(ArithmeticError):
    """A trajectory left the floating-point numbers.

    Attributes
    ----------
    trajectory : ndarray
        What :func:`simulate` would have returned, with nan from the divergence on.
    iterations : ndarray of int
        For each trajectory the first stored iteration that is not finite, -1 where there is
        none.
    """

    def __init__(self, message: str, trajectory: Array, iterations: NDArray[np.int64]) -> None:
        super().__init__(message)
        self.trajectory = trajectory
        self.iterations = iterations


def simulate(
    game: Game,
    x0: ArrayLike,
    tau: ArrayLike,
    step: float,
    iterations: int,
    alternating: bool = False,
    *,
    every: int = 1,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
    on_divergence: str = "raise",
) -> Array:
    """Run tau-GDA from one start or many, for one tau or many.

    Parameters
    ----------
    game : Game
    x0 : array_like, shape (..., n1 + n2)
        Starts.
    tau : array_like
        Timescale separations, greater than 0; broadcast against the starts' leading shape
        (``tau[:, None]`` with k starts gives every pair).
    step : float
        gamma1, player 1's step; player 2's is tau gamma1.
    iterations : int
        Number of steps.
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.
    every : int
        Only every such state is stored.
    noise : float
        Standard deviation of the normal noise added to each component of g (stochastic
        gradients); 0 for exact gradients.
    rng : numpy.random.Generator, optional
        Where the noise comes from; required where ``noise`` is not 0.  Each trajectory gets a
        generator of its own, spawned from this one.
    on_divergence : {"raise", "warn"}
        What to do where a trajectory leaves the floating-point numbers.  "warn" returns it with
        nan from there on.

    Returns
    -------
    ndarray, shape (..., iterations // every + 1, n1 + n2)
        The start first.  Periodic coordinates are not wrapped, so that windings show; see
        :meth:`Game.wrap`.

    Raises
    ------
    ValueError
        If an argument is out of range or a start has the wrong length.
    DivergenceError
        If a trajectory diverges and ``on_divergence`` is "raise".

    Examples
    --------
    >>> from taugda import games
    >>> simulate(games.quadratic(), [5, 4, 3, 2], tau=[2, 5], step=5e-4, iterations=10).shape
    (2, 11, 4)
    """
    starts = game.point(x0, "x0")
    taus = positives("tau", tau)
    step = positive("step", step)
    iterations, every = count("iterations", iterations, least=0), count("every", every)
    noise = positive("noise", noise, zero=True)
    if noise and rng is None:
        raise ValueError("rng: expected a numpy.random.Generator where noise is not 0, got None")
    if on_divergence not in ("raise", "warn"):
        raise ValueError(f"on_divergence: expected 'raise' or 'warn', got {on_divergence!r}")
    try:
        shape = np.broadcast_shapes(starts.shape[:-1], taus.shape)
    except ValueError as error:
        raise ValueError(
            f"tau: expected a shape that fits {starts.shape[:-1]} starts, got {taus.shape}"
        ) from error
    states = np.broadcast_to(starts, (*shape, game.n)).reshape(-1, game.n).copy()
    rates = np.broadcast_to(taus, shape).ravel()
    out = np.empty((len(states), iterations // every + 1, game.n))
    out[:, 0] = states
    generators = rng.spawn(len(states)) if noise and rng is not None else None
    chunks = _chunks(iterations, every, noise > 0)
    if game.symbolic:
        _run_compiled(game, states, rates, step, chunks, every, alternating, noise, generators, out)
    else:
        _run_numpy(game, states, rates, step, chunks, every, alternating, noise, generators, out)
    return _checked(out.reshape(*shape, -1, game.n), every, rates, shape, on_divergence)


def _chunks(iterations: int, every: int, noisy: bool) -> list[int]:
    """Split the iterations into runs that end on stored states; one run if there is no noise."""
    if not noisy:
        return [iterations] if iterations else []
    size = every * max(1, _NOISE_STEPS // every)
    return [min(size, iterations - begin) for begin in range(0, iterations, size)]


def _run_compiled(
    game: Game,
    states: Array,
    rates: Array,
    step: float,
    chunks: list[int],
    every: int,
    alternating: bool,
    noise: float,
    generators: list[np.random.Generator] | None,
    out: Array,
) -> None:
    from taugda import kernels

    advance = kernels.advance(game, alternating)
    silent = np.empty((0, game.n))

    def one(m: int) -> None:
        row = 1
        for steps in chunks:
            kicks = silent
            if generators is not None:
                kicks = noise * generators[m].standard_normal((steps, game.n))
            rows = out[m, row : row + steps // every]
            advance(states[m], rates[m], step, steps, every, kicks, rows)
            row += len(rows)

    _in_threads(one, range(len(states)))


def _run_numpy(
    game: Game,
    states: Array,
    rates: Array,
    step: float,
    chunks: list[int],
    every: int,
    alternating: bool,
    noise: float,
    generators: list[np.random.Generator] | None,
    out: Array,
) -> None:
    n1 = game.n1
    gradient = game.unchecked_gradient
    scale = np.full((len(states), game.n), step)
    scale[:, n1:] *= rates[:, None]
    done = 0
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported afterwards
        for steps in chunks:
            kicks = None
            if generators is not None:
                kicks = np.stack([noise * r.standard_normal((steps, game.n)) for r in generators])
            for k in range(steps):
                kick = 0.0 if kicks is None else kicks[:, k]
                g = gradient(states) + kick
                if alternating:
                    states[:, :n1] -= scale[:, :n1] * g[:, :n1]
                    g = gradient(states) + kick
                    states[:, n1:] -= scale[:, n1:] * g[:, n1:]
                else:
                    states -= scale * g
                done += 1
                if done % every == 0:
                    out[:, done // every] = states


def _checked(
    out: Array, every: int, rates: Array, shape: tuple[int, ...], on_divergence: str
) -> Array:
    bad = ~np.isfinite(out).all(axis=-1)
    if not bad.any():
        return out
    out[np.maximum.accumulate(bad, axis=-1)] = np.nan
    first = np.where(bad.any(axis=-1), bad.argmax(axis=-1) * every, -1)
    worst = np.flatnonzero(first.ravel() >= 0)
    message = (
        f"{len(worst)} of {first.size} trajectories diverged, the first (tau = "
        f"{rates[worst[0]]:g}) by iteration {first.ravel()[worst[0]]}; try a smaller step"
    )
    if on_divergence == "raise":
        raise DivergenceError(message, out, first)
    warnings.warn(message, stacklevel=3)
    return out


def region_of_attraction(
    game: Game,
    attractors: ArrayLike,
    tau: ArrayLike,
    step: float,
    iterations: int,
    bounds: ArrayLike,
    points: int,
    tolerance: float,
    alternating: bool = False,
    *,
    progress: bool = False,
) -> NDArray[np.int64]:
    """Label the points of a grid by the attractor that tau-GDA has reached at the end.

    Parameters
    ----------
    game : Game
        A symbolic game with n1 = n2 = 1.
    attractors : array_like, shape (m, 2)
        Points to be reached; label i stands for ``attractors[i]``.
    tau : array_like
        Timescale separations, greater than 0.
    step : float
        gamma1, player 1's step.
    iterations : int
        Number of steps.
    bounds : array_like, shape (2, 2)
        ((low, high) of x1, (low, high) of x2), both ends on the grid.
    points : int
        Number of grid points along each axis.
    tolerance : float
        Largest distance (periodic where the game is) of the last state from its attractor.
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.
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
    targets = np.atleast_2d(game.point(attractors, "attractors"))
    taus = positives("tau", tau)
    step, tolerance = positive("step", step), positive("tolerance", tolerance)
    iterations, points = count("iterations", iterations), count("points", points, least=2)
    box = finite_array("bounds", bounds)
    if box.shape != (2, 2) or (box[:, 0] >= box[:, 1]).any():
        raise ValueError(
            f"bounds: expected ((low, high), (low, high)) with low < high, got {bounds}"
        )
    from taugda import kernels

    advance = kernels.advance_all(game, alternating)
    x1, x2 = (np.linspace(low, high, points) for low, high in box)
    grid = np.stack(np.meshgrid(x1, x2)).reshape(2, -1)
    states = np.tile(grid, (taus.size, 1, 1))
    # A piece holds every k-th point: slow and quick regions mix, so that pieces take about the
    # same time.
    stride = max(1, grid.shape[1] // _PIECE)
    pieces = [
        (t, slice(offset, None, stride)) for t in range(taus.size) for offset in range(stride)
    ]

    def one(piece: tuple[int, slice]) -> None:
        t, part = piece
        states[t, :, part] = _settle(advance, states[t, :, part], taus.flat[t], step, iterations)

    _in_threads(one, pieces, progress)
    labels = label(game, np.moveaxis(states, 1, -1), targets, tolerance)
    return labels.reshape(*taus.shape, points, points)


def _settle(
    advance: Callable[..., None], columns: Array, tau: float, step: float, iterations: int
) -> Array:
    """Return the states, shape (n, m), after the iterations.

    A state that is bit for bit what it was one round of steps ago repeats for ever.  The odd
    steps are taken first, so that what remains is whole rounds, and such a point already is
    where it will end: it retires, and its label is that of the plain loop.  So do points that
    are no longer finite.
    """
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

    Raises
    ------
    ValueError
        If the number is not positive.

    Examples
    --------
    >>> basin_sizes([[0, 1], [-1, 1]], 2)
    array([1, 2, 1])
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
    nearest = gaps.argmin(axis=-1)
    return np.where(gaps.min(axis=-1) <= tolerance, nearest, -1)


def decay_factor(
    game: Game, path: ArrayLike, target: ArrayLike, *, every: int = 1, floor: float = 1e-10
) -> float:
    """Measure the factor an iteration by which a trajectory approaches a point.

    The distance is first made monotone (at each iteration the largest distance still to come),
    which removes an oscillation's dips; its logarithm is fitted by a straight line over the
    second half of the run above the floor.

    Parameters
    ----------
    game : Game
    path : array_like, shape (stored + 1, n1 + n2)
        From :func:`simulate`.
    target : array_like, shape (n1 + n2,)
        The critical point.
    every : int
        How many iterations lie between two stored states.
    floor : float
        Distances below this (relative to the largest coordinate of the target, at least 1) are
        left out: rounding rules there.

    Returns
    -------
    float
        To be compared with the spectral radius of :func:`taugda.stability.convergence_rate`;
        above 1 for a trajectory that leaves.

    Raises
    ------
    ValueError
        If fewer than 10 stored states lie above the floor.
    """
    gap = np.linalg.norm(game.displacement(game.point(path, "path"), target), axis=-1)
    floor = positive("floor", floor) * max(1.0, float(np.abs(target).max()))
    return decay_of(gap, every=every, floor=floor)


def decay_of(sizes: ArrayLike, *, every: int = 1, floor: float = 1e-10) -> float:
    """Measure the factor an iteration by which a size decays; see :func:`decay_factor`.

    Parameters
    ----------
    sizes : array_like, shape (stored + 1,)
        Distances or errors along a run.
    every : int
        How many iterations lie between two stored states.
    floor : float
        Sizes below this are left out.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If fewer than 10 sizes lie above the floor.
    """
    gap = finite_array("path", sizes, ndim=1)
    above = np.flatnonzero(gap > floor)
    if len(above) < 10:
        raise ValueError(f"path: expected at least 10 states above {floor:g}, got {len(above)}")
    gap = gap[: above[-1] + 1]
    if gap[-1] < gap[0]:
        gap = np.maximum.accumulate(gap[::-1])[::-1]
    else:
        gap = np.maximum.accumulate(gap)
    half = len(gap) // 2
    slope = np.polyfit(np.arange(half, len(gap)) * every, np.log(gap[half:]), 1)[0]
    return float(np.exp(slope))


def iterations_to_reach(
    game: Game, path: ArrayLike, target: ArrayLike, accuracy: float, *, every: int = 1
) -> int | None:
    """Return the first stored iteration from which a trajectory stays within an accuracy.

    Parameters
    ----------
    game : Game
    path : array_like, shape (stored + 1, n1 + n2)
    target : array_like, shape (n1 + n2,)
    accuracy : float
        Largest Euclidean distance from the target.
    every : int
        How many iterations lie between two stored states.

    Returns
    -------
    int or None
        None where the trajectory is not within the accuracy at its end.
    """
    gap = np.linalg.norm(game.displacement(game.point(path, "path"), target), axis=-1)
    outside = np.flatnonzero(~(gap <= positive("accuracy", accuracy)))
    first = 0 if not len(outside) else int(outside[-1]) + 1
    return first * every if first < len(gap) else None


def _in_threads(
    work: Callable[[Any], None],
    items: Iterable[Any],
    progress: bool = False,
) -> None:
    """Run compiled work, which holds no interpreter lock, on this process's share of the cores.

    ``TAUGDA_THREADS`` is that share; the batch runner sets it when it runs several notebooks.
    """
    threads = int(os.environ.get("TAUGDA_THREADS") or len(os.sched_getaffinity(0)))
    items = list(items)
    with ThreadPoolExecutor(max(1, min(threads, len(items)))) as pool:
        done = pool.map(work, items)
        # The bar goes when the work is done, so that no page keeps it.
        for _ in tqdm(done, total=len(items), disable=not progress, leave=False):
            pass
