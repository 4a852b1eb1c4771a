"""Distances between generated and real pictures, each under its own name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taugda.checks import count
from taugda.gan.data.images import Images, prepare
from taugda.gan.evaluation.features import FEATURES, train_classifier
from taugda.gan.evaluation.frechet import Statistics, frechet_distance, statistics

__all__ = ["DISTANCES", "FeatureScorer", "fixed_latents", "quantize", "scorer"]

DISTANCES = ("digits", "classifier", "pixels", "fid")
Extract = Callable[[Tensor], NDArray[np.float64]]


def fixed_latents(samples: int, dimension: int, seed: int = 0) -> Tensor:
    """Draw the latent vectors that every evaluation uses.

    Parameters
    ----------
    samples : int
        How many.
    dimension : int
        Of each.
    seed : int
        Of the draw.

    Returns
    -------
    Tensor, shape (samples, dimension)
        Standard normal numbers, on the CPU, the same on every device.
    """
    size = count("samples", samples), count("dimension", dimension)
    return torch.randn(size, generator=torch.Generator().manual_seed(count("seed", seed, least=0)))


def quantize(pictures: Tensor) -> Tensor:
    """Round pictures to eight bits a channel, as a picture file would.

    Parameters
    ----------
    pictures : Tensor
        Numbers in [-1, 1]; what lies outside is cut off.

    Returns
    -------
    Tensor of uint8
        0 for -1, 255 for 1, rounded to the nearest.
    """
    return pictures.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)


class FeatureScorer:
    """Fréchet distances to real pictures, in units of the real pictures' own spread.

    Parameters
    ----------
    name : str
        What the distance is called.
    real : mapping of str to Statistics
        Of the real pictures' features, by the distance's name.
    extract : mapping of str to callable
        From pictures in eight bits to features, by the distance's name.
    provenance : dict
        Where it came from.

    Attributes
    ----------
    name, label, unit : str
        The distance's name, the same with its unit for an axis, and its definition in words.
    """

    unit = "100 times Fréchet's distance over the trace of the real pictures' covariance"

    def __init__(
        self,
        name: str,
        real: Mapping[str, Statistics],
        extract: Mapping[str, Extract],
        provenance: dict[str, Any],
    ) -> None:
        self.name, self.provenance = name, provenance
        self.label = f"{name} (100: the real spread)"
        self._real, self._extract = real, extract

    def score(self, pictures: Tensor) -> dict[str, float]:
        """Return the distances of generated pictures.

        Parameters
        ----------
        pictures : Tensor, shape (n, channels, h, w)
            Numbers in [-1, 1], on any device; rounded to eight bits first.

        Returns
        -------
        dict of str to float
            By name.
        """
        rounded = quantize(pictures)
        return {
            name: relative(statistics(extract(rounded)), self._real[name])
            for name, extract in self._extract.items()
        }


def relative(a: Statistics, real: Statistics) -> float:
    """Return 100 times Fréchet's distance over the real features' spread.

    Parameters
    ----------
    a, real : Statistics
        Of two sets of features.

    Returns
    -------
    float
        100 d^2 / tr(C_real).
    """
    return 100 * frechet_distance(a, real) / float(np.trace(real.covariance))


def _pixels(pictures: Tensor) -> NDArray[np.float64]:
    return pictures.flatten(1).double().cpu().numpy() / 127.5 - 1


def scorer(
    distance: str,
    images: Images,
    *,
    count: int,
    seed: int = 0,
    flip: bool = False,
    noise: float = 0.0,
    weights: str | None = None,
    device: str = "cpu",
    cache: Path | None = None,
) -> Any:
    """Make the distance that a run is scored by.

    Parameters
    ----------
    distance : {"digits", "classifier", "pixels", "fid"}
        Fréchet's on the features of a small classifier trained on the same pictures ("digits"
        where these are the digits), on the pixels alone, or on Inception's features (FID).
    images : Images
        The real pictures.
    count : int
        How many of them are compared with.
    seed : int
        Of their draw, their preprocessing and the classifier.
    flip, noise : bool, float
        Preprocessing of the real pictures for FID, as in training.
    weights : str, optional
        File of the Inception weights.
    device : str
        Where features are computed.
    cache : Path, optional
        Folder for what is made once.

    Returns
    -------
    Scorer
        With ``name``, ``label``, ``unit``, ``provenance`` and ``score(pictures)``.

    Raises
    ------
    ValueError
        If the distance is unknown or there are too few pictures.
    """
    n = len(images.pixels)
    if distance not in DISTANCES:
        raise ValueError(f"distance: expected one of {', '.join(DISTANCES)}, got {distance!r}")
    if not 2 <= count <= n:
        raise ValueError(f"count: expected from 2 to the {n} real pictures, got {count}")
    if distance == "digits" and images.name != "digits":
        raise ValueError(f"distance: digits is for the data set digits, got {images.name!r}")
    random = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(n, generator=random)[:count] if count < n else torch.arange(n)
    provenance: dict[str, Any] = {"data": images.digest, "real_pictures": count, "seed": seed}
    pixels = images.pixels[chosen]
    real = quantize(prepare(pixels, images.levels, random, False, 0.0))
    extract: dict[str, Extract] = {}
    name = "pixel distance"
    if distance != "pixels":
        trained = train_classifier(images, seed, cache)
        name = f"{distance} distance"
        network = trained.network.to(device)

        def features(pictures: Tensor) -> NDArray[np.float64]:
            parts = pictures.to(device).split(1000)
            with torch.no_grad():
                found = [network.features(part.float().div(127.5).sub(1)) for part in parts]
            return torch.cat(found).double().cpu().numpy()

        extract[name] = features
        provenance |= {
            "classifier": trained.digest, "accuracy": trained.accuracy, "held_out": trained.held_out,
            "features": FEATURES,
        }  # fmt: skip
    extract["pixel distance"] = _pixels
    stats = {key: statistics(take(real)) for key, take in extract.items()}
    provenance |= _yardsticks(
        extract[name],
        real,
        None if images.labels is None else images.labels[chosen],
        stats[name],
        random,
    )
    return FeatureScorer(name, stats, extract, provenance)


def _yardsticks(
    extract: Extract,
    real: Tensor,
    labels: Tensor | None,
    whole: Statistics,
    random: torch.Generator,
) -> dict[str, float]:
    """Distances that tell what a number means: two halves, and one class left out."""
    first, second = real[torch.randperm(len(real), generator=random)].chunk(2)
    a, b = statistics(extract(first)), statistics(extract(second))
    found = {"two_halves": relative(a, b)}
    if labels is not None:
        left = [relative(statistics(extract(real[labels != k])), whole) for k in labels.unique()]
        found["one_class_left_out"] = float(np.median(left))
    return found
