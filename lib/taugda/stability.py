"""Local stability of tau-GDA at a critical point: tau*, tau_0, intervals, spectra, rates.

Everything starts from the blocks of the Jacobian at the point.  The continuous-time system
xdot = -Lambda_tau g(x) is locally exponentially stable iff every eigenvalue of
J_tau = [[A11, A12], [-tau A12^T, tau A22]] has a positive real part.

Source: Fiez & Ratliff (2021), the theorems on tau* (guard map), on non-convergence (tau_0), on
the rate and on regularized GANs; the Kronecker-free form of the guard map is ours.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import ArrayLike, NDArray

from taugda.blocks import Blocks
from taugda.checks import finite_array, positive, positives
from taugda.equilibria import Classification, classify

__all__ = [
    "ConvergenceRate",
    "Interval",
    "Spectrum",
    "TauStar",
    "box_sum",
    "common_step_bound",
    "convergence_rate",
    "double_eigenvalues",
    "guard_matrix",
    "is_stable",
    "regularized_gan_blocks",
    "spectral_abscissa",
    "spectrum",
    "stability_intervals",
    "summary",
    "tau_star",
    "tau_star_or_none",
    "tau_star_search",
    "tau_zero",
]

Array = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]

# How far from the real line (relative to its size) an eigenvalue of Q may lie and still be
# taken for a real one that rounding split: a double eigenvalue moves by the root of rounding.
_REAL = 1e-6
# Beside a spectrum of size s, a spectral abscissa below this times s counts as zero.
_AXIS = 1e-9


def spectral_abscissa(matrix: ArrayLike) -> Array:
    """Return the smallest real part of the eigenvalues; stability means that it is positive.

    The sign is that of this theory, where the flow is xdot = -J x: control theory's spectral
    abscissa of -J is minus this number.

    Parameters
    ----------
    matrix : array_like, shape (..., n, n)

    Returns
    -------
    ndarray, shape (...)

    Raises
    ------
    ValueError
        If an entry is not finite.
    """
    return np.linalg.eigvals(finite_array("matrix", matrix)).real.min(axis=-1)


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

    Raises
    ------
    ValueError
        If tau is not positive and finite.
    """
    values = np.linalg.eigvals(blocks.jacobian(positive("tau", tau)))
    return bool(values.real.min() > _AXIS * np.abs(values).max())


def guard_matrix(blocks: Blocks) -> Array:
    """Return the matrix Q whose positive real eigenvalues are the candidates for tau*.

    Q is the n1 n2 square matrix of the guard-map theorem, here built without any Kronecker
    product: it is the linear map Y -> M N - (A11 Y + A12 Z) A22^{-1} on n1 x n2 matrices
    (row-major vec), where N = A12 A22^{-1}, Z solves A22 Z + Z A22 = A12^T Y + Y^T A12 and M
    solves S1 M + M S1 = S1 Y N^T + N Y^T S1.  tau is an eigenvalue of Q iff two eigenvalues of
    J_tau sum to zero (tau > 0).

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    ndarray, shape (n1 n2, n1 n2)

    Raises
    ------
    ValueError
        If A22 is singular, or two eigenvalues of A22 or of S1 sum to zero (then Q does not
        exist; ``stability_intervals`` goes another way).
    """
    apply = _guard_operator(blocks)
    n1, n2 = blocks.n1, blocks.n2
    basis = np.eye(n1 * n2).reshape(n1 * n2, n1, n2)
    return apply(basis).reshape(n1 * n2, n1 * n2).T


def _guard_operator(blocks: Blocks) -> Callable[[Array], Array]:
    """Return the function Y -> Q(Y) on arrays of shape (..., n1, n2)."""
    s1 = blocks.schur_complement
    a, u = np.linalg.eigh(blocks.A22)
    s, v = np.linalg.eigh(s1)
    sums_a, sums_s = a[:, None] + a, s[:, None] + s
    for name, sums, values in (("A22", sums_a, a), ("S1", sums_s, s)):
        if np.abs(sums).min() <= 1e-13 * len(values) * np.abs(values).max():
            raise ValueError(
                f"{name}: expected no two eigenvalues that sum to zero, got {values}; the "
                f"guard matrix Q does not exist"
            )
    # In the eigenbases of S1 and A22 both Lyapunov equations are elementwise divisions.
    a11 = v.T @ blocks.A11 @ v
    a12 = v.T @ blocks.A12 @ u
    n_hat = a12 / a

    def apply(y: Array) -> Array:
        y = v.T @ y @ u
        w = a12.T @ y
        z = (w + w.swapaxes(-1, -2)) / sums_a
        w = (s[:, None] * y) @ n_hat.T
        m = (w + w.swapaxes(-1, -2)) / sums_s
        return v @ (m @ n_hat - (a11 @ y + a12 @ z) / a) @ u.T

    return apply


@dataclass(frozen=True, eq=False)
class TauStar:
    """The answer of :func:`tau_star`.

    Attributes
    ----------
    value : float
        tau*: the point is stable for every tau > tau*.  0 where it is stable for every
        tau > 0; infinity where there is no finite tau*, because the point is no differential
        Stackelberg equilibrium.
    qualifies : bool
        Whether the point is a differential Stackelberg equilibrium (strict local minmax).
    reason : str
        Why it qualifies or not, with the deciding eigenvalue.
    method : str
        How the value was found.
    crossing : ndarray of complex
        The eigenvalues of J_tau on the imaginary axis at tau = tau*; empty unless
        0 < tau* < infinity.
    residual : float
        |spectral abscissa| of J_tau at tau*, over the largest |eigenvalue|; 0 at tau* = 0.
    touches : bool
        Whether the spectrum only touches the axis at tau*, being stable just below it too.
    classification : Classification
    """

    value: float
    qualifies: bool
    reason: str
    method: str
    crossing: ComplexArray
    residual: float
    touches: bool
    classification: Classification

    def __str__(self) -> str:
        if not self.qualifies:
            return f"no finite tau*: {self.reason}"
        return f"tau* = {self.value:.12g} ({self.reason}; {self.method})"


def tau_star(blocks: Blocks) -> TauStar:
    """Compute tau*: the point is stable under tau-GDA for every tau > tau*.

    tau* is finite iff the point is a differential Stackelberg equilibrium; it is then 0 iff
    A11 is positive semidefinite, and otherwise the largest positive real eigenvalue of
    :func:`guard_matrix`.  Complex eigenvalues do not count, even where they lie further right
    (the authors' code counts their real parts).

    Parameters
    ----------
    blocks : Blocks
        The blocks at a critical point, any n1 and n2.

    Returns
    -------
    TauStar
        A result object; "no finite tau*" is the value infinity, with the reason.

    Raises
    ------
    ValueError
        If A22 is singular, which the theorem excludes.
    RuntimeError
        If the spectrum of J_tau does not confirm the answer (so badly scaled input that
        rounding decides).

    Notes
    -----
    Source: the theorem of Fiez & Ratliff (2021) on tau*.  The dense eigenproblem has order
    n1 n2.

    Examples
    --------
    >>> from taugda import games
    >>> print(tau_star(games.quadratic().blocks([0, 0, 0, 0])))
    tau* = 2 (DSE: min eig A22 = 2, min eig S1 = 4; guard map)
    """
    blocks.require_regular_A22()
    kind = classify(blocks)
    none = np.empty(0, dtype=complex)
    if kind.kind not in ("DNE", "DSE"):
        return TauStar(math.inf, False, kind.reason, "classification", none, 0.0, False, kind)
    if kind.A11_semidefinite:
        return TauStar(0.0, True, kind.reason, "A11 positive semidefinite", none, 0.0, False, kind)
    for root in reversed(_guard_roots(blocks)):
        values = np.linalg.eigvals(blocks.jacobian(root))
        size = np.abs(values).max()
        residual = float(abs(values.real.min()) / size)
        beside = spectral_abscissa(blocks.jacobian([root * (1 - 1e-5), root * (1 + 1e-5)]))
        below, above = (beside > 0).tolist()
        if residual > 1e-7 or not above:
            continue  # a pair +-l of real eigenvalues, or a complex eigenvalue of Q
        crossing = values[np.abs(values.real) <= 1e-7 * size]
        return TauStar(root, True, kind.reason, "guard map", crossing, residual, below, kind)
    raise RuntimeError(
        "tau_star: no real eigenvalue of the guard matrix could be confirmed on the spectrum of "
        f"J_tau; the blocks are too badly scaled for double precision (entries up to "
        f"{blocks.scale:.3g}, {kind.reason})"
    )


def tau_star_or_none(blocks: Blocks) -> float | None:
    """Return the value of :func:`tau_star`, None where A22 is singular and it is undefined.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    float or None
        Infinity where there is no finite tau*.
    """
    return None if classify(blocks).undefined else tau_star(blocks).value


def summary(blocks: Blocks) -> dict[str, Any]:
    """Return one row of a table of critical points.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    dict
        The kind, tau*, the intervals of stability and the deciding eigenvalues, under the
        column names of the notebooks' tables.
    """
    kind = classify(blocks)
    star = tau_star_or_none(blocks)
    intervals = stability_intervals(blocks)
    return {
        "kind": kind.kind,
        r"$\tau^*$": "undefined" if star is None else "none" if star == math.inf else star,
        r"stable for $\tau$ in": ", ".join(i.latex() for i in intervals) or "never",
        "why": kind.reason.partition(": ")[2] or kind.reason,
    }


def tau_star_search(blocks: Blocks, samples: int = 4000) -> float:
    """Compute tau* without the guard map, by looking for the last crossing from above.

    Slower and less sure than :func:`tau_star`, which it checks: beyond :func:`tau_zero`
    stability no longer changes, so the spectral abscissa is followed from there downward on a
    geometric grid to its first sign change, which bisection then sharpens.

    Parameters
    ----------
    blocks : Blocks
        The blocks at a differential Stackelberg equilibrium.
    samples : int
        Number of grid points over eight decades; a double crossing that falls between two of
        them is missed.

    Returns
    -------
    float
        0 where no crossing was found.

    Raises
    ------
    ValueError
        If the point is no differential Stackelberg equilibrium.
    """
    kind = classify(blocks)
    if not kind.is_dse:
        raise ValueError(f"blocks: expected those of a DSE, got {kind.reason}")
    top = min(tau_zero(blocks, "sign"), tau_zero(blocks, "identity"))
    if top == 0.0:
        return 0.0
    grid = np.geomspace(1.001 * top, 1e-8 * top, samples)
    unstable = np.flatnonzero(spectral_abscissa(blocks.jacobian(grid)) <= 0)
    if not unstable.size:
        return 0.0
    below, above = grid[unstable[0]], grid[max(unstable[0] - 1, 0)]
    return float(
        scipy.optimize.brentq(
            lambda tau: spectral_abscissa(blocks.jacobian(tau)), below, above, xtol=1e-15 * below
        )
    )


def _guard_roots(blocks: Blocks) -> list[float]:
    """Return the positive tau at which two eigenvalues of J_tau sum to zero, ascending."""
    try:
        candidates = np.linalg.eigvals(guard_matrix(blocks))
    except ValueError:
        candidates = _pencil_roots(blocks)
    near = candidates[
        (candidates.real > 0) & (np.abs(candidates.imag) <= _REAL * np.abs(candidates))
    ]
    return sorted({_polish(blocks, float(root)) for root in near.real})


def _pencil_roots(blocks: Blocks) -> ComplexArray:
    """Return the finite tau with det(J_tau boxplus J_tau) = 0, from the pencil K0 + tau K1."""
    j0 = blocks.jacobian(0.0)
    j1 = blocks.jacobian(1.0) - j0
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = scipy.linalg.eigvals(box_sum(j0), -box_sum(j1))
    roots = roots[np.isfinite(roots)]
    # The pencil has spurious roots at 0 and infinity, which rounding moves.
    return roots[(np.abs(roots) > 1e-9) & (np.abs(roots) < 1e9)]


def box_sum(matrix: ArrayLike) -> Array:
    """Return A boxplus A, the map P -> A P + P A^T on symmetric matrices P.

    Its eigenvalues are the sums of two eigenvalues of A (each pair once, and each with itself),
    so it is singular iff two eigenvalues of A sum to zero: the guard map's core.

    Parameters
    ----------
    matrix : array_like, shape (n, n)

    Returns
    -------
    ndarray, shape (n (n + 1) / 2, n (n + 1) / 2)
        In the coordinates P_ij, i <= j, which is H^+ (A kron I + I kron A) H with the
        duplication matrix H.

    Raises
    ------
    ValueError
        If the matrix is not square or not finite.
    """
    a = finite_array("matrix", matrix, ndim=2)
    if a.shape[0] != a.shape[1]:
        raise ValueError(f"matrix: expected a square matrix, got shape {a.shape}")
    i, j = np.triu_indices(len(a))
    basis = np.zeros((len(i), *a.shape))
    basis[np.arange(len(i)), i, j] = 1.0
    basis[np.arange(len(i)), j, i] = 1.0
    image = a @ basis
    return (image + image.swapaxes(-1, -2))[:, i, j].T


def _polish(blocks: Blocks, root: float) -> float:
    """Sharpen a crossing of the imaginary axis by Newton's method on the crossing pair."""
    j1 = blocks.jacobian(1.0) - blocks.jacobian(0.0)
    tau = root
    for _ in range(3):
        values, left, right = scipy.linalg.eig(blocks.jacobian(tau), left=True)
        size = np.abs(values).max()
        k = int(np.argmin(np.abs(values.real)))
        if abs(values[k].real) > 1e-4 * size or abs(values[k].imag) < 1e-6 * size:
            return root  # a real pair +-l: nothing crosses here
        row, column = left[:, k].conj(), right[:, k]
        slope = (row @ j1 @ column / (row @ column)).real
        if abs(slope) * tau < 1e-6 * size:
            return root  # the pair moves along the axis: Newton would divide by nothing
        step = values[k].real / slope
        if abs(step) > 1e-3 * root:
            return root
        tau -= step
        if abs(step) <= 1e-15 * tau:
            break
    return float(tau)


@dataclass(frozen=True)
class Interval:
    """An open interval of tau; ``upper`` is infinity where it never ends."""

    lower: float
    upper: float

    def __contains__(self, tau: float) -> bool:
        return self.lower < tau < self.upper

    def __str__(self) -> str:
        return f"({self.lower:.10g}, {self.upper:.10g})"

    def latex(self) -> str:
        """Return the interval as TeX between dollar signs, with six digits."""
        upper = r"\infty" if self.upper == math.inf else f"{self.upper:.6g}"
        return f"$({self.lower:.6g}, {upper})$"


def stability_intervals(blocks: Blocks) -> list[Interval]:
    """Return the open intervals of tau > 0 on which the critical point is stable.

    The ends are roots of the guard map (two eigenvalues of J_tau sum to zero) and between two
    roots the number of unstable eigenvalues is constant, so one spectrum decides each gap.  A
    root at which a stable spectrum only touches the axis splits an interval.

    Parameters
    ----------
    blocks : Blocks
        The blocks at any critical point, equilibrium or not.

    Returns
    -------
    list of Interval
        In ascending order.  The last one ends at infinity iff the point is a differential
        Stackelberg equilibrium (where A22 and S1 are nonsingular); an empty list means that
        no tau makes the point stable.

    Examples
    --------
    >>> from taugda import games
    >>> print(*stability_intervals(games.quadratic().blocks([0, 0, 0, 0])))
    (2, inf)
    """
    if _always_singular(blocks):
        return []
    roots = [r for r in _guard_roots(blocks) if _pair_on_axis(blocks, r)]
    edges = [0.0, *roots, math.inf]
    intervals = []
    for lower, upper in itertools.pairwise(edges):
        if is_stable(blocks, _between(lower, upper)):
            intervals.append(Interval(lower, upper))
    return intervals


def _between(lower: float, upper: float) -> float:
    if lower == 0.0:
        return 1.0 if upper == math.inf else upper / 2
    return 2 * lower if upper == math.inf else math.sqrt(lower * upper)


def _always_singular(blocks: Blocks) -> bool:
    """Return whether J_tau has an eigenvalue 0 for every tau (det J_tau is tau^n2 times it)."""
    values = np.linalg.svd(blocks.jacobian(1.0), compute_uv=False)
    return bool(values[-1] <= 1e-12 * len(values) * values[0])


def _pair_on_axis(blocks: Blocks, tau: float) -> bool:
    """Return whether J_tau has eigenvalues on the imaginary axis, not just a pair +-l."""
    values = np.linalg.eigvals(blocks.jacobian(tau))
    return bool(np.abs(values.real).min() <= 1e-7 * np.abs(values).max())


def tau_zero(blocks: Blocks, method: str = "sign") -> float:
    """Return a tau_0 beyond which stability no longer changes with tau.

    At a critical point that is no differential Stackelberg equilibrium it is unstable for
    every tau > tau_0; at one that is, it is stable there, so tau_0 bounds tau* from above.
    The bound is constructive, not sharp: the last true crossing is the end of the last of
    :func:`stability_intervals` or the largest guard-map root.

    Parameters
    ----------
    blocks : Blocks
    method : {"sign", "identity"}
        "sign" takes P = sign(S), so that the Lyapunov right-hand sides are 2|S|; "identity"
        takes right-hand sides I, as the existence proof does, and is looser as a rule.

    Returns
    -------
    float
        At least 0.

    Raises
    ------
    ValueError
        If A22 or S1 is singular, which the theorem excludes, or the method is unknown.

    Notes
    -----
    With S1 P1 + P1 S1 = Q1 and A22 P2 + P2 A22 = Q2 (Q1, Q2 > 0), L0 = -A22^{-1} A12^T and
    B = P1 A12 + S1 L0^T P2, tau_0 is the largest eigenvalue of
    Q2^{-1} (B^T Q1^{-1} B - P2 L0 A12 - (P2 L0 A12)^T), or 0.
    Source: the non-convergence theorem of Fiez & Ratliff (2021).
    """
    if method not in ("sign", "identity"):
        raise ValueError(f"method: expected 'sign' or 'identity', got {method!r}")
    s1 = blocks.schur_complement
    p1, q1 = _lyapunov_pair("S1", s1, method)
    p2, q2 = _lyapunov_pair("A22", blocks.A22, method)
    l0 = -np.linalg.solve(blocks.A22, blocks.A12.T)
    b = p1 @ blocks.A12 + s1 @ l0.T @ p2
    cross = p2 @ l0 @ blocks.A12
    left = b.T @ np.linalg.solve(q1, b) - cross - cross.T
    top = scipy.linalg.eigh((left + left.T) / 2, q2, eigvals_only=True)[-1]
    return max(0.0, float(top))


def _lyapunov_pair(name: str, s: Array, method: str) -> tuple[Array, Array]:
    values, vectors = np.linalg.eigh(s)
    if np.abs(values).min() <= 1e-13 * len(values) * np.abs(values).max():
        raise ValueError(f"{name}: expected a nonsingular matrix, got eigenvalues {values}")
    if method == "identity":
        return (vectors / (2 * values)) @ vectors.T, np.eye(len(values))
    return (vectors * np.sign(values)) @ vectors.T, (vectors * (2 * np.abs(values))) @ vectors.T


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of J_tau followed along tau.

    Attributes
    ----------
    taus : ndarray, shape (k,)
    eigenvalues : ndarray of complex, shape (k, n1 + n2)
        Column i is one eigenvalue, followed continuously from the first tau on.
    """

    taus: Array
    eigenvalues: ComplexArray

    @property
    def abscissa(self) -> Array:
        """The smallest real part at each tau, shape (k,); positive means stable."""
        return self.eigenvalues.real.min(axis=1)

    def __iter__(self) -> Iterator[ComplexArray]:
        return iter(self.eigenvalues.T)


def spectrum(blocks: Blocks, taus: ArrayLike) -> Spectrum:
    """Return the eigenvalues of J_tau along a range of tau, each followed continuously.

    Parameters
    ----------
    blocks : Blocks
    taus : array_like, shape (k,)
        Increasing values, at least 0 (0 is the limit in which player 2 stands still, where
        the paper's pictures begin).

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        If the taus are not an increasing sequence of at least one number, none negative.
    """
    taus = positives("taus", taus, zero=True)
    if taus.ndim != 1 or not taus.size or (np.diff(taus) <= 0).any():
        raise ValueError(f"taus: expected an increasing sequence, got {taus}")
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


def double_eigenvalues(blocks: Blocks, taus: ArrayLike) -> list[float]:
    """Return the tau at which two eigenvalues of J_tau meet and a complex pair becomes real.

    Found on the spectrum alone: the discriminant prod (l_i - l_j)^2 of the eigenvalues changes
    its sign where one pair turns from complex to real or back.

    Parameters
    ----------
    blocks : Blocks
    taus : array_like, shape (k,)
        Increasing values of tau, at least 0, between which to look; two meetings between
        neighbours are missed.

    Returns
    -------
    list of float
        Ascending; empty where there is none, or where an eigenvalue is double at every tau.

    Raises
    ------
    ValueError
        If the taus are not an increasing sequence of at least two numbers, none negative.

    Examples
    --------
    >>> double_eigenvalues(Blocks([[0.0]], [[0.5]], [[0.25]]), [1, 10, 100])
    [16.0]
    """
    taus = positives("taus", taus, zero=True)
    if taus.ndim != 1 or taus.size < 2 or (np.diff(taus) <= 0).any():
        raise ValueError(f"taus: expected an increasing sequence of at least two, got {taus}")
    i, j = np.triu_indices(blocks.n1 + blocks.n2, 1)

    def discriminant(tau: ArrayLike) -> Array:
        values = np.linalg.eigvals(blocks.jacobian(tau)).astype(complex)
        size = np.maximum(np.abs(values).max(axis=-1, keepdims=True), 1e-300)
        return np.prod(((values[..., i] - values[..., j]) / size) ** 2, axis=-1).real

    signs = np.sign(discriminant(taus))
    found = [float(tau) for tau in taus[1:-1][_crossed_on_grid(signs)]]
    for k in np.flatnonzero(signs[:-1] * signs[1:] < 0):
        found.append(scipy.optimize.brentq(discriminant, taus[k], taus[k + 1], xtol=1e-14))
    return sorted(found)


def _crossed_on_grid(signs: Array) -> NDArray[np.bool_]:
    """Return at which inner entries a sequence passes through exactly zero."""
    return (signs[1:-1] == 0) & (signs[:-2] * signs[2:] < 0)


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


def regularized_gan_blocks(B: ArrayLike, C: ArrayLike, R: ArrayLike, mu: float) -> Blocks:
    """Return the blocks of a realizable GAN with gradient penalty at its equilibrium.

    Its Jacobian is J_(tau, mu) = [[0, B], [-tau B^T, tau (C + mu R)]]; under the conditions
    checked here the equilibrium is stable for every tau > 0 and mu > 0 (for the flow; the step
    bound of :func:`convergence_rate` still depends on both).

    Parameters
    ----------
    B : array_like, shape (n1, n2)
        D12 f, of full row rank (so n1 <= n2).
    C, R : array_like, shape (n2, n2)
        The discriminator's own curvature and that of the penalty, symmetric.
    mu : float
        Weight of the penalty (with the theory's factor 1/2), at least 0.

    Returns
    -------
    Blocks
        (0, B, C + mu R).

    Raises
    ------
    ValueError
        If a shape does not fit, B lacks full row rank, or C + mu R is not positive definite.

    Notes
    -----
    Source: Fiez & Ratliff (2021), the proposition on regularized GANs, after Mescheder et al.
    (2018).
    """
    mu = positive("mu", mu, zero=True)
    B, C, R = (finite_array(n, m, ndim=2) for n, m in (("B", B), ("C", C), ("R", R)))
    if C.shape != R.shape:
        raise ValueError(f"R: expected the shape of C, {C.shape}, got {R.shape}")
    blocks = Blocks(np.zeros((B.shape[0], B.shape[0])), B, C + mu * R)
    rank = int(np.linalg.matrix_rank(B))
    if rank < blocks.n1:
        raise ValueError(f"B: expected full row rank {blocks.n1}, got rank {rank}")
    least = np.linalg.eigvalsh(blocks.A22)[0]
    if least <= 0:
        raise ValueError(f"C + mu R: expected a positive definite matrix, got eigenvalue {least:g}")
    return blocks
