"""Distances between generated and real pictures, each under its own name."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from taugda import checks
from taugda.atomic import write_atomic
from taugda.gan.data.images import Images, prepare
from taugda.gan.evaluation.features import FEATURES, train_classifier
from taugda.gan.evaluation.frechet import Statistics, frechet_distance, statistics
from taugda.gan.evaluation.inception import DIMENSION, inception, inception_features
from taugda.gan.loop import to_bytes

__all__ = ["DISTANCES", "Scorer", "fixed_latents", "relative_distance", "scorer"]

DISTANCES = ("digits", "classifier", "pixels", "fid")
_SPLITS = 20  # random halves of the real pictures whose distance is averaged
Extract = Callable[[Tensor], NDArray[np.float64]]
Distance = Callable[[Statistics, Statistics], float]


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

    Raises
    ------
    ValueError
        If an argument is no whole number of its range.
    """
    size = checks.count("samples", samples), checks.count("dimension", dimension)
    random = torch.Generator().manual_seed(checks.count("seed", seed, least=0))
    return torch.randn(size, generator=random)


def relative_distance(a: Statistics, real: Statistics) -> float:
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


class Scorer:
    """Distances of generated pictures to the same real ones.

    Parameters
    ----------
    name, label, unit : str
        What the first distance is called, the same for an axis, and its definition in words.
    distance : callable
        From two `Statistics` to the distance.
    real : mapping of str to Statistics
        Of the real pictures' features, by the distance's name.
    extract : mapping of str to callable
        From pictures in eight bits to features, by the distance's name.
    provenance : dict
        Where it came from.
    """

    def __init__(
        self,
        name: str,
        label: str,
        unit: str,
        distance: Distance,
        real: Mapping[str, Statistics],
        extract: Mapping[str, Extract],
        provenance: dict[str, Any],
    ) -> None:
        self.name, self.label, self.unit, self.provenance = name, label, unit, provenance
        self._distance, self._real, self._extract = distance, real, extract

    def score(self, pictures: Tensor) -> dict[str, float]:
        """Return the distances of generated pictures.

        Parameters
        ----------
        pictures : Tensor, shape (n, channels, h, w)
            Numbers in [-1, 1], on any device; rounded to eight bits first, as a picture file
            would.

        Returns
        -------
        dict of str to float
            By name.

        Raises
        ------
        ValueError
            If there are too few pictures or a number is not finite.
        """
        if not torch.isfinite(pictures).all():
            raise ValueError("pictures: expected finite numbers, got some that are not")
        rounded = to_bytes(pictures)
        return {
            name: self._distance(statistics(extract(rounded)), self._real[name])
            for name, extract in self._extract.items()
        }


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
        How many of them are compared with, drawn at random where these are not all.
    samples : int
        How many generated pictures will be scored.
    seed : int
        Of the draw, the preprocessing and the classifier.
    flip, noise : bool, float
        Training preprocessing, which FID's real pictures go through, as in the paper.
    weights : str, optional
        File of the Inception weights.
    device : str
        Where features are computed.
    cache : Path, optional
        Folder for what is made once.

    Returns
    -------
    Scorer

    Raises
    ------
    ValueError
        If the distance is unknown or not for these pictures, or there are too few pictures.
    WeightsError
        If the Inception weights are missing or not the right ones.
    """
    n = len(images.pixels)
    if distance not in DISTANCES:
        raise ValueError(f"distance: expected one of {', '.join(DISTANCES)}, got {distance!r}")
    if checks.count("count", count, least=2) > n:
        raise ValueError(f"count: expected at most the {n} real pictures there are, got {count}")
    checks.count("samples", samples, least=2)
    if distance == "digits" and images.name != "digits":
        raise ValueError(f"distance: digits is for the data set digits, got {images.name!r}")
    if distance == "fid":
        return _fid(images, count, samples, seed, flip, noise, weights, device, cache)
    return _relative(distance, images, count, seed, device, cache)


def _draw(images: Images, count: int, random: torch.Generator) -> Tensor:
    n = len(images.pixels)
    return torch.randperm(n, generator=random)[:count] if count < n else torch.arange(n)


def _relative(
    distance: str, images: Images, count: int, seed: int, device: str, cache: Path | None
) -> Scorer:
    random = torch.Generator().manual_seed(seed)
    chosen = _draw(images, count, random)
    labels = None if images.labels is None else images.labels[chosen]
    provenance: dict[str, Any] = {"data": images.digest, "real_pictures": count, "seed": seed}
    real = to_bytes(prepare(images.pixels[chosen], images.levels, random, False, 0.0))
    extract: dict[str, Extract] = {}
    name = "pixel distance"
    if distance != "pixels":
        trained = train_classifier(images, seed, cache, device)
        name = f"{distance} distance"
        network = trained.network.to(device)

        def features(pictures: Tensor) -> NDArray[np.float64]:
            parts = pictures.to(device).split(1000)
            with torch.no_grad():
                found = [network.features(part.float().div(127.5).sub(1)) for part in parts]
            return torch.cat(found).double().cpu().numpy()

        extract[name] = features
        provenance |= {
            "classifier": trained.digest,
            "accuracy": trained.accuracy,
            "held_out": trained.held_out,
            "features": FEATURES,
        }
    extract["pixel distance"] = _pixels
    stats = {key: statistics(take(real)) for key, take in extract.items()}
    provenance |= _yardsticks(extract[name], real, labels, stats[name], random)
    return Scorer(
        name,
        f"{name} (100: the real spread)",
        "100 times Fréchet's distance over the trace of the real pictures' covariance",
        relative_distance,
        stats,
        extract,
        provenance,
    )


def _pixels(pictures: Tensor) -> NDArray[np.float64]:
    return pictures.flatten(1).double().cpu().numpy() / 127.5 - 1


def _yardsticks(
    extract: Extract,
    real: Tensor,
    labels: Tensor | None,
    whole: Statistics,
    random: torch.Generator,
) -> dict[str, float]:
    """Distances that tell what a number means: two halves, and one class left out."""
    features = extract(real)
    splits = []
    for _ in range(_SPLITS):  # one split alone would be a matter of luck
        order = torch.randperm(len(real), generator=random).numpy()
        halves = np.array_split(features[order], 2)
        splits.append(relative_distance(*(statistics(half) for half in halves)))
    found = {"two_halves": float(np.mean(splits))}
    if labels is not None:
        left = [
            relative_distance(statistics(features[(labels != k).numpy()]), whole)
            for k in labels.unique()
        ]
        found["one_class_left_out"] = float(np.median(left))
    return found


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
) -> Scorer:
    if images.name == "digits":
        raise ValueError("distance: FID means nothing on digits; use the distance digits")
    for name, number in (("count", count), ("samples", samples)):
        if number < DIMENSION:
            raise ValueError(
                f"{name}: FID on {DIMENSION} features expects at least {DIMENSION} pictures, "
                f"got {number}"
            )
    network, digest = inception(weights, device)
    extract = inception_features(network, device)
    provenance = {
        "data": images.digest, "real_pictures": count, "seed": seed, "flip": flip, "noise": noise,
        "weights": digest, "features": DIMENSION,
    }  # fmt: skip

    def compute() -> Statistics:
        random = torch.Generator().manual_seed(seed)
        pixels = images.pixels[_draw(images, count, random)]
        return statistics(extract(to_bytes(prepare(pixels, images.levels, random, flip, noise))))

    real = _kept(compute, provenance, cache)
    return Scorer(
        "FID",
        "FID",
        f"Fréchet's distance on {DIMENSION} features of pytorch-fid's Inception, 8-bit pictures",
        frechet_distance,
        {"FID": real},
        {"FID": extract},
        provenance,
    )


def _kept(
    compute: Callable[[], Statistics], provenance: dict[str, Any], cache: Path | None
) -> Statistics:
    """Take reference statistics from the cache, or compute and keep them."""
    text = json.dumps(provenance, sort_keys=True)
    if cache is None:
        return compute()
    path = cache / f"statistics-{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"
    try:
        with np.load(path) as kept:
            if str(kept["provenance"]) == text:
                return Statistics(kept["mean"], kept["covariance"], int(kept["count"]))
    except Exception:  # missing, or damaged in any way: they are computed again
        pass
    found = compute()
    buffer = io.BytesIO()
    np.savez(
        buffer, mean=found.mean, covariance=found.covariance, count=found.count, provenance=text
    )
    write_atomic(path, buffer.getvalue())
    return found
