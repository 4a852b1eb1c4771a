"""What a certificate states, and the proofs of it from its numbers alone.

Nothing here searches: the numbers come from ``search`` or from a file, and are only trusted
as far as they are proved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import sympy as sp

from taugda.certify.balls import Program, UndecidedError, fraction, precision
from taugda.certify.matrices import (
    definite,
    evidence,
    guard_matrix,
    hurwitz,
    jacobian,
    no_root,
    semidefinite,
    shifted,
    tidy,
)
from taugda.certify.point import Derivatives, Enclosed, blocks_at, fmpq, krawczyk

__all__ = [
    "Numbers",
    "Statement",
    "at_tau",
    "enclose_blocks",
    "schur",
    "singular_semidefinite",
    "verify",
]

Bounds = tuple[str, str]


@dataclass(frozen=True)
class Numbers:
    """The numbers a certificate is made of; decimals are text, so that they are exact.

    Attributes
    ----------
    centre : tuple of str
        Centre of the box around the critical point.
    radius : str
        Half its side.
    exact : tuple of str or None
        The critical point itself, where it is known: formulas such as 0, 1/3, pi.
    kind : {"DNE", "DSE", "DSE or DNE", "neither", "not proved"}
    least : dict of str to (str, str)
        Bounds of the smallest eigenvalues of A11, A22 and S1, where found.
    semidefinite : bool
        Whether A11 >= 0 is claimed though A11 > 0 is not.
    tau_star : (str, str) or None
        Bounds of tau*; ("0", "0") where it is 0; None where there is none or it is not known.
    touches : bool
        Whether the point is stable at the lower bound too: the spectrum only touches the axis.
    intervals : tuple of ((str, str), (str, str)) or None
        For a point that is no equilibrium: the ends of the intervals of stability, each
        between two bounds; ("0", "0") is an end at 0.
    roots : tuple of (str, str)
        For the same: bounds that hold every positive real eigenvalue of Q, ascending.
    """

    centre: tuple[str, ...]
    radius: str
    exact: tuple[str, ...] | None = None
    kind: str = "not proved"
    least: dict[str, Bounds] = field(default_factory=dict)
    semidefinite: bool = False
    tau_star: Bounds | None = None
    touches: bool = False
    intervals: tuple[tuple[Bounds, Bounds], ...] | None = None
    roots: tuple[Bounds, ...] = ()


@dataclass(frozen=True)
class Statement:
    """One line of a certificate.

    Attributes
    ----------
    subject : str
        What it is about.
    claim : str
        What is stated, with its numbers.
    proved : bool
    why : str
        The evidence, or why the claim is not proved.
    """

    subject: str
    claim: str
    proved: bool
    why: str

    def __str__(self) -> str:
        verdict = "proved" if self.proved else "not proved"
        return f"{self.subject}: {self.claim}\n    {verdict}: {self.why}"


def verify(
    derivatives: Derivatives, exact: Sequence[sp.Expr] | None, numbers: Numbers, bits: int
) -> tuple[Statement, ...]:
    """Prove what the numbers of a certificate say about a game.

    Parameters
    ----------
    derivatives : Derivatives
        The game's.
    exact : sequence of sympy.Expr or None
        ``numbers.exact``, parsed.
    numbers : Numbers
    bits : int
        Working precision in bits.

    Returns
    -------
    tuple of Statement
        Critical point, class, tau* (and intervals); each proved or not proved.

    Raises
    ------
    ValueError
        If a number is malformed.
    """
    with precision(bits):
        point, blocks = _point(derivatives, exact, numbers)
        kind = _kind(numbers, blocks)
        out = [point, kind]
        if numbers.kind == "neither":
            out.append(_no_tau_star(numbers, blocks, kind))
            if numbers.intervals is not None:
                out.append(_intervals(numbers, blocks))
        elif numbers.tau_star == ("0", "0"):
            out.append(_tau_star_zero(numbers, blocks, kind))
        else:
            out += _tau_star(numbers, blocks, kind)
        return tuple(out)


def enclose_blocks(
    derivatives: Derivatives, exact: Sequence[sp.Expr] | None, numbers: Numbers
) -> Enclosed:
    """Prove the critical point at the current precision and enclose the blocks there.

    Parameters
    ----------
    derivatives : Derivatives
    exact : sequence of sympy.Expr or None
    numbers : Numbers

    Returns
    -------
    Enclosed

    Raises
    ------
    UndecidedError
        If the point is not proved.
    """
    centre = [fraction(c) for c in numbers.centre]
    radius = fraction(numbers.radius)
    if len(centre) != derivatives.n or radius <= 0:
        raise ValueError(
            f"certificate: expected {derivatives.n} coordinates and a radius greater than 0, got "
            f"{len(centre)} and {numbers.radius}"
        )
    box = krawczyk(derivatives, centre, radius)
    if exact is not None:
        if not derivatives.vanishes(exact):
            raise UndecidedError("g is not known to vanish at the exact point")
        box = Program(exact, [])([])
        if not all(abs(b - fmpq(c)) < fmpq(radius) for b, c in zip(box, centre, strict=True)):
            raise UndecidedError("the exact point does not lie in the box")
    return blocks_at(derivatives, box, exact)


def _point(
    derivatives: Derivatives, exact: Sequence[sp.Expr] | None, numbers: Numbers
) -> tuple[Statement, Enclosed | None]:
    claim = (
        f"exactly one critical point x has |x_i - c_i| <= {numbers.radius} for every i, with "
        f"c = ({', '.join(numbers.centre)})"
    )
    if numbers.exact is not None:
        claim += f"; it is x = ({', '.join(numbers.exact)})"
    try:
        blocks = enclose_blocks(derivatives, exact, numbers)
    except UndecidedError as error:
        return Statement("critical point", claim, False, str(error)), None
    why = "Krawczyk's test" + ("" if exact is None else "; g(x) = 0 by exact arithmetic")
    return Statement("critical point", claim, True, why), blocks


def schur(blocks: Enclosed) -> Any:
    """Return an enclosure of S1 = A11 + A12 A22^{-1} A12^T, or None where A22 may be singular."""
    try:
        return tidy(blocks.A11 + blocks.A12 * blocks.A22.inv() * blocks.A12.transpose())
    except ZeroDivisionError:
        return None


def _signs(numbers: Numbers, blocks: Enclosed) -> dict[str, int]:
    """Return the signs (1, -1 or 0 for not proved) of the smallest eigenvalues, from the bounds."""
    signs = {}
    for name, (low, high) in numbers.least.items():
        matrix = schur(blocks) if name == "S1" else getattr(blocks, name)
        if matrix is None:
            signs[name] = 0
            continue
        low_q, high_q = fraction(low), fraction(high)
        inside = (
            definite(shifted(matrix, fmpq(low_q))) is True
            and definite(shifted(matrix, fmpq(high_q))) is False
        )
        signs[name] = 0 if not inside else 1 if low_q >= 0 else -1 if high_q <= 0 else 0
    return signs


_CLAIMS = {
    "DNE": "DNE (and so DSE): A11 > 0 and A22 > 0",
    "DSE": "DSE, not DNE: A22 > 0 and S1 > 0, A11 not > 0",
    "DSE or DNE": "DSE (DNE or not is left open): A22 > 0 and S1 > 0",
    "neither": "neither DNE nor DSE",
}


def _kind(numbers: Numbers, blocks: Enclosed | None) -> Statement:
    if numbers.kind not in (*_CLAIMS, "not proved"):
        raise ValueError(f"certificate: expected a known class, got {numbers.kind!r}")
    bounds = [f"min eig {k} in [{lo}, {hi}]" for k, (lo, hi) in sorted(numbers.least.items())]
    if numbers.semidefinite:
        bounds.append("A11 >= 0 and singular, by exact arithmetic")
    claim = _CLAIMS.get(numbers.kind, "DNE, DSE or neither")
    if blocks is None:
        return Statement("class", claim, False, "the critical point is not proved")
    signs = _signs(numbers, blocks)
    a11, a22, s1 = (signs.get(k, 0) for k in ("A11", "A22", "S1"))
    singular = numbers.semidefinite and singular_semidefinite(blocks)
    holds = {
        "DNE": a11 == 1 and a22 == 1,
        "DSE": a22 == 1 and s1 == 1 and (a11 == -1 or singular),
        "DSE or DNE": a22 == 1 and s1 == 1,
        "neither": a22 == -1 or (a22 == 1 and s1 == -1),
    }.get(numbers.kind, False)
    if holds and 0 not in signs.values() and singular == numbers.semidefinite:
        return Statement("class", claim, True, "; ".join(bounds))
    doubtful = sorted(k for k in ("A11", "A22", "S1") if signs.get(k, 0) == 0)
    return Statement(
        "class", claim, False, f"the sign of the smallest eigenvalue is open: {', '.join(doubtful)}"
    )


def singular_semidefinite(blocks: Enclosed) -> bool:
    """Say whether it is proved that A11 >= 0 with an eigenvalue that is exactly 0.

    Parameters
    ----------
    blocks : Enclosed

    Returns
    -------
    bool
        True where A11 is rational and so, or where it is positive definite but for rows that
        are exactly zero.
    """
    a11 = blocks.exact_A11
    if a11 is not None:
        return semidefinite(a11) and a11.det() == 0
    rest = [i for i in range(blocks.A11.nrows()) if i not in blocks.free]
    entries = [blocks.A11[i, j] for i in rest for j in rest]
    part = type(blocks.A11)(len(rest), len(rest), entries)
    return bool(blocks.free) and definite(part) is True


def _tau_star_zero(numbers: Numbers, blocks: Enclosed | None, kind: Statement) -> Statement:
    claim = "tau* = 0: stable for every tau > 0"
    good = numbers.kind == "DNE" or (numbers.kind == "DSE" and numbers.semidefinite)
    if blocks is None or not kind.proved or not good:
        why = "the class is not proved" if not kind.proved else "A11 >= 0 is not proved"
        return Statement("tau*", claim, False, why)
    why = "A11 >= 0, A22 > 0 and S1 > 0: |x1|^2 + |x2|^2 / tau decreases along the flow"
    return Statement("tau*", claim, True, why)


def _tau_star(numbers: Numbers, blocks: Enclosed | None, kind: Statement) -> list[Statement]:
    if numbers.tau_star is None:
        why = "the class is not proved" if not kind.proved else "no enclosure was found"
        if kind.proved and numbers.kind == "DSE or DNE":
            why = "whether A11 >= 0 is open"
        return [Statement("tau*", "an enclosure of tau*", False, why)]
    low, high = numbers.tau_star
    lo, hi = fraction(low), fraction(high)
    if not 0 < lo < hi:
        raise ValueError(f"certificate: expected bounds 0 < low < high of tau*, got {low}, {high}")
    above = f"stable for every tau >= {high}"
    side = "stable" if numbers.touches else "unstable"
    below = f"{side} at tau = {low}"
    star = f"tau* lies in [{low}, {high}]"
    if numbers.touches:
        star += ", where the spectrum touches the imaginary axis"
    if blocks is None or not kind.proved or numbers.kind != "DSE":
        why = "that the point is a DSE and no DNE is not proved"
        return [
            Statement("above", above, False, why),
            Statement("below", below, False, why),
            Statement("tau*", star, False, why),
        ]
    stable_above, why_above = _stable_from(blocks, hi)
    at_low = hurwitz(at_tau(blocks, lo))
    good = at_low is (True if numbers.touches else False)
    out = [
        Statement("above", above, stable_above, why_above),
        Statement(
            "below",
            below,
            good,
            evidence(at_tau(blocks, lo), numbers.touches) if good else "Routh's array is undecided",
        ),
    ]
    if not (stable_above and good):
        return [*out, Statement("tau*", star, False, "the line above or below is not proved")]
    if not numbers.touches:
        return [*out, Statement("tau*", star, True, "from the two lines before")]
    # Stability is lost nowhere but at an eigenvalue of Q; at the largest one all real parts are
    # at least 0 by continuity, so the two eigenvalues that sum to zero lie on the axis.
    touched = blocks.exact and _has_root(_guard_polynomial(blocks), lo, hi)
    why = (
        "Q has a real eigenvalue in it, by exact arithmetic, and the point is stable on both sides"
        if touched
        else "stable on both sides, and the blocks are not known exactly"
    )
    return [*out, Statement("tau*", star, touched, why)]


def at_tau(blocks: Enclosed, tau: Fraction) -> Any:
    """Return J_tau at the enclosed point.

    Parameters
    ----------
    blocks : Enclosed
    tau : fractions.Fraction

    Returns
    -------
    flint.arb_mat or flint.fmpq_mat
    """
    return jacobian(blocks.A11, blocks.A12, blocks.A22, fmpq(tau))


def _guard_polynomial(blocks: Enclosed) -> Any:
    s1 = schur(blocks)
    if s1 is None:
        raise UndecidedError("A22 may be singular")
    return guard_matrix(blocks.A11, blocks.A12, blocks.A22, s1).charpoly()


def _stable_from(blocks: Enclosed, tau: Fraction) -> tuple[bool, str]:
    """Prove stability at one tau and that nothing crosses the axis beyond it."""
    if hurwitz(at_tau(blocks, tau)) is not True:
        return False, "J is not proved stable at this tau"
    try:
        free = no_root(_guard_polynomial(blocks), fmpq(tau))
    except UndecidedError as error:
        return False, str(error)
    if not free:
        return False, "Q may have a real eigenvalue beyond this tau"
    there = evidence(at_tau(blocks, tau), True)
    return True, f"Q has no real eigenvalue at or beyond it, and there {there}"


def _has_root(poly: Any, low: Fraction, high: Fraction) -> bool:
    """Return whether a rational polynomial has a real root in an interval (odd count at least)."""
    free = poly / poly.gcd(poly.derivative())
    return bool(free(fmpq(low)) * free(fmpq(high)) < 0)


def _no_tau_star(numbers: Numbers, blocks: Enclosed | None, kind: Statement) -> Statement:
    claim = "no finite tau*: unstable for every sufficiently large tau"
    if blocks is None or not kind.proved:
        return Statement("tau*", claim, False, "the class is not proved")
    name = "A22" if fraction(numbers.least["A22"][1]) <= 0 else "S1"
    low, high = numbers.least[name]
    size = "tau times it" if name == "A22" else "it"
    why = f"{name} has an eigenvalue in [{low}, {high}], and one of J_tau tends to {size}"
    return Statement("tau*", claim, True, why)


def _intervals(numbers: Numbers, blocks: Enclosed | None) -> Statement:
    """Prove the intervals of stability: no crossing between the roots, one spectrum in each gap."""
    claim = "stable for tau in " + (
        " and ".join(f"(l, u), l in [{a}, {b}], u in [{c}, {d}]" for (a, b), (c, d) in
                     numbers.intervals or ()) or "no interval"
    )  # fmt: skip
    subject = "intervals"
    if blocks is None:
        return Statement(subject, claim, False, "the critical point is not proved")
    ends = [Fraction(0), *(fraction(t) for pair in numbers.roots for t in pair)]
    if any(a >= b for a, b in pairwise(ends)):
        raise ValueError(f"certificate: expected ascending bounds, got {numbers.roots}")
    try:
        poly = _guard_polynomial(blocks)
    except UndecidedError as error:
        return Statement(subject, claim, False, str(error))
    found: list[tuple[Bounds, Bounds]] = []
    roots = (("0", "0"), *numbers.roots)
    verdicts = []
    for k, (_, start) in enumerate(roots):
        last = k == len(numbers.roots)
        stop = None if last else fmpq(fraction(numbers.roots[k][0]))
        if not no_root(poly, fmpq(fraction(start)), stop):
            return Statement(subject, claim, False, "Q may have other real eigenvalues")
        # A point of the gap: its upper end, or its lower one where there is no upper.
        tau = fraction(start) if last else fraction(numbers.roots[k][0])
        verdicts.append(hurwitz(at_tau(blocks, tau or Fraction(1))))
    for k, stable in enumerate(verdicts):
        if stable is None or (stable and k and verdicts[k - 1]):
            return Statement(subject, claim, False, "the spectrum in a gap is undecided")
        if stable and k < len(numbers.roots):
            found.append((roots[k], numbers.roots[k]))
    if verdicts[-1] or tuple(found) != numbers.intervals:
        return Statement(subject, claim, False, "the spectra say otherwise")
    return Statement(
        subject, claim, True, "Q has no other positive real eigenvalue; one spectrum in each gap"
    )
