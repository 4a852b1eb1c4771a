"""Random Jacobian blocks, on which theorems are tried out."""

import numpy as np
from numpy.typing import NDArray

from taugda.blocks import Blocks
from taugda.checks import count, positive

__all__ = ["random_blocks", "random_dse"]


def random_blocks(n1: int, n2: int, rng: np.random.Generator) -> Blocks:
    """Draw blocks with normal entries: a critical point of any kind, rarely an equilibrium.

    Parameters
    ----------
    n1, n2 : int
        Numbers of coordinates of the players.
    rng : numpy.random.Generator

    Returns
    -------
    Blocks
        A11 and A22 are symmetrized.

    Raises
    ------
    ValueError
        If a dimension is not positive.
    """
    n1, n2 = count("n1", n1), count("n2", n2)
    return Blocks(_symmetric(n1, rng), rng.standard_normal((n1, n2)), _symmetric(n2, rng))


def random_dse(
    n1: int, n2: int, rng: np.random.Generator, least: float = 0.1, coupling: float = 1.0
) -> Blocks:
    """Draw the blocks of a differential Stackelberg equilibrium.

    A22 and the Schur complement S1 are drawn positive definite, A12 normal, and A11 is what
    makes them fit, A11 = S1 - A12 A22^{-1} A12^T; as a rule it is indefinite, so that the
    point is no Nash equilibrium.

    Parameters
    ----------
    n1, n2 : int
        Numbers of coordinates of the players.
    rng : numpy.random.Generator
    least : float
        The smallest eigenvalue that A22 and S1 may have, greater than 0.
    coupling : float
        Scale of A12, greater than 0.

    Returns
    -------
    Blocks

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    n1, n2 = count("n1", n1), count("n2", n2)
    least, coupling = positive("least", least), positive("coupling", coupling)
    a22, s1 = _definite(n2, least, rng), _definite(n1, least, rng)
    a12 = coupling * rng.standard_normal((n1, n2))
    a11 = s1 - a12 @ np.linalg.solve(a22, a12.T)
    return Blocks((a11 + a11.T) / 2, a12, a22)


def _symmetric(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    a = rng.standard_normal((n, n))
    return (a + a.T) / 2


def _definite(n: int, least: float, rng: np.random.Generator) -> NDArray[np.float64]:
    a = rng.standard_normal((n, n))
    return a @ a.T + least * np.eye(n)
