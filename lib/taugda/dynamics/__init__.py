"""tau-GDA as the players run it: trajectories and regions of attraction.

One step is x <- x - gamma1 Lambda_tau g(x): player 1 moves by gamma1, player 2 by gamma2 =
tau gamma1.  Simultaneous steps take both gradients at the old point, as the theory does;
alternating steps take player 2's at player 1's new point, as the paper's torus runs and its
regions of attraction do.
"""

# isort: skip_file
from taugda.dynamics.decay import (
    decay_factor, decay_of, iterations_to_reach, measure_radius, rate_error, turns, turns_around,
)  # fmt: skip
from taugda.dynamics.regions import basin_sizes, label, region_of_attraction
from taugda.dynamics.trajectories import DivergenceError, simulate

__all__ = [
    "DivergenceError", "basin_sizes", "decay_factor", "decay_of", "iterations_to_reach", "label",
    "measure_radius", "rate_error", "region_of_attraction", "simulate", "turns", "turns_around",
]  # fmt: skip
