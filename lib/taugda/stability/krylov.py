"""The real eigenvalues of the guard matrix from the right, without forming the matrix.

One application of Q costs O(n1 n2 (n1 + n2)); Krylov's method (ARPACK) needs a few dozen for
the rightmost eigenvalues, where the dense matrix has (n1 n2)^2 entries.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigs

from taugda.blocks import Blocks
from taugda.checks import Array
from taugda.stability.guard import REAL, guard_roots, reduced_guard

__all__ = ["DENSE_ORDER", "GuardRoot", "KrylovError", "guard_roots_descending"]

# Up to this order n1 n2 the dense matrix is as quick, and gives all eigenvalues at once.
DENSE_ORDER = 64
# ARPACK's restarts before it is given up; a few dozen are usual.
_RESTARTS = 3000
# Eigenvalues are asked for in these numbers, until one that is real decides.
_COUNTS = (1, 4, 10, 22, 46, 94)
# Up to this order the dense matrix is the last resort (half a minute).
_FALLBACK = 3000


class KrylovError(RuntimeError):
    """The Krylov method did not converge, or found nothing that decides.

    Attributes
    ----------
    residual : float
        The largest relative residual of what it had, infinity where it had nothing.
    """

    def __init__(self, message: str, residual: float = np.inf) -> None:
        super().__init__(message)
        self.residual = residual


@dataclass(frozen=True)
class GuardRoot:
    """A positive real eigenvalue of the guard matrix.

    Attributes
    ----------
    tau : float
    method : str
        "guard map, dense" or "guard map, Krylov".
    residual : float
        |Q(Y) - tau Y| / (tau |Y|) of the Krylov method; nan for the dense one.
    applications : int
        How often Q was applied so far; 0 for the dense one.
    """

    tau: float
    method: str
    residual: float = np.nan
    applications: int = 0


def guard_roots_descending(blocks: Blocks, dense_order: int = DENSE_ORDER) -> Iterator[GuardRoot]:
    """Yield the tau > 0 at which two eigenvalues of J_tau sum to zero, the largest first.

    Parameters
    ----------
    blocks : Blocks
    dense_order : int
        Up to this n1 n2 the dense matrix is used.

    Yields
    ------
    GuardRoot

    Raises
    ------
    KrylovError
        If the Krylov method does not converge, or has found all it may without coming to an
        end of the positive real eigenvalues.
    ValueError
        If Q does not exist (see :func:`taugda.stability.guard_matrix`) and the pencil that
        stands in for it would be too large.
    """
    if blocks.n1 * blocks.n2 <= dense_order:
        for root in reversed(guard_roots(blocks)):
            yield GuardRoot(root, "guard map, dense")
        return
    reduced = reduced_guard(blocks)
    order = blocks.n1 * blocks.n2
    applications = 0

    def matvec(vector: Array) -> Array:
        nonlocal applications
        applications += 1
        return reduced(vector.reshape(blocks.n1, blocks.n2)).ravel()

    operator = LinearOperator((order, order), matvec=matvec, dtype=np.float64)
    start = np.random.default_rng(0).standard_normal(order)  # any start; fixed, to be repeatable
    seen: list[float] = []
    for count in _COUNTS:
        k = min(count, order - 2)
        try:
            values, vectors = eigs(
                operator, k=k, which="LR", ncv=min(order, max(2 * k + 2, 20)), v0=start,
                maxiter=_RESTARTS,
            )  # fmt: skip
        except ArpackNoConvergence as error:
            raise KrylovError(
                f"the Krylov method found {len(error.eigenvalues)} of {k} eigenvalues of the "
                f"guard matrix (order {order}) in {applications} applications"
            ) from error
        for i in np.argsort(-values.real):
            value, real = values[i], abs(values[i].imag) <= REAL * abs(values[i])
            if value.real <= 0:
                return  # all further eigenvalues lie left of this one
            if not real or any(abs(value.real - s) <= 1e-9 * s for s in seen):
                continue
            tau = float(value.real)
            vector = vectors[:, i]
            image = matvec(vector.real) + 1j * matvec(vector.imag)
            residual = float(np.linalg.norm(image - value * vector) / abs(value))
            if residual > 1e-8:
                raise KrylovError(
                    f"the Krylov method's eigenvalue {tau:.6g} of the guard matrix has the "
                    f"relative residual {residual:.3g}",
                    residual,
                )
            seen.append(tau)
            yield GuardRoot(tau, "guard map, Krylov", residual, applications)
        if k == order - 2:  # ARPACK's most; two are left
            break
    if order <= _FALLBACK:
        for root in reversed(guard_roots(blocks)):
            if all(abs(root - s) > 1e-9 * s for s in seen):
                yield GuardRoot(root, "guard map, dense", applications=applications)
        return
    raise KrylovError(
        f"the {_COUNTS[-1]} rightmost eigenvalues of the guard matrix (order {order}) did not "
        f"decide: {len(seen)} of them are real and positive and none is a crossing"
    )
