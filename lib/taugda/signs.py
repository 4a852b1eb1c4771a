"""The signs of a symmetric matrix's eigenvalues, in whatever units its coordinates are.

A float is the exact number that it is, unless a change of the matrix's entries in their last digits
would change the answer: then an eigenvalue counts as 0.  Changing the units of single coordinates
(a congruence by a diagonal matrix) changes no sign, so it is done until the entries are of order 1.
"""

from dataclasses import dataclass

import numpy as np

from taugda.checks import Array

ROUNDING = 4e-15  # how far off an entry may be, relatively
EXACT = 40  # up to this order doubtful numbers are computed in more digits, in a tenth of a second
_SPREAD = 1e7  # times S1 its terms may be, before their rounding shows
BITS = 256

Doubts = tuple[float, float, float]  # how far off entries of A11, A12 and A22 may be


@dataclass(frozen=True, eq=False)
class Signs:
    """Eigenvalues, ascending, and how many of them are negative, and zero to within rounding."""

    values: Array
    negative: int
    zero: int

    @property
    def nearest(self) -> float:
        """The eigenvalue nearest to 0."""
        return float(self.values[np.abs(self.values).argmin()])

    @property
    def positive(self) -> bool:
        """Whether the matrix is positive definite."""
        return self.negative == self.zero == 0

    @property
    def singular(self) -> str:
        """How a matrix with an eigenvalue 0 is singular."""
        return "singular to within rounding" if self.nearest else "singular"


def signs_of(matrix: Array, doubt: float = 0.0) -> Signs:
    """Return the signs of a matrix whose entries may be off by their rounding and the doubt."""
    values = np.linalg.eigvalsh(matrix)
    if _clear(values, np.abs(values).max(), len(matrix) * doubt):
        return Signs(values, int((values < 0).sum()), 0)
    if len(matrix) > EXACT:
        return _in_doubles(values, np.abs(values).max(), len(matrix) * doubt)
    error = ROUNDING * np.abs(matrix) + doubt
    return Signs(_exact_eigenvalues(matrix), *_count(matrix, error))


def schur_signs(a11: Array, a12: Array, a22: Array, doubts: Doubts = (0.0, 0.0, 0.0)) -> Signs:
    """Return the signs of S1 = A11 + A12 A22^{-1} A12^T; A22 is regular, the blocks in doubt."""
    n1, n2 = a12.shape
    s1, terms, y = _schur(a11, a12, a22)
    reach = np.abs(y).sum(axis=0)
    doubt = doubts[0] + doubts[1] * (reach[:, None] + reach) + doubts[2] * np.outer(reach, reach)
    values = np.linalg.eigvalsh(s1)
    if _clear(values, terms, n1 * doubt.max()):
        return Signs(values, int((values < 0).sum()), 0)
    if max(n1, n2) > EXACT:
        return _in_doubles(values, terms, n1 * doubt.max())
    # S1 is what elimination of x2 leaves of D^2 f, so the signs add up (Haynsworth); D^2 f may
    # be far from singular where S1 is a small difference of large terms, and the other way round.
    player = np.repeat([0, 1], [n1, n2])
    off = np.array([doubts[:2], doubts[1:]])[np.ix_(player, player)]
    both = hessian(a11, a12, a22)
    negative, zero = _count(both, ROUNDING * np.abs(both) + off)
    s1, values, added = _exact_schur(a11, a12, a22)
    if zero:
        return Signs(values, *_count(s1, ROUNDING * (np.abs(a11) + np.abs(added)) + doubt))
    return Signs(values, negative - n2 + signs_of(a22, doubts[2]).negative, 0)


def _in_doubles(values: Array, terms: float, doubt: float) -> Signs:
    """Return the signs in a matrix that is too large for more digits, whatever its units."""
    least = 1e-12 * terms + doubt
    return Signs(values, int((values < -least).sum()), int((np.abs(values) <= least).sum()))


def schur_complement(a11: Array, a12: Array, a22: Array) -> Array:
    """Return S1; where rounding would spread, that of the exact numbers that the floats are."""
    s1, terms, _ = _schur(a11, a12, a22)
    if terms > _SPREAD * np.abs(s1).max() and max(a12.shape) <= EXACT:
        s1 = _exact_schur(a11, a12, a22)[0]
    return s1


def hessian(a11: Array, a12: Array, a22: Array) -> Array:
    """Return D^2 f, whose determinant is (-1)^n2 det A22 det S1."""
    return np.block([[a11, a12], [a12.T, -a22]])


def _clear(values: Array, terms: float, doubt: float) -> bool:
    """Return whether eigenvalues in doubles have their signs, and eight digits where few."""
    sure = 1e-8 if len(values) <= EXACT else 1e-12
    return bool(np.abs(values).min() > sure * terms + doubt)


def _schur(a11: Array, a12: Array, a22: Array) -> tuple[Array, float, Array]:
    """Return S1 in doubles, the size of the terms whose rounding is in it, and A22^{-1} A12^T."""
    y = np.linalg.solve(a22, a12.T)
    s1 = a11 + a12 @ y
    n11, n12, n22, n = (float(np.linalg.norm(m)) for m in (a11, a12, a22, y))
    return (s1 + s1.T) / 2, n11 + n * (2 * n12 + n * n22), y


def _exact_eigenvalues(matrix: Array) -> Array:
    """Return the eigenvalues of the exact numbers that the floats are."""
    from flint import acb_mat, arb_mat, ctx  # here, for a training run does without it

    with ctx.workprec(BITS):
        values = acb_mat(arb_mat(matrix.tolist())).eig(algorithm="approx")
        return np.sort([float(v.real) for v in values])


def _exact_schur(a11: Array, a12: Array, a22: Array) -> tuple[Array, Array, Array]:
    """Return S1, its eigenvalues and S1 - A11 of the exact numbers that the floats are."""
    from flint import acb_mat, arb_mat, ctx

    with ctx.workprec(BITS):
        first, coupling, second = (arb_mat(m.tolist()) for m in (a11, a12, a22))
        added = coupling * second.solve(coupling.transpose())
        s1 = first + added
        values = np.sort([float(v.real) for v in acb_mat(s1.mid()).eig(algorithm="approx")])
        s1, added = (
            np.array([[float(v.mid()) for v in r] for r in m.table()]) for m in (s1, added)
        )
        return (s1 + s1.T) / 2, values, added


def _count(matrix: Array, error: Array) -> tuple[int, int]:
    """Return how many eigenvalues are negative and how many the error may have made of 0."""
    size = np.abs(matrix) + error
    unit = np.ones(len(matrix))
    for _ in range(60):
        largest = (unit[:, None] * size * unit).max(axis=1)
        largest[largest == 0] = 1.0
        if (np.abs(np.log(largest)) < 1).all():
            break
        unit /= np.sqrt(largest)
    values = np.linalg.eigvalsh(unit[:, None] * matrix * unit)
    doubt = (unit[:, None] * error * unit).sum(axis=1).max()  # no eigenvalue moves further (Weyl)
    negative, zero = int((values < -doubt).sum()), int((np.abs(values) <= doubt).sum())
    if zero and len(matrix) <= EXACT and _regular(matrix, error):
        negative, zero = int((_exact_eigenvalues(matrix) < 0).sum()), 0
    return negative, zero


def _regular(matrix: Array, error: Array) -> bool:
    """Return whether no matrix as near as the error is singular (Bauer and Skeel), in any units."""
    from flint import arb_mat, ctx

    try:
        with ctx.workprec(BITS):
            inverse = arb_mat(matrix.tolist()).inv().mid()
            moved = [[abs(float(v)) for v in row] for row in inverse.table()] @ error
    except ZeroDivisionError:
        return False
    return bool(np.isfinite(moved).all() and np.abs(np.linalg.eigvals(moved)).max() < 1)
