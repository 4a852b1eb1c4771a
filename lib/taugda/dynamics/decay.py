"""How fast a trajectory comes near a point, and how often it winds."""

import math

import numpy as np
from numpy.typing import ArrayLike

from taugda.checks import Array, finite_array, positive
from taugda.dynamics.trajectories import simulate
from taugda.games import Game

_NEAR = 1e-4  # the largest distance in runs that `measure_radius` makes; the error's order


def decay_factor(
    game: Game, path: ArrayLike, target: ArrayLike, *, every: int = 1, floor: float = 1e-10
) -> float:
    """Measure the factor an iteration by which a trajectory approaches a point.

    Parameters
    ----------
    game : Game
    path : array_like, shape (stored + 1, n1 + n2)
        From :func:`simulate`.
    target : array_like, shape (n1 + n2,)
        The critical point.
    every, floor
        As :func:`decay_of` takes them; the floor times the target's largest coordinate, if over 1.

    Returns
    -------
    float
        To be compared with :func:`taugda.stability.spectral_radius`; above 1 where the run leaves.
    """
    floor = positive("floor", floor) * max(1.0, float(np.abs(target).max()))
    return decay_of(_distances(game, path, target), every=every, floor=floor)


def decay_of(sizes: ArrayLike, *, every: int = 1, floor: float = 1e-10) -> float:
    """Measure the factor an iteration by which a size decays.

    Parameters
    ----------
    sizes : array_like, shape (stored + 1,)
        Distances or errors along a run.
    every : int
        How many iterations lie between two stored states.
    floor : float
        Sizes below this are left out, as rounding.

    Returns
    -------
    float
        From a straight line through the logarithms over the second half above the floor.

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
    # At each iteration the largest size still to come: without an oscillation's dips.
    onward = slice(None, None, -1 if gap[-1] < gap[0] else 1)
    gap = np.maximum.accumulate(gap[onward])[onward]
    half = len(gap) // 2
    slope = np.polyfit(np.arange(half, len(gap)) * every, np.log(gap[half:]), 1)[0]
    return float(np.exp(slope))


def rate_error(measured: float, predicted: float) -> float:
    """Return the relative error of a measured decay rate.

    Parameters
    ----------
    measured, predicted : float
        Factors an iteration, greater than 0.

    Returns
    -------
    float
        |log(measured) / log(predicted) - 1|: 0.01 if 1% more or fewer iterations are needed.

    Raises
    ------
    ValueError
        If a factor is not positive or ``predicted`` is 1.
    """
    if positive("predicted", predicted) == 1:
        raise ValueError("predicted: expected a factor other than 1, which is no decay")
    return float(abs(np.log(positive("measured", measured)) / np.log(predicted) - 1))


def iterations_to_reach(
    game: Game, path: ArrayLike, target: ArrayLike, accuracy: float
) -> int | None:
    """Return the iteration from which a trajectory, stored whole, stays within an accuracy.

    Parameters
    ----------
    game, path, target
        As :func:`decay_factor` takes them.
    accuracy : float
        Largest Euclidean distance from the target.

    Returns
    -------
    int or None
        None where the trajectory is not within the accuracy at its end.
    """
    outside = ~(_distances(game, path, target) <= positive("accuracy", accuracy))
    first = int(np.flatnonzero(outside).max(initial=-1)) + 1
    return first if first < len(outside) else None


def _distances(game: Game, path: ArrayLike, target: ArrayLike) -> Array:
    return np.linalg.norm(game.displacement(game.point(path, "path"), target), axis=-1)


def measure_radius(
    game: Game, target: ArrayLike, tau: float, step: float, predicted: float, *,
    alternating: bool = False, folds: float = 4.0,
) -> float:  # fmt: skip
    """Measure on trajectories by what factor an iteration approaches a critical point.

    One trajectory starts at a small displacement along each coordinate.  The matrix that takes
    the starts to the ends after k iterations has the spectral radius rho^k, even where two modes
    are equally slow, which a line fitted to one trajectory's distance hardly resolves.

    Parameters
    ----------
    game : Game
    target : array_like, shape (n1 + n2,)
        The critical point.
    tau, step : float
        Timescale separation and player 1's step gamma1, greater than 0.
    predicted : float
        The spectral radius expected, not 1: it sets how long the runs are and where they begin.
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.
    folds : float
        By how many powers of e the distance is predicted to change.

    Returns
    -------
    float
        rho, above 1 where the runs leave the point.

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    if positive("predicted", predicted) == 1:
        raise ValueError("predicted: expected a factor other than 1, with which no run ends")
    point = game.point(target, "target")
    iterations = math.ceil(positive("folds", folds) / abs(math.log(predicted)))
    size = _NEAR * min(1.0, predicted**-iterations)
    starts = point + size * np.eye(game.n)
    path = simulate(game, starts, tau, step, iterations, alternating, every=iterations)
    after = game.displacement(path[:, -1], point).T / size
    return float(np.abs(np.linalg.eigvals(after)).max() ** (1 / iterations))


def turns(game: Game, path: ArrayLike) -> Array:
    """Count the net revolutions of each periodic coordinate along a trajectory.

    Parameters
    ----------
    game : Game
    path : array_like, shape (..., stored + 1, n1 + n2)
        From :func:`simulate`, whose coordinates are not wrapped.

    Returns
    -------
    ndarray, shape (..., n1 + n2)
        The change of each coordinate over its period; nan for coordinates on the line.
    """
    states = game.point(path, "path")
    periods = np.array([np.nan if p is None else float(p) for p in game.periods])
    return (states[..., -1, :] - states[..., 0, :]) / periods


def turns_around(game: Game, path: ArrayLike, centre: ArrayLike) -> float:
    """Count the largest net angle, in turns without sign, that a plane trajectory turns by.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1.
    path : array_like, shape (stored + 1, 2)
        Stored so densely that no two states in a row are half a turn apart.
    centre : array_like, shape (2,)
        The point around which it turns.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the game does not have two coordinates.
    """
    if (game.n1, game.n2) != (1, 1):
        raise ValueError(f"game: expected one with n1 = n2 = 1, got {game!r}")
    gap = game.displacement(game.point(path, "path"), game.point(centre, "centre"))
    return float(np.ptp(np.unwrap(np.arctan2(gap[:, 1], gap[:, 0]))) / (2 * np.pi))
