"""tau* and the intervals of stability in exact numbers.

det(lambda I + J_tau) has coefficients that are polynomials in tau; its last but one Hurwitz
determinant is, up to sign, the product of the sums of two distinct eigenvalues (Orlando's
formula) and equals tau^{n2 (n2 - 1) / 2} G(tau).  G, of degree at most n1 n2, is the guard
polynomial: a constant times det(tau I - Q) where Q exists, and defined where it does not.
Stability changes only at its positive roots (det J_tau is tau^{n2} times a constant), so exact
root isolation and one exact Routh-Hurwitz test between two roots settle everything.
"""

import itertools
import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_poly

from taugda.blocks import Blocks
from taugda.checks import ComplexArray
from taugda.equilibria import Classification, classify
from taugda.exact.blocks import ExactBlocks
from taugda.exact.linear import characteristic_polynomial, determinant, inertia, interpolate
from taugda.exact.numberfield import monic
from taugda.exact.roots import (
    Root,
    between,
    field_roots,
    rational_roots,
    squarefree_part,
)
from taugda.stability.intervals import Interval

__all__ = ["exact_classification", "exact_stability_intervals", "exact_tau_star", "require_exact"]


def require_exact(blocks: Any) -> None:
    """Raise where exact=True meets blocks that are not exact.

    Parameters
    ----------
    blocks : object

    Raises
    ------
    ValueError
        If the blocks are no :class:`ExactBlocks`.
    """
    if not isinstance(blocks, ExactBlocks):
        raise ValueError(
            f"blocks: expected ExactBlocks with exact=True, got {type(blocks).__name__}; use "
            f"game.exact_blocks(point.exact), or ExactBlocks of your own exact matrices"
        )


def exact_classification(blocks: ExactBlocks) -> Classification:
    """Classify as :func:`classify` does, with every zero and every sign decided exactly.

    Parameters
    ----------
    blocks : ExactBlocks

    Returns
    -------
    Classification
        Its kind and ``A11_semidefinite`` are exact; the eigenvalues told are rounded.
    """
    return _Problem(blocks).classification


def exact_tau_star(blocks: ExactBlocks) -> dict[str, Any]:
    """Return the attributes of a ``TauStar`` whose value is an exact SymPy number.

    Parameters
    ----------
    blocks : ExactBlocks

    Returns
    -------
    dict
        ``value`` is ``sympy.oo`` where there is no finite tau*.

    Raises
    ------
    ValueError
        If A22 is singular, which the theorem excludes.
    FieldTooHardError
        If the numbers lie in a field of too high a degree.

    Notes
    -----
    At a differential Stackelberg equilibrium tau* is 0 iff A11 is positive semidefinite, else
    the largest positive root of the guard polynomial: stability above it is given, so by
    continuity the pair of eigenvalues that sums to zero there lies on the imaginary axis.
    """
    problem = _Problem(blocks)
    kind = problem.classification
    if problem.inertia_A22[1]:
        raise ValueError(
            f"A22: expected a nonsingular matrix (the theory needs det(D2^2 f) != 0), got "
            f"{blocks.A22} with determinant 0"
        )
    answer = {
        "value": sp.oo, "qualifies": False, "reason": kind.reason,
        "method": "exact classification", "crossing": np.empty(0, dtype=complex),
        "residual": 0.0, "touches": False, "classification": kind,
    }  # fmt: skip
    if not kind.is_dse:
        return answer
    if kind.A11_semidefinite:
        return answer | {
            "value": sp.Integer(0), "qualifies": True, "method": "A11 positive semidefinite, exact"
        }  # fmt: skip
    roots = problem.roots
    if not roots:
        raise ArithmeticError("exact tau*: no root although A11 is indefinite (please report)")
    value = roots[-1].sympy()
    if not problem.is_stable(between(roots[-1], None)):
        raise ArithmeticError("exact tau*: not stable beyond the last root (please report)")
    touches = problem.is_stable(between(roots[-2] if len(roots) > 1 else None, roots[-1]))
    return answer | {
        "value": value, "qualifies": True, "touches": touches,
        "method": "guard polynomial, exact real roots",
        "crossing": _crossing(blocks.numeric(), roots[-1]),
        "checked": "exactly: all positive roots of the guard polynomial are isolated, J_tau is "
        f"stable beyond the last and {'stable' if touches else 'unstable'} just before it",
    }  # fmt: skip


def exact_stability_intervals(blocks: ExactBlocks) -> list[Interval]:
    """Return the open intervals of tau > 0 on which the point is stable, with exact ends.

    Parameters
    ----------
    blocks : ExactBlocks

    Returns
    -------
    list of Interval
        In ascending order; the ends are SymPy numbers, ``sympy.oo`` where one never ends.  A
        root at which a stable spectrum only touches the axis splits an interval.

    Raises
    ------
    FieldTooHardError
        If the numbers lie in a field of too high a degree.
    """
    problem = _Problem(blocks)
    whole = Interval(sp.Integer(0), sp.oo)
    if problem.classification.is_dse and problem.classification.A11_semidefinite:
        return [whole]
    if problem.never_stable:
        return []
    edges = [None, *problem.roots, None]
    result = []
    for lower, upper in itertools.pairwise(edges):
        if problem.is_stable(between(lower, upper)):
            result.append(
                Interval(
                    lower.sympy() if lower else sp.Integer(0), upper.sympy() if upper else sp.oo
                )
            )
    return result


class _Problem:
    """The blocks in their number field, with what follows from them."""

    def __init__(self, blocks: ExactBlocks) -> None:
        require_exact(blocks)
        self.blocks = blocks
        self.field, (self.a11, self.a12, self.a22) = blocks.elements
        self.n1, self.n2 = blocks.n1, blocks.n2
        self.n = self.n1 + self.n2

    @cached_property
    def inertia_A22(self) -> tuple[int, int, int]:
        return inertia(self.field, self.a22)

    @cached_property
    def inertia_S1(self) -> tuple[int, int, int]:
        # -S1 is the Schur complement of A22 in [[A22, A12^T], [A12, -A11]] (Haynsworth).
        transposed = list(zip(*self.a12, strict=True))
        bordered = [[*row, *extra] for row, extra in zip(self.a22, transposed, strict=True)]
        for row, extra in zip(self.a12, self.a11, strict=True):
            bordered.append([*row, *(-e for e in extra)])
        whole = inertia(self.field, bordered)
        minus = [w - p for w, p in zip(whole, self.inertia_A22, strict=True)]
        return minus[2], minus[1], minus[0]

    @cached_property
    def classification(self) -> Classification:
        numeric = self.blocks.numeric()
        kind = classify(numeric)
        positive, zero, _ = inertia(self.field, self.a11)
        semidefinite = positive + zero == self.n1
        _, z22, m22 = self.inertia_A22
        # The exact decision may overrule a margin that rounding hides; the numbers stay.
        numbers = f"min eig A22 = {kind.min_A22:.6g}, min eig S1 = {kind.min_S1:.6g}"
        if z22:
            word = "neither" if m22 else "degenerate"
            reason = "A22 is singular, exactly" + (", and not definite" if m22 else "")
            return replace(
                kind, kind=word, min_S1=math.nan, A11_semidefinite=semidefinite, reason=reason
            )
        _, zero_s1, minus_s1 = self.inertia_S1
        if m22 or minus_s1:
            word, reason = "neither", f"not a DSE: {numbers}"
        elif zero_s1:
            word, reason = "degenerate", f"S1 is singular, exactly: {numbers}"
        elif positive == self.n1:
            word, reason = "DNE", f"DNE: min eig A11 = {kind.min_A11:.6g}, {numbers}"
        else:
            word, reason = "DSE", f"DSE: {numbers}"
        return replace(kind, kind=word, A11_semidefinite=semidefinite, reason=reason)

    def minus_jacobian_polynomial(self, tau: fmpq) -> list[fmpq_poly]:
        """Return the coefficients of det(x I + J_tau), the leading 1 first."""
        top = [[*(-e for e in row), *(-e for e in extra)]
               for row, extra in zip(self.a11, self.a12, strict=True)]  # fmt: skip
        bottom = [
            [*(e * tau for e in column), *(e * -tau for e in row)]
            for column, row in zip(zip(*self.a12, strict=True), self.a22, strict=True)
        ]
        return characteristic_polynomial(self.field, top + bottom)

    def hurwitz(self, c: list[fmpq_poly], k: int) -> fmpq_poly:
        """Return the k-th Hurwitz determinant of a polynomial, leading coefficient first."""
        zero = fmpq_poly()
        rows = [
            [c[2 * j - i] if 0 <= 2 * j - i < len(c) else zero for j in range(1, k + 1)]
            for i in range(1, k + 1)
        ]
        return determinant(self.field, rows)

    @cached_property
    def guard(self) -> list[fmpq_poly]:
        """The guard polynomial, low coefficients first, without roots at 0; [] if it is 0."""
        power = self.n2 * (self.n2 - 1) // 2
        nodes, values = [], []
        for k in range(self.n1 * self.n2 + 1):
            tau = fmpq((k // 2 + 1) * (-1) ** k)  # 1, -1, 2, -2, ...
            value = self.hurwitz(self.minus_jacobian_polynomial(tau), self.n - 1)
            nodes.append(tau)
            values.append(value * (1 / tau**power))
        result = interpolate(nodes, values)
        while result and result[0].is_zero():
            result.pop(0)
        while result and result[-1].is_zero():
            result.pop()
        return result

    @cached_property
    def never_stable(self) -> bool:
        """Whether an eigenvalue 0, or two that sum to zero, stay whatever tau is."""
        return self.minus_jacobian_polynomial(fmpq(1))[-1].is_zero() or not self.guard

    @cached_property
    def roots(self) -> list[Root]:
        """The positive roots of the guard polynomial, ascending."""
        if len(self.guard) < 2:
            return []
        poly = monic(self.field, self.guard)
        if all(c.degree() <= 0 for c in poly):
            return rational_roots(fmpq_poly([c[0] for c in poly]).numer())
        return field_roots(self.field, squarefree_part(self.field, poly))

    def is_stable(self, tau: fmpq) -> bool:
        """Whether every eigenvalue of J_tau has a positive real part (Lienard-Chipart)."""
        c = self.minus_jacobian_polynomial(tau)
        sign = self.field.sign
        return all(sign(e) > 0 for e in c) and all(
            sign(self.hurwitz(c, k)) > 0 for k in range(self.n - 1, 0, -2)
        )


def _crossing(blocks: Blocks, root: Root) -> ComplexArray:
    """Return the eigenvalues of J_tau nearest the axis at tau*, in double precision."""
    values = np.linalg.eigvals(blocks.jacobian(float(root.ball(128).mid())))
    near = np.abs(values.real) <= max(1e-7 * np.abs(values).max(), 2 * np.abs(values.real).min())
    return values[near]
