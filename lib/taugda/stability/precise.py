"""Spectra, and Q's, to their own precision: in doubles where they decide, else in more digits.

There each float is taken as the exact number that it is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import acb_mat, arb, arb_mat, ctx

from taugda.blocks import Blocks
from taugda.checks import Array, ComplexArray
from taugda.signs import BITS, EXACT

MOST = EXACT  # n1 + n2 up to which spectra are taken in more digits
_TOUCH = 1e-10  # a pair so near to the axis, for its size, may touch it where it does not cross
DOUBT = 1e-9  # a real part below this, beside the largest entry, is looked at in more digits


@dataclass(frozen=True, eq=False)
class Crossing:
    """A tau at which eigenvalues of J_tau lie on the imaginary axis."""

    tau: float
    values: ComplexArray  # the spectrum there
    method: str = "guard map, dense"
    resolved: bool = True  # False where rounding decides whether the pair reaches the axis


def natural_tau(blocks: Blocks) -> float:
    """Return the tau at which, in suitable units of f, x1 and x2, all blocks are of order 1."""
    # a^2 A11, a b A12 and b^2 A22 have tau* times a^2 / b^2.
    n11, n12, n22 = (float(np.abs(m).max()) for m in (blocks.A11, blocks.A12, blocks.A22))
    second = n22 or (n12 * (n12 / n11) if n11 else n12) or 1.0
    return (max(n11, n12 * (n12 / second)) or 1.0) / second


def balanced(blocks: Blocks, tau: float) -> Array:
    """Return [[A11, s A12], [-s A12^T, s^2 A22]], s^2 = tau, which is similar to J_tau."""
    n1, n = blocks.n1, blocks.n1 + blocks.n2
    j = np.empty((n, n))
    j[:n1, :n1], j[n1:, n1:] = blocks.A11, tau * blocks.A22
    j[:n1, n1:] = np.sqrt(tau) * blocks.A12
    j[n1:, :n1] = -j[:n1, n1:].T
    return j


def eigenvalues(blocks: Blocks, tau: float) -> ComplexArray:
    """Return the spectrum of J_tau, each real part with its right sign unless n1 + n2 is large."""
    j = balanced(blocks, tau)
    values = np.linalg.eigvals(j)
    if len(j) > MOST or np.abs(values.real).min() > DOUBT * np.abs(j).max():
        return values
    with ctx.workprec(BITS):
        values = acb_mat(_matrix(blocks, arb(tau))).eig(algorithm="approx")
        return np.array([complex(v) for v in values])


def sharpen(blocks: Blocks, tau: float) -> Crossing | None:
    """Return the crossing of the imaginary axis at a root of the guard map, None if none is."""
    values, slopes, doubts = first = _terms(blocks, tau)
    size = np.abs(values)
    k = _nearest(values)
    certain = doubts.max() < 1e-3 * size.min() and (k is None or doubts[k] < 1e-10 * abs(slopes[k]))
    if certain or len(size) > MOST:
        found = _newton(blocks, tau, _terms, 1e-9, first)
    else:
        with ctx.workprec(BITS):
            found = _newton(blocks, arb(tau), _precise_terms, 1e-30, None)
        values = values if found else eigenvalues(blocks, tau)
        k = _nearest(values)
    if found or k is None:
        return found
    near = abs(values[k].real) <= min(100 * doubts.max(), _TOUCH * abs(values[k]))
    return Crossing(tau, values, resolved=False) if near else None


def _nearest(values: ComplexArray) -> int | None:
    """Return which complex eigenvalue is nearest to the imaginary axis for its size."""
    size = np.abs(values)
    tilt = np.where(values.imag > 1e-9 * size, np.abs(values.real) / size, np.inf)
    k = int(tilt.argmin())
    return None if tilt[k] == np.inf else k


def _newton(
    blocks: Blocks, tau: Any, terms: Callable[..., Any], small: float, first: Any
) -> Crossing | None:
    """Follow the pair nearest to the axis to it, in the arithmetic of tau and the terms."""
    for _ in range(8):
        spectrum, slopes, _ = first or terms(blocks, tau)
        first, values = None, np.array(spectrum, dtype=complex)
        k = _nearest(values)
        if k is None or slopes[k] == 0:
            return None  # a pair +-l of real eigenvalues
        step = -spectrum[k].real / slopes[k]
        if abs(float(step)) > 0.05:
            return None
        tau = tau * (1 + step)
        if abs(float(step)) <= small:
            return Crossing(float(tau), values)
    return None


def _terms(blocks: Blocks, tau: float) -> tuple[ComplexArray, Array, Array]:
    """Return the eigenvalues l of J_tau, d Re l / d log tau, and how far rounding moves each l."""
    j = balanced(blocks, tau)
    values, right = np.linalg.eig(j)
    left = np.linalg.inv(right)
    slopes = (left[:, blocks.n1 :] * (j[blocks.n1 :] @ right).T).sum(axis=1).real
    condition = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=0)
    return values.astype(complex), slopes, len(j) * 2e-16 * np.linalg.norm(j) * condition


def _precise_terms(blocks: Blocks, tau: arb) -> tuple[list[Any], list[arb], Array]:
    j = _matrix(blocks, tau.mid())
    values, left, right = acb_mat(j).eig(left=True, right=True, algorithm="approx")
    n1, n = blocks.n1, blocks.n1 + blocks.n2
    lower = arb_mat([[j[i, k] if i >= n1 else 0 for k in range(n)] for i in range(n)])
    moved, size = left.mid() * acb_mat(lower) * right.mid(), left.mid() * right.mid()
    slopes = [(moved[k, k] / size[k, k]).real.mid() for k in range(n)]
    return [v.mid() for v in values], slopes, np.zeros(n)


def _matrix(blocks: Blocks, tau: arb) -> arb_mat:
    """Return J_tau in the precision that is set."""
    j = arb_mat(blocks.jacobian(1.0).tolist())
    rows = [[j[i, k] * tau if i >= blocks.n1 else j[i, k] for k in range(j.ncols())]
            for i in range(j.nrows())]  # fmt: skip
    return arb_mat(rows)


def guard_values(blocks: Blocks) -> ComplexArray:
    """Return the eigenvalues of the guard matrix, from the theorem's Kronecker products."""
    bits = BITS
    while True:
        with ctx.workprec(bits):
            q = _guard_matrix(blocks)
            size = max(float(abs(v.mid())) for v in q.entries())
            doubt = max(float(v.rad()) for v in q.entries())
            if doubt <= 1e-40 * size or bits > 2000:
                values = acb_mat(q.mid()).eig(algorithm="approx")
                return np.array([complex(v) for v in values])
        bits *= 2


def _guard_matrix(blocks: Blocks) -> arb_mat:
    a11, a12, a22 = (arb_mat(m.tolist()) for m in (blocks.A11, blocks.A12, blocks.A22))
    inverse = a22.inv()
    n, s1 = a12 * inverse, a11 + a12 * inverse * a12.transpose()

    def lyapunov(a: arb_mat) -> arb_mat:
        """Return the matrix of X -> P with A P + P A = X + X^T, row-major vec."""
        k, eye = a.nrows(), _eye(a.nrows())
        swap = arb_mat([[int(divmod(j, k) == (i % k, i // k)) for j in range(k * k)]
                        for i in range(k * k)])  # fmt: skip
        return (_kron(a, eye) + _kron(eye, a)).solve(_eye(k * k) + swap)

    second = _kron(a12, inverse) * lyapunov(a22) * _kron(a12.transpose(), _eye(blocks.n2))
    first = _kron(_eye(blocks.n1), n.transpose()) * lyapunov(s1) * _kron(s1, n)
    return first - second - _kron(a11, inverse)


def _eye(n: int) -> arb_mat:
    return arb_mat(np.eye(n, dtype=int).tolist())


def _kron(a: arb_mat, b: arb_mat) -> arb_mat:
    p, q = a.table(), b.table()
    return arb_mat([[x * y for x in r for y in s] for r in p for s in q])
