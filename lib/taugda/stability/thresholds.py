"""tau*, beyond which a strict minmax point attracts, and tau_0, beyond which no other does."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

from taugda.blocks import Blocks, takes_blocks
from taugda.checks import Array, ComplexArray
from taugda.equilibria import Classification, classify
from taugda.stability.frequency import FrequencyError, frequency_crossing
from taugda.stability.guard import DENSE, KrylovError, crossings_descending
from taugda.stability.intervals import stability_intervals
from taugda.stability.precise import MOST, Crossing, eigenvalues
from taugda.stability.spectra import spectral_abscissa

_BESIDE = (1e-7, 1e-5)  # how far beside a crossing, relatively, to look in small and large games
_TRIAL = 6  # restarts of the Krylov method, at most 120 applications: where it is quick, it is so


@dataclass(frozen=True, eq=False)
class TauStar:
    """The answer of :func:`tau_star`, in print one line."""

    value: float  # tau*; infinity where there is no finite tau*
    qualifies: bool  # whether the point is a differential Stackelberg equilibrium
    reason: str  # why it is one or not, with the deciding eigenvalue
    method: str  # how the value was found
    classification: Classification
    # The eigenvalues of J_tau on the imaginary axis at tau*.
    crossing: ComplexArray = field(default_factory=lambda: np.empty(0, complex))
    touches: bool = False  # whether the spectrum only touches the axis, stable just below too

    def __str__(self) -> str:
        if not self.qualifies:
            return f"no finite tau*: {self.reason}"
        return f"tau* = {self.value:.12g} ({self.reason}; {self.method})"


@takes_blocks
def tau_star(blocks: Blocks) -> TauStar:
    """Compute tau*: the point is stable under tau-GDA for every tau > tau*.

    It is finite iff the point is a differential Stackelberg equilibrium; then it is 0 iff A11 is
    positive semidefinite, else the largest positive real eigenvalue of :func:`guard_matrix`.
    Complex ones do not count, even further right (the authors' code counts their real parts).

    Parameters
    ----------
    blocks : Blocks
        At a critical point, any n1 and n2.  Up to n1 n2 = 64 the guard map's matrix is formed;
        beyond, a Krylov method tries it briefly, and the frequency of the crossing decides the
        rest.

    Returns
    -------
    TauStar
        Its ``value`` is tau*, infinity where there is no finite one, with the ``reason``.

    Raises
    ------
    ValueError
        If A22 is singular, which the theorem excludes.
    RuntimeError
        If the spectrum of J_tau does not confirm the answer, so that rounding decides, or
        (KrylovError) no route of a large game converges.
    """
    blocks.require_regular("A22")
    kind = classify(blocks)
    if not kind.is_dse:
        return TauStar(math.inf, False, kind.reason, "classification", kind)
    if kind.A11_semidefinite:
        return TauStar(0.0, True, kind.reason, "A11 positive semidefinite", kind)
    for root in _routes(blocks):
        below, above = _unstable_around(blocks, root.tau)
        if above:
            continue
        tilt = np.abs(root.values.real) / np.abs(root.values)
        crossing = root.values[tilt <= max(1e-6, 2 * tilt.min())]
        return TauStar(root.tau, True, kind.reason, root.method, kind, crossing, below == 0)
    raise RuntimeError(f"tau_star: rounding decides, no crossing is confirmed ({kind.reason})")


def _routes(blocks: Blocks) -> Iterator[Crossing]:
    """Yield crossings of a DSE, the largest tau first, by the quickest route that gets there."""
    if blocks.n1 * blocks.n2 > DENSE:
        try:
            yield from crossings_descending(blocks, restarts=_TRIAL)
            return
        except (KrylovError, ValueError):
            pass  # thousands of applications may be needed, where some 30 small problems do
        try:
            yield frequency_crossing(blocks)
            return
        except FrequencyError:
            pass
    yield from crossings_descending(blocks)


def _unstable_around(blocks: Blocks, tau: float) -> tuple[int, int]:
    """Return how many eigenvalues of J_tau are unstable just below and just above."""
    far = _BESIDE[blocks.n1 + blocks.n2 > MOST]
    below, above = (eigenvalues(blocks, tau * (1 + h)) for h in (-far, far))
    return int((below.real <= 0).sum()), int((above.real <= 0).sum())


@takes_blocks
def tau_star_or_none(blocks: Blocks) -> float | None:
    """Return the value of :func:`tau_star`, None where A22 is singular and it is undefined.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    float or None
    """
    return None if classify(blocks).undefined else tau_star(blocks).value


@takes_blocks
def last_crossing(blocks: Blocks) -> float:
    """Compute the largest tau at which the number of unstable eigenvalues changes.

    At a point that is no differential Stackelberg equilibrium this is the sharp form of
    :func:`tau_zero`; at one that is, it is tau*.

    Parameters
    ----------
    blocks : Blocks
        At a critical point with nonsingular A22 and S1.

    Returns
    -------
    float
        0 where nothing ever changes.

    Raises
    ------
    ValueError
        If A22 or S1 is singular, or the guard matrix does not exist in a large game.
    """
    blocks.require_regular("S1")
    for root in crossings_descending(blocks):
        below, above = _unstable_around(blocks, root.tau)
        if below != above:
            return root.tau
    return 0.0


@takes_blocks
def tau_star_search(blocks: Blocks, samples: int = 4000) -> float:
    """Compute tau* without the guard map: from :func:`tau_zero` downward to the first crossing.

    Parameters
    ----------
    blocks : Blocks
        At a differential Stackelberg equilibrium.
    samples : int
        Points of the grid over eight decades; two crossings between neighbours are missed.

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
    grid = np.geomspace(1.001, 1e-8, samples) * top
    unstable = np.flatnonzero(spectral_abscissa(blocks.jacobian(grid)) <= 0)
    if top == 0 or not unstable.size:
        return 0.0
    below, above = grid[unstable[0]], grid[max(unstable[0] - 1, 0)]
    return scipy.optimize.brentq(
        lambda tau: float(spectral_abscissa(blocks.jacobian(tau))), below, above, xtol=1e-15 * below
    )


@takes_blocks
def tau_zero(blocks: Blocks, method: str = "sign") -> float:
    """Return a tau_0 beyond which stability no longer changes with tau.

    There a differential Stackelberg equilibrium is stable (so tau_0 bounds tau* from above) and
    every other critical point unstable.  :func:`last_crossing` is the sharp bound.

    Parameters
    ----------
    blocks : Blocks
    method : {"sign", "identity"}
        The Lyapunov equations' right-hand sides Q: 2|S|, so that P = sign(S), or I as in the
        proof of existence, which is looser as a rule.

    Returns
    -------
    float
        With S1 P1 + P1 S1 = Q1, A22 P2 + P2 A22 = Q2, L0 = -A22^{-1} A12^T and B = P1 A12 +
        S1 L0^T P2 the largest eigenvalue of Q2^{-1} (B^T Q1^{-1} B - P2 L0 A12 - (P2 L0 A12)^T),
        or 0 (the non-convergence theorem of Fiez & Ratliff, 2021).

    Raises
    ------
    ValueError
        If A22 or S1 is singular in double precision, or the method unknown.
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
    return max(0.0, float(scipy.linalg.eigh((left + left.T) / 2, q2, eigvals_only=True)[-1]))


def _lyapunov_pair(name: str, s: Array, method: str) -> tuple[Array, Array]:
    """Return P and Q with S P + P S = Q > 0."""
    values, vectors = np.linalg.eigh(s)
    if np.abs(values).min() <= 1e-13 * len(values) * np.abs(values).max():
        raise ValueError(
            f"{name}: expected a nonsingular matrix in doubles, got eigenvalues {values}"
        )
    if method == "identity":
        return (vectors / (2 * values)) @ vectors.T, np.eye(len(values))
    return (vectors * np.sign(values)) @ vectors.T, (vectors * (2 * np.abs(values))) @ vectors.T


@takes_blocks
def summary(blocks: Blocks) -> dict[str, Any]:
    """Return one row of a table of critical points, by the column names of the notebooks' tables.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    dict
        Kind, tau*, intervals of stability and the eigenvalues that decide.
    """
    kind, star = classify(blocks), tau_star_or_none(blocks)
    reason = kind.reason
    if kind.kind != "degenerate":  # the kind stands in a column of its own
        reason = reason.partition(": ")[2]
    reason = re.sub(r"min eig (\w)(\d+)", r"$\\lambda_{\\min}(\1_{\2})$", reason)
    intervals = ", ".join(i.latex() for i in stability_intervals(blocks))
    return {
        "kind": kind.kind,
        r"$\tau^*$": "undefined" if star is None else "none" if star == math.inf else star,
        r"stable for $\tau$ in": intervals or "never",
        "why": re.sub(r"([AS])(\d+)", r"$\1_{\2}$", reason),
    }
