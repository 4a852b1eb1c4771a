"""The spectrum of J_tau: stability at one tau, and eigenvalues followed along tau."""

from dataclasses import dataclass

import numpy as np
import scipy.optimize
from numpy.typing import ArrayLike

from taugda.blocks import Blocks, takes_blocks
from taugda.checks import Array, ComplexArray, finite_array, positive, positives
from taugda.stability.precise import DOUBT, MOST, balanced, eigenvalues

_ROUNDING = 1e-12  # a spectrum that is unstable so near a tau, relatively, touches the axis


def spectral_abscissa(matrix: ArrayLike) -> Array:
    """Return the smallest real part of the eigenvalues; stability means that it is positive.

    Parameters
    ----------
    matrix : array_like, shape (..., n, n)

    Returns
    -------
    ndarray, shape (...)
        In the sign of this theory, whose flow is xdot = -J x: minus control theory's number.
    """
    return np.linalg.eigvals(finite_array("matrix", matrix)).real.min(axis=-1)


@takes_blocks
def is_stable(blocks: Blocks, tau: float) -> bool:
    """Return whether every eigenvalue of J_tau has a real part clearly above zero.

    Parameters
    ----------
    blocks : Blocks
    tau : float
        Timescale separation, greater than 0.

    Returns
    -------
    bool
        False also where the spectrum touches the imaginary axis to working precision.
    """
    j = balanced(blocks, positive("tau", tau))
    least, size = np.linalg.eigvals(j).real.min(), np.abs(j).max()
    if abs(least) > DOUBT * size:
        return bool(least > 0)
    if len(j) > MOST:
        return bool(least > 1e-13 * len(j) * size)
    if blocks.always_singular:
        return False
    near = (eigenvalues(blocks, tau * (1 + h)).real.min() for h in (0, -_ROUNDING, _ROUNDING))
    return all(value > 0 for value in near)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of J_tau followed along tau."""

    taus: Array  # shape (k,)
    eigenvalues: ComplexArray  # shape (k, n1 + n2): each column one eigenvalue, continuous in tau

    @property
    def abscissa(self) -> Array:
        """The smallest real part at each tau, shape (k,); positive means stable."""
        return self.eigenvalues.real.min(axis=1)


@takes_blocks
def spectrum(blocks: Blocks, taus: ArrayLike) -> Spectrum:
    """Return the eigenvalues of J_tau along a range of tau, each followed continuously.

    Parameters
    ----------
    blocks : Blocks
    taus : array_like, shape (k,)
        Increasing, at least 0 (the limit in which player 2 stands still).

    Returns
    -------
    Spectrum
        ``eigenvalues``, shape (k, n1 + n2), each column continuous in tau.
    """
    taus = _increasing(taus, 1)
    values = np.linalg.eigvals(blocks.jacobian(taus)).astype(complex)
    values[0] = values[0][np.lexsort((-values[0].imag, values[0].real))]
    for k in range(1, len(taus)):
        guess = values[k - 1]
        if k > 1:
            slope = (values[k - 1] - values[k - 2]) / (taus[k - 1] - taus[k - 2])
            guess = guess + slope * (taus[k] - taus[k - 1])
        cost = np.abs(guess[:, None] - values[k][None, :])
        values[k] = values[k][scipy.optimize.linear_sum_assignment(cost)[1]]
    return Spectrum(taus, values)


@takes_blocks
def double_eigenvalues(blocks: Blocks, taus: ArrayLike) -> list[float]:
    """Return the tau at which two eigenvalues of J_tau meet and a complex pair becomes real.

    Parameters
    ----------
    blocks : Blocks
    taus : array_like, shape (k,)
        Increasing, at least 0, between which to look; two meetings between neighbours are missed.

    Returns
    -------
    list of float
        Ascending; empty where there is none, or where an eigenvalue is double at every tau.
    """
    taus = _increasing(taus, 2)
    i, j = np.triu_indices(blocks.n1 + blocks.n2, 1)

    # prod (l_i - l_j)^2 changes its sign where a pair turns from complex to real or back.
    def discriminant(tau: ArrayLike) -> Array:
        values = np.linalg.eigvals(blocks.jacobian(tau)).astype(complex)
        size = np.maximum(np.abs(values).max(axis=-1, keepdims=True), 1e-300)
        return np.prod(((values[..., i] - values[..., j]) / size) ** 2, axis=-1).real

    signs = np.sign(discriminant(taus))
    found = taus[1:-1][(signs[1:-1] == 0) & (signs[:-2] * signs[2:] < 0)].tolist()
    for k in np.flatnonzero(signs[:-1] * signs[1:] < 0):
        found.append(scipy.optimize.brentq(discriminant, taus[k], taus[k + 1], xtol=1e-14))
    return sorted(found)


def _increasing(taus: ArrayLike, least: int) -> Array:
    """Return taus as an array, if they are an increasing sequence of at least so many."""
    taus = positives("taus", taus, zero=True)
    if taus.ndim != 1 or taus.size < least or (np.diff(taus) <= 0).any():
        raise ValueError(f"taus: expected an increasing sequence of at least {least}, got {taus}")
    return taus
