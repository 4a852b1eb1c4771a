"""Trajectories of tau-GDA."""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from taugda.checks import Array, count, positive, positives
from taugda.dynamics.threads import in_threads
from taugda.games import Game

__all__ = ["DivergenceError", "simulate"]


# Noise is drawn for so many steps at a time, so that memory does not grow with the run.
_NOISE_STEPS = 65_536


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
    from taugda.dynamics import kernels

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

    in_threads(one, range(len(states)))


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
