"""tau* without the guard map: a bound from two eigenvalues, and the crossing by its frequency.

At a crossing i w (w not 0) of the imaginary axis let (u, v) be the eigenvector, with player 2's
coordinates scaled by sqrt(tau).  J_tau is then diag(A11, tau A22) plus a skew matrix, so |u| = |v|
and u*A11u + tau v*A22v = 0.  Eliminating v leaves, for s = w / tau, the n1 x n1 problem
M(s) u = tau u with M = K - i R / s, K = A12 (A22^2 + s^2)^-1 A12^T and
R = A11 + A12 A22 (A22^2 + s^2)^-1 A12^T; eliminating u leaves the same problem for 1 / tau and w,
with A11 and A22 in each other's place.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from taugda.blocks import Blocks, takes_blocks
from taugda.checks import Array, ComplexArray
from taugda.equilibria import Classification, classify
from taugda.stability import precise
from taugda.stability.precise import Crossing

_STEPS = (0.25, 0.06, 0.015)  # of log s to begin with; finer ones where the spectrum objects
_HALVINGS = 14  # of a step, where branches come near to each other or to the real line
_FAR = 400  # steps of log s before the sweep is given up
_ROUND = 12  # steps after which those that are too long are halved, if no crossing is known
_BETWEEN = np.linspace(0.0, 1.0, 17)  # where a branch is looked at within a step
_MARGIN = 4.0  # times the mismatch of a branch: nearer to the real line the step is halved
_CHECKED = (24, 10)  # tau between the crossing and the bound at which small and large games are


class FrequencyError(RuntimeError):
    """The branches found by frequency and the spectrum of J_tau do not agree."""


@takes_blocks
def tau_star_bound(blocks: Blocks) -> float:
    """Return an upper bound of tau* that needs one eigenvalue of each player's block.

    Parameters
    ----------
    blocks : Blocks
        At a differential Stackelberg equilibrium.

    Returns
    -------
    float
        max(0, -lambda_min(A11)) / lambda_min(A22); no pair of eigenvalues reaches the imaginary
        axis beyond it.  For operators see :func:`extreme_bound`.  The ratio is that of Li, Farnia,
        Das and Jadbabaie (ICML 2022), in the form that one instance has.

    Raises
    ------
    ValueError
        If the point is no differential Stackelberg equilibrium.

    Examples
    --------
    >>> tau_star_bound(Blocks([[-1.0]], [[2.0]], [[0.5]]))
    2.0
    """
    kind = _required(blocks)
    return 0.0 if kind.A11_semidefinite else extreme_bound(kind.min_A11, kind.min_A22)


def extreme_bound(least_a11: float, least_a22: float) -> float:
    """Return the bound of tau* from the smallest eigenvalues of A11 and A22, however found."""
    if not least_a22 > 0:
        raise ValueError(f"least_a22: expected one greater than 0 (A22 > 0), got {least_a22:.6g}")
    return max(0.0, -float(least_a11)) / float(least_a22)


@takes_blocks
def tau_star_by_frequency(blocks: Blocks) -> float:
    """Compute tau* from eigenvalue problems of the smaller player's size, over the frequency.

    Parameters
    ----------
    blocks : Blocks
        At a differential Stackelberg equilibrium.

    Returns
    -------
    float
        The largest real tau on a branch of eigenvalues of M(s), s > 0; J_tau is stable just above
        it and at sample points up to :func:`tau_star_bound`.

    Raises
    ------
    ValueError
        If the point is no differential Stackelberg equilibrium.
    RuntimeError
        (FrequencyError) If the spectrum of J_tau does not confirm what was found, at any step of s.
    """
    return 0.0 if _required(blocks).A11_semidefinite else frequency_crossing(blocks).tau


def _required(blocks: Blocks) -> Classification:
    kind = classify(blocks)
    if not kind.is_dse:
        raise ValueError(f"blocks: expected those of a DSE, got {kind.reason}")
    return kind


def frequency_crossing(blocks: Blocks) -> Crossing:
    """Return the last crossing of a DSE whose A11 has a negative eigenvalue, or refuse."""
    sweep, why = _Sweep(blocks), ""
    for step in _STEPS:
        for tau in sweep.candidates(step):
            found = precise.sharpen(blocks, tau)
            if found is None or not _stable(blocks, found.tau * (1 + _beside(blocks))):
                continue
            least = found.tau * (1 + 10 * _beside(blocks))
            points = _CHECKED[blocks.n1 + blocks.n2 > 2 * precise.MOST]
            taus = np.geomspace(least, max(1.01 * sweep.bound, least), points)
            objections = [t for t in taus if not _stable(blocks, t)]
            if not objections:
                return replace(found, method="by frequency")
            why = f"; after {found.tau:.6g} J_tau is not stable at {objections[-1]:.6g}"
            break
    raise FrequencyError(
        f"tau_star_by_frequency: no crossing below the bound {sweep.bound:.6g} is confirmed by "
        f"the spectrum, in {sweep.problems} eigenvalue problems of order {sweep.order}{why}"
    )


def _beside(blocks: Blocks) -> float:
    """Return how far above a crossing, relatively, to look."""
    return 1e-7 if blocks.n1 + blocks.n2 <= precise.MOST else 1e-5


def _stable(blocks: Blocks, tau: float) -> bool:
    return bool((precise.eigenvalues(blocks, tau).real > 0).all())


@dataclass(frozen=True, eq=False)
class _Point:
    """The branches at x = log frequency: values, d values / dx, and the most that tau can be."""

    x: float
    values: ComplexArray
    slopes: ComplexArray
    most: float


class _Sweep:
    """The branches of M over log frequency, in the smaller player's coordinates."""

    def __init__(self, blocks: Blocks) -> None:
        self.swapped = blocks.n2 < blocks.n1
        own, other, b = blocks.A11, blocks.A22, blocks.A12
        if self.swapped:
            own, other, b = other, own, b.T
        self.own, self.order, self.problems = own, len(own), 0
        self.a, vectors = np.linalg.eigh(other)
        self.b = b @ vectors
        self.bt = np.ascontiguousarray(self.b.T)
        least_a11, least_a22 = (np.linalg.eigvalsh(m)[0] for m in (blocks.A11, blocks.A22))
        self.bound = extreme_bound(least_a11, least_a22)
        # R(s) >= S1 - s^2 A12 A22^-3 A12^T, and R has to be indefinite at a crossing.
        values, vectors = np.linalg.eigh(blocks.A22)
        half = blocks.A12 @ vectors * values**-1.5
        inner = half.T @ np.linalg.solve(blocks.schur_complement, half)
        self.least_s = 1 / np.sqrt(np.linalg.eigvalsh((inner + inner.T) / 2)[-1])
        self.coupling = float(np.linalg.norm(blocks.A12, 2))

    def candidates(self, step: float) -> list[float]:
        """Return the tau at which branches cross or nearly touch the real line, descending."""
        found: list[float] = []
        pending: list[tuple[_Point, _Point, int]] = []
        for number, (left, right) in enumerate(self._coarse(step, found), 1):
            if not self._examine(left, right, found, max(found, default=0.0), False):
                pending.append((left, right, 1))
            if not found and number % _ROUND == 0:  # only a crossing ends the frequencies
                self._halve(pending, found)
        self._halve(pending, found)
        return sorted(found, reverse=True)

    def _halve(self, pending: list[tuple[_Point, _Point, int]], found: list[float]) -> None:
        """Halve the steps that are too long until each crossing on them is found."""
        # Where tau may be largest first: what is found there spares the rest.
        pending.sort(key=lambda item: max(self._tau(end.values.real).max() for end in item[:2]))
        while pending:
            left, right, depth = pending.pop()
            middle = self._point((left.x + right.x) / 2)
            for pair in ((left, middle), (middle, right)):
                if not self._examine(*pair, found, max(found, default=0.0), depth >= _HALVINGS):
                    pending.append((*pair, depth + 1))

    def _coarse(self, step: float, found: list[float]) -> Iterator[tuple[_Point, _Point]]:
        """Yield neighbours from the end of the frequencies where the largest tau are."""
        direction = -1 if self.swapped else 1
        start = np.sqrt(self.bound) * self.coupling if self.swapped else self.least_s
        left = self._point(np.log(start) - direction * 0.01)
        for _ in range(_FAR):
            right = self._point(left.x + direction * step)
            yield (right, left) if self.swapped else (left, right)
            if right.most <= max(found, default=0.0):
                return
            left = right

    def _point(self, x: float) -> _Point:
        s = np.exp(x)
        w = 1 / (self.a**2 + s * s)
        k = (self.b * w) @ self.bt
        r = self.own + (self.b * (w * self.a)) @ self.bt
        values, right = np.linalg.eig(k - 1j / s * r)
        self.problems += 1
        # M is symmetric, so its left eigenvectors are the right ones, transposed.
        weights = w - 2 * (s * w) ** 2 * (1 - 1j * self.a / s)
        with np.errstate(divide="ignore", invalid="ignore"):
            slopes = weights @ (self.bt @ right) ** 2 / (right * right).sum(axis=0) - values
        slopes[~np.isfinite(slopes)] = np.inf  # a defective eigenvalue
        # tau u*u = u*Ku at a crossing; in the other coordinates w = s tau, and s >= least_s.
        most = s / self.least_s if self.swapped else float(np.linalg.eigvalsh(k)[-1])
        return _Point(x, values, slopes, most)

    def _tau(self, real: Array) -> Array:
        """Return the tau that real parts of eigenvalues are, infinite where 1 / tau is none."""
        if not self.swapped:
            return np.maximum(real, 0.0)
        with np.errstate(divide="ignore"):
            return np.where(real > 0, 1 / np.maximum(real, 1e-300), np.inf)

    def _examine(
        self, left: _Point, right: _Point, found: list[float], floor: float, last: bool
    ) -> bool:
        """Find the crossings between two points; return False where the step is too long."""
        if max(left.most, right.most) <= floor:
            return True
        h = right.x - left.x
        ahead, back = left.values + h / 2 * left.slopes, right.values - h / 2 * right.slopes
        cost = np.abs(ahead[:, None] - back)
        cost = np.where(np.isfinite(cost), cost, 1e3 * (1 + np.abs(left.values).max()))
        i, j = linear_sum_assignment(cost)
        paths = _hermite(left.values[i], right.values[j], h * left.slopes[i], h * right.slopes[j])
        mismatch = cost[i, j]
        taus = self._tau(paths.real + (-1 if self.swapped else 1) * mismatch)
        relevant = (taus.max(axis=0) > floor * (1 - 1e-9)) & (taus.max(axis=0) > 0)
        if self.swapped:  # 1 / tau below zero is no tau
            relevant &= (paths.real.max(axis=0) + mismatch) > 0
        clear = np.abs(paths.imag).min(axis=0) > _MARGIN * mismatch
        clear &= (np.diff(np.sign(paths.imag), axis=0) == 0).all(axis=0)
        crossings = []
        for branch in np.flatnonzero(relevant & ~clear):
            path = paths[:, branch]
            turns = np.flatnonzero(np.diff(np.sign(path.imag)))
            simple = len(turns) == 1 and mismatch[branch] < 0.02 * np.ptp(path.imag)
            if not (simple or last):
                return False
            if len(turns) == 0:  # the branch may touch the real line here
                turns = np.minimum(np.abs(path.imag).argmin(keepdims=True), len(path) - 2)
            for k in turns:
                share = np.clip(path[k].imag / (path[k].imag - path[k + 1].imag or 1), 0, 1)
                crossings.append(path[k].real + share * (path[k + 1].real - path[k].real))
        found += [float(self._tau(real)) for real in crossings if real > 0]
        return True


def _hermite(
    y0: ComplexArray, y1: ComplexArray, d0: ComplexArray, d1: ComplexArray
) -> ComplexArray:
    """Return the cubics with these values and slopes at sample points, shape (points, branches)."""
    t = _BETWEEN[:, None]
    with np.errstate(invalid="ignore"):
        cubic = y0 * (1 + 2 * t) * (1 - t) ** 2 + y1 * t**2 * (3 - 2 * t)
        cubic += d0 * t * (1 - t) ** 2 + d1 * t**2 * (t - 1)
    return np.where(np.isfinite(cubic), cubic, y0 + t * (y1 - y0))
