"""How close generated pictures come to real ones."""

from taugda.gan.distances.frechet import Statistics, frechet_distance, statistics
from taugda.gan.distances.scorers import Scorer, fixed_latents, quantize, scorer

__all__ = [
    "Scorer", "Statistics", "fixed_latents", "frechet_distance", "quantize", "scorer", "statistics",
]  # fmt: skip
