"""Certificates: a critical point, its kind and tau*, proved in ball arithmetic."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import sympy as sp
from flint import arb, arb_mat, ctx

from taugda.checks import finite_array
from taugda.games import Game
from taugda.proofs.balls import (
    UndecidedError,
    compiled,
    decimals,
    definite,
    guard,
    jacobian_at,
    krawczyk,
    spectrum,
    unstable,
)
from taugda.proofs.exact import ExactBlocks, exact_blocks, exact_intervals
from taugda.proofs.numbers import TooHardError

# Bits of the arithmetic and radii of the box, tried one after the other.
_BITS = (128, 256, 512, 1024)
_RADII = ("1e-3", "1e-6", "1e-12", "1e-24")
_NEWTON = 12  # steps toward the point, which nobody has to trust
_REACH = 1e-3  # how far from the point that was given its zero may lie

Bounds = tuple[Decimal, Decimal]


@dataclass(frozen=True)
class Statement:
    """One sentence of a certificate, and whether it is proved."""

    text: str
    proved: bool

    def __str__(self) -> str:
        return f"{'proved' if self.proved else 'not proved'}: {self.text}"


@dataclass(frozen=True)
class Certificate:
    """What is proved of one critical point; in print a sentence a line.

    Attributes
    ----------
    statements : tuple of Statement
        The sentences; only those with ``proved`` say something.
    point : tuple of (Decimal, Decimal), or None
        Decimals between which each coordinate of the critical point lies.
    kind : str
        DNE, DSE (and no DNE) or neither; ``not proved`` where it is open.
    tau_star : (Decimal, Decimal), or None
        Decimals between which tau* lies; None where no finite tau* is proved.
    stable : tuple of ((Decimal, Decimal), (Decimal, Decimal) or None)
        Between what the ends of the intervals of stability lie; the second is None at infinity.
    """

    statements: tuple[Statement, ...]
    point: tuple[Bounds, ...] | None = None
    kind: str = "not proved"
    tau_star: Bounds | None = None
    stable: tuple[tuple[Bounds, Bounds | None], ...] = ()

    @property
    def proved(self) -> bool:
        """Whether every sentence is proved."""
        return all(statement.proved for statement in self.statements)

    def __str__(self) -> str:
        return "\n".join(map(str, self.statements))


def certify(game: Game, point: Any) -> Certificate:
    """Prove what a critical point is and where its tau* lies.

    Parameters
    ----------
    game : Game
        Defined in SymPy, by exact numbers and smooth functions.
    point : CriticalPoint, or array_like of shape (n1 + n2,)
        Where to look; only the result of the search is trusted, not the search.

    Returns
    -------
    Certificate
        What could not be proved is said to be *not proved*: degenerate points above all.

    Raises
    ------
    ValueError
        If the game is not symbolic, has parameters without value, holds floating-point numbers or
        a function that has no enclosure, or the point has not n1 + n2 finite coordinates.

    Notes
    -----
    Krawczyk's test proves the zero of g, pivots the signs of A22 and S1.  tau* is enclosed by the
    rigorous eigenvalues of the guard matrix Q: beyond the largest real one stability can not
    change any more, and just below it J_tau is shown to have an eigenvalue on the unstable side.

    Examples
    --------
    >>> from taugda import equilibria, games
    >>> game = games.torus()
    >>> certify(game, equilibria.critical_points(game)[1]).kind
    'DSE'
    """
    if not game.symbolic:
        raise ValueError(f"game: expected one defined in SymPy, got {game!r}")
    start = finite_array("point", getattr(point, "x", point), ndim=1)
    if len(start) != game.n:
        raise ValueError(f"point: expected {game.n} coordinates, got {len(start)}")
    costs = [] if game.expr is None else [game.expr]
    expressions = [*game.g, *game.symbolic_jacobian, *costs]
    free = set().union(*(e.free_symbols for e in expressions)) - set(game.variables)
    if free:
        raise ValueError(f"game: expected numbers, got the parameters {sorted(map(str, free))}")
    g, jacobian, cost = (
        compiled(game.variables, list(part)) for part in (game.g, game.symbolic_jacobian, costs)
    )
    best, reason = None, ""
    for bits in _BITS:
        with ctx.workprec(bits):
            try:
                box = _enclose(g, jacobian, cost, start)
                best = _Proof(game, point, box, jacobian).certificate()
            except UndecidedError as error:
                reason = str(error)
                continue
        if best.proved:
            break
    if best is not None:
        return best
    place = ", ".join(f"{x:.6g}" for x in start)
    return Certificate((Statement(f"a critical point near ({place}): {reason}", False),))


def _enclose(
    g: Callable[..., list[arb]],
    jacobian: Callable[..., list[arb]],
    costs: Callable[..., list[arb]],
    start: np.ndarray,
) -> tuple[list[arb], str]:
    """Return an enclosure of the critical point, and the radius in which it is alone."""
    n, x = len(start), [arb(float(c)) for c in start]
    for _ in range(_NEWTON):
        try:
            step = arb_mat(n, n, jacobian(*x)).mid().solve(arb_mat(n, 1, g(*x)).mid())
        except ZeroDivisionError as error:
            raise UndecidedError("the Jacobian is singular there") from error
        x = [(a - step[i, 0]).mid() for i, a in enumerate(x)]
        if not all(c.is_finite() for c in x):
            raise UndecidedError("the cost or its derivatives are not defined there")
    scale = max(1.0, float(np.abs(start).max()))
    if not all(abs(a - c) < _REACH * scale for a, c in zip(x, start.tolist(), strict=True)):
        raise UndecidedError("the nearest zero of g is further away")
    for radius in _RADII:
        size = arb(radius) * scale
        # f must be a real number wherever the point is said to be alone.
        if all(value.is_finite() for value in costs(*(c + arb(0, size) for c in x))):
            try:
                return krawczyk(g, jacobian, x, size), f"{float(radius) * scale:.3g}"
            except UndecidedError as error:
                reason = str(error)
        else:
            reason = "f is not a real number there"
    raise UndecidedError(reason)


class _Proof:
    """The sentences about one point, from balls of its blocks."""

    def __init__(
        self,
        game: Game,
        point: Any,
        enclosed: tuple[list[arb], str],
        jacobian: Callable[..., list[arb]],
    ) -> None:
        self.game, self.given = game, point
        self.box, self.radius = enclosed
        n1, n = game.n1, game.n
        j = arb_mat(n, n, jacobian(*self.box))

        def part(rows: range, columns: range) -> arb_mat:
            return arb_mat([[j[a, b] for b in columns] for a in rows])

        one, two = range(n1), range(n1, n)
        self.a11, self.a12, self.a22 = part(one, one), part(one, two), part(two, two)
        self.a21 = part(two, one)

    def certificate(self) -> Certificate:
        """Return all sentences; raise where more bits might help."""
        point = tuple(decimals(c) for c in self.box)
        shown = ", ".join(map(_about, point))
        found = [Statement(f"g has exactly one zero within {self.radius} of ({shown})", True)]
        found.append(Statement("f is finite and real there", True))
        if not self.game.zero_sum and not self._zero_sum_there():
            found.append(Statement("the game is zero-sum to first order there", False))
            return Certificate(tuple(found), point)
        kind, sentence = self._kind()
        found.append(Statement(sentence, True))
        if kind == "DNE" or (kind == "DSE" and self._semidefinite()):
            zero = (Decimal(0), Decimal(0))
            found.append(Statement("tau* = 0: it is stable for every tau > 0", True))
            return Certificate(tuple(found), point, kind, zero, ((zero, None),))
        try:
            tau_star, stable, sentences = self._intervals(kind)
        except UndecidedError as error:
            exact = self._exact_intervals(kind)
            if exact is not None:
                return Certificate((*found, exact[2]), point, kind, *exact[:2])
            found.append(Statement(f"for which tau it is stable: {error}", False))
            return Certificate(tuple(found), point, kind)
        return Certificate((*found, *sentences), point, kind, tau_star, stable)

    def _kind(self) -> tuple[str, str]:
        sign22 = definite(self.a22)
        if sign22 < 0:
            return "neither", "it is no equilibrium: A22 has a negative eigenvalue"
        try:
            self.s1 = self.a11 + self.a12 * self.a22.inv() * self.a12.transpose()
        except ZeroDivisionError as error:
            raise UndecidedError("A22 is not separated from singular") from error
        sign1 = definite(self.s1)
        if sign22 > 0 and sign1 < 0:
            return "neither", "it is no equilibrium: A22 > 0, and S1 has a negative eigenvalue"
        if not (sign22 > 0 and sign1 > 0):
            raise UndecidedError("A22 or S1 is not separated from singular")
        if definite(self.a11) > 0:
            return "DNE", "it is a DNE: A11 > 0 and A22 > 0"
        negative = definite(self.a11) < 0 or self._semidefinite()
        if negative or any(v.real < 0 for v in spectrum(self.a11)):
            return "DSE", "it is a DSE and no DNE: A22 > 0 and S1 > 0, and not A11 > 0"
        raise UndecidedError("A11 is not separated from singular")

    def _semidefinite(self) -> bool:
        """Return whether A11 is proved to be positive semidefinite."""
        if all(entry == 0 for entry in self.a11.entries()):
            return True
        blocks = self._exact()
        return blocks is not None and blocks.inertia_A11[2] == 0

    def _zero_sum_there(self) -> bool:
        """Return whether A12 belongs to both players' gradients, which balls can not prove."""
        return self._exact() is not None

    def _exact_intervals(
        self, kind: str
    ) -> tuple[Bounds | None, tuple[tuple[Bounds, Bounds | None], ...], Statement] | None:
        """Return what exact arithmetic says where balls do not, if the point is known exactly."""
        blocks = self._exact()
        try:
            found = None if blocks is None else exact_intervals(blocks)
        except TooHardError:
            found = None
        if found is None:
            return None

        def bounds(end: sp.Expr) -> Bounds | None:
            return None if end == sp.oo else decimals(arb(str(sp.N(end, 60))) + arb(0, "1e-50"))

        stable = tuple((bounds(i.lower), bounds(i.upper)) for i in found)
        tau_star = stable[-1][0] if kind == "DSE" else None
        text = " and ".join(map(str, found)) or "none"
        sentence = f"it is stable for tau in exactly {text} (in exact arithmetic)"
        return tau_star, stable, Statement(sentence, True)

    def _exact(self) -> ExactBlocks | None:
        if getattr(self.given, "exact", None) is None:
            return None
        try:
            return exact_blocks(self.game, self.given)
        except ValueError:
            return None

    def _intervals(
        self, kind: str
    ) -> tuple[Bounds | None, tuple[tuple[Bounds, Bounds | None], ...], list[Statement]]:
        """Say for which tau the point is stable, outside of brackets around the roots of Q."""
        if kind == "neither":
            try:
                self.s1 = self.a11 + self.a12 * self.a22.inv() * self.a12.transpose()
            except ZeroDivisionError as error:
                raise UndecidedError("A22 is not separated from singular") from error
        brackets = self._brackets()
        blocks = (self.a11, self.a12, self.a22)
        gaps = []  # whether J_tau is unstable before, between and after the brackets
        # Zero is the first edge; a root that can not be told from it makes it a bracket.
        merged = bool(brackets) and not brackets[0][0] > 0
        edges = brackets if merged else [(arb(0), arb(0), 1), *brackets]
        for (_, low, _), (high, *_) in itertools.pairwise(edges):
            gaps.append(unstable(jacobian_at(blocks, ((low + high) / 2).mid())))
        gaps.append(unstable(jacobian_at(blocks, (2 * edges[-1][1] + 1).mid())))
        if gaps[-1] is (kind == "DSE"):
            raise UndecidedError("the spectrum and the theorem do not agree; more bits are needed")
        for digits in (18, 36, 72, 144):  # until the decimals of neighbours differ
            ends = [decimals(low, high, digits) for low, high, _ in edges]
            if all(a[1] < b[0] for a, b in itertools.pairwise(ends)):
                break
        simple = [count == 1 for *_, count in edges]
        simple[0] = not merged
        stable = []
        for k, is_unstable in enumerate(gaps):
            if not is_unstable:
                stable.append((ends[k], ends[k + 1] if k + 1 < len(ends) else None))
        texts = [f"({_bracket(a)}, {'infinity' if b is None else _bracket(b)})" for a, b in stable]
        sentences = [Statement(f"it is stable for tau in {' and '.join(texts) or 'no gap'}", True)]
        # Between neighbouring brackets the count of unstable eigenvalues is constant; inside one
        # with a single root it changes there only.
        open_ends = [_bracket(end) for end, one in zip(ends, simple, strict=True) if not one]
        if open_ends:
            text = f"for which tau within the brackets {', '.join(open_ends)} it is stable"
            sentences.append(Statement(text, False))
        if not stable or not all(simple):
            text = "it is unstable for every other tau outside of these brackets"
        else:
            text = "it is unstable for every other tau, the ends perhaps apart"
        sentences.append(Statement(text, True))
        if kind == "neither":
            return None, tuple(stable), sentences
        k = max((k for k, is_unstable in enumerate(gaps) if is_unstable), default=None)
        if k is None or k + 1 >= len(ends):
            raise UndecidedError("no root of Q was shown to be tau*")
        tau_star = (ends[k + 1][0], ends[-1][1] if k + 2 < len(ends) else ends[k + 1][1])
        sentences.insert(0, Statement(f"tau* = {_bracket(tau_star)}", True))
        return tau_star, tuple(stable), sentences

    def _brackets(self) -> list[tuple[arb, arb, int]]:
        """Enclose the positive real eigenvalues of Q: disjoint (low, high, how many), ascending."""
        values = spectrum(guard(self.a11, self.a12, self.a22, self.s1))
        near = [v for v in values if v.imag.contains(0) and not v.real < 0]
        found: list[tuple[arb, arb, int]] = []
        for value in sorted(near, key=lambda v: v.real.mid()):
            low, high, count = value.real.lower(), value.real.upper(), 1
            while found and not found[-1][1] < low:
                below = found.pop()
                low = below[0] if below[0] < low else low
                high = below[1] if below[1] > high else high
                count += below[2]
            found.append((low, high, count))
        return found


def _bracket(bounds: Bounds) -> str:
    low, high = bounds
    return f"{low}" if low == high else f"[{low}, {high}]"


def _about(bounds: Bounds) -> str:
    low, high = bounds
    middle, radius = float((low + high) / 2), float((high - low) / 2)
    # What a double can not show of the middle belongs to the radius.
    radius += abs(middle) * 2e-16
    return f"{middle:.15g} ± {radius:.1e}" if radius else f"{middle:.15g}"
