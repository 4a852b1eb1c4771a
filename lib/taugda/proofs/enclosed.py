"""What blocks in ball arithmetic decide: the kind, the roots of the guard polynomial, stability.

The last but one Hurwitz determinant of det(x I + J_tau) is, up to sign, the product of the sums of
two distinct eigenvalues (Orlando's formula) and equals tau^(n2 (n2 - 1) / 2) G(tau).  G, of degree
at most n1 n2, is a constant times det(tau I - Q) where the guard matrix Q exists, and defined where
it does not.  Stability changes only at its positive roots.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from functools import cached_property

from flint import acb, acb_mat, acb_poly, arb, ctx

from taugda.proofs.balls import UndecidedError, between, real_roots
from taugda.proofs.numbers import Conjugates, RealRoot, TooHardError, sign

# Largest degree over the rational numbers of the polynomial among whose roots an end is found.
MAX_THRESHOLD = 200
Parts = tuple[acb_mat, acb_mat, acb_mat]


class Enclosed:
    """The blocks A11, A12, A22 as balls; ``whole`` if algebraic integers, then with conjugates.

    Every answer is proved, or `UndecidedError` is raised.  Only algebraic integers can be 0.
    """

    def __init__(self, parts: Sequence[Parts], *, whole: bool) -> None:
        self.parts, self.whole = parts, whole

    @cached_property
    def kind(self) -> str:
        """DNE, DSE (and no DNE), neither or degenerate."""
        for form in (lambda a11, a12, a22: a22, _schur):
            definite = self._definite(form)
            if definite < 1:
                return "neither" if definite else "degenerate"
        return "DNE" if self.A11 == 1 else "DSE"

    @cached_property
    def A11(self) -> int:
        """1 where A11 is positive definite, 0 where semidefinite, -1 for a negative eigenvalue."""
        return self._definite(lambda a11, a12, a22: a11)

    @cached_property
    def always_stable(self) -> bool:
        """Whether A11 >= 0 at a DSE, so that it is stable for every tau > 0."""
        return self.kind in ("DNE", "DSE") and self.A11 >= 0

    @cached_property
    def singular_A22(self) -> bool:
        """Whether det A22 is 0."""
        return not self._sign([a22.charpoly().coeffs()[0] for _, _, a22 in self.parts])

    @cached_property
    def never_stable(self) -> bool:
        """Whether an eigenvalue 0 or two that sum to 0 stay whatever tau is."""
        determinants = [_minus_jacobian(parts, 1, 1)[-1] for parts in self.parts]
        return not (self._sign(determinants) and self.guards[0])

    @cached_property
    def guards(self) -> list[Conjugates]:
        """G and its conjugates, low coefficients first, without the root 0; empty for G = 0."""
        guards = [_guard(parts) for parts in self.parts]
        used = [k for k, values in enumerate(zip(*guards, strict=True)) if self._sign(values)]
        return [g[used[0] : used[-1] + 1] if used else [] for g in guards]

    @cached_property
    def thresholds(self) -> list[RealRoot]:
        """The positive roots of G, ascending, each once, exactly; for algebraic integers.

        They are among those of the product of G and its conjugates, which is over the integers.
        """
        degree = 0 if self.never_stable else (len(self.guards[0]) - 1) * len(self.guards)
        if degree > MAX_THRESHOLD:
            raise TooHardError(
                f"exact: expected thresholds of degree at most {MAX_THRESHOLD} over the rational "
                f"numbers, got some of degree up to {degree}; use the numeric route or an enclosure"
            )
        product = math.prod(map(acb_poly, self.guards), start=acb_poly([1])).unique_fmpz_poly()
        if product is None:
            raise UndecidedError("a coefficient is open")
        found, bits = [], ctx.prec
        for factor, multiplicity in product.factor()[1] if degree else ():
            for k, ball in enumerate(real_roots(factor, bits)):
                if ball > 0 and self._is_root(acb(ball), multiplicity):
                    found.append((ball, RealRoot(factor, k)))
        order = _ascending([ball for ball, _ in found])
        return [root for _, root in sorted(found, key=lambda pair: order.index(pair[0]))]

    def _is_root(self, ball: acb, multiplicity: int) -> bool:
        """Say whether a root of the product is one of G itself.

        Its multiplicities in the conjugates add up to that in the product, and enclosures bound
        each from above: once they too add up to it, every bound is exact.
        """
        orders = []
        for coefficients in self.guards:
            poly, order = acb_poly(coefficients), 0
            while order < len(coefficients) and poly(ball).contains(0):
                poly, order = poly.derivative(), order + 1
            orders.append(order)
        if sum(orders) > multiplicity:
            raise UndecidedError("a multiplicity is open")
        return orders[0] > 0

    @cached_property
    def roots(self) -> list[arb]:
        """Balls around the positive roots of G, ascending; there is exactly one root in each."""
        if self.whole or self.never_stable:
            return [root.ball(ctx.prec) for root in self.thresholds]
        poly = acb_poly(self.guards[0])
        try:
            found = poly.roots()
        except ValueError as error:
            raise UndecidedError("two roots of the guard polynomial are not separated") from error
        near = [r for r in found if r.imag.contains(0)]
        # Roots come with their conjugates: the one in a box alone with its mirror is real.
        if any(r is not s and r.overlaps(s.conjugate()) for r in found for s in near):
            raise UndecidedError("a root of the guard polynomial is not known to be real")
        real = [_sharpened(poly, root.real) for root in near]
        if any(ball.rad() > abs(ball.mid()) / 2**50 for ball in real):
            raise UndecidedError("a root of the guard polynomial is known too roughly")
        return _ascending([ball for ball in real if ball > 0])

    @cached_property
    def stable(self) -> list[bool]:
        """Whether the point is stable before, between and beyond the roots."""
        pairs = itertools.pairwise([arb(0), *self.roots, None])
        return [not self.never_stable and self._is_stable(*pair) for pair in pairs]

    def _is_stable(self, low: arb, high: arb | None) -> bool:
        """Say it for one tau between two roots (Lienard and Chipart's criterion)."""
        tau = between(low, high, ctx.prec)
        polys = [_minus_jacobian(parts, int(tau.p), int(tau.q)) for parts in self.parts]
        values = [*zip(*polys, strict=True)]
        values += [[_hurwitz(c, k) for c in polys] for k in range(len(polys[0]) - 2, 0, -2)]
        if any(conjugates[0].real < 0 for conjugates in values):
            return False
        return all(self._sign(conjugates) > 0 for conjugates in values)

    def _definite(self, form: Callable[..., acb_mat]) -> int:
        """Tell the signs of a symmetric matrix's eigenvalues, all real, from the coefficients."""
        polys = [(-form(*parts)).charpoly().coeffs()[:-1] for parts in self.parts]
        if any(c.real < 0 for c in polys[0]):
            return -1
        return min(self._sign(values) for values in zip(*polys, strict=True))

    def _sign(self, conjugates: Conjugates) -> int:
        return sign(conjugates, whole=self.whole)


def _ascending(balls: Sequence[arb]) -> list[arb]:
    """Sort balls around positive numbers; raise where two, or one and 0, are not separated."""
    edges = [arb(0), *sorted(balls, key=lambda ball: ball.mid())]
    if not all(a < b for a, b in itertools.pairwise(edges)):
        raise UndecidedError("two thresholds, or one and 0, are not separated")
    return edges[1:]


def _sharpened(poly: acb_poly, ball: arb) -> arb:
    """Narrow a ball around a simple real root by Newton's method in balls."""
    for _ in range(10):
        new = ball.mid() - poly(acb(ball.mid())).real / poly.derivative()(acb(ball)).real
        if not new.rad() < ball.rad():
            break
        ball = new
    return ball


def _minus_jacobian(parts: Parts, p: int, q: int) -> list[acb]:
    """Return the coefficients of det(x I + q J_tau) at tau = p / q, the leading 1 first."""
    a11, a12, a22 = parts
    rows = [x + y for x, y in zip((-q * a11).tolist(), (-q * a12).tolist(), strict=True)]
    lower = zip((p * a12.transpose()).tolist(), (-p * a22).tolist(), strict=True)
    return acb_mat(rows + [x + y for x, y in lower]).charpoly().coeffs()[::-1]


def _hurwitz(c: Conjugates, k: int) -> acb:
    """Return the k-th Hurwitz determinant of a polynomial, leading coefficient first."""
    places = [[2 * j - i for j in range(1, k + 1)] for i in range(1, k + 1)]
    rows = [[c[m] if 0 <= m < len(c) else 0 for m in row] for row in places]
    # Not det(), which divides by pivots that may hold 0.
    return acb_mat(rows).charpoly().coeffs()[0] * (-1) ** k


def _guard(parts: Parts) -> list[acb]:
    """Return the n1 n2 + 1 coefficients of G, from its values at whole numbers."""
    n1, n2 = parts[1].nrows(), parts[1].ncols()
    nodes = [(k // 2 + 1) * (-1) ** k for k in range(n1 * n2 + 1)]
    values = [_hurwitz(_minus_jacobian(parts, t, 1), n1 + n2 - 1) for t in nodes]
    values = [v / t ** (n2 * (n2 - 1) // 2) for v, t in zip(values, nodes, strict=True)]
    found = acb_poly.interpolate(list(map(acb, nodes)), values).coeffs()
    return found + [acb(0)] * (len(nodes) - len(found))


def _schur(a11: acb_mat, a12: acb_mat, a22: acb_mat) -> acb_mat:
    """Return det(A22) S1, of algebraic integers where the blocks are."""
    try:
        return a22.det() * (a11 + a12 * a22.solve(a12.transpose()))
    except ZeroDivisionError as error:
        raise UndecidedError("A22, or a conjugate of it, is not known to be regular") from error
