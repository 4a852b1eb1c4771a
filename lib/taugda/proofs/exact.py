"""Jacobian blocks in exact numbers, tau* and the intervals of stability that follow from them.

The last but one Hurwitz determinant of det(x I + J_tau) is, up to sign, the product of the sums of
two distinct eigenvalues (Orlando's formula) and equals tau^(n2 (n2 - 1) / 2) G(tau).  G, of degree
at most n1 n2, is a constant times det(tau I - Q) where the guard matrix Q exists, and defined where
it does not.  Stability changes only at its positive roots.
"""

import itertools
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import sympy as sp
from flint import acb, acb_mat, acb_poly, arb, ctx, fmpq

from taugda.blocks import Blocks
from taugda.games import Game, exact
from taugda.games.exact_points import symbolic_blocks
from taugda.proofs.numbers import (
    Numbers,
    RealRoot,
    TooHardError,
    UndecidedError,
    decide,
    real_roots,
    sign,
)
from taugda.stability import Interval

# Largest degree over the rational numbers of the polynomial among whose roots an end is found.
MAX_THRESHOLD = 200
Parts = tuple[acb_mat, acb_mat, acb_mat]


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
        self.A11, self.A12, self.A22 = blocks = [
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
        self.numbers = Numbers(entry for block in blocks for entry in block)
        self._parts: dict[int, list[Parts]] = {}
        self._guards: dict[int, list[list[acb]]] = {}
        for name, block in (("A11", self.A11), ("A22", self.A22)):
            gaps = [a - b for a, b in zip(block, block.T, strict=True) if a != b]
            if any(self.numbers.sign(gap) for gap in gaps):
                raise ValueError(f"{name}: expected a symmetric matrix, got {block}")

    @classmethod
    def from_decimals(cls, A11: Any, A12: Any, A22: Any) -> "ExactBlocks":
        """Make exact blocks from floats, each read as the decimal that it prints: 0.15 is 3/20.

        Parameters
        ----------
        A11, A12, A22 : nested sequences of numbers
            Shapes (n1, n1), (n1, n2) and (n2, n2); A11 and A22 symmetric.

        Returns
        -------
        ExactBlocks
        """
        parts = (("A11", A11), ("A12", A12), ("A22", A22))
        return cls(*([[exact(name, e) for e in row] for row in value] for name, value in parts))

    def numeric(self) -> Blocks:
        """Return the blocks in double precision, up to a positive factor."""
        with ctx.workprec(256):
            parts = self.parts(256)[0]
            top = max(float(abs(e)) for part in parts for e in part.entries())
            return Blocks(*(
                [[float(e.real) / (top or 1.0) for e in row] for row in part.tolist()]
                for part in parts
            ))  # fmt: skip

    def parts(self, bits: int) -> list[Parts]:
        """Return whole multiples of the blocks, algebraic integers, with all conjugates."""
        if bits not in self._parts:
            n1, n2, flat = self.n1, self.n2, self.numbers.conjugates()
            cuts = ((n1, n1, 0), (n1, n2, n1 * n1), (n2, n2, n1 * (n1 + n2)))
            self._parts[bits] = [
                tuple(acb_mat(r, c, list(one[k : k + r * c])) for r, c, k in cuts)
                for one in zip(*flat, strict=True)
            ]
        return self._parts[bits]

    def inertia(self, name: str) -> tuple[int, int, int]:
        """Count the positive, zero, negative eigenvalues of A11, A22 or (if A22 is regular) S1."""
        # -S1 is the Schur complement of A22 in the bordered matrix below (Haynsworth).

        def signs(bits: int) -> list[int]:
            matrices = []
            for a11, a12, a22 in self.parts(bits):
                whole = join(a22, a12.transpose(), a12, -1 * a11)
                matrices.append({"A11": a11, "A22": a22, "S1": whole}[name])
            return _signs(zip(*(m.charpoly().coeffs() for m in matrices), strict=True))

        # Descartes' rule is exact, as all eigenvalues are real.
        found = decide(signs)
        nonzero = [s for s in found if s]
        zero = next(k for k, s in enumerate(found) if s)
        positive = sum(a != b for a, b in itertools.pairwise(nonzero))
        all_three = positive, zero, len(found) - 1 - zero - positive
        if name != "S1":
            return all_three
        return tuple(w - p for w, p in zip(all_three, self.inertia("A22"), strict=True))[::-1]

    @cached_property
    def kind(self) -> str:
        """DNE, DSE (and no DNE), neither or degenerate, every zero and sign being decided."""
        _, zero, minus = self.inertia("A22")
        if zero or minus:
            return "neither" if minus else "degenerate"
        _, zero, minus = self.inertia("S1")
        if zero or minus:
            return "neither" if minus else "degenerate"
        return "DNE" if self.inertia("A11")[0] == self.n1 else "DSE"

    @property
    def tau_star_is_zero(self) -> bool:
        """Whether the point is a DSE with A11 >= 0, and so stable for every tau > 0."""
        return self.kind in ("DNE", "DSE") and not self.inertia("A11")[2]

    def guard(self, bits: int) -> list[list[acb]]:
        """Return G and its conjugates, low coefficients first, without roots at 0; [] for G = 0."""
        if bits not in self._guards:
            guards = [guard_polynomial(*parts) for parts in self.parts(bits)]
            used = [k for k, s in enumerate(_signs(zip(*guards, strict=True))) if s]
            cut = slice(used[0], used[-1] + 1) if used else slice(0)
            self._guards[bits] = [g[cut] for g in guards] if used else []
        return self._guards[bits]

    @cached_property
    def roots(self) -> list[tuple[RealRoot, arb]]:
        """The positive roots of G, ascending, with balls that keep clear of each other.

        They are among those of the product of G and its conjugates, which is over the integers.
        """
        guards = decide(self.guard)
        degree = (len(guards[0]) - 1) * len(guards) if guards else 0
        if degree > MAX_THRESHOLD:
            raise TooHardError(
                f"exact: expected thresholds of degree at most {MAX_THRESHOLD} over the rational "
                f"numbers, got some of degree up to {degree}; use the numeric route or an enclosure"
            )

        def product(bits: int) -> Any:
            norm = math.prod(map(acb_poly, self.guard(bits)), start=acb_poly([1]))
            whole = norm.unique_fmpz_poly()
            if whole is None:
                raise UndecidedError("a coefficient is open")
            return whole

        found = [
            root
            for factor, multiplicity in decide(product).factor()[1]
            for root in (RealRoot(factor, k) for k in range(len(real_roots(factor, 128))))
            if root.ball(128) > 0 and decide(lambda b, r=root, m=multiplicity: self._has(r, m, b))
        ]

        def apart(bits: int) -> list[tuple[RealRoot, arb]]:
            pairs = sorted(((r, r.ball(bits)) for r in found), key=lambda pair: pair[1].mid())
            if all(a < b for a, b in itertools.pairwise([arb(0), *(ball for _, ball in pairs)])):
                return pairs
            raise UndecidedError("two roots are close")

        return decide(apart)

    def _has(self, root: RealRoot, multiplicity: int, bits: int) -> bool:
        """Say whether a root of the product is one of G itself.

        Its multiplicities in the conjugates add up to that in the product, and enclosures bound
        each from above: once they too add up to it, every bound is exact.
        """
        orders, point = [], acb(root.ball(bits))
        for coefficients in self.guard(bits):
            poly, order = acb_poly(coefficients), 0
            while order < len(coefficients) and poly(point).contains(0):
                poly, order = poly.derivative(), order + 1
            orders.append(order)
        if sum(orders) > multiplicity:
            raise UndecidedError("a multiplicity is open")
        return orders[0] > 0

    @cached_property
    def stable(self) -> list[bool]:
        """Whether the point is stable before, between and beyond the roots."""
        edges = [arb(0), *(ball for _, ball in self.roots)]
        last = fmpq(int(edges[-1].mid().fmpq().ceil()) + 2)
        return [self.is_stable(_between(a, b)) for a, b in itertools.pairwise(edges)] + [
            self.is_stable(last)
        ]

    def is_stable(self, tau: fmpq) -> bool:
        """Whether every eigenvalue of J_tau has a positive real part (Lienard-Chipart).

        Parameters
        ----------
        tau : fmpq
            Timescale separation, greater than 0, as a fraction.

        Returns
        -------
        bool
            Proved; at a tau on the edge of stability no number of digits decides.
        """
        n = self.n1 + self.n2

        def positive(bits: int) -> bool:
            polys = [minus_jacobian(*parts, int(tau.p), int(tau.q)) for parts in self.parts(bits)]
            minors = [[hurwitz(c, k) for c in polys] for k in range(n - 1, 0, -2)]
            return all(s > 0 for s in _signs([*zip(*polys, strict=True), *minors]))

        return decide(positive)

    @cached_property
    def singular(self) -> bool:
        """Whether det J_tau, a constant times tau^n2, is 0."""
        return not decide(lambda b: sign([minus_jacobian(*p)[-1] for p in self.parts(b)]))


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
    if _checked(blocks).inertia("A22")[1]:
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
    if _checked(blocks).tau_star_is_zero:
        return [Interval(sp.Integer(0), sp.oo)]
    if blocks.singular or not decide(blocks.guard):
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

    Raises
    ------
    TooHardError
        If the entries generate a number field of too high a degree.
    ValueError
        If the game is not symbolic or has free parameters, the point is not exact, or an entry
        there is no real algebraic number.
    """
    numbers = getattr(point, "exact", point)
    if numbers is None:
        raise ValueError(f"point: expected one that is known exactly, got {point.x}")
    return ExactBlocks(*symbolic_blocks(game, numbers))


def is_critical(game: Game, point: Sequence[sp.Expr]) -> bool:
    """Return whether g is exactly zero at a point of algebraic coordinates."""
    at = dict(zip(game.variables, point, strict=True))
    values = [sp.expand_trig(e).subs(at) for e in game.g]
    numbers = Numbers(v for v in values if v != 0)
    return not any(numbers.sign(v) for v in numbers.numbers)


def join(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Return the matrix [[a, b], [c, d]]."""
    rows = [x + y for p, q in ((a, b), (c, d)) for x, y in zip(p.tolist(), q.tolist(), strict=True)]
    return acb_mat(rows)


def minus_jacobian(a11: acb_mat, a12: acb_mat, a22: acb_mat, p: int = 1, q: int = 1) -> list[acb]:
    """Return the coefficients of det(x I + q J_tau) at tau = p / q, the leading 1 first."""
    j = join(-q * a11, -q * a12, p * a12.transpose(), -p * a22)
    return j.charpoly().coeffs()[::-1]


def hurwitz(c: Sequence[acb], k: int) -> acb:
    """Return the k-th Hurwitz determinant of a polynomial, leading coefficient first."""
    rows = [
        [c[2 * j - i] if 0 <= 2 * j - i < len(c) else 0 for j in range(1, k + 1)]
        for i in range(1, k + 1)
    ]
    # Not det(), which divides by pivots that may hold 0.
    return acb_mat(rows).charpoly().coeffs()[0] * (-1) ** k


def guard_polynomial(a11: acb_mat, a12: acb_mat, a22: acb_mat) -> list[acb]:
    """Return the n1 n2 + 1 coefficients of G, low ones first, from its values at whole numbers."""
    n1, n2 = a12.nrows(), a12.ncols()
    nodes = [(k // 2 + 1) * (-1) ** k for k in range(n1 * n2 + 1)]
    values = [
        hurwitz(minus_jacobian(a11, a12, a22, t), n1 + n2 - 1) / t ** (n2 * (n2 - 1) // 2)
        for t in nodes
    ]
    found = acb_poly.interpolate(list(map(acb, nodes)), values).coeffs()
    return found + [acb(0)] * (len(nodes) - len(found))


def _signs(values: Any) -> list[int]:
    return [sign(conjugates) for conjugates in values]


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


def _between(a: arb, b: arb) -> fmpq:
    """Return a short rational number between two balls, the first below the second."""
    low, high = a.mid().fmpq() + a.rad().fmpq(), b.mid().fmpq() - b.rad().fmpq()
    bits = 0
    while True:
        candidate = fmpq(((low + high) / 2 * 2**bits).floor() + 1, 2**bits)
        if low < candidate < high:
            return candidate
        bits += 1
