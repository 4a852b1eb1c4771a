"""Step bounds and local convergence rates of tau-GDA."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from taugda.blocks import Blocks
from taugda.checks import positive

__all__ = ["ConvergenceRate", "best_step", "common_step_bound", "convergence_rate", "step_matrix"]


@dataclass(frozen=True)
class ConvergenceRate:
    """How fast tau-GDA converges near a critical point.

    Attributes
    ----------
    tau, step : float
        The timescale separation and player 1's step gamma1.
    step_bound : float
        gamma: the iteration is locally stable iff 0 < gamma1 < gamma.  0 where J_tau is not
        stable, so that no step is.
    alpha : float
        gamma - gamma1.
    d : float
        min over the eigenvalues l of J_tau of 2 Re(l) - gamma1 |l|^2.
    radius : float
        The exact spectral radius of I - gamma1 J_tau, sqrt(1 - gamma1 d).
    beta : float
        Our constant alpha / (gamma1 d), with which the paper's bound holds; nan where the
        iteration does not converge.
    """

    tau: float
    step: float
    step_bound: float
    alpha: float
    d: float
    radius: float
    beta: float

    @property
    def converges(self) -> bool:
        """Whether the iteration is locally stable."""
        return 0 < self.step < self.step_bound

    @property
    def bound(self) -> float:
        """The factor an iteration that the paper's bound guarantees, sqrt(1 - alpha/(4 beta))."""
        return math.sqrt(1 - self.alpha / (4 * self.beta)) if self.converges else math.nan

    def iterations(self, distance: float, accuracy: float) -> int:
        """Return the number of iterations that the bound needs to reach an accuracy.

        Parameters
        ----------
        distance : float
            |x0 - x*|, small enough for the linearization to hold.
        accuracy : float
            The distance to reach.

        Returns
        -------
        int
            ceil((4 beta / alpha) log(distance / accuracy)), 0 if the start is close enough.

        Raises
        ------
        ValueError
            If a distance is not positive or the iteration does not converge.
        """
        distance, accuracy = positive("distance", distance), positive("accuracy", accuracy)
        if not self.converges:
            raise ValueError(
                f"step: expected one in (0, {self.step_bound:.6g}), where the iteration "
                f"converges, got {self.step:.6g}"
            )
        return max(0, math.ceil(4 * self.beta / self.alpha * math.log(distance / accuracy)))


def convergence_rate(blocks: Blocks, tau: float, step: float | None = None) -> ConvergenceRate:
    """Return the step bound, the exact local rate and the paper's bound of tau-GDA.

    Parameters
    ----------
    blocks : Blocks
        The blocks at a critical point.
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
        If tau or the step is not positive, or the step is left out where no step converges.

    Notes
    -----
    gamma = min 2 Re(l) / |l|^2 over the spectrum of J_tau.  The paper bounds the rate by
    O((1 - alpha/(4 beta))^{k/2}) for gamma1 = gamma - alpha; with the constant beta =
    alpha / (gamma1 d), which is ours, the bound and its iteration count hold on every game.
    Source: the convergence-rate theorem of Fiez & Ratliff (2021).
    """
    tau = positive("tau", tau)
    values = np.linalg.eigvals(blocks.jacobian(tau))
    bound = 0.0
    if values.real.min() > 0:
        bound = float((2 * values.real / np.abs(values) ** 2).min())
    if step is None:
        if bound == 0:
            raise ValueError(
                f"step: expected a number, since J_tau is not stable at tau = {tau:g} (smallest "
                f"real part {values.real.min():.3g}) and no step converges"
            )
        step = bound / 2
    step = positive("step", step)
    d = float((2 * values.real - step * np.abs(values) ** 2).min())
    radius = float(np.abs(1 - step * values).max())
    alpha = bound - step
    beta = alpha / (step * d) if 0 < step < bound else math.nan
    return ConvergenceRate(tau, step, bound, alpha, d, radius, beta)


def best_step(blocks: Blocks, tau: float) -> ConvergenceRate:
    """Return the rate at the step gamma1 with which tau-GDA contracts fastest.

    Parameters
    ----------
    blocks : Blocks
        The blocks at a critical point.
    tau : float
        Timescale separation, greater than 0, at which J_tau is stable.

    Returns
    -------
    ConvergenceRate
        Of all steps the one whose ``radius`` is smallest.

    Raises
    ------
    ValueError
        If tau is not positive or no step converges.

    Notes
    -----
    |1 - gamma1 l|^2 is a parabola in gamma1 for each eigenvalue l; the lowest point of their
    maximum is the lowest point of one of them or lies where two of them cross.

    Examples
    --------
    >>> best_step(Blocks([[1.0]], [[0.0]], [[1.0]]), tau=3.0).step
    0.5
    """
    tau = positive("tau", tau)
    values = np.linalg.eigvals(blocks.jacobian(tau))
    real, square = values.real, np.abs(values) ** 2
    if real.min() <= 0:
        raise ValueError(
            f"tau: expected one at which J_tau is stable, got {tau:g}, where the smallest real "
            f"part is {real.min():.3g} and no step converges"
        )
    i, j = np.triu_indices(len(values), 1)
    differ = np.abs(square[i] - square[j]) > 1e-12 * square.max()
    i, j = i[differ], j[differ]
    steps = np.concatenate([real / square, 2 * (real[i] - real[j]) / (square[i] - square[j])])
    steps = steps[steps > 0]
    radii = np.abs(1 - steps[:, None] * values).max(axis=1)
    return convergence_rate(blocks, tau, float(steps[radii.argmin()]))


def step_matrix(
    blocks: Blocks, tau: float, step: float, alternating: bool = False
) -> NDArray[np.float64]:
    """Return the matrix by which one step of tau-GDA multiplies a small displacement.

    Parameters
    ----------
    blocks : Blocks
        The blocks at a critical point.
    tau : float
        Timescale separation, greater than 0.
    step : float
        gamma1, player 1's step; player 2's is tau gamma1.
    alternating : bool
        Whether player 2's gradient is taken at player 1's new point.

    Returns
    -------
    ndarray, shape (n1 + n2, n1 + n2)
        I - gamma1 J_tau; alternating, the product of the two players' half steps.  Its largest
        |eigenvalue| is the local rate.  Whichever player moves first, the eigenvalues are the
        same, for those of M1 M2 are those of M2 M1.

    Raises
    ------
    ValueError
        If tau or the step is not positive.
    """
    j = positive("step", step) * blocks.jacobian(positive("tau", tau))
    eye, n1 = np.eye(len(j)), blocks.n1
    if not alternating:
        return eye - j
    first, second = eye.copy(), eye.copy()
    first[:n1] -= j[:n1]
    second[n1:] -= j[n1:]
    return second @ first


def common_step_bound(all_blocks: Iterable[Blocks], taus: Iterable[float]) -> float:
    """Return the largest step below which every stable pair of point and tau converges.

    Parameters
    ----------
    all_blocks : iterable of Blocks
        The blocks at several critical points.
    taus : iterable of float
        Timescale separations, greater than 0.

    Returns
    -------
    float
        The smallest of the step bounds; where no pair is stable, the smallest 1 / |eigenvalue|,
        so that a run is still a fair picture of the flow.

    Raises
    ------
    ValueError
        If a tau is not positive or there is no pair.
    """
    pairs = [(blocks, positive("taus", tau)) for blocks in all_blocks for tau in taus]
    if not pairs:
        raise ValueError("taus: expected at least one point and one tau, got none")
    spectra = [np.linalg.eigvals(blocks.jacobian(tau)) for blocks, tau in pairs]
    bounds = [float((2 * v.real / np.abs(v) ** 2).min()) for v in spectra if v.real.min() > 0]
    return min(bounds or [float(1 / max(np.abs(v).max(), 1e-300)) for v in spectra])
