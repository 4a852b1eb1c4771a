"""Jacobian blocks in exact numbers, tau* and the intervals of stability that follow from them.

The last but one Hurwitz determinant of det(x I + J_tau) is, up to sign, the product of the sums of
two distinct eigenvalues (Orlando's formula) and equals tau^(n2 (n2 - 1) / 2) G(tau).  G, of degree
at most n1 n2, is a constant times det(tau I - Q) where the guard matrix Q exists, and defined where
it does not.  Stability changes only at its positive roots.
"""

import itertools
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import sympy as sp
from flint import acb, acb_poly, arb, ctx, fmpq, fmpq_mat, fmpq_poly

from taugda.blocks import Blocks
from taugda.games import Game, exact
from taugda.games.exact_points import symbolic_blocks
from taugda.proofs.numbers import (
    Field,
    RealRoot,
    TooHardError,
    elements,
    precisions,
    real_roots,
    value_at,
)  # fmt: skip
from taugda.stability import Interval

__all__ = ["ExactBlocks", "exact_blocks", "exact_intervals", "exact_tau_star"]

# Largest degree over the rational numbers of the polynomial among whose roots an end is found
# (5 s there on one core; 270 took 16 s).
_MOST = 200
Rows = Sequence[Sequence[fmpq_poly]]


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
        If the entries generate a number field of too high a degree.
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
        self.A11, self.A12, self.A22 = parts = [
            _matrix(name, value) for name, value in (("A11", A11), ("A12", A12), ("A22", A22))
        ]
        self.n1, self.n2 = n1, n2 = self.A12.shape
        if n1 == 0 or n2 == 0:
            raise ValueError(f"A12: expected at least one row and column, got shape {(n1, n2)}")
        for name, block, n in (("A11", self.A11, n1), ("A22", self.A22, n2)):
            if block.shape != (n, n):
                raise ValueError(
                    f"{name}: expected shape {(n, n)} beside A12 of shape {(n1, n2)}, got "
                    f"{block.shape}"
                )
        self.field, flat = elements([entry for part in parts for entry in part])
        rows = []
        for part in parts:
            rows.append([flat[i : i + part.cols] for i in range(0, len(part), part.cols)])
            flat = flat[len(part) :]
        self.a11, self.a12, self.a22 = rows
        for name, block in (("A11", self.a11), ("A22", self.a22)):
            if block != [list(column) for column in zip(*block, strict=True)]:
                raise ValueError(f"{name}: expected a symmetric matrix, got {getattr(self, name)}")

    @classmethod
    def from_decimals(cls, A11: Any, A12: Any, A22: Any) -> "ExactBlocks":
        """Make exact blocks from floats, each read as the decimal that it prints: 0.15 is 3/20."""
        parts = (("A11", A11), ("A12", A12), ("A22", A22))
        return cls(*([[exact(name, e) for e in row] for row in value] for name, value in parts))

    def numeric(self) -> Blocks:
        """Return the blocks in double precision."""
        return Blocks(
            *([[float(self.field.ball(e, 128)) for e in row] for row in rows]
              for rows in (self.a11, self.a12, self.a22))
        )  # fmt: skip

    @cached_property
    def inertia_A11(self) -> tuple[int, int, int]:
        """How many eigenvalues of A11 are positive, zero and negative."""
        return _inertia(self.field, self.a11)

    @cached_property
    def inertia_A22(self) -> tuple[int, int, int]:
        """The same of A22."""
        return _inertia(self.field, self.a22)

    @cached_property
    def inertia_S1(self) -> tuple[int, int, int]:
        """The same of S1, where A22 is nonsingular."""
        # -S1 is the Schur complement of A22 in [[A22, A12^T], [A12, -A11]] (Haynsworth).
        top = [
            row + list(extra)
            for row, extra in zip(self.a22, zip(*self.a12, strict=True), strict=True)
        ]
        low = [row + [-e for e in extra] for row, extra in zip(self.a12, self.a11, strict=True)]
        whole = zip(_inertia(self.field, top + low), self.inertia_A22, strict=True)
        return tuple(w - p for w, p in whole)[::-1]

    @cached_property
    def kind(self) -> str:
        """DNE, DSE (and no DNE), neither or degenerate, every zero and sign being decided."""
        if self.inertia_A22[2]:
            return "neither"
        if self.inertia_A22[1]:
            return "degenerate"
        if self.inertia_S1[2] or self.inertia_S1[1]:
            return "neither" if self.inertia_S1[2] else "degenerate"
        return "DNE" if self.inertia_A11[0] == self.n1 else "DSE"

    @property
    def tau_star_is_zero(self) -> bool:
        """Whether the point is a DSE with A11 >= 0, and so stable for every tau > 0."""
        return self.kind in ("DNE", "DSE") and not self.inertia_A11[2]

    def minus_jacobian(self, tau: fmpq) -> list[fmpq_poly]:
        """Return the coefficients of det(x I + J_tau), the leading 1 first."""
        top = [[-e for e in (*row, *extra)] for row, extra in zip(self.a11, self.a12, strict=True)]
        low = [
            [e * tau for e in column] + [e * -tau for e in row]
            for column, row in zip(zip(*self.a12, strict=True), self.a22, strict=True)
        ]
        return _characteristic(self.field, top + low)

    @cached_property
    def guard(self) -> list[fmpq_poly]:
        """G, low coefficients first, without roots at 0; empty where G is 0."""
        n, power = self.n1 + self.n2, self.n2 * (self.n2 - 1) // 2
        nodes = [fmpq((k // 2 + 1) * (-1) ** k) for k in range(self.n1 * self.n2 + 1)]
        values = [
            _hurwitz(self.field, self.minus_jacobian(t), n - 1) * (1 / t**power) for t in nodes
        ]
        result = _interpolate(nodes, values)
        while result and result[0].is_zero():
            result.pop(0)
        while result and result[-1].is_zero():
            result.pop()
        return result

    @cached_property
    def roots(self) -> list[tuple[RealRoot, arb]]:
        """The positive roots of G, ascending, with balls that keep clear of each other."""
        return _positive_roots(self.field, self.guard) if self.guard else []

    @cached_property
    def stable(self) -> list[bool]:
        """Whether the point is stable before, between and beyond the roots."""
        edges = [arb(0), *(ball for _, ball in self.roots)]
        last = fmpq(int(edges[-1].mid().fmpq().ceil()) + 2)
        taus = [*(_between(a, b) for a, b in itertools.pairwise(edges)), last]
        return [self.is_stable(tau) for tau in taus]

    def is_stable(self, tau: fmpq) -> bool:
        """Whether every eigenvalue of J_tau has a positive real part (Lienard-Chipart)."""
        c, sign, n = self.minus_jacobian(tau), self.field.sign, self.n1 + self.n2
        return all(sign(e) > 0 for e in c) and all(
            sign(_hurwitz(self.field, c, k)) > 0 for k in range(n - 1, 0, -2)
        )


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
    if not isinstance(blocks, ExactBlocks):
        raise ValueError(f"blocks: expected ExactBlocks, got {type(blocks).__name__}")
    if blocks.inertia_A22[1]:
        raise ValueError(
            f"A22: expected a nonsingular matrix (the theory needs det(D2^2 f) != 0), got "
            f"{blocks.A22} with determinant 0"
        )
    if blocks.kind not in ("DNE", "DSE"):
        return sp.oo
    return sp.Integer(0) if blocks.tau_star_is_zero else blocks.roots[-1][0].sympy()


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
    if not isinstance(blocks, ExactBlocks):
        raise ValueError(f"blocks: expected ExactBlocks, got {type(blocks).__name__}")
    if blocks.tau_star_is_zero:
        return [Interval(sp.Integer(0), sp.oo)]
    # Where det J_tau, a constant times tau^n2, or G is 0, no tau is stable.
    if blocks.minus_jacobian(fmpq(1))[-1].is_zero() or not blocks.guard:
        return []
    ends = [sp.Integer(0), *(root for root, _ in blocks.roots), sp.oo]
    return [
        Interval(*(e.sympy() if isinstance(e, RealRoot) else e for e in pair))
        for pair, stable in zip(itertools.pairwise(ends), blocks.stable, strict=True)
        if stable
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
        An exponential that all entries share is left out.

    Raises
    ------
    TooHardError
        If the entries generate a number field of too high a degree.
    ValueError
        If the game is not symbolic or has free parameters, the point is not exact, or an entry
        there is no real algebraic number.
    """
    exact_point = getattr(point, "exact", point)
    if exact_point is None:
        raise ValueError(f"point: expected one that is known exactly, got {point.x}")
    return ExactBlocks(*symbolic_blocks(game, exact_point))


def _matrix(name: str, value: Any) -> sp.ImmutableMatrix:
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


def _characteristic(field: Field, rows: Rows) -> list[fmpq_poly]:
    """Return det(x I - A), the leading 1 first, by Faddeev and LeVerrier's recursion."""
    n = len(rows)
    if all(e.degree() <= 0 for row in rows for e in row):
        matrix = fmpq_mat(n, n, [e[0] for row in rows for e in row])
        return [fmpq_poly([c]) for c in reversed(matrix.charpoly().coeffs())]
    coefficients, product = [fmpq_poly([1])], [[fmpq_poly()] * n for _ in range(n)]
    for k in range(1, n + 1):
        for i in range(n):
            product[i][i] = product[i][i] + coefficients[-1]
        columns = list(zip(*product, strict=True))
        # Sums first, one reduction afterwards: the reduction is the dear part.
        product = [
            [sum((a * b for a, b in zip(row, c, strict=True)), fmpq_poly()) % field.modulus
             for c in columns]
            for row in rows
        ]  # fmt: skip
        trace = sum((product[i][i] for i in range(n)), fmpq_poly())
        coefficients.append(trace * fmpq(-1, k))
    return coefficients


def _hurwitz(field: Field, c: Sequence[fmpq_poly], k: int) -> fmpq_poly:
    """Return the k-th Hurwitz determinant of a polynomial, leading coefficient first."""
    rows = [
        [c[2 * j - i] if 0 <= 2 * j - i < len(c) else fmpq_poly() for j in range(1, k + 1)]
        for i in range(1, k + 1)
    ]
    return _characteristic(field, rows)[-1] * (-1) ** k


def _inertia(field: Field, rows: Rows) -> tuple[int, int, int]:
    """Count positive, zero, negative eigenvalues of a symmetric matrix: Descartes' rule is exact.

    All roots of its characteristic polynomial are real.
    """
    signs = [field.sign(c) for c in _characteristic(field, rows)]
    nonzero = [s for s in signs if s]
    zero = next(k for k, s in enumerate(reversed(signs)) if s)
    positive = sum(a != b for a, b in itertools.pairwise(nonzero))
    return positive, zero, len(rows) - positive - zero


def _interpolate(nodes: Sequence[fmpq], values: Sequence[fmpq_poly]) -> list[fmpq_poly]:
    """Return the polynomial through values at distinct nodes, low coefficients first (Newton)."""
    table = list(values)
    for k in range(1, len(nodes)):
        for i in reversed(range(k, len(nodes))):
            table[i] = (table[i] - table[i - 1]) * (1 / (nodes[i] - nodes[i - k]))
    result = [fmpq_poly()] * len(nodes)
    for node, value in zip(reversed(nodes), reversed(table), strict=True):
        # result = result * (x - node) + value
        shifted = [fmpq_poly(), *result[:-1]]
        result = [s - c * node for s, c in zip(shifted, result, strict=True)]
        result[0] = result[0] + value
    return result


def _positive_roots(field: Field, poly: Sequence[fmpq_poly]) -> list[tuple[RealRoot, arb]]:
    """Return the positive roots of a polynomial over a field; each once, however often repeated.

    They are among those of its norm, the product of the polynomial and its conjugates.
    """
    degree = field.degree * (len(poly) - 1)
    if degree > _MOST:
        raise TooHardError(
            f"exact: expected thresholds of degree at most {_MOST} over the rational numbers, got "
            f"some of degree up to {degree} (entries in a field of degree {field.degree}, a guard "
            f"polynomial of degree {len(poly) - 1}); use the numeric route or an enclosure"
        )
    lead = field.power(poly[-1], -1)
    poly = [field.mul(c, lead) for c in poly]
    nodes = [fmpq((k + 1) // 2 * (-1) ** k) for k in range(degree + 1)]
    values = []
    for node in nodes:
        value = fmpq_poly()
        for c in reversed(poly):
            value = value * node + c
        values.append(fmpq_poly([field.norm(value)]))
    norm = fmpq_poly([c[0] for c in _interpolate(nodes, values)])
    found = [
        root
        for factor, multiplicity in norm.numer().factor()[1]
        for root in (RealRoot(factor, k) for k in range(len(real_roots(factor, 128))))
        if root.ball(128) > 0 and _is_root(field, poly, root, multiplicity)
    ]
    for bits in precisions():
        pairs = sorted(((r, r.ball(bits)) for r in found), key=lambda pair: pair[1].mid())
        edges = [arb(0), *(ball for _, ball in pairs)]
        if all(a < b for a, b in itertools.pairwise(edges)):
            return pairs
    raise AssertionError


def _is_root(field: Field, poly: Sequence[fmpq_poly], root: RealRoot, multiplicity: int) -> bool:
    """Say whether a root of the norm is one of the polynomial itself.

    Its multiplicities in the conjugate polynomials add up to that in the norm, and enclosures
    bound each from above: once they too add up to it, every bound is exact.
    """
    for bits in precisions():
        with ctx.workprec(bits):
            orders, point = [], acb(root.ball(bits))
            for alpha in field.conjugates(bits):
                conjugate = acb_poly([value_at(c, acb(alpha)) for c in poly])
                order = 0
                while order < len(poly) and conjugate(point).contains(0):
                    conjugate, order = conjugate.derivative(), order + 1
                orders.append(order)
        if sum(orders) == multiplicity:
            return orders[0] > 0
    raise AssertionError


def _between(a: arb, b: arb) -> fmpq:
    """Return a short rational number between two balls, the first below the second."""
    low, high = a.mid().fmpq() + a.rad().fmpq(), b.mid().fmpq() - b.rad().fmpq()
    bits = 0
    while True:
        candidate = fmpq(((low + high) / 2 * 2**bits).floor() + 1, 2**bits)
        if low < candidate < high:
            return candidate
        bits += 1
