"""The guard map: the tau at which two eigenvalues of J_tau sum to zero (proof of the theorem)."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from taugda.blocks import Blocks, takes_blocks
from taugda.checks import Array, ComplexArray, finite_array
from taugda.stability import precise
from taugda.stability.precise import Crossing

_REAL = 1e-6  # an eigenvalue of Q so near the real line is a real one that rounding split
_ON_AXIS = 1e-5  # an eigenvalue l with |Re l| / |l| up to this lies on the imaginary axis
_SPOILT = 1e-10  # eigenvalues of Q below this, beside the terms it sums, are taken precisely
_APART = (1e-5, 2e-7)  # two crossings, not resolved or resolved, that are one but for rounding
_PENCIL = 40  # up to this n1 + n2 a pencil stands in where Q does not exist
DENSE = 64  # up to this order n1 n2 the dense matrix is as quick, and gives all eigenvalues
_RESTARTS = 3000  # of ARPACK before it is given up, where there is no other route
_COUNTS = (1, 4, 10, 22, 46, 94)  # eigenvalues that are asked for until one that is real decides
_FALLBACK = 3000  # up to this order the dense matrix is the last resort (half a minute)


class KrylovError(RuntimeError):
    """The Krylov method did not converge, or found nothing that decides."""


@takes_blocks
def guard_matrix(blocks: Blocks) -> Array:
    """Return the matrix Q whose positive real eigenvalues are the candidates for tau*.

    tau > 0 is an eigenvalue of Q iff two eigenvalues of J_tau sum to zero.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    ndarray, shape (n1 n2, n1 n2)
        The theorem's matrix, built in our own way, without Kronecker products: the linear map
        Y -> M N - (A11 Y + A12 Z) A22^{-1} on n1 x n2 matrices (row-major vec), N = A12 A22^{-1},
        where Z solves A22 Z + Z A22 = A12^T Y + Y^T A12 and M solves
        S1 M + M S1 = S1 Y N^T + N Y^T S1.

    Raises
    ------
    ValueError
        If A22 is singular, or two eigenvalues of A22 or of S1 sum to zero: Q does not exist.
    """
    n1, n2 = blocks.A12.shape
    reduced = _reduced(blocks)[0]
    u, v = (np.linalg.eigh(m)[1] for m in (blocks.A22, blocks.schur_complement))
    basis = np.eye(n1 * n2).reshape(-1, n1, n2)
    return (v @ reduced(v.T @ basis @ u) @ u.T).reshape(n1 * n2, n1 * n2).T


def _reduced(blocks: Blocks) -> tuple[Callable[[Array], Array], float]:
    """Return Q on arrays (..., n1, n2) in the eigenbases of S1 and A22, and its terms' size."""
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

    # Q is a sum that may cancel: rounding in it is measured by the terms.
    norms = [float(np.abs(m).max()) for m in (a11, a12, n_hat)]
    first = max(np.abs(s).max(), norms[0]) / np.abs(sums_s).min() * norms[2] ** 2
    second = (norms[0] + norms[1] ** 2 / np.abs(sums_a).min()) / np.abs(a).min()
    return apply, float(first + second)


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
    if blocks.signs("A11").zero:
        # A singular A11 makes Q singular: what rounding makes of its zeros are no crossings.
        near &= np.abs(candidates) > 1e-12 * np.abs(candidates).max(initial=0.0)
    found = [precise.sharpen(blocks, float(tau)) for tau in sorted(candidates[near].real)]
    result: list[Crossing] = []
    for crossing in sorted((c for c in found if c), key=lambda c: -c.tau):
        if not result or crossing.tau * (1 + _APART[crossing.resolved]) < result[-1].tau:
            result.append(crossing)
        elif not crossing.resolved:  # rounding split a double root to both sides
            result[-1] = replace(crossing, tau=(crossing.tau + result[-1].tau) / 2)
    return result[::-1]


def _candidates(blocks: Blocks) -> ComplexArray:
    """Return the tau, complex ones among them, at which two eigenvalues of J_tau sum to zero."""
    order = blocks.n1 * blocks.n2
    try:
        reduced, size = _reduced(blocks)
        basis = np.eye(order).reshape(order, blocks.n1, blocks.n2)
        values = np.linalg.eigvals(reduced(basis).reshape(order, order))
        if order > DENSE or np.abs(values).min() >= _SPOILT * size:
            return values
    except ValueError:
        if blocks.n1 + blocks.n2 > _PENCIL:
            raise
        if order > DENSE:
            return _pencil_roots(blocks)
    try:
        return precise.guard_values(blocks)
    except ZeroDivisionError:  # Q does not exist
        return _pencil_roots(blocks)


def _pencil_roots(blocks: Blocks) -> ComplexArray:
    """Return the finite tau with det(J_tau boxplus J_tau) = 0, from the pencil K0 + tau K1."""
    unit = precise.natural_tau(blocks)
    j0, j1 = (precise.balanced(blocks, unit) for _ in range(2))
    j0[blocks.n1 :] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = scipy.linalg.eigvals(box_sum(j0), box_sum(j0 - j1))
    # The pencil has spurious roots at 0 and infinity, which rounding moves.
    return unit * roots[np.isfinite(roots) & (np.abs(roots) > 1e-9) & (np.abs(roots) < 1e9)]


def crossings_descending(
    blocks: Blocks, dense_order: int = DENSE, restarts: int | None = None
) -> Iterator[Crossing]:
    """Yield the crossings of the imaginary axis, the largest tau first.

    With a number of ``restarts`` it is a trial that gives up early, without the dense matrix.
    """
    n1, n2 = blocks.A12.shape
    order = n1 * n2
    if order <= dense_order:
        yield from reversed(crossings(blocks))
        return
    try:
        reduced = _reduced(blocks)[0]
    except ValueError:
        if restarts or n1 + n2 > _PENCIL:
            raise
        yield from reversed(crossings(blocks))
        return

    def matvec(vector: Array) -> Array:
        return reduced(vector.reshape(n1, n2)).ravel()

    operator = LinearOperator((order, order), matvec=matvec, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(order)  # any start; fixed, to be repeatable
    seen: list[float] = []
    for count in _COUNTS:
        k = min(count, order - 2)  # ARPACK's most
        options = {"ncv": min(order, max(2 * k + 2, 20)), "maxiter": restarts or _RESTARTS}
        try:
            values = eigs(operator, k, which="LR", v0=start, return_eigenvectors=False, **options)
        except ArpackNoConvergence as error:
            why = (
                f"the Krylov method found {len(error.eigenvalues)} of {k} eigenvalues of the "
                f"guard matrix (order {order})"
            )
            break
        for i in np.argsort(-values.real):
            value, tau = values[i], float(values[i].real)
            if tau <= 0:
                return  # all further eigenvalues lie left of this one
            if abs(value.imag) > _REAL * abs(value) or any(abs(tau - s) < 1e-9 * s for s in seen):
                continue
            seen.append(tau)
            found = precise.eigenvalues(blocks, tau)
            if (np.abs(found.real) <= _ON_AXIS * np.abs(found)).any():  # no pair +-l of others
                yield Crossing(tau, found, "guard map, Krylov")
        why = (
            f"the {k} rightmost eigenvalues of the guard matrix (order {order}) did not decide: "
            f"{len(seen)} of them are real and positive and none is a crossing"
        )
        if k == order - 2:
            break
    if restarts or order > _FALLBACK:
        raise KrylovError(why)
    yield from reversed(crossings(blocks))
