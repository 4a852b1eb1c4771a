"""Distances between generated and real pictures, each under its own name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taugda.checks import count as _size
from taugda.gan.data.images import Images, prepare
from taugda.gan.evaluation import inception
from taugda.gan.evaluation.features import FEATURES, full_float32, train_classifier
from taugda.gan.evaluation.frechet import Statistics, frechet_distance, statistics
from taugda.gan.evaluation.quantize import quantize

__all__ = ["DISTANCES", "FeatureScorer", "Scorer", "fixed_latents", "relative", "scorer"]

DISTANCES = ("digits", "classifier", "pixels", "fid")
_SPLITS = 20  # random halves of the real pictures whose distance is averaged
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
    size = _size("samples", samples), _size("dimension", dimension)
    return torch.randn(size, generator=torch.Generator().manual_seed(_size("seed", seed, least=0)))


class Scorer(Protocol):
    """A distance between generated and real pictures.

    Attributes
    ----------
    name, label, unit : str
        What the distance is called, the same for an axis, and its definition in words.
    provenance : dict
        What it depends on.
    """

    name: str
    label: str
    unit: str
    provenance: dict[str, Any]

    def score(self, pictures: Tensor) -> dict[str, float]:
        """Return distances by name.

        Parameters
        ----------
        pictures : Tensor, shape (n, channels, h, w)
            Numbers in [-1, 1].

        Returns
        -------
        dict of str to float
        """
        ...


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
    samples: int,
    seed: int = 0,
    flip: bool = False,
    noise: float = 0.0,
    weights: str | None = None,
    device: str = "cpu",
    cache: Path | None = None,
) -> Scorer:
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
    samples : int
        How many generated pictures will be compared; too few are refused before any training.
    seed : int
        Of their draw, their preprocessing and the classifier.
    flip, noise : bool, float
        Preprocessing of the real pictures for FID, as in training.
    weights : str, optional
        File of the Inception weights, for FID; fetched once if none is given.
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
        If the distance is unknown, means nothing on these pictures, or there are too few
        pictures, real or generated.
    DataError
        If the Inception weights cannot be had.
    """
    _size("samples", samples)
    _size("count", count)
    n = len(images.pixels)
    if distance not in DISTANCES:
        raise ValueError(f"distance: expected one of {', '.join(DISTANCES)}, got {distance!r}")
    if not 2 <= count <= n:
        raise ValueError(f"count: expected from 2 to the {n} real pictures, got {count}")
    if distance == "fid":
        return _fid(images, count, samples, seed, flip, noise, weights, device, cache)
    if samples < 2:
        raise ValueError(f"samples: expected at least 2 generated pictures, got {samples}")
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
        trained = train_classifier(images, seed, cache, device)
        name = f"{distance} distance"
        network = trained.network.to(device)

        def features(pictures: Tensor) -> NDArray[np.float64]:
            parts = pictures.to(device).split(1000)
            with torch.no_grad(), full_float32():
                found = [network.features(part.float().div(127.5).sub(1)) for part in parts]
            return torch.cat(found).double().cpu().numpy()

        extract[name] = features
        provenance |= {
            "classifier": trained.digest, "accuracy": trained.accuracy,
            "held_out": trained.held_out, "features": FEATURES,
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


def _fid(
    images: Images,
    count: int,
    samples: int,
    seed: int,
    flip: bool,
    noise: float,
    weights: str | None,
    device: str,
    cache: Path | None,
) -> inception.FID:
    least = inception.FEATURES
    if images.pixels.shape[1] != 3:
        raise ValueError(
            f"distance: fid is for photographs in colour; Inception's features mean nothing on "
            f"{images.name}, take another such as digits or pixels"
        )
    for name, given in (("count", count), ("samples", samples)):
        if given < least:
            raise ValueError(
                f"{name}: expected at least {least} pictures, as many as FID has features, "
                f"got {given}"
            )
    network = inception.Inception(weights, device)
    real, provenance = inception.reference(
        images, network, count=count, seed=seed, flip=flip, noise=noise, cache=cache
    )
    return inception.FID(real, network, provenance | {"features": least})


def _yardsticks(
    extract: Extract,
    real: Tensor,
    labels: Tensor | None,
    whole: Statistics,
    random: torch.Generator,
) -> dict[str, float]:
    """Return distances that tell what a number means: two halves, and one class left out."""
    features = extract(real)
    # One split alone would be a matter of luck; in thousands of dimensions more take minutes.
    few = features.shape[1] <= FEATURES
    splits = []
    for _ in range(_SPLITS if few else 1):
        order = torch.randperm(len(real), generator=random).numpy()
        halves = np.array_split(features[order], 2)
        splits.append(relative(*(statistics(half) for half in halves)))
    found = {"two_halves": float(np.mean(splits))}
    if few and labels is not None:
        left = [
            relative(statistics(features[(labels != k).numpy()]), whole) for k in labels.unique()
        ]
        found["one_class_left_out"] = float(np.median(left))
    return found
