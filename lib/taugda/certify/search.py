"""Finding the numbers of a certificate; nothing here is trusted."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from taugda.certify.balls import UndecidedError, decimal, precision
from taugda.certify.matrices import guard_matrix, hurwitz
from taugda.certify.point import Derivatives, Enclosed, fmpq, krawczyk, midpoint
from taugda.certify.statements import (
    Bounds,
    Numbers,
    at_tau,
    enclose_blocks,
    schur,
    singular_semidefinite,
)

__all__ = ["FarError", "guess"]

_RADII = ("0.1", "0.01", "0.001", "1e-4", "1e-6", "1e-8", "1e-10", "1e-12", "1e-15", "1e-20")
_GAP = Fraction(1, 10**15)  # relative distance from a root of Q to its bounds
_STEPS = 60  # Newton's steps: what needs more is no regular point


class FarError(UndecidedError):
    """Newton's method leaves the neighbourhood of the point given."""


def guess(
    derivatives: Derivatives,
    start: Sequence[Fraction],
    exact: Sequence[sp.Expr] | None,
    reach: Fraction,
    bits: int,
) -> tuple[Numbers, tuple[sp.Expr, ...] | None]:
    """Propose the numbers of a certificate.

    Parameters
    ----------
    derivatives : Derivatives
    start : sequence of fractions.Fraction
        Near the critical point.
    exact : sequence of sympy.Expr or None
        The critical point, where it is known.
    reach : fractions.Fraction
        How far the refined point may lie from the start, in each coordinate.
    bits : int
        Working precision.

    Returns
    -------
    numbers : Numbers
    exact : tuple of sympy.Expr or None
        The exact point, if known or recognized.

    Raises
    ------
    FarError
        If there is no critical point within reach of the start.
    UndecidedError
        If none can be proved at this precision.
    """
    with precision(bits):
        refined = _newton(derivatives, start, reach, bits)
        if exact is None:
            exact = _recognize(derivatives, refined, bits)
        centre, radius = _box(derivatives, refined, bits)
        numbers = Numbers(centre, radius, None if exact is None else tuple(map(str, exact)))
        blocks = enclose_blocks(derivatives, exact, numbers)
        found = _classify(blocks, bits)
        if found["kind"] == "DSE":
            found |= _threshold(blocks, found["semidefinite"], bits)
        elif found["kind"] == "DNE":
            found["tau_star"] = ("0", "0")
        elif found["kind"] == "neither":
            found |= _pieces(blocks, bits)
        return Numbers(centre, radius, numbers.exact, **found), None if exact is None else tuple(
            exact
        )


def _newton(
    derivatives: Derivatives, start: Sequence[Fraction], reach: Fraction, bits: int
) -> list[Fraction]:
    import flint

    n = derivatives.n
    x = [flint.arb(fmpq(c)).mid() for c in start]
    for _ in range(_STEPS):
        slope = derivatives.jacobian(x).mid()
        value = flint.arb_mat(n, 1, derivatives.g(x)).mid()
        if all(value[i, 0].is_zero() for i in range(n)):
            break
        try:
            step = slope.solve(value)
        except ZeroDivisionError as error:
            raise UndecidedError("the Jacobian of g is singular: a degenerate point") from error
        x = [(c - step[i, 0]).mid() for i, c in enumerate(x)]
        if any(abs(midpoint(c) - s) > reach for c, s in zip(x, start, strict=True)):
            raise FarError(
                f"Newton's method finds no critical point within {float(reach):.1e} of the "
                "point given"
            )
        size = max(abs(step[i, 0].mid()) for i in range(n))
        if size < flint.arb(2) ** (-4 * bits // 5):
            break
    return [midpoint(c) for c in x]


def _recognize(
    derivatives: Derivatives, refined: Sequence[Fraction], bits: int
) -> tuple[sp.Expr, ...] | None:
    """Return the point in fractions, their roots or fractions of pi, if g vanishes there."""
    import flint

    pi, close = midpoint(flint.arb.pi()), Fraction(1, 2 ** (bits // 2))
    guessed: list[sp.Expr] = []
    for c in refined:
        plain, turned, square = (v.limit_denominator(10**6) for v in (c, c / pi, c * c))
        if abs(plain - c) < close:
            guessed.append(sp.Rational(plain.numerator, plain.denominator))
        elif abs(turned * pi - c) < close:
            guessed.append(sp.Rational(turned.numerator, turned.denominator) * sp.pi)
        elif abs(square - c * c) < close:
            root = sp.sqrt(sp.Rational(square.numerator, square.denominator))
            guessed.append(root if c > 0 else -root)
        else:
            return None
    return tuple(guessed) if derivatives.vanishes(guessed) else None


def _box(
    derivatives: Derivatives, refined: Sequence[Fraction], bits: int
) -> tuple[tuple[str, ...], str]:
    """Return the centre in decimals and the widest of some radii that succeeds."""
    grid = 10 ** min(bits // 10, 100)
    rounded = [Fraction(round(c * grid), grid) for c in refined]
    error: UndecidedError | None = None
    for radius in _RADII:
        try:
            krawczyk(derivatives, rounded, Fraction(radius))
        except UndecidedError as failed:
            error = failed
            continue
        centre = tuple(decimal(c, 1000, up=False) for c in rounded)  # exact: few digits
        return centre, radius
    raise error or UndecidedError("no box succeeds")


def _approximate(matrix: Any) -> list[tuple[Fraction, Fraction]]:
    """Return the eigenvalues of a matrix (real and imaginary parts), without any guarantee."""
    import flint

    values = flint.acb_mat(flint.arb_mat(matrix).mid()).eig(algorithm="approx")
    if not all(v.is_finite() for v in values):
        raise UndecidedError("the eigenvalues are out of range")
    return [(midpoint(v.real), midpoint(v.imag)) for v in values]


def _classify(blocks: Enclosed, bits: int) -> dict[str, Any]:
    least: dict[str, Bounds] = {}
    signs: dict[str, int] = {}
    matrices = {"A11": blocks.A11, "A22": blocks.A22, "S1": schur(blocks)}
    values = {k: [re for re, _ in _approximate(m)] for k, m in matrices.items() if m is not None}
    # An eigenvalue counts as zero beside all of the blocks: A11 alone has no scale if it is 0.
    coupling = (abs(float(v if blocks.exact else v.mid())) for v in blocks.A12.entries())
    size = max(Fraction(max(coupling)), *(abs(v) for part in values.values() for v in part))
    for name, part in values.items():
        value = min(part)
        signs[name] = 0
        if abs(value) > size / 2 ** (bits // 4):
            signs[name] = 1 if value > 0 else -1
            margin = abs(value) / 10**12
            least[name] = (
                decimal(value - margin, 13, up=False), decimal(value + margin, 13, up=True)
            )  # fmt: skip
    singular = signs["A11"] == 0 and singular_semidefinite(blocks)
    a11, a22, s = signs["A11"], signs["A22"], signs.get("S1", 0)
    if a22 == -1 or (a22 == 1 and s == -1):
        kind = "neither"
    elif a22 == 1 and s == 1:
        kind = "DNE" if a11 == 1 else "DSE" if a11 == -1 or singular else "DSE or DNE"
    else:
        kind = "not proved"
    return {"kind": kind, "least": least, "semidefinite": singular}


def _around(low: Fraction, high: Fraction) -> Bounds:
    return decimal(low * (1 - _GAP), 18, up=False), decimal(high * (1 + _GAP), 18, up=True)


def _roots(blocks: Enclosed, bits: int) -> list[Bounds]:
    """Return bounds around the real positive eigenvalues of Q, ascending, clusters joined."""
    values = _approximate(guard_matrix(blocks.A11, blocks.A12, blocks.A22, schur(blocks)))
    size = max(abs(re) + abs(im) for re, im in values)
    zero = size / 2 ** (bits // 6)
    real = sorted(re for re, im in values if re > zero and abs(im) <= zero)
    groups: list[list[Fraction]] = []
    for root in real:
        if groups and root * (1 - 4 * _GAP) <= groups[-1][1]:
            groups[-1][1] = root
        else:
            groups.append([root, root])
    return [_around(low, high) for low, high in groups]


def _threshold(blocks: Enclosed, singular: bool, bits: int) -> dict[str, Any]:
    if singular:
        return {"tau_star": ("0", "0")}
    try:
        roots = _roots(blocks, bits)
    except UndecidedError:
        roots = []
    if not roots:
        return {}
    touches = hurwitz(at_tau(blocks, Fraction(roots[-1][0]))) is True
    return {"tau_star": roots[-1], "touches": touches}


def _pieces(blocks: Enclosed, bits: int) -> dict[str, Any]:
    if schur(blocks) is None:
        return {}
    try:
        roots = _roots(blocks, bits)
    except UndecidedError:
        return {}
    intervals = []
    lower: Bounds = ("0", "0")
    for root in roots:
        if hurwitz(at_tau(blocks, Fraction(root[0]))) is True:
            intervals.append((lower, root))
        lower = root
    return {"roots": tuple(roots), "intervals": tuple(intervals)}
