"""The guard map: the tau at which two eigenvalues of J_tau sum to zero.

Source: Fiez & Ratliff (2021), proof of the theorem on tau*; the Kronecker-free form is ours.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from taugda.blocks import Blocks
from taugda.checks import Array, ComplexArray, finite_array
from taugda.stability.precise import (
    Crossing,
    balanced,
    eigenvalues,
    guard_values,
    natural_tau,
    sharpen,
)

# An eigenvalue of Q so near the real line, relatively, is a real one that rounding split: a
# double eigenvalue moves by the root of rounding.
_REAL = 1e-6
_ON_AXIS = 1e-5  # an eigenvalue l with |Re l| / |l| up to this lies on the imaginary axis
_AMPLIFIED = 1e7  # rounding times this may spoil Q's eigenvalues, which are then taken precisely
_PENCIL = 40  # up to this n1 + n2 a pencil stands in where Q does not exist
_DENSE = 64  # up to this order n1 n2 the dense matrix is as quick, and gives all eigenvalues
_RESTARTS = 3000  # of ARPACK before it is given up; a few dozen are usual
_COUNTS = (1, 4, 10, 22, 46, 94)  # eigenvalues that are asked for until one that is real decides
_FALLBACK = 3000  # up to this order the dense matrix is the last resort (half a minute)


class KrylovError(RuntimeError):
    """The Krylov method did not converge, or found nothing that decides."""


def guard_matrix(blocks: Blocks) -> Array:
    """Return the matrix Q whose positive real eigenvalues are the candidates for tau*.

    tau > 0 is an eigenvalue of Q iff two eigenvalues of J_tau sum to zero.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    ndarray, shape (n1 n2, n1 n2)
        The matrix of the guard-map theorem, built without Kronecker products: the linear map
        Y -> M N - (A11 Y + A12 Z) A22^{-1} on n1 x n2 matrices (row-major vec), N = A12 A22^{-1},
        where Z solves A22 Z + Z A22 = A12^T Y + Y^T A12 and M solves
        S1 M + M S1 = S1 Y N^T + N Y^T S1.

    Raises
    ------
    ValueError
        If A22 is singular, or two eigenvalues of A22 or of S1 sum to zero: Q does not exist.
    """
    n1, n2 = blocks.A12.shape
    reduced = reduced_guard(blocks)
    u, v = (np.linalg.eigh(m)[1] for m in (blocks.A22, blocks.schur_complement))
    basis = np.eye(n1 * n2).reshape(-1, n1, n2)
    return (v @ reduced(v.T @ basis @ u) @ u.T).reshape(n1 * n2, n1 * n2).T


def reduced_guard(blocks: Blocks) -> Callable[[Array], Array]:
    """Return Y -> Q(Y) on arrays (..., n1, n2) in the eigenbases of S1 and A22: similar to Q."""
    # There both Lyapunov equations are elementwise divisions.
    a, u = np.linalg.eigh(blocks.A22)
    s, v = np.linalg.eigh(blocks.schur_complement)
    sums_a, sums_s = a[:, None] + a, s[:, None] + s
    for name, sums, values in (("A22", sums_a, a), ("S1", sums_s, s)):
        if np.abs(sums).min() <= 1e-13 * len(values) * np.abs(values).max():
            raise ValueError(f"{name}: expected no two eigenvalues that sum to zero, got {values}")
    a11, a12 = v.T @ blocks.A11 @ v, v.T @ blocks.A12 @ u
    n_hat = a12 / a
    a21, n_hat_t = np.ascontiguousarray(a12.T), np.ascontiguousarray(n_hat.T)

    def apply(y: Array) -> Array:
        w = a21 @ y
        z = (w + w.swapaxes(-1, -2)) / sums_a
        w = (s[:, None] * y) @ n_hat_t
        m = (w + w.swapaxes(-1, -2)) / sums_s
        return m @ n_hat - (a11 @ y + a12 @ z) / a

    return apply


def box_sum(matrix: ArrayLike) -> Array:
    """Return A boxplus A, whose eigenvalues are the sums of two eigenvalues of A.

    Parameters
    ----------
    matrix : array_like, shape (n, n)

    Returns
    -------
    ndarray, shape (n (n + 1) / 2, n (n + 1) / 2)
        The map P -> A P + P A^T on symmetric matrices in the coordinates P_ij, i <= j, which is
        H^+ (A kron I + I kron A) H with the duplication matrix H.

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
    basis[np.arange(len(i)), i, j] = basis[np.arange(len(i)), j, i] = 1.0
    image = a @ basis
    return (image + image.swapaxes(-1, -2))[:, i, j].T


def crossings(blocks: Blocks) -> list[Crossing]:
    """Return all crossings of the imaginary axis at tau > 0, ascending."""
    candidates = _candidates(blocks)
    near = (candidates.real > 0) & (np.abs(candidates.imag) <= _REAL * np.abs(candidates))
    values = np.linalg.eigvalsh(blocks.A11)
    if np.abs(values).min() <= 1e-12 * blocks.n1 * np.abs(values).max():
        # A singular A11 makes Q singular: what rounding makes of its zeros are no crossings.
        near &= np.abs(candidates) > 1e-12 * np.abs(candidates).max(initial=0.0)
    found = [sharpen(blocks, float(tau)) for tau in sorted(candidates[near].real)]
    result: list[Crossing] = []
    for crossing in sorted((c for c in found if c), key=lambda c: c.tau):
        if not result or crossing.tau > result[-1].tau * (1 + 1e-12):
            result.append(crossing)
    return result


def _candidates(blocks: Blocks) -> ComplexArray:
    """Return the tau, complex ones among them, at which two eigenvalues of J_tau sum to zero."""
    try:
        q = guard_matrix(blocks)
    except ValueError:
        if blocks.n1 + blocks.n2 > _PENCIL:
            raise
        return _pencil_roots(blocks)
    values = np.linalg.eigvals(q)
    small = np.abs(values).min() < 1e-8 * np.abs(values).max()
    if len(q) > _DENSE or not (small or _amplified(blocks)):
        return values
    return guard_values(blocks)


def _amplified(blocks: Blocks) -> bool:
    """Return whether rounding, as A22 or S1 is inverted, may spoil the eigenvalues of Q."""
    a, s = np.linalg.eigvalsh(blocks.A22), np.linalg.eigvalsh(blocks.schur_complement)
    size = max(np.abs(s).max(), np.abs(blocks.A11).max())
    sums_a, sums_s = (np.abs(v[:, None] + v).min() for v in (a, s))
    return bool(np.abs(a).max() * size > _AMPLIFIED * sums_a * sums_s)


def _pencil_roots(blocks: Blocks) -> ComplexArray:
    """Return the finite tau with det(J_tau boxplus J_tau) = 0, from the pencil K0 + tau K1."""
    unit = natural_tau(blocks)
    j0, j1 = balanced(blocks, unit), balanced(blocks, unit)
    j0[blocks.n1 :] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = scipy.linalg.eigvals(box_sum(j0), box_sum(j0 - j1))
    # The pencil has spurious roots at 0 and infinity, which rounding moves.
    return unit * roots[np.isfinite(roots) & (np.abs(roots) > 1e-9) & (np.abs(roots) < 1e9)]


def crossings_descending(blocks: Blocks, dense_order: int = _DENSE) -> Iterator[Crossing]:
    """Yield the crossings of the imaginary axis, the largest tau first."""
    n1, n2 = blocks.A12.shape
    order = n1 * n2
    if order <= dense_order:
        yield from reversed(crossings(blocks))
        return
    reduced = reduced_guard(blocks)
    applications = 0

    def matvec(vector: Array) -> Array:
        nonlocal applications
        applications += 1
        return reduced(vector.reshape(n1, n2)).ravel()

    operator = LinearOperator((order, order), matvec=matvec, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(order)  # any start; fixed, to be repeatable
    seen: list[float] = []
    for count in _COUNTS:
        k = min(count, order - 2)  # ARPACK's most
        options = {"ncv": min(order, max(2 * k + 2, 20)), "v0": start, "maxiter": _RESTARTS}
        try:
            values = eigs(operator, k, which="LR", return_eigenvectors=False, **options)
        except ArpackNoConvergence as error:
            raise KrylovError(
                f"the Krylov method found {len(error.eigenvalues)} of {k} eigenvalues of the "
                f"guard matrix (order {order}) in {applications} applications"
            ) from error
        for i in np.argsort(-values.real):
            value, tau = values[i], float(values[i].real)
            if tau <= 0:
                return  # all further eigenvalues lie left of this one
            if abs(value.imag) > _REAL * abs(value) or any(abs(tau - s) < 1e-9 * s for s in seen):
                continue
            seen.append(tau)
            found = eigenvalues(blocks, tau)
            if (np.abs(found.real) <= _ON_AXIS * np.abs(found)).any():  # no pair +-l of others
                yield Crossing(tau, found, True, "guard map, Krylov", applications)
        if k == order - 2:
            break
    if order > _FALLBACK:
        raise KrylovError(
            f"the {k} rightmost eigenvalues of the guard matrix (order {order}) did not decide: "
            f"{len(seen)} of them are real and positive and none is a crossing"
        )
    for crossing in reversed(crossings(blocks)):
        if all(abs(crossing.tau - s) > 1e-9 * s for s in seen):
            yield replace(crossing, iterations=applications)
