"""Characteristic polynomials and inertia of matrices over an exact number field."""

import itertools
from collections.abc import Sequence

from flint import fmpq, fmpq_mat, fmpq_poly

from taugda.exact.numberfield import Field

__all__ = ["Rows", "characteristic_polynomial", "determinant", "inertia", "interpolate"]

Rows = Sequence[Sequence[fmpq_poly]]


def characteristic_polynomial(field: Field, rows: Rows) -> list[fmpq_poly]:
    """Return the coefficients of det(x I - A), the leading 1 first.

    Parameters
    ----------
    field : Field
    rows : sequence of rows of elements
        The square matrix A.

    Returns
    -------
    list of flint.fmpq_poly
        n + 1 elements.  Source: the Faddeev-LeVerrier recursion, which divides by whole
        numbers only, so no inverse in the field is needed.
    """
    n = len(rows)
    if all(e.degree() <= 0 for row in rows for e in row):
        matrix = fmpq_mat(n, n, [fmpq(e[0]) for row in rows for e in row])
        return [fmpq_poly([c]) for c in reversed(matrix.charpoly().coeffs())]
    coefficients = [fmpq_poly([1])]
    product = [[fmpq_poly() for _ in range(n)] for _ in range(n)]
    for k in range(1, n + 1):
        for i in range(n):
            product[i][i] = product[i][i] + coefficients[-1]
        columns = list(zip(*product, strict=True))
        # Sums first, one reduction afterwards: the reduction is the dear part.
        product = [
            [sum((a * b for a, b in zip(row, column, strict=True)), fmpq_poly()) % field.modulus
             for column in columns]
            for row in rows
        ]  # fmt: skip
        trace = sum((product[i][i] for i in range(n)), fmpq_poly())
        coefficients.append(trace * fmpq(-1, k))
    return coefficients


def determinant(field: Field, rows: Rows) -> fmpq_poly:
    """Return det(A); the empty matrix has determinant 1."""
    if not rows:
        return fmpq_poly([1])
    return characteristic_polynomial(field, rows)[-1] * (-1) ** len(rows)


def inertia(field: Field, rows: Rows) -> tuple[int, int, int]:
    """Return how many eigenvalues of a symmetric matrix are positive, zero and negative.

    All roots of its characteristic polynomial are real, so Descartes' rule of signs counts
    the positive ones exactly.

    Parameters
    ----------
    field : Field
    rows : sequence of rows of elements
        A symmetric matrix.

    Returns
    -------
    positive, zero, negative : int
    """
    n = len(rows)
    signs = [field.sign(c) for c in characteristic_polynomial(field, rows)]
    zero = next(k for k in range(n + 1) if signs[n - k] != 0)
    nonzero = [s for s in signs if s]
    positive = sum(a != b for a, b in itertools.pairwise(nonzero))
    return positive, zero, n - positive - zero


def interpolate(nodes: Sequence[fmpq], values: Sequence[fmpq_poly]) -> list[fmpq_poly]:
    """Return the polynomial through values at distinct rational nodes (Newton's form).

    Parameters
    ----------
    nodes : sequence of flint.fmpq
    values : sequence of flint.fmpq_poly
        Elements of one field, or constants.

    Returns
    -------
    list of flint.fmpq_poly
        len(nodes) coefficients, low ones first.
    """
    table = list(values)
    for k in range(1, len(nodes)):
        for i in reversed(range(k, len(nodes))):
            table[i] = (table[i] - table[i - 1]) * (1 / (nodes[i] - nodes[i - k]))
    result = [fmpq_poly()] * len(nodes)
    for i in reversed(range(len(nodes))):
        # result = result * (x - node) + table[i]
        shifted = [fmpq_poly(), *result[:-1]]
        result = [s - c * nodes[i] for s, c in zip(shifted, result, strict=True)]
        result[0] = result[0] + table[i]
    return result
