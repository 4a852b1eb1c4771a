"""Distances between generated and real pictures, each under its own name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from taugda import checks
from taugda.gan import features
from taugda.gan.checkpoints import kept
from taugda.gan.data import Images, prepare

DISTANCES = ("digits", "classifier", "pixels", "fid")
_SPLITS = 20  # random halves of the real pictures whose distance is averaged
Extract = Callable[[Tensor], NDArray[np.float64]]


class Statistics(NamedTuple):
    """Mean (d) and covariance (d, d) of features."""

    mean: NDArray[np.float64]
    covariance: NDArray[np.float64]


def statistics(features: ArrayLike, least: int = 2) -> Statistics:
    """Return mean and covariance of features (n, d), of which at least so many are expected."""
    x = np.asarray(features, dtype=np.float64)
    if len(x) < least:
        raise ValueError(f"features: expected at least {least} samples, got {len(x)}")
    mean = x.mean(axis=0)
    centred = x - mean
    return Statistics(mean, centred.T @ centred / (len(x) - 1))


def frechet_distance(a: Statistics, b: Statistics) -> float:
    """Return |m_a - m_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)), at least 0."""
    # With any factors C_a = F_a F_a^T and C_b = F_b F_b^T, the trace of the root is the sum of the
    # singular values of F_a^T F_b: their squares are the eigenvalues of C_a C_b.  So nothing
    # becomes complex and singular covariances need no correction.
    overlap = np.linalg.svd(_factor(a.covariance).T @ _factor(b.covariance), compute_uv=False).sum()
    gap = float(np.sum((a.mean - b.mean) ** 2))
    total = gap + np.trace(a.covariance) + np.trace(b.covariance) - 2 * overlap
    return max(0.0, float(total))


def relative(a: Statistics, real: Statistics) -> float:
    """Return 100 times Fréchet's distance over the trace of the real features' covariance."""
    return 100 * frechet_distance(a, real) / float(np.trace(real.covariance))


def _factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return F with F F^T the covariance: by Cholesky, or by eigenvalues where it is singular."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return vectors * np.sqrt(np.clip(values, 0, None))


def fixed_latents(samples: int, dimension: int, seed: int = 0) -> Tensor:
    """Draw the standard normal latent vectors of all evaluations, the same on every device.

    Parameters
    ----------
    samples, dimension : int
        How many, and of how many numbers.
    seed : int

    Returns
    -------
    Tensor, shape (samples, dimension)
        In float32.
    """
    size = checks.count("samples", samples), checks.count("dimension", dimension)
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


def quantize(pictures: Tensor) -> Tensor:
    """Round pictures in [-1, 1] to eight bits a channel, as torchvision's ``save_image`` does.

    Parameters
    ----------
    pictures : Tensor
        Of any shape.

    Returns
    -------
    Tensor of uint8
        Of the same shape, 0 to 255.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    if not torch.isfinite(pictures).all():
        raise ValueError("pictures: expected finite numbers, got some that are not")
    return pictures.clamp(-1, 1).add(1).div(2).mul(255).add(0.5).to(torch.uint8)


@dataclass(frozen=True)
class Scorer:
    """Fréchet distances to real pictures by name, through features of pictures in eight bits."""

    name: str
    label: str  # the name for an axis, with its unit
    unit: str  # its definition in words
    provenance: dict[str, Any]  # what it depends on
    real: Mapping[str, Statistics]
    extract: Mapping[str, Extract]
    distance: Callable[[Statistics, Statistics], float] = relative
    least: int = 2  # pictures

    def score(self, pictures: Tensor) -> dict[str, float]:
        """Return the distances of generated pictures in [-1, 1] by name."""
        rounded = quantize(pictures)
        return {
            name: self.distance(statistics(extract(rounded), self.least), self.real[name])
            for name, extract in self.extract.items()
        }


def scorer(
    distance: str, images: Images, *, count: int, samples: int, seed: int = 0, flip: bool = False,
    noise: float = 0.0, weights: str | None = None, device: str = "cpu", cache: Path | None = None,
) -> Scorer:  # fmt: skip
    """Make the distance that a run is scored by.

    Parameters
    ----------
    distance : {"digits", "classifier", "pixels", "fid"}
        Fréchet's on the features of a small classifier trained on the same pictures ("digits"
        where these are the digits), on the pixels alone, or on Inception's features (FID).
    images : Images
        The real pictures.
    count, samples : int
        How many of them are compared with how many generated pictures; too few are refused.
    seed : int
        Of their draw, their preprocessing and the classifier.
    flip, noise : bool, float
        Preprocessing of the real pictures for FID, as in training.
    weights : str, optional
        File of the Inception weights; without it FID fetches them once, to where torch keeps what
        it downloads (``$TORCH_HOME/hub/checkpoints``).
    device, cache : str, Path
        Where features are computed; folder for what is made once, if any.

    Returns
    -------
    Scorer
        With ``name``, ``label``, ``unit``, ``provenance`` and ``score(pictures)``.

    Raises
    ------
    ValueError, DataError
        If the distance is unknown, means nothing on these pictures, or there are too few; if the
        Inception weights cannot be had.
    """
    n = len(images.pixels)
    if distance not in DISTANCES:
        raise ValueError(f"distance: expected one of {', '.join(DISTANCES)}, got {distance!r}")
    if distance == "fid" and images.pixels.shape[1] != 3:
        raise ValueError(
            f"distance: fid is for photographs in colour; Inception's features mean nothing on "
            f"{images.name}, take another such as digits or pixels"
        )
    if distance == "digits" and images.name != "digits":
        raise ValueError(f"distance: digits is for the data set digits, got {images.name!r}")
    # FID needs as many pictures as it has features.
    least = features.INCEPTION_FEATURES if distance == "fid" else 2
    checks.count("samples", samples, least=least)
    if not least <= count <= n:
        raise ValueError(f"count: expected from {least} to the {n} real pictures, got {count}")
    if distance == "fid":
        return _by_inception(images, count, seed, flip, noise, weights, device, cache)
    return _by_classifier(distance, images, count, seed, device, cache)


def _by_inception(
    images: Images, count: int, seed: int, flip: bool, noise: float, weights: str | None,
    device: str, cache: Path | None,
) -> Scorer:  # fmt: skip
    """Return FID to real pictures that are drawn and prepared as in the paper."""
    network = features.Inception(weights, device)
    about = {
        "data": images.digest, "resolution": images.pixels.shape[2], "real_pictures": count,
        "seed": seed, "flip": bool(flip), "noise": float(noise), "weights": network.digest,
    }  # fmt: skip

    def make() -> dict[str, Any]:
        random = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(len(images.pixels), generator=random)[:count]
        prepared = prepare(images.pixels[chosen], images.levels, random, flip, noise)
        found = statistics(network(quantize(prepared)))
        return {name: torch.from_numpy(part) for name, part in found._asdict().items()}

    made, least = kept(cache, f"fid-{images.name}", about, make), features.INCEPTION_FEATURES
    real = {"FID": Statistics(*(made[name].numpy() for name in Statistics._fields))}
    unit = "Fréchet's distance in the 2,048 features of FID's Inception network"
    about |= {"features": least}
    return Scorer("FID", "FID", unit, about, real, {"FID": network}, frechet_distance, least)


def _by_classifier(
    distance: str, images: Images, count: int, seed: int, device: str, cache: Path | None
) -> Scorer:
    """Return distances of features (if any) and pixels, in units of the real pictures' spread."""
    n = len(images.pixels)
    random = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(n, generator=random)[:count] if count < n else torch.arange(n)
    provenance: dict[str, Any] = {"data": images.digest, "real_pictures": count, "seed": seed}
    real = quantize(prepare(images.pixels[chosen], images.levels, random, False, 0.0))
    extract: dict[str, Extract] = {}
    name = "pixel distance"
    if distance != "pixels":
        trained = features.train_classifier(images, seed, cache, device)
        name = f"{distance} distance"
        extract[name] = trained.to(device).extract
        provenance |= {
            "classifier": trained.digest, "accuracy": trained.accuracy,
            "held_out": trained.held_out, "features": features.CLASSIFIER_FEATURES,
        }  # fmt: skip
    extract["pixel distance"] = lambda x: x.flatten(1).double().cpu().numpy() / 127.5 - 1
    taken = {key: take(real) for key, take in extract.items()}
    stats = {key: statistics(x) for key, x in taken.items()}
    labels = None if images.labels is None else images.labels[chosen]
    provenance |= _yardsticks(taken[name], labels, stats[name], random)
    unit = "100 times Fréchet's distance over the trace of the real pictures' covariance"
    return Scorer(name, f"{name} (100: the real spread)", unit, provenance, stats, extract)


def _yardsticks(
    x: NDArray[np.float64], labels: Tensor | None, whole: Statistics, random: torch.Generator
) -> dict[str, float]:
    """Return distances that tell what a number means: two halves, and one class left out."""
    # One split alone would be a matter of luck; in thousands of dimensions more take minutes.
    few = x.shape[1] <= features.CLASSIFIER_FEATURES
    splits = []
    for _ in range(_SPLITS if few else 1):
        order = torch.randperm(len(x), generator=random).numpy()
        splits.append(relative(*map(statistics, np.array_split(x[order], 2))))
    found = {"two_halves": float(np.mean(splits))}
    if few and labels is not None:
        rest = [x[(labels != k).numpy()] for k in labels.unique()]
        left = [relative(statistics(each), whole) for each in rest]
        found["one_class_left_out"] = float(np.median(left))
    return found
