"""The Fréchet distance between two sets of features, without a matrix root of a product."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
