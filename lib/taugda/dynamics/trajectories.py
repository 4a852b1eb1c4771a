"""Trajectories of tau-GDA."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from taugda.checks import Array, count, positive, positives
from taugda.games import Game

_NOISE_STEPS = 65_536  # drawn at a time, so that memory does not grow with the run


class DivergenceError(ArithmeticError):
    """A trajectory left the floating-point numbers.

    ``trajectory`` is what :func:`simulate` would have returned, with nan from the divergence on;
    ``iterations`` each run's first stored iteration that is not finite, -1 where there is none.
    """

    def __init__(self, message: str, trajectory: Array, iterations: NDArray[np.int64]) -> None:
        super().__init__(message)
        self.trajectory = trajectory
        self.iterations = iterations


def simulate(
    game: Game, x0: ArrayLike, tau: ArrayLike, step: float, iterations: int,
    alternating: bool = False, *, every: int = 1, noise: float = 0.0,
    rng: np.random.Generator | None = None, on_divergence: str = "raise",
) -> Array:  # fmt: skip
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
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.
    every : int
        Only every such state is stored.
    noise : float
        Standard deviation of the normal noise added to each component of g; 0 for exact gradients.
    rng : numpy.random.Generator, optional
        Required where there is noise; each trajectory gets a generator of its own, spawned from it.
    on_divergence : {"raise", "warn"}
        "warn" returns a run that leaves the floating-point numbers with nan from there on.

    Returns
    -------
    ndarray, shape (..., iterations // every + 1, n1 + n2)
        The start first.  Periodic coordinates are not wrapped, so that windings show.

    Raises
    ------
    ValueError
        If an argument is out of range or a start has the wrong length.
    DivergenceError
        If a trajectory diverges and ``on_divergence`` is "raise".
    """
    starts, taus, step = game.point(x0, "x0"), positives("tau", tau), positive("step", step)
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
    # Runs that end on stored states; a single one if there is no noise to draw.
    size = every * max(1, _NOISE_STEPS // every) if noise else max(iterations, 1)
    chunks = [min(size, iterations - begin) for begin in range(0, iterations, size)]
    generators = rng.spawn(len(states)) if noise and rng is not None else []

    def kicks(m: int, steps: int) -> Array:
        """Return the noise of run m, no rows where there is none."""
        shape = (steps if noise else 0, game.n)
        return noise * generators[m].standard_normal(shape) if noise else np.empty(shape)

    run = _run_compiled if game.symbolic else _run_numpy
    run(game, alternating, states, rates, step, chunks, every, kicks, out)
    return _checked(out.reshape(*shape, -1, game.n), every, rates, on_divergence)


def in_threads(work: Callable[[Any], None], items: Iterable[Any], progress: bool = False) -> None:
    """Run compiled work, which holds no interpreter lock, in as many threads as there are cores."""
    # Beside another notebook too: they wait for nothing, so the system shares the cores out well.
    items, places = list(items), getattr(os, "sched_getaffinity", None)  # not on macOS
    threads = len(places(0)) if places else os.cpu_count() or 1
    with ThreadPoolExecutor(max(1, min(threads, len(items)))) as pool:
        done = pool.map(work, items)
        # The bar goes when the work is done, so that no page keeps it.  JupyterLab sets what comes
        # by way of stderr on pink.
        list(tqdm(done, total=len(items), disable=not progress, leave=False, file=sys.stdout))


def _run_compiled(
    game: Game, alternating: bool, states: Array, rates: Array, step: float,
    chunks: Sequence[int], every: int, kicks: Callable[[int, int], Array], out: Array,
) -> None:  # fmt: skip
    from taugda.dynamics import kernels

    advance = kernels.advance(game, alternating)

    def one(m: int) -> None:
        row = 1
        for steps in chunks:
            rows = out[m, row : row + steps // every]
            advance(states[m], rates[m], step, steps, every, kicks(m, steps), rows)
            row += len(rows)

    in_threads(one, range(len(states)))


def _run_numpy(
    game: Game, alternating: bool, states: Array, rates: Array, step: float,
    chunks: Sequence[int], every: int, kicks: Callable[[int, int], Array], out: Array,
) -> None:  # fmt: skip
    first, second, gradient = slice(game.n1), slice(game.n1, game.n), game.unchecked_gradient
    speed = np.full((len(states), game.n), step)
    speed[:, second] *= rates[:, None]
    done = 0
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported afterwards
        for steps in chunks:
            noise = np.stack([kicks(m, steps) for m in range(len(states))], axis=1)
            for k in range(steps):
                kick = noise[k] if len(noise) else 0.0
                g = gradient(states) + kick
                if alternating:
                    states[:, first] -= speed[:, first] * g[:, first]
                    g = gradient(states) + kick
                    states[:, second] -= speed[:, second] * g[:, second]
                else:
                    states -= speed * g
                done += 1
                if done % every == 0:
                    out[:, done // every] = states


def _checked(out: Array, every: int, rates: Array, on_divergence: str) -> Array:
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
