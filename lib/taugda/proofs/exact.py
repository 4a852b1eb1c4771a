"""Jacobian blocks in exact numbers, tau* and the intervals of stability that follow from them."""

import itertools
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from flint import acb_mat

from taugda.blocks import Blocks
from taugda.games import Game
from taugda.games.exact_points import symbolic_blocks
from taugda.proofs.enclosed import Enclosed
from taugda.proofs.numbers import Numbers, decide
from taugda.stability import Interval


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
    TooHardError
        If the entries have too many conjugates.
    ValueError
        If an entry is a float, holds a symbol or is no real algebraic number, the shapes do not
        fit, or A11 or A22 is not symmetric (exactly).

    Notes
    -----
    One common positive factor changes no class, no interval of stability and no tau*, so the
    blocks may be given up to it.

    Examples
    --------
    >>> ExactBlocks([[-1]], [[1]], [[sp.Rational(1, 2)]]).kind
    'DSE'
    """

    def __init__(self, A11: Any, A12: Any, A22: Any) -> None:
        blocks = (("A11", A11), ("A12", A12), ("A22", A22))
        self.A11, self.A12, self.A22 = parts = [_matrix(name, value) for name, value in blocks]
        Blocks(*(np.zeros(part.shape) for part in parts))  # refuses shapes that do not fit
        self.n1, self.n2 = self.A12.shape
        self.numbers = Numbers(entry for part in parts for entry in part)
        self._enclosed: dict[int, Enclosed] = {}
        for name, block in (("A11", self.A11), ("A22", self.A22)):
            gaps = [a - b for a, b in zip(block, block.T, strict=True) if a != b]
            if any(map(self.numbers.sign, gaps)):
                raise ValueError(f"{name}: expected a symmetric matrix, got {block}")

    def enclosed(self, bits: int) -> Enclosed:
        """Return whole multiples of the blocks, algebraic integers, with all conjugates."""
        if bits not in self._enclosed:
            n1, n2 = self.n1, self.n2
            cuts = ((n1, n1, 0), (n1, n2, n1 * n1), (n2, n2, n1 * (n1 + n2)))
            every = zip(*self.numbers.conjugates(), strict=True)
            parts = [tuple(acb_mat(r, c, one[k : k + r * c]) for r, c, k in cuts) for one in every]
            self._enclosed[bits] = Enclosed(parts, whole=True)
        return self._enclosed[bits]

    def decided(self, name: str) -> Any:
        """Answer what :class:`Enclosed` answers, with as many bits as it takes."""
        return decide(lambda bits: getattr(self.enclosed(bits), name))

    @cached_property
    def kind(self) -> str:
        """DNE, DSE (and no DNE), neither or degenerate, every zero and sign being decided."""
        return self.decided("kind")


def exact_tau_star(blocks: ExactBlocks) -> sp.Expr:
    """Return tau* in exact numbers, proved.

    Parameters
    ----------
    blocks : ExactBlocks

    Returns
    -------
    sympy.Expr
        0 iff A11 is positive semidefinite, else the largest positive root of the guard
        polynomial; infinity where the point is no differential Stackelberg equilibrium.

    Raises
    ------
    ValueError
        If A22 is singular, which the theorem excludes.
    TooHardError
        If tau* has too high a degree over the rational numbers.

    Notes
    -----
    Source: the theorem of Fiez & Ratliff (2021) on tau*.  Beyond the largest root a DSE is stable;
    at it two eigenvalues sum to zero, by continuity on the imaginary axis.

    Examples
    --------
    >>> exact_tau_star(ExactBlocks([[-1]], [[1]], [[sp.Rational(1, 2)]]))
    2
    """
    if _checked(blocks).decided("singular_A22"):
        raise ValueError(
            "A22: expected a nonsingular matrix (the theory needs det(D2^2 f) != 0), got "
            f"{blocks.A22} with determinant 0"
        )
    if blocks.kind not in ("DNE", "DSE"):
        return sp.oo
    zero = blocks.decided("always_stable")
    return sp.Integer(0) if zero else blocks.decided("thresholds")[-1].sympy()


def exact_intervals(blocks: ExactBlocks) -> list[Interval]:
    """Return the open intervals of tau > 0 on which the point is stable, with exact ends.

    Parameters
    ----------
    blocks : ExactBlocks

    Returns
    -------
    list of Interval
        Ascending, the ends SymPy numbers, ``sympy.oo`` where one never ends.  A tau at which a
        stable spectrum only touches the imaginary axis splits an interval.

    Raises
    ------
    TooHardError
        If an end has too high a degree over the rational numbers.

    Examples
    --------
    >>> print(*exact_intervals(ExactBlocks([[-1]], [[1]], [[sp.Rational(1, 2)]])))
    (2, inf)
    """
    if _checked(blocks).decided("always_stable"):
        return [Interval(sp.Integer(0), sp.oo)]
    stable, ends = blocks.decided("stable"), [None, *blocks.decided("thresholds"), None]
    return [
        Interval(sp.Integer(0) if a is None else a.sympy(), sp.oo if b is None else b.sympy())
        for (a, b), inside in zip(itertools.pairwise(ends), stable, strict=True)
        if inside
    ]


def exact_blocks(game: Game, point: Any) -> ExactBlocks:
    """Return the blocks of a game at an exact point, up to a positive factor.

    Parameters
    ----------
    game : Game
        Defined in SymPy.
    point : CriticalPoint, or sequence of n1 + n2 SymPy numbers

    Returns
    -------
    ExactBlocks

    Raises
    ------
    TooHardError
        If the entries have too many conjugates.
    ValueError
        If the game is not symbolic or has free parameters, the point is not exact, or an entry
        there is no real algebraic number.
    """
    numbers = getattr(point, "exact", point)
    if numbers is None:
        raise ValueError(f"point: expected one that is known exactly, got {point.x}")
    return ExactBlocks(*symbolic_blocks(game, numbers))


def _checked(blocks: Any) -> ExactBlocks:
    if not isinstance(blocks, ExactBlocks):
        raise ValueError(f"blocks: expected ExactBlocks, got {type(blocks).__name__}")
    return blocks


def _matrix(name: str, value: Any) -> sp.ImmutableMatrix:
    try:
        matrix = sp.ImmutableMatrix(value)
    except (TypeError, ValueError, sp.SympifyError) as error:
        raise ValueError(f"{name}: expected a matrix of exact numbers, got {value!r}") from error
    for entry in matrix:
        if entry.has(sp.Float):
            hint = sp.nsimplify(entry, rational=True)
            raise ValueError(f"{name}: expected exact numbers, got the float {entry}; write {hint}")
        if not entry.is_number or entry.is_real is False or entry.has(sp.zoo, sp.nan, sp.oo):
            raise ValueError(f"{name}: expected real finite numbers, got {entry}")
    return matrix
