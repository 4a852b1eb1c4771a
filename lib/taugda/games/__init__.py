"""Two-player games, each defined once, in SymPy.

A zero-sum game is a function f(x1, x2): player 1 chooses x1 in R^n1 to minimize it, player 2
chooses x2 in R^n2 to maximize it.  From f come g(x) = (D1 f, -D2 f), the blocks of its Jacobian
and compiled functions.  A point is one array of n1 + n2 coordinates, player 1's first.
"""

from taugda.blocks import Blocks
from taugda.games.exact_numbers import exact
from taugda.games.game import Game
from taugda.games.paper import (
    covariance_errors,
    covariance_gan,
    covariance_sample,
    dirac_gan,
    nonequilibrium,
    polynomial,
    quadratic,
    torus,
)
from taugda.games.realizable import realizable_gan, realizable_gan_matrices
from taugda.games.text import game_from_text

__all__ = [
    "Blocks", "Game", "covariance_errors", "covariance_gan", "covariance_sample", "dirac_gan",
    "exact", "game_from_text", "nonequilibrium", "polynomial", "quadratic", "realizable_gan",
    "realizable_gan_matrices", "torus",
]  # fmt: skip
