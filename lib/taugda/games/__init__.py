"""Two-player games, each defined once, in SymPy.

A zero-sum game is a function f(x1, x2): player 1 chooses x1 in R^n1 to minimize it, player 2
chooses x2 in R^n2 to maximize it.  From f come the vector field g(x) = (D1 f, -D2 f), the
blocks of its Jacobian, LaTeX, and compiled NumPy functions over many points at once.  A point
is one array of n1 + n2 coordinates, player 1's first.

Source of the games: the experiments of Fiez & Ratliff (2021), with the parameters of the
authors' notebooks (github.com/fiezt/Finite-Learning-Ratio) as defaults; the realizable GAN is
ours.
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

__all__ = [
    "Blocks",
    "Game",
    "covariance_errors",
    "covariance_gan",
    "covariance_sample",
    "dirac_gan",
    "exact",
    "nonequilibrium",
    "polynomial",
    "quadratic",
    "realizable_gan",
    "realizable_gan_matrices",
    "torus",
]
