"""Certificates: a critical point, its kind and tau*, proved in ball arithmetic."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import sympy as sp
from flint import acb_mat, arb, arb_mat, ctx, fmpq

from taugda.checks import finite_array
from taugda.games import Game
from taugda.proofs.balls import Balls, UndecidedError, fractions
from taugda.proofs.enclosed import Enclosed
from taugda.proofs.exact import ExactBlocks, exact_blocks
from taugda.proofs.numbers import Numbers, TooHardError

# Bits of the arithmetic, and k for boxes of radius 10^-k, tried one after the other.
_BITS = (128, 256, 512, 1024)
_RADII = (1, 2, 3, 6, 9, 12, 18)
_NEWTON = 12  # steps toward the point, which nobody has to trust
_REACH = 1e-3  # how far from the point that was given its zero may lie, relative to max(1, |x|)

Bounds = tuple[Decimal, Decimal]
_ZERO = (Decimal(0), Decimal(0))
_KINDS = {
    "DNE": "it is a DNE: A11 > 0 and A22 > 0",
    "DSE": "it is a DSE and no DNE: A22 > 0 and S1 > 0, and not A11 > 0",
    "neither": "it is no equilibrium: A22, or S1 at A22 > 0, has a negative eigenvalue",
    "degenerate": "it is degenerate: A22, or S1 at A22 > 0, is semidefinite and singular",
}


@dataclass(frozen=True)
class Statement:
    """One sentence of a certificate, and whether it is proved."""

    text: str
    proved: bool = True

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
        DNE, DSE (and no DNE), neither or degenerate; ``not proved`` where it is open.
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
    point : CriticalPoint, or n1 + n2 floats or SymPy numbers
        Where to look; nothing that it says is believed.

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
    Krawczyk's test proves the zero of g; signs of characteristic polynomials the kind; isolated
    roots of the guard polynomial and Hurwitz determinants between them where J_tau is stable.
    What balls leave open, exact arithmetic decides at points that are known exactly.

    Examples
    --------
    >>> from taugda import games
    >>> certify(games.torus(), [0, 0]).kind
    'DSE'
    """
    if not game.symbolic or game.parameters:
        raise ValueError(f"game: expected one defined in SymPy, without parameters, got {game!r}")
    start = finite_array("point", [float(c) for c in getattr(point, "x", point)], ndim=1).tolist()
    if len(start) != game.n:
        raise ValueError(f"point: expected {game.n} coordinates, got {len(start)}")
    tried: list[Certificate] = []
    for bits in _BITS:
        with ctx.workprec(bits):
            tried.append(_attempt(game, point, start))
        if tried[-1].proved:
            break
    return max(tried, key=lambda found: sum(statement.proved for statement in found.statements))


def _attempt(game: Game, point: Any, start: Sequence[float]) -> Certificate:
    """Return a certificate at the working precision."""
    try:
        wide, box, text = _locate(game, start)
    except UndecidedError as error:
        place = ", ".join(f"{x:.6g}" for x in start)
        return Certificate((Statement(f"a critical point near ({place}): {error}", False),))
    blocks, exact = _enclosed(game, box), cache(lambda: _exactly(game, point, wide, box))

    def decided(name: str) -> Any:
        try:
            return getattr(blocks, name)
        except UndecidedError:
            if exact() is None:
                raise
        try:
            return exact().decided(name)
        except TooHardError as error:
            raise UndecidedError(str(error)) from error

    said, where = [Statement(text)], tuple(_decimals(b) for b in box)
    if not game.zero_sum and exact() is None:
        said.append(Statement("the game is zero-sum to first order there", False))
        return Certificate(tuple(said), where)
    kind = "not proved"
    try:
        kind = decided("kind")
        said.append(Statement(_KINDS[kind]))
        if decided("always_stable"):
            said.append(Statement("tau* = 0: it is stable for every tau > 0, as A11 >= 0"))
            return Certificate(tuple(said), where, kind, _ZERO, ((_ZERO, None),))
        edges, inside = [_ZERO, *_apart(decided("roots")), None], decided("stable")
    except UndecidedError as error:
        missing = "what kind it is" if kind == "not proved" else "for which tau it is stable"
        said.append(Statement(f"{missing}: {error}", False))
        return Certificate(tuple(said), where, kind)
    stable = tuple(pair for pair, s in zip(itertools.pairwise(edges), inside, strict=True) if s)
    star = stable[-1][0] if kind == "DSE" else None
    if star:
        said.append(Statement(f"tau* lies in {_text(star)}"))
    elif kind == "neither":
        said.append(Statement("no tau* is finite: it is unstable for every large tau"))
    windows = " and ".join(f"({_text(a)}, {_text(b)})" for a, b in stable)
    windows = f"tau in exactly {windows}" if stable else "no tau"
    said.append(Statement(f"it is stable for {windows}"))
    return Certificate(tuple(said), where, kind, star, stable)


def _enclosed(game: Game, box: Sequence[arb]) -> Enclosed:
    n1, values = game.n1, Balls(game.variables, box)
    j = acb_mat(game.n, game.n, [values(e) for e in game.symbolic_jacobian]).tolist()
    top, low = j[:n1], j[n1:]
    parts = [row[:n1] for row in top], [row[n1:] for row in top], [row[n1:] for row in low]
    return Enclosed([tuple(map(acb_mat, parts))], whole=False)


def _locate(game: Game, start: Sequence[float]) -> tuple[list[arb], list[arb], str]:
    """Return a box with one critical point, a small one around it, and the sentence about it."""
    x = [arb(c) for c in start]
    for _ in range(_NEWTON):
        before, x = x, [b.mid() for b in _image(game, x)]
        size = max(abs(a - b).mid() for a, b in zip(x, before, strict=True))
        if size < arb(2) ** (-2 * ctx.prec // 3):
            break
    reach = _REACH * max(1.0, *map(abs, start))
    if not all(abs(a - c) < reach for a, c in zip(x, start, strict=True)):
        raise UndecidedError("the nearest zero of g is further away")
    for k in _RADII:
        centre = [int((a.fmpq() * 10 ** (k + 2) + fmpq(1, 2)).floor()) for a in x]
        wide = [arb(fmpq(c, 10 ** (k + 2))) + arb(0, 1) / 10**k for c in centre]
        try:
            _alone(game, wide)
            box = _alone(game, [a + arb(0, 1) / 2 ** (ctx.prec // 2) for a in x])
            break
        except UndecidedError as error:
            if k == _RADII[-1]:
                raise error
    shown = ", ".join(str(Decimal(c).scaleb(-k - 2)) for c in centre)
    return wide, box, (
        f"exactly one critical point x has |x_i - c_i| <= 1e-{k} for every i, c = ({shown}); "
        f"{'g' if game.expr is None else 'f'} is finite and real there"
    )  # fmt: skip


def _alone(game: Game, box: Sequence[arb]) -> list[arb]:
    """Prove that g has one zero in a box on which the cost is real, and enclose it."""
    values = Balls(game.variables, box)
    for e in [*game.g, *([] if game.expr is None else [game.expr])]:
        values(e)
    image = _image(game, box)
    if not all(b.contains_interior(k) for b, k in zip(box, image, strict=True)):
        raise UndecidedError("no critical point is alone there for sure")
    return image


def _image(game: Game, box: Sequence[arb]) -> list[arb]:
    """Return what Krawczyk's operator makes of a box; of a point, where Newton's step leads."""
    n, middle = game.n, [b.mid() for b in box]
    slope = arb_mat(n, n, map(Balls(game.variables, box), game.symbolic_jacobian))
    there = arb_mat(n, 1, map(Balls(game.variables, middle), game.g))
    try:
        inverse = slope.mid().inv().mid()
    except ZeroDivisionError as error:
        raise UndecidedError("the Jacobian of g is singular there") from error
    one = arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    around = arb_mat(n, 1, [b - m for b, m in zip(box, middle, strict=True)])
    shift = (one - inverse * slope) * around - inverse * there
    return [m + s for m, s in zip(middle, shift.entries(), strict=True)]


def _exactly(game: Game, point: Any, wide: Sequence[arb], box: Sequence[arb]) -> ExactBlocks | None:
    """Return exact blocks where the point is known, or guessed, and proved, to be exact numbers."""
    numbers = getattr(point, "exact", point)
    if numbers is None or not all(isinstance(c, sp.Expr) and not c.has(sp.Float) for c in numbers):
        numbers = [_guess(float(b.mid())) for b in box]
    at = dict(zip(game.variables, numbers, strict=True))
    try:
        if not all(b.contains(Balls()(c)) for b, c in zip(wide, numbers, strict=True)):
            return None
        values = Numbers(sp.expand_trig(e).subs(at) for e in game.g)
        return None if any(map(values.sign, values.numbers)) else exact_blocks(game, numbers)
    except (ValueError, UndecidedError):
        return None


def _guess(value: float) -> sp.Expr:
    """Return a short fraction, multiple of pi or square root near a number, for a try."""
    for unit, number in ((sp.Integer(1), value), (sp.pi, value / math.pi)):
        short = Fraction(number).limit_denominator(100)
        if abs(short - number) < 1e-12:
            return sp.Rational(short.numerator, short.denominator) * unit
    square = Fraction(value * value).limit_denominator(100)
    return (1 if value > 0 else -1) * sp.sqrt(sp.Rational(square.numerator, square.denominator))


def _decimals(ball: arb, digits: int = 18) -> Bounds:
    """Return decimals below and above every number of a ball."""
    ends = zip((ROUND_FLOOR, ROUND_CEILING), fractions(ball), strict=True)
    low, high = (Context(digits, r).divide(Decimal(int(e.p)), Decimal(int(e.q))) for r, e in ends)
    return low, high


def _apart(balls: Sequence[arb]) -> list[Bounds]:
    """Return decimals around ascending balls, with as many digits as keep them apart."""
    for digits in itertools.count(18, 18):
        found = [_decimals(ball, digits) for ball in balls]
        if all(a[1] < b[0] for a, b in itertools.pairwise([_ZERO, *found])):
            return found
    raise AssertionError


def _text(bounds: Bounds | None) -> str:
    low, high = bounds or ("infinity", "infinity")
    return f"{low}" if low == high else f"[{low}, {high}]"
