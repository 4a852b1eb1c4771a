"""Proofs about matrices whose entries are balls (``arb``) or exact rationals (``fmpq``).

Each test answers True or False only where that is proved and None where the entries do not
decide.  With rationals every comparison is exact; with balls flint's comparisons hold for
all members of the balls, or are False.
"""

from collections.abc import Sequence
from typing import Any

from taugda.certify.balls import UndecidedError

__all__ = [
    "definite",
    "evidence",
    "guard_matrix",
    "hurwitz",
    "jacobian",
    "no_root",
    "semidefinite",
    "shifted",
    "tidy",
]

# Subintervals looked at before the search for a root-free covering is given up.
_BUDGET = 3000


def _like(matrix: Any, rows: int, columns: int, entries: Sequence[Any]) -> Any:
    return type(matrix)(rows, columns, list(entries))


def tidy(matrix: Any) -> Any:
    """Return a symmetric matrix from the upper triangle of one that is known to be symmetric.

    Parameters
    ----------
    matrix : flint.arb_mat or flint.fmpq_mat
        Encloses a symmetric matrix.

    Returns
    -------
    flint.arb_mat or flint.fmpq_mat
    """
    n = matrix.nrows()
    return _like(matrix, n, n, [matrix[min(i, j), max(i, j)] for i in range(n) for j in range(n)])


def shifted(matrix: Any, shift: Any) -> Any:
    """Return matrix - shift * identity.

    Parameters
    ----------
    matrix : flint.arb_mat or flint.fmpq_mat
        Square.
    shift : flint.fmpq
        An exact number.

    Returns
    -------
    flint.arb_mat or flint.fmpq_mat
    """
    n = matrix.nrows()
    entries = [matrix[i, j] - (shift if i == j else 0) for i in range(n) for j in range(n)]
    return _like(matrix, n, n, entries)


def definite(matrix: Any) -> bool | None:
    """Say whether a symmetric matrix is positive definite, by its pivots.

    Parameters
    ----------
    matrix : flint.arb_mat or flint.fmpq_mat

    Returns
    -------
    bool or None
        True: positive definite.  False: it has a negative eigenvalue.  None: not decided.
    """
    n = matrix.nrows()
    rows = [[matrix[i, j] for j in range(n)] for i in range(n)]
    for k in range(n):
        pivot = rows[k][k]
        if pivot < 0:
            return False
        if not pivot > 0:
            return None
        for i in range(k + 1, n):
            factor = rows[i][k] / pivot
            for j in range(k + 1, n):
                rows[i][j] = rows[i][j] - factor * rows[k][j]
    return True


def semidefinite(matrix: Any) -> bool:
    """Say whether a symmetric rational matrix is positive semidefinite, exactly.

    Parameters
    ----------
    matrix : flint.fmpq_mat

    Returns
    -------
    bool
        A symmetric matrix has no negative eigenvalue iff the signs of its characteristic
        polynomial's coefficients alternate, zeros allowed.
    """
    n = matrix.nrows()
    return all((-1) ** (n - k) * c >= 0 for k, c in enumerate(matrix.charpoly().coeffs()))


def jacobian(a11: Any, a12: Any, a22: Any, tau: Any) -> Any:
    """Return J_tau = [[A11, A12], [-tau A12^T, tau A22]].

    Parameters
    ----------
    a11, a12, a22 : flint.arb_mat or flint.fmpq_mat
    tau : flint.fmpq

    Returns
    -------
    flint.arb_mat or flint.fmpq_mat
    """
    n1, n2 = a12.nrows(), a12.ncols()
    top = [[a11[i, j] for j in range(n1)] + [a12[i, j] for j in range(n2)] for i in range(n1)]
    bottom = [
        [-tau * a12[j, i] for j in range(n1)] + [tau * a22[i, j] for j in range(n2)]
        for i in range(n2)
    ]
    return _like(a11, n1 + n2, n1 + n2, [e for row in top + bottom for e in row])


def hurwitz(matrix: Any) -> bool | None:
    """Say whether every eigenvalue has a positive real part, by Routh's array.

    Parameters
    ----------
    matrix : flint.arb_mat or flint.fmpq_mat
        Square.

    Returns
    -------
    bool or None
        True: all real parts are positive.  False: one is negative.  None: not decided.

    Notes
    -----
    det(s I + J) has all roots left of the axis iff the first column of its array is positive.
    A column that turns negative means a negative Hurwitz determinant; those of polynomials
    without roots right of the axis are at least 0, so there is a root strictly right of it.
    """
    coefficients = (-matrix).charpoly().coeffs()[::-1]
    if any(c < 0 for c in coefficients):
        return False
    upper, lower = list(coefficients[0::2]), list(coefficients[1::2])
    while lower:
        if lower[0] < 0:
            return False
        if not lower[0] > 0:
            return None
        ratio = upper[0] / lower[0]
        following = [
            upper[i + 1] - (ratio * lower[i + 1] if i + 1 < len(lower) else 0)
            for i in range(len(upper) - 1)
        ]
        upper, lower = lower, following
    return True


def evidence(matrix: Any, stable: bool) -> str:
    """Describe the leftmost eigenvalue of a matrix whose stability Routh's array has decided.

    Parameters
    ----------
    matrix : flint.arb_mat or flint.fmpq_mat
    stable : bool
        What was decided.

    Returns
    -------
    str
        Enclosures, where they were computed and are narrow enough to decide too.
    """
    import flint

    test = f"J is {'stable' if stable else 'unstable'} by Routh's array"
    try:
        values = flint.acb_mat(flint.arb_mat(matrix)).eig(multiple=True)
    except ValueError:
        return test
    left = min(values, key=lambda v: v.real.mid())
    if not (all(v.real > 0 for v in values) if stable else left.real < 0):
        return test
    return (
        f"{test}, its leftmost eigenvalue having real part {left.real.str(6)} and imaginary part "
        f"{abs(left.imag).str(6)}"
    )


def guard_matrix(a11: Any, a12: Any, a22: Any, s1: Any) -> Any:
    """Return the guard matrix Q, whose real positive eigenvalues are where stability may change.

    Parameters
    ----------
    a11, a12, a22, s1 : flint.arb_mat or flint.fmpq_mat
        The blocks and the Schur complement.

    Returns
    -------
    flint.arb_mat or flint.fmpq_mat, n1 n2 x n1 n2

    Raises
    ------
    UndecidedError
        If A22, A22 boxplus A22 or S1 boxplus S1 is not known to be nonsingular.

    Notes
    -----
    Q(Y) = M N - (A11 Y + A12 Z) A22^{-1} with N = A12 A22^{-1}, where Z solves
    A22 Z + Z A22 = A12^T Y + Y^T A12 and M solves S1 M + M S1 = S1 Y N^T + N Y^T S1; here both
    are solved as linear systems for the entries on and above the diagonal.
    """
    n1, n2 = a12.nrows(), a12.ncols()
    try:
        inverse = a22.inv()
        n = a12 * inverse
        basis = [(a, b) for a in range(n1) for b in range(n2)]
        z = _lyapunov(
            a22,
            [
                lambda i, j, a=a, b=b: (a12[a, i] if j == b else 0) + (a12[a, j] if i == b else 0)
                for a, b in basis
            ],
        )
        m = _lyapunov(
            s1,
            [lambda i, j, a=a, b=b: s1[i, a] * n[j, b] + n[i, b] * s1[a, j] for a, b in basis],
        )
    except ZeroDivisionError as error:
        raise UndecidedError(
            "two eigenvalues of A22 or of S1 may sum to zero, and then Q does not exist"
        ) from error
    columns = []
    for k, (a, b) in enumerate(basis):
        image = m[k] * n - a12 * z[k] * inverse
        columns.append(
            [
                image[i, j] - a11[i, a] * inverse[b, j]  # A11 E_ab A22^{-1}
                for i in range(n1)
                for j in range(n2)
            ]
        )
    size = n1 * n2
    return _like(a11, size, size, [columns[k][r] for r in range(size) for k in range(size)])


def _lyapunov(s: Any, right: Sequence[Any]) -> list[Any]:
    """Solve S X + X S = R for symmetric X, for several R given as functions of (i, j)."""
    n = s.nrows()
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    place = {pair: k for k, pair in enumerate(pairs)} | {
        (j, i): k for k, (i, j) in enumerate(pairs)
    }
    system = [[s[0, 0] * 0] * len(pairs) for _ in pairs]
    for row, (i, j) in enumerate(pairs):
        for k in range(n):
            system[row][place[k, j]] = system[row][place[k, j]] + s[i, k]
            system[row][place[i, k]] = system[row][place[i, k]] + s[k, j]
    box = _like(s, len(pairs), len(pairs), [e for row in system for e in row])
    known = _like(s, len(pairs), len(right), [r(i, j) for i, j in pairs for r in right])
    solution = box.solve(known)
    return [
        _like(s, n, n, [solution[place[i, j], k] for i in range(n) for j in range(n)])
        for k in range(len(right))
    ]


def no_root(poly: Any, low: Any, high: Any | None = None) -> bool:
    """Prove that a polynomial has no real root at or above ``low`` (and up to ``high``).

    Parameters
    ----------
    poly : flint.arb_poly or flint.fmpq_poly
        Its leading coefficient must not be zero.
    low : flint.fmpq
        Included.
    high : flint.fmpq, optional
        Included; no bound if left out.

    Returns
    -------
    bool
        False means not proved, not that there is a root.

    Notes
    -----
    Descartes's rule on pieces: a polynomial whose coefficients all have one sign has no
    positive root.  Roots elsewhere, complex ones included, only cost more pieces.
    """
    degree = poly.degree()
    if high is None:
        pieces: list[tuple[Any, Any]] = [(low, None)]
    else:
        pieces = [(low, high)]
    for _ in range(_BUDGET):
        if not pieces:
            return True
        a, b = pieces.pop()
        if _one_sign(_piece(poly, degree, a, b)):
            continue
        if b is None:
            middle = 2 * a if a > 0 else a + 1
        else:
            middle = (a + b) / 2
        pieces += [(middle, b), (a, middle)]
    return False


def _piece(poly: Any, degree: int, a: Any, b: Any | None) -> list[Any]:
    """Return the coefficients in u of poly(a + u), or of (1 + u)^n poly at (b + a u) / (1 + u)."""
    kind = type(poly)
    one = poly.coeffs()[-1] * 0 + 1
    coefficients = _padded(poly(kind([one * a, one])), degree)
    if b is None:
        return coefficients
    width = one * (b - a)
    scaled = []
    for c in coefficients:
        scaled.append(c * one)
        one = one * width
    return _padded(kind(scaled[::-1])(kind([1, 1])), degree)


def _padded(poly: Any, degree: int) -> list[Any]:
    coefficients = list(poly.coeffs())
    return coefficients + [0] * (degree + 1 - len(coefficients))


def _one_sign(coefficients: Sequence[Any]) -> bool:
    """Return whether all are proved >= 0 or all <= 0, the first and the last not zero."""
    ends = coefficients[0], coefficients[-1]
    if all(e > 0 for e in ends):
        return all(c >= 0 for c in coefficients)
    return all(e < 0 for e in ends) and all(c <= 0 for c in coefficients)
