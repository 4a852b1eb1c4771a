"""tau*, beyond which a strict minmax point attracts, and tau_0, beyond which no other does."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
import scipy.optimize
import sympy as sp

from taugda.blocks import Blocks
from taugda.checks import Array, ComplexArray
from taugda.equilibria import Classification, classify
from taugda.stability.intervals import in_floats, stability_intervals
from taugda.stability.krylov import guard_roots_descending
from taugda.stability.spectra import spectral_abscissa

if TYPE_CHECKING:
    from taugda.exact import ExactBlocks

__all__ = [
    "LastCrossing",
    "TauStar",
    "last_crossing",
    "summary",
    "tau_star",
    "tau_star_or_none",
    "tau_star_search",
    "tau_zero",
]

# How far beside a root of the guard map, relatively, the spectrum is looked at.
_BESIDE = 1e-5
# An eigenvalue l with |Re l| / |l| up to this lies on the imaginary axis.
_ON_AXIS = 1e-5


@dataclass(frozen=True, eq=False)
class TauStar:
    """The answer of :func:`tau_star`.

    Attributes
    ----------
    value : float or sympy.Expr
        tau*: the point is stable for every tau > tau*; a SymPy number by the exact route.  0
        where it is stable for every tau > 0; infinity where there is no finite tau*, because
        the point is no differential Stackelberg equilibrium.
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
        |Re l| / |l| of the eigenvalue l of J_tau nearest to the imaginary axis at tau*; 0 at
        tau* = 0.
    touches : bool
        Whether the spectrum only touches the axis at tau*, being stable just below it too.
    classification : Classification
    iterations : int
        How often the guard operator was applied; 0 where its matrix was dense.
    checked : str
        What the spectrum of J_tau confirmed.
    """

    value: float | sp.Expr
    qualifies: bool
    reason: str
    method: str
    crossing: ComplexArray
    residual: float
    touches: bool
    classification: Classification
    iterations: int = 0
    checked: str = ""

    def __str__(self) -> str:
        if not self.qualifies:
            return f"no finite tau*: {self.reason}"
        number = f"{float(self.value):.12g}"
        if isinstance(self.value, sp.Expr):
            number = number if self.value.has(sp.CRootOf) else str(self.value)
        return f"tau* = {number} ({self.reason}; {self.method})"


def tau_star(blocks: "Blocks | ExactBlocks", exact: bool = False) -> TauStar:
    """Compute tau*: the point is stable under tau-GDA for every tau > tau*.

    tau* is finite iff the point is a differential Stackelberg equilibrium; it is then 0 iff
    A11 is positive semidefinite, and otherwise the largest positive real eigenvalue of
    :func:`guard_matrix`.  Complex eigenvalues do not count, even where they lie further right
    (the authors' code counts their real parts).

    Parameters
    ----------
    blocks : Blocks or ExactBlocks
        The blocks at a critical point, any n1 and n2.
    exact : bool
        Whether to return an exact value (a SymPy number), proved by root isolation; needs
        :class:`ExactBlocks`, as ``game.exact_blocks`` returns them.

    Returns
    -------
    TauStar
        A result object; "no finite tau*" is the value infinity, with the reason.

    Raises
    ------
    ValueError
        If A22 is singular, which the theorem excludes; if ``exact`` and the blocks are not
        exact, or their number field is too hard (``FieldTooHardError``, with the degree).
    taugda.stability.KrylovError
        If n1 n2 is large and the Krylov method does not converge.
    RuntimeError
        If the spectrum of J_tau does not confirm the answer (so badly scaled input that
        rounding decides).

    Notes
    -----
    Source: the theorem of Fiez & Ratliff (2021) on tau*.  The eigenproblem has order n1 n2; it
    is solved densely while that is small, and by a Krylov method without the matrix beyond.

    Examples
    --------
    >>> from taugda import games
    >>> print(tau_star(games.quadratic().blocks([0, 0, 0, 0])))
    tau* = 2 (DSE: min eig A22 = 2, min eig S1 = 3; guard map, dense)
    """
    if exact:
        from taugda.stability.exact import exact_tau_star

        return TauStar(**exact_tau_star(blocks))
    blocks = in_floats(blocks)
    blocks.require_regular_A22()
    kind = classify(blocks)
    none = np.empty(0, dtype=complex)
    if kind.kind not in ("DNE", "DSE"):
        return TauStar(math.inf, False, kind.reason, "classification", none, 0.0, False, kind)
    if kind.A11_semidefinite:
        return TauStar(0.0, True, kind.reason, "A11 positive semidefinite", none, 0.0, False, kind)
    for root in guard_roots_descending(blocks):
        values, below, above = _around(blocks, root.tau)
        tilt = np.abs(values.real) / np.abs(values)
        residual = float(tilt.min())
        if residual > _ON_AXIS or above:
            continue  # a pair +-l of real eigenvalues, or a complex eigenvalue of Q
        crossing = values[tilt <= max(_ON_AXIS / 10, 2 * residual)]
        checked = (
            f"J_tau has {len(crossing)} eigenvalues on the imaginary axis at tau*, none left of it "
            f"at 1.00001 tau* and {below} at 0.99999 tau*"
        )
        return TauStar(
            root.tau, True, kind.reason, root.method, crossing, residual, below == 0, kind,
            root.applications, checked,
        )  # fmt: skip
    raise RuntimeError(
        "tau_star: no real eigenvalue of the guard matrix could be confirmed on the spectrum of "
        f"J_tau; the blocks are too badly scaled for double precision (entries up to "
        f"{blocks.scale:.3g}, {kind.reason})"
    )


def _around(blocks: Blocks, tau: float) -> tuple[ComplexArray, int, int]:
    """Return the spectrum of J_tau and how many eigenvalues are unstable just below and above."""
    below, above = (
        int((np.linalg.eigvals(blocks.jacobian(tau * (1 + h))).real <= 0).sum())
        for h in (-_BESIDE, _BESIDE)
    )
    return np.linalg.eigvals(blocks.jacobian(tau)), below, above


@dataclass(frozen=True)
class LastCrossing:
    """The answer of :func:`last_crossing`.

    Attributes
    ----------
    value : float
        The largest tau at which stability or the number of unstable eigenvalues changes; 0
        where it never does.
    unstable_below, unstable_above : int
        Numbers of eigenvalues of J_tau with a real part of at most 0 on the two sides.
    method : str
    iterations : int
        How often the guard operator was applied; 0 where it was dense.
    """

    value: float
    unstable_below: int
    unstable_above: int
    method: str
    iterations: int


def last_crossing(blocks: Blocks) -> LastCrossing:
    """Compute the exact threshold beyond which nothing changes with tau any more.

    At a point that is no differential Stackelberg equilibrium this is the sharp form of
    :func:`tau_zero`; at one that is, it is tau*.  Guard-map roots are taken from the right until
    the number of unstable eigenvalues differs on the two sides (pairs +-l of real eigenvalues
    are roots, too, but change nothing).

    Parameters
    ----------
    blocks : Blocks
        The blocks at a critical point with nonsingular A22 and S1.

    Returns
    -------
    LastCrossing

    Raises
    ------
    ValueError
        If A22 or S1 is singular, or Q does not exist (two eigenvalues of A22 or of S1 sum to
        zero) and n1 + n2 is too large for the pencil that stands in.
    taugda.stability.KrylovError
        If n1 n2 is large and the Krylov method decides nothing.
    """
    blocks.require_regular_A22()
    _lyapunov_pair("S1", blocks.schur_complement, "sign")
    root, method, iterations = 0.0, "no root", 0
    for candidate in guard_roots_descending(blocks):
        method, iterations = candidate.method, candidate.applications
        _, below, above = _around(blocks, candidate.tau)
        if below != above:
            return LastCrossing(candidate.tau, below, above, method, iterations)
    count = int((np.linalg.eigvals(blocks.jacobian(1.0)).real <= 0).sum())
    return LastCrossing(root, count, count, method, iterations)


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
