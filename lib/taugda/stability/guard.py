"""The guard map: the tau at which two eigenvalues of J_tau sum to zero.

Source: Fiez & Ratliff (2021), proof of the theorem on tau*; the Kronecker-free form is ours.
"""

from collections.abc import Callable, Iterator

import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from taugda.blocks import Blocks
from taugda.checks import Array, ComplexArray, finite_array

# How far from the real line (relative to its size) an eigenvalue of Q may lie and still be
# taken for a real one that rounding split: a double eigenvalue moves by the root of rounding.
_REAL = 1e-6
# Where Q does not exist a pencil of order n (n + 1) / 2 stands in, up to this n = n1 + n2.
_PENCIL = 40
# Up to this order n1 n2 the dense matrix is as quick, and gives all eigenvalues at once.
_DENSE = 64
# ARPACK's restarts before it is given up (a few dozen are usual), and the numbers of eigenvalues
# that it is asked for until one that is real decides.
_RESTARTS, _COUNTS = 3000, (1, 4, 10, 22, 46, 94)
# Up to this order the dense matrix is the last resort (half a minute).
_FALLBACK = 3000


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
    # There both Lyapunov equations are elementwise divisions, and five products of matrices are
    # all that one application costs.
    a, u = np.linalg.eigh(blocks.A22)
    s, v = np.linalg.eigh(blocks.schur_complement)
    sums_a, sums_s = a[:, None] + a, s[:, None] + s
    for name, sums, values in (("A22", sums_a, a), ("S1", sums_s, s)):
        if np.abs(sums).min() <= 1e-13 * len(values) * np.abs(values).max():
            raise ValueError(
                f"{name}: expected no two eigenvalues that sum to zero, got {values}; the "
                f"guard matrix Q does not exist"
            )
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


def guard_roots(blocks: Blocks) -> list[float]:
    """Return the positive tau at which two eigenvalues of J_tau sum to zero, ascending."""
    try:
        candidates = np.linalg.eigvals(guard_matrix(blocks))
    except ValueError:
        if blocks.n1 + blocks.n2 > _PENCIL:
            raise
        candidates = _pencil_roots(blocks)
    size = np.abs(candidates)
    # A singular A11 makes Q singular: what rounding makes of its zeros are no crossings.
    least = 1e-12 * size.max(initial=0.0)
    near = candidates[(candidates.real > least) & (np.abs(candidates.imag) <= _REAL * size)]
    return sorted({_polish(blocks, float(root)) for root in near.real})


def _pencil_roots(blocks: Blocks) -> ComplexArray:
    """Return the finite tau with det(J_tau boxplus J_tau) = 0, from the pencil K0 + tau K1."""
    j0, j1 = blocks.jacobian([0.0, 1.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        roots = scipy.linalg.eigvals(box_sum(j0), box_sum(j0 - j1))
    # The pencil has spurious roots at 0 and infinity, which rounding moves.
    return roots[np.isfinite(roots) & (np.abs(roots) > 1e-9) & (np.abs(roots) < 1e9)]


def _polish(blocks: Blocks, root: float) -> float:
    """Sharpen a crossing of the imaginary axis by Newton's method on the crossing pair."""
    j0, j1 = blocks.jacobian([0.0, 1.0])
    tau = root
    for _ in range(3):
        values, left, right = scipy.linalg.eig(blocks.jacobian(tau), left=True)
        size = np.abs(values).max()
        k = int(np.argmin(np.abs(values.real)))
        row, column = left[:, k].conj(), right[:, k]
        slope = (row @ (j1 - j0) @ column / (row @ column)).real
        # A real pair +-l crosses nothing; a pair that moves along the axis has no slope.
        pair = abs(values[k].real) <= 1e-4 * size and abs(values[k].imag) >= 1e-6 * size
        if not pair or abs(slope) * tau < 1e-6 * size or abs(values[k].real / slope) > 1e-3 * root:
            return root
        tau -= values[k].real / slope
    return float(tau)


def guard_roots_descending(
    blocks: Blocks, dense_order: int = _DENSE
) -> Iterator[tuple[float, str, int]]:
    """Yield the roots, the largest first, with the method and how often Q was applied so far."""
    n1, n2 = blocks.A12.shape
    order = n1 * n2
    if order <= dense_order:
        yield from ((tau, "guard map, dense", 0) for tau in reversed(guard_roots(blocks)))
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
            values, vectors = eigs(operator, k, which="LR", **options)
        except ArpackNoConvergence as error:
            raise KrylovError(
                f"the Krylov method found {len(error.eigenvalues)} of {k} eigenvalues of the "
                f"guard matrix (order {order}) in {applications} applications"
            ) from error
        for i in np.argsort(-values.real):
            value, tau, vector = values[i], float(values[i].real), vectors[:, i]
            if tau <= 0:
                return  # all further eigenvalues lie left of this one
            if abs(value.imag) > _REAL * abs(value) or any(abs(tau - s) < 1e-9 * s for s in seen):
                continue
            image = matvec(vector.real) + 1j * matvec(vector.imag)
            residual = np.linalg.norm(image - value * vector) / abs(value)
            if residual > 1e-8:
                raise KrylovError(
                    f"the Krylov method's eigenvalue {tau:.6g} of the guard matrix has the "
                    f"relative residual {residual:.3g}"
                )
            seen.append(tau)
            yield tau, "guard map, Krylov", applications
        if k == order - 2:
            break
    if order > _FALLBACK:
        raise KrylovError(
            f"the {k} rightmost eigenvalues of the guard matrix (order {order}) did not decide: "
            f"{len(seen)} of them are real and positive and none is a crossing"
        )
    for tau in reversed(guard_roots(blocks)):
        if all(abs(tau - s) > 1e-9 * s for s in seen):
            yield tau, "guard map, dense", applications
