"""How close generated pictures come to real ones."""

from taugda.gan.evaluation.frechet import Statistics, frechet_distance, statistics
from taugda.gan.evaluation.scorers import fixed_latents, quantize, scorer

__all__ = ["Statistics", "fixed_latents", "frechet_distance", "quantize", "scorer", "statistics"]
