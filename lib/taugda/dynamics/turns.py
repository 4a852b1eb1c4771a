"""How often a trajectory winds: around a period, or around a point."""

import numpy as np
from numpy.typing import ArrayLike

from taugda.checks import Array
from taugda.games import Game

__all__ = ["turns", "turns_around"]


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

    Raises
    ------
    ValueError
        If a state has the wrong length or is not finite.
    """
    states = game.point(path, "path")
    periods = np.array([np.nan if p is None else float(p) for p in game.periods])
    return (states[..., -1, :] - states[..., 0, :]) / periods


def turns_around(game: Game, path: ArrayLike, centre: ArrayLike) -> float:
    """Count the largest net angle that a trajectory in the plane turns around a point.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1.
    path : array_like, shape (stored + 1, 2)
        Stored so densely that no two states in a row are half a turn apart.
    centre : array_like, shape (2,)

    Returns
    -------
    float
        In turns, without sign.

    Raises
    ------
    ValueError
        If the game does not have two coordinates or a state is not finite.
    """
    if (game.n1, game.n2) != (1, 1):
        raise ValueError(f"game: expected one with n1 = n2 = 1, got {game!r}")
    gap = game.displacement(game.point(path, "path"), game.point(centre, "centre"))
    return float(np.ptp(np.unwrap(np.arctan2(gap[:, 1], gap[:, 0]))) / (2 * np.pi))
