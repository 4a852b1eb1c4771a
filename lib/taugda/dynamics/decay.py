"""How fast a trajectory comes near a point."""

import math

import numpy as np
from numpy.typing import ArrayLike

from taugda.checks import finite_array, positive
from taugda.dynamics.trajectories import simulate
from taugda.games import Game

__all__ = ["decay_factor", "decay_of", "iterations_to_reach", "measure_radius", "rate_error"]


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


def rate_error(measured: float, predicted: float) -> float:
    """Return the relative error of a measured decay rate.

    Parameters
    ----------
    measured, predicted : float
        Factors an iteration, greater than 0 and ``predicted`` not 1: from
        :func:`decay_factor`, and the spectral radius of
        :func:`taugda.stability.convergence_rate`.

    Returns
    -------
    float
        |log(measured) / log(predicted) - 1|; 0.01 means that 1% more or fewer iterations are
        needed for the same accuracy than predicted.

    Raises
    ------
    ValueError
        If a factor is not positive or ``predicted`` is 1.
    """
    measured, predicted = positive("measured", measured), positive("predicted", predicted)
    if predicted == 1:
        raise ValueError("predicted: expected a factor other than 1, which is no decay")
    return float(abs(np.log(measured) / np.log(predicted) - 1))


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


def measure_radius(
    game: Game,
    target: ArrayLike,
    tau: float,
    step: float,
    predicted: float,
    *,
    alternating: bool = False,
    distance: float = 1e-4,
    folds: float = 4.0,
) -> float:
    """Measure on trajectories by what factor an iteration approaches a critical point.

    One trajectory starts at a small displacement along each coordinate.  The matrix that takes
    the starts to the ends after k iterations has the spectral radius rho^k, so rho is found
    where two modes are equally slow or turn slowly, which a line fitted to one trajectory's
    distance resolves only after very long.

    Parameters
    ----------
    game : Game
    target : array_like, shape (n1 + n2,)
        The critical point.
    tau : float
        Timescale separation, greater than 0.
    step : float
        gamma1, player 1's step; player 2's is tau gamma1.
    predicted : float
        The spectral radius that is expected, greater than 0 and not 1.  It only sets how many
        iterations are run, and how near the point the runs begin.
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.
    distance : float
        The largest distance from the point in runs that go as predicted: small enough for the
        linearization to hold, the error is of this order.
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
    DivergenceError
        If a run leaves the floating-point numbers.

    Examples
    --------
    >>> from taugda import games
    >>> round(measure_radius(games.dirac_gan(1), [0, 0], 1.0, 0.1, 0.95), 4)
    0.95
    """
    predicted = positive("predicted", predicted)
    if predicted == 1:
        raise ValueError("predicted: expected a factor other than 1, with which no run ends")
    distance, folds = positive("distance", distance), positive("folds", folds)
    point = game.point(target, "target")
    iterations = math.ceil(folds / abs(math.log(predicted)))
    size = distance * min(1.0, predicted**-iterations)
    starts = point + size * np.eye(game.n)
    path = simulate(game, starts, tau, step, iterations, alternating, every=iterations)
    after = game.displacement(path[:, -1], point).T / size
    return float(np.abs(np.linalg.eigvals(after)).max() ** (1 / iterations))
