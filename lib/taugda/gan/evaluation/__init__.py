"""How close generated pictures come to real ones."""

from taugda.gan.evaluation.frechet import Statistics, frechet_distance, statistics
from taugda.gan.evaluation.inception import WeightsError
from taugda.gan.evaluation.scorers import Scorer, fixed_latents, scorer

__all__ = [
    "Scorer",
    "Statistics",
    "WeightsError",
    "fixed_latents",
    "frechet_distance",
    "scorer",
    "statistics",
]
