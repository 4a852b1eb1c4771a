"""The Jacobian blocks of a zero-sum game at one point, in exact numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp
from flint import fmpq_poly

from taugda.blocks import Blocks
from taugda.exact.algebraic import algebraic_elements, simplest
from taugda.exact.linear import determinant
from taugda.exact.numberfield import Field

__all__ = ["ExactBlocks"]


@dataclass(frozen=True, eq=False)
class ExactBlocks:
    """The blocks of the Jacobian of g(x) = (D1 f, -D2 f), as :class:`Blocks` but exact.

    Parameters
    ----------
    A11 : sympy.Matrix or nested sequence, shape (n1, n1)
        D1^2 f, symmetric.  Positive definite means that player 1 is at a strict minimum.
    A12 : sympy.Matrix or nested sequence, shape (n1, n2)
        D12 f.
    A22 : sympy.Matrix or nested sequence, shape (n2, n2)
        -D2^2 f, symmetric.  Positive definite means that player 2 is at a strict maximum.

    Raises
    ------
    ValueError
        If an entry is a float, holds a symbol or is not a real finite number, the shapes do
        not fit, or A11 or A22 is not symmetric (exactly).

    Notes
    -----
    The blocks may be given up to one common positive factor (of unit 1): it scales every
    eigenvalue of J_tau and so changes no class, no interval of stability and no tau*.
    :meth:`Game.exact_blocks` uses that to drop an exponential factor.

    Examples
    --------
    >>> blocks = ExactBlocks([[-1]], [[1]], [[sp.Rational(3, 2)]])
    >>> blocks.schur_complement
    Matrix([[-1/3]])
    """

    A11: sp.ImmutableMatrix
    A12: sp.ImmutableMatrix
    A22: sp.ImmutableMatrix

    def __init__(self, A11: Any, A12: Any, A22: Any) -> None:
        for name, value in (("A11", A11), ("A12", A12), ("A22", A22)):
            object.__setattr__(self, name, _exact_matrix(name, value))
        n1, n2 = self.A12.shape
        if n1 == 0 or n2 == 0:
            raise ValueError(f"A12: expected at least one row and column, got shape {(n1, n2)}")
        for name, n in (("A11", n1), ("A22", n2)):
            block = getattr(self, name)
            if block.shape != (n, n):
                raise ValueError(
                    f"{name}: expected shape {(n, n)} beside A12 of shape {(n1, n2)}, "
                    f"got {block.shape}"
                )
            for i in range(n):
                for j in range(i):
                    gap = block[i, j] - block[j, i]
                    if gap != 0 and not algebraic_elements([gap])[1][0].is_zero():
                        raise ValueError(
                            f"{name}: expected a symmetric matrix, got {block[i, j]} at "
                            f"{(i, j)} and {block[j, i]} at {(j, i)}"
                        )

    @classmethod
    def from_decimals(cls, A11: Any, A12: Any, A22: Any) -> "ExactBlocks":
        """Make exact blocks from floats, each read as the decimal that it prints.

        Parameters
        ----------
        A11, A12, A22 : nested sequence of numbers
            As above; 0.15 becomes 3/20.

        Returns
        -------
        ExactBlocks

        Raises
        ------
        ValueError
            If an entry is no finite number, or the blocks do not fit.
        """
        from taugda.games import exact

        return cls(
            *(
                [[exact(name, entry) for entry in row] for row in value]
                for name, value in (("A11", A11), ("A12", A12), ("A22", A22))
            )
        )

    @property
    def n1(self) -> int:
        """Number of coordinates of player 1."""
        return self.A12.shape[0]

    @property
    def n2(self) -> int:
        """Number of coordinates of player 2."""
        return self.A12.shape[1]

    @property
    def schur_complement(self) -> sp.ImmutableMatrix:
        """S1 = A11 + A12 A22^{-1} A12^T, shape (n1, n1), simplified.

        Raises
        ------
        ValueError
            If A22 is singular.
        """
        field, blocks = self.elements
        if determinant(field, blocks[2]).is_zero():
            raise ValueError(f"A22: expected a nonsingular matrix, got {self.A22}")
        s1 = self.A11 + self.A12 * self.A22.inv() * self.A12.T
        field, flat = algebraic_elements(list(s1))
        return sp.ImmutableMatrix(*s1.shape, [simplest(field, e) for e in flat])

    @cached_property
    def elements(self) -> tuple[Field, tuple[list[list[fmpq_poly]], ...]]:
        """The number field of the entries, and A11, A12, A22 as rows of its elements.

        Raises
        ------
        FieldTooHardError
            If the field's degree is too high for exact arithmetic.
        """
        n1, n2 = self.n1, self.n2
        # The lower triangles may be written in another way, so they are copied from the upper.
        upper = [self.A11[min(i, j), max(i, j)] for i in range(n1) for j in range(n1)]
        lower = [self.A22[min(i, j), max(i, j)] for i in range(n2) for j in range(n2)]
        field, flat = algebraic_elements([*upper, *self.A12, *lower])
        rows = []
        for height, width in ((n1, n1), (n1, n2), (n2, n2)):
            rows.append([flat[i * width : (i + 1) * width] for i in range(height)])
            flat = flat[height * width :]
        return field, tuple(rows)

    def numeric(self) -> Blocks:
        """Return the blocks in double precision."""
        return Blocks(
            *([[float(sp.N(c, 30)) for c in row] for row in m.tolist()]
              for m in (self.A11, self.A12, self.A22))
        )  # fmt: skip


def _exact_matrix(name: str, value: Any) -> sp.ImmutableMatrix:
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = [row if isinstance(row, Sequence) else [row] for row in value]
    try:
        matrix = sp.ImmutableMatrix(value)
    except (TypeError, ValueError, sp.SympifyError) as error:
        raise ValueError(f"{name}: expected a matrix of exact numbers, got {value!r}") from error
    for entry in matrix:
        if entry.has(sp.Float):
            raise ValueError(
                f"{name}: expected exact numbers, got the float {entry}; write "
                f"{sp.nsimplify(entry, rational=True)} if that is meant"
            )
        if entry.free_symbols:
            names = sorted(s.name for s in entry.free_symbols)
            raise ValueError(f"{name}: expected numbers, got {entry} with the symbols {names}")
        if not entry.is_number or entry.is_real is False or entry.has(sp.zoo, sp.nan, sp.oo):
            raise ValueError(f"{name}: expected real finite numbers, got {entry}")
    return matrix
