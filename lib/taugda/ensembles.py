"""Random Jacobian blocks, on which theorems are tried out."""

import numpy as np

from taugda.blocks import Blocks
from taugda.checks import count

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
    """
    n1, n2 = count("n1", n1), count("n2", n2)
    a11, a12, a22 = (rng.standard_normal(shape) for shape in ((n1, n1), (n1, n2), (n2, n2)))
    return Blocks((a11 + a11.T) / 2, a12, (a22 + a22.T) / 2)


def random_dse(n1: int, n2: int, rng: np.random.Generator) -> Blocks:
    """Draw the blocks of a differential Stackelberg equilibrium, as a rule no Nash equilibrium.

    Parameters
    ----------
    n1, n2 : int
        Numbers of coordinates of the players.
    rng : numpy.random.Generator

    Returns
    -------
    Blocks
        A22 and S1 drawn with eigenvalues of 0.1 or more, A12 normal, A11 = S1 - A12 A22^{-1} A12^T.
    """
    n1, n2 = count("n1", n1), count("n2", n2)
    a22, s1 = (a @ a.T for a in (rng.standard_normal((n, n)) for n in (n2, n1)))
    a22, s1 = a22 + 0.1 * np.eye(n2), s1 + 0.1 * np.eye(n1)
    a12 = rng.standard_normal((n1, n2))
    a11 = s1 - a12 @ np.linalg.solve(a22, a12.T)
    return Blocks((a11 + a11.T) / 2, a12, a22)
