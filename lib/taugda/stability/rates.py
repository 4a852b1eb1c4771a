"""Step bounds and local convergence rates of tau-GDA."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from taugda.blocks import Blocks, takes_blocks
from taugda.checks import Array, ComplexArray, positive, positives
from taugda.stability.precise import eigenvalues


@dataclass(frozen=True)
class ConvergenceRate:
    """How fast tau-GDA converges near a critical point."""

    tau: float
    step: float  # gamma1, player 1's
    step_bound: float  # gamma: locally stable iff 0 < gamma1 < gamma; 0 where no step converges
    alpha: float  # gamma - gamma1
    d: float  # min over the eigenvalues l of J_tau of 2 Re(l) - gamma1 |l|^2
    radius: float  # the exact spectral radius of I - gamma1 J_tau, sqrt(1 - gamma1 d)
    beta: float  # our constant alpha / (gamma1 d); nan where the iteration does not converge

    @property
    def converges(self) -> bool:
        """Whether the iteration is locally stable."""
        return 0 < self.step < self.step_bound

    @property
    def bound(self) -> float:
        """The factor an iteration that the paper's bound guarantees, sqrt(1 - alpha/(4 beta))."""
        return math.sqrt(1 - self.alpha / (4 * self.beta)) if self.converges else math.nan

    def iterations(self, distance: float, accuracy: float) -> int:
        """Return how many iterations the bound needs from |x0 - x*| = distance to an accuracy."""
        distance, accuracy = positive("distance", distance), positive("accuracy", accuracy)
        if not self.converges:
            raise ValueError(
                f"step: expected one in (0, {self.step_bound:.6g}), got {self.step:.6g}"
            )
        return max(0, math.ceil(4 * self.beta / self.alpha * math.log(distance / accuracy)))


@takes_blocks
def convergence_rate(blocks: Blocks, tau: float, step: float | None = None) -> ConvergenceRate:
    """Return the step bound, the exact local rate and the paper's bound of tau-GDA.

    gamma = min 2 Re(l) / |l|^2 over the spectrum of J_tau.  The paper's theorem bounds the rate by
    O((1 - alpha/(4 beta))^{k/2}) for gamma1 = gamma - alpha; with the constant beta =
    alpha / (gamma1 d), which is ours, the bound and its iteration count hold on every game.

    Parameters
    ----------
    blocks : Blocks
    tau : float
        Timescale separation, greater than 0.
    step : float, optional
        gamma1, player 1's step; player 2's is tau gamma1.  Half the step bound if left out.

    Returns
    -------
    ConvergenceRate

    Raises
    ------
    ValueError
        If the step is left out where no step converges.
    """
    values = eigenvalues(blocks, positive("tau", tau))
    bound = _step_bound(values)
    if step is None and bound == 0:
        raise ValueError(
            f"step: expected a number, since J_tau is not stable at tau = {tau:g} (smallest "
            f"real part {values.real.min():.3g}) and no step converges"
        )
    step = positive("step", bound / 2 if step is None else step)
    d = float((2 * values.real - step * np.abs(values) ** 2).min())
    alpha = bound - step
    beta = alpha / (step * d) if 0 < step < bound else math.nan
    radius = float(np.abs(1 - step * values).max())
    return ConvergenceRate(float(tau), step, bound, alpha, d, radius, beta)


def _step_bound(values: ComplexArray) -> float:
    """Return gamma for the eigenvalues of J_tau, 0 where one of them is not stable."""
    stable = values.real.min() > 0
    return float((2 * values.real / np.abs(values) ** 2).min()) if stable else 0.0


@takes_blocks
def best_step(blocks: Blocks, tau: float) -> ConvergenceRate:
    """Return the rate at the step gamma1 with which tau-GDA contracts fastest.

    Parameters
    ----------
    blocks : Blocks
    tau : float
        Timescale separation, greater than 0, at which J_tau is stable.

    Returns
    -------
    ConvergenceRate
        Of all steps the one whose ``radius`` is smallest.

    Raises
    ------
    ValueError
        If no step converges.
    """
    values = eigenvalues(blocks, positive("tau", tau))
    real, square = values.real, np.abs(values) ** 2
    if real.min() <= 0:
        raise ValueError(
            f"tau: expected one at which J_tau is stable, got {tau:g}, where the smallest real "
            f"part is {real.min():.3g} and no step converges"
        )
    # |1 - gamma1 l|^2 is a parabola in gamma1 for each eigenvalue l; the lowest point of their
    # maximum is the lowest point of one of them or lies where two of them cross.
    i, j = np.triu_indices(len(values), 1)
    differ = np.abs(square[i] - square[j]) > 1e-12 * square.max()
    i, j = i[differ], j[differ]
    steps = np.concatenate([real / square, 2 * (real[i] - real[j]) / (square[i] - square[j])])
    steps = steps[steps > 0]
    radii = np.abs(1 - steps[:, None] * values).max(axis=1)
    return convergence_rate(blocks, tau, float(steps[radii.argmin()]))


@takes_blocks
def step_matrix(
    blocks: Blocks, tau: ArrayLike, step: ArrayLike, alternating: bool = False
) -> Array:
    """Return the matrix by which a step of tau-GDA multiplies a small displacement."""
    j = positives("step", step)[..., None, None] * blocks.jacobian(positives("tau", tau))
    eye, n1 = np.eye(j.shape[-1]), blocks.n1
    if not alternating:
        return eye - j
    # Half steps; who is first does not matter, for M1 M2 has the eigenvalues of M2 M1.
    first, second = np.broadcast_to(eye, (2, *j.shape)).copy()
    first[..., :n1, :] -= j[..., :n1, :]
    second[..., n1:, :] -= j[..., n1:, :]
    return second @ first


@takes_blocks
def spectral_radius(
    blocks: Blocks, tau: ArrayLike, step: ArrayLike, alternating: bool = False
) -> Array:
    """Return the factor an iteration by which a small distance shrinks in the long run.

    Parameters
    ----------
    blocks : Blocks
    tau, step : array_like
        Timescale separations and player 1's steps gamma1, greater than 0; broadcast.
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.

    Returns
    -------
    ndarray, shape (...)
        Above 1 where the iteration diverges.
    """
    return np.abs(np.linalg.eigvals(step_matrix(blocks, tau, step, alternating))).max(axis=-1)


def common_step_bound(all_blocks: Iterable[Blocks], taus: Iterable[float]) -> float:
    """Return the largest step below which every stable pair of point and tau converges.

    Parameters
    ----------
    all_blocks : iterable of Blocks
    taus : iterable of float
        Timescale separations, greater than 0.

    Returns
    -------
    float
        Where no pair is stable the smallest 1 / |eigenvalue|: still a fair picture of the flow.

    Raises
    ------
    ValueError
        If there is no pair, or none at which J_tau has another eigenvalue than 0.
    """
    pairs = [(blocks, positive("taus", tau)) for blocks in all_blocks for tau in taus]
    if not pairs:
        raise ValueError("taus: expected at least one point and one tau, got none")
    spectra = [eigenvalues(blocks, tau) for blocks, tau in pairs]
    bounds = [bound for bound in map(_step_bound, spectra) if bound > 0]
    sizes = [float(np.abs(values).max()) for values in spectra]
    if not bounds and not any(sizes):
        raise ValueError("all_blocks: expected eigenvalues other than 0; choose the step by hand")
    return min(bounds or [1 / size for size in sizes if size])
