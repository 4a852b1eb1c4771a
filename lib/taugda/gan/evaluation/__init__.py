"""How close generated pictures come to real ones."""

from taugda.gan.evaluation.frechet import Statistics, frechet_distance, statistics
from taugda.gan.evaluation.quantize import quantize
from taugda.gan.evaluation.scorers import fixed_latents, scorer

__all__ = ["Statistics", "fixed_latents", "frechet_distance", "quantize", "scorer", "statistics"]
