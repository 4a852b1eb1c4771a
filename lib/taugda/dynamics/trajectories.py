"""Trajectories of tau-GDA."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from taugda.checks import Array, count, positive, positives
from taugda.games import Game


class DivergenceError(ArithmeticError):
    """A trajectory left the floating-point numbers."""


def simulate(
    game: Game, x0: ArrayLike, tau: ArrayLike, step: float, iterations: int,
    alternating: bool = False, *, every: int = 1, on_divergence: str = "raise",
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
    if game.symbolic:
        from taugda.dynamics import kernels

        advance = kernels.advance(game, alternating)

        def one(m: int) -> None:
            advance(states[m], rates[m], step, iterations, every, out[m, 1:])

        in_threads(one, range(len(states)))
    else:
        _run_numpy(game, alternating, states, rates, step, every, out)
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


def _run_numpy(
    game: Game, alternating: bool, states: Array, rates: Array, step: float, every: int, out: Array
) -> None:
    gradient, speed = game.unchecked_gradient, np.full((len(states), game.n), step)
    speed[:, game.n1 :] *= rates[:, None]
    players = [slice(game.n1), slice(game.n1, game.n)] if alternating else [slice(game.n)]
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported afterwards
        for k in range(1, out.shape[1]):
            for own in players * every:
                states[:, own] -= speed[:, own] * gradient(states)[:, own]
            out[:, k] = states


def _checked(out: Array, every: int, rates: Array, on_divergence: str) -> Array:
    bad = ~np.isfinite(out).all(axis=-1)
    if not bad.any():
        return out
    out[np.maximum.accumulate(bad, axis=-1)] = np.nan
    bad = bad.reshape(len(rates), -1)
    worst = np.flatnonzero(bad.any(axis=1))
    message = (
        f"{len(worst)} of {len(bad)} trajectories diverged, the first (tau = {rates[worst[0]]:g}) "
        f"by iteration {bad[worst[0]].argmax() * every}; try a smaller step"
    )
    if on_divergence == "raise":
        raise DivergenceError(message)
    warnings.warn(message, stacklevel=3)
    return out
