"""The guard map: the tau at which two eigenvalues of J_tau sum to zero.

Source: Fiez & Ratliff (2021), proof of the theorem on tau*; the Kronecker-free form is ours.
"""

from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import ArrayLike

from taugda.blocks import Blocks
from taugda.checks import Array, ComplexArray, finite_array

__all__ = ["REAL", "box_sum", "guard_matrix", "guard_operator", "guard_roots", "reduced_guard"]

# How far from the real line (relative to its size) an eigenvalue of Q may lie and still be
# taken for a real one that rounding split: a double eigenvalue moves by the root of rounding.
REAL = 1e-6
# Where Q does not exist a pencil of order n (n + 1) / 2 stands in, up to this n = n1 + n2.
_PENCIL = 40


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
    apply = guard_operator(blocks)
    n1, n2 = blocks.n1, blocks.n2
    basis = np.eye(n1 * n2).reshape(n1 * n2, n1, n2)
    return apply(basis).reshape(n1 * n2, n1 * n2).T


def guard_operator(blocks: Blocks) -> Callable[[Array], Array]:
    """Return the function Y -> Q(Y) on arrays of shape (..., n1, n2)."""
    reduced = reduced_guard(blocks)
    u = np.linalg.eigh(blocks.A22)[1]
    v = np.linalg.eigh(blocks.schur_complement)[1]
    return lambda y: v @ reduced(v.T @ y @ u) @ u.T


def reduced_guard(blocks: Blocks) -> Callable[[Array], Array]:
    """Return Q in the eigenbases of S1 and A22, a matrix similar to Q.

    There both Lyapunov equations are elementwise divisions, and five products of matrices are
    all that one application costs.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    callable
        Maps arrays of shape (..., n1, n2) to the same shape.

    Raises
    ------
    ValueError
        If A22 is singular, or two eigenvalues of A22 or of S1 sum to zero.
    """
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
    a11 = v.T @ blocks.A11 @ v
    a12 = v.T @ blocks.A12 @ u
    a21, n_hat = np.ascontiguousarray(a12.T), a12 / a
    n_hat_t = np.ascontiguousarray(n_hat.T)

    def apply(y: Array) -> Array:
        w = a21 @ y
        z = (w + w.swapaxes(-1, -2)) / sums_a
        w = (s[:, None] * y) @ n_hat_t
        m = (w + w.swapaxes(-1, -2)) / sums_s
        return m @ n_hat - (a11 @ y + a12 @ z) / a

    return apply


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
    near = candidates[(candidates.real > least) & (np.abs(candidates.imag) <= REAL * size)]
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
