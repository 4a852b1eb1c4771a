"""tau* at a critical point by all routes there are: numeric, exact, proved in ball arithmetic."""

import math
from dataclasses import dataclass
from typing import Any

import sympy as sp

from taugda.certify import Certificate, certify
from taugda.equilibria import CriticalPoint
from taugda.stability import TauStar, tau_star

__all__ = ["Evidence", "evidence"]

# How far, relatively, the numeric tau* may lie from the exact or proved one.
_AGREEMENT = 1e-9


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of tau* at one critical point.

    Attributes
    ----------
    point : CriticalPoint
    numeric : TauStar
        From floating-point numbers.
    exact : sympy.Expr or None
        From exact arithmetic, infinity where there is no finite tau*; None where the route did
        not apply, for the reason in ``why_not_exact``.
    why_not_exact : str
    certificate : Certificate
        From ball arithmetic; it says itself what it proves.
    """

    point: CriticalPoint
    numeric: TauStar
    exact: sp.Expr | None
    why_not_exact: str
    certificate: Certificate

    @property
    def enclosure(self) -> tuple[float, float] | None:
        """The proved bounds of tau* as floats, None where none are proved."""
        bounds = self.certificate.tau_star if self.certificate.proved else None
        return None if bounds is None else (float(bounds[0]), float(bounds[1]))

    @property
    def agrees(self) -> bool:
        """Whether the numeric value fits the exact value and the enclosure to 1e-9 relative."""
        found = self.numeric.value
        if self.exact is not None and not _close(found, float(self.exact)):
            return False
        bounds = self.enclosure
        if bounds is None:
            return math.isinf(found) or not self.certificate.proved
        return any(_close(found, end) for end in bounds) or bounds[0] <= found <= bounds[1]

    @property
    def value(self) -> Any:
        """The exact value where it is a fraction and the routes agree, else the numeric one."""
        if self.agrees and self.exact is not None and self.exact.is_Rational:
            return self.exact
        return self.numeric.value

    @property
    def uncertainty(self) -> float | None:
        """None where ``value`` is exact or infinite, else what the enclosure leaves open."""
        if self.value is not self.numeric.value or math.isinf(self.numeric.value):
            return None
        bounds = self.enclosure
        if bounds is None:
            return None
        return max(abs(end - self.numeric.value) for end in bounds)

    def row(self, name: str) -> dict[str, Any]:
        r"""Return one row of a table that sets the routes side by side.

        Parameters
        ----------
        name : str
            What the point is called.

        Returns
        -------
        dict
            The point, its kind, tau* by floating point, exactly, and proved.
        """
        return {
            "point": name,
            "kind": self.point.kind,
            r"$\tau^*$, floating point": self.numeric.value if self.numeric.qualifies else "none",
            r"$\tau^*$, exactly": self._exact_text(),
            r"$\tau^*$, proved": self._proved_text(),
        }

    def _exact_text(self) -> str:
        if self.exact is None:
            return self.why_not_exact
        if self.exact == sp.oo:
            return "none"
        if self.exact.has(sp.CRootOf):
            return f"a root of degree {self.exact.atoms(sp.CRootOf).pop().poly.degree()}"
        return f"${sp.latex(self.exact)}$"

    def _proved_text(self) -> str:
        bounds = self.certificate.tau_star
        if not self.certificate.proved:
            return "not proved"
        if bounds is None:
            return "none is finite"
        low, high = bounds
        if low == high:
            return f"{low} exactly"
        middle, radius = (low + high) / 2, (high - low) / 2
        return f"{float(middle):.15g} ± {float(radius):.1e}"


def evidence(point: CriticalPoint) -> Evidence:
    """Compute tau* at a critical point by every route.

    Parameters
    ----------
    point : CriticalPoint
        From :func:`taugda.equilibria.critical_points`, of a game defined in SymPy.

    Returns
    -------
    Evidence

    Raises
    ------
    ValueError
        If A22 is singular at the point, or the game is not defined in SymPy.
    """
    exact, why = None, ""
    if point.exact is None:
        why = "the point is not known exactly"
    else:
        try:
            exact = tau_star(point.exact_blocks, exact=True).value
        except ValueError as error:
            why = f"not decided: {error}"
    numeric = tau_star(point.blocks)
    return Evidence(point, numeric, exact, why, certify(point.game, point))


def _close(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= _AGREEMENT * max(abs(a), abs(b), 1e-3)
