"""Finding the critical points of a game."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from taugda.blocks import Blocks
from taugda.checks import Array, count, finite_array
from taugda.equilibria.closeup import DIGITS, MULTIPLICITY, Closeup
from taugda.equilibria.kinds import Classification
from taugda.equilibria.polynomials import NotPolynomialError, solve_exactly
from taugda.equilibria.search import search
from taugda.games import Game


@dataclass(frozen=True, eq=False)
class CriticalPoint:
    """A critical point of a game.

    Attributes
    ----------
    x : ndarray, shape (n1 + n2,)
        The point in double precision, player 1's coordinates first.
    exact : tuple of sympy.Expr or None
        The same point in exact form, where it is known.
    residual : float
        The largest |component of g| at ``x``, in double precision.
    classification : Classification
    blocks : Blocks
        The blocks there.
    """

    x: Array
    exact: tuple[sp.Expr, ...] | None
    residual: float
    classification: Classification
    blocks: Blocks

    @property
    def kind(self) -> str:
        """The classification in a word: DNE, DSE, neither or degenerate."""
        return self.classification.kind

    def exact_form(self) -> str:
        """Return the exact point in TeX, with r_k for the k-th real root of degree 4 at most."""
        if self.exact is None:
            return "numerical"
        roots = set().union(*(c.atoms(sp.CRootOf) for c in self.exact))
        polynomials = {root.poly.as_expr(sp.Symbol("r")) for root in roots}
        top = max((root.poly.degree() for root in roots), default=0)
        if top > 4 or len(polynomials) > 1:
            return f"algebraic of degree {top}"
        names = {root: sp.Symbol(f"r_{{{root.index + 1}}}") for root in roots}
        text = "$(" + r",\ ".join(sp.latex(c.xreplace(names)) for c in self.exact) + ")$"
        return text + "".join(f" with ${sp.latex(p)} = 0$" for p in polynomials)

    def latex(self) -> str:
        """Return the point in LaTeX: exact where roots suffice, else six digits."""
        return "(" + ", ".join(map(_latex, self.exact or self.x, self.x)) + ")"


def critical_points(
    game: Game,
    *,
    method: str | None = None,
    bounds: ArrayLike | None = None,
    starts: int = 200,
    rng: np.random.Generator | None = None,
) -> list[CriticalPoint]:
    """Find the critical points of a game.

    Parameters
    ----------
    game : Game
    method : {"exact", "known", "search"}, optional
        "exact" solves g = 0 exactly: all real solutions where the system is polynomial after
        dropping factors that never vanish, or polynomial in the sines and cosines of
        coordinates of period 2 pi.  "known" returns the game's known points.  "search" runs
        Newton's method from random starts and promises no completeness.  If left out, the
        first of these that applies.
    bounds : array_like, shape (n1 + n2, 2), optional
        For the search: the box, [-3, 3] in each coordinate if left out.  Starts are drawn in
        it, and points outside it do not count, but for periodic coordinates.
    starts : int
        For the search: how many starts; more of them where points were met from one only.  Two
        points that are less than 1e-6 of the box's width apart count as one.
    rng : numpy.random.Generator, optional
        For the search: where the starts come from; seeded with 0 if left out.

    Returns
    -------
    list of CriticalPoint
        Sorted by coordinates; periodic coordinates in (-period/2, period/2].  Where f is not
        real and finite there is none.

    Raises
    ------
    NotPolynomialError
        If ``method`` is "exact" and the system is not polynomial.
    ValueError
        If there are infinitely many solutions, a search found flat places only (where g and
        its Jacobian both vanish to rounding), or an argument is out of range.

    Warns
    -----
    UserWarning
        If a search may have missed points: it met flat places, or points from one start only.

    Examples
    --------
    >>> from taugda import games
    >>> [p.kind for p in critical_points(games.nonequilibrium())]
    ['DNE', 'neither', 'DNE']
    """
    if method not in (None, "exact", "known", "search"):
        raise ValueError(f"method: expected 'exact', 'known' or 'search', got {method!r}")
    if method in (None, "exact"):
        try:
            return _collect(Closeup(game), map(_rounded, solve_exactly(game)))
        except NotPolynomialError:
            if method == "exact":
                raise
    if method == "known" or (method is None and game.known_points):
        return _collect(Closeup(game), map(_rounded, game.known_points))
    box = np.tile([-3.0, 3.0], (game.n, 1)) if bounds is None else finite_array("bounds", bounds)
    if box.shape != (game.n, 2) or (box[:, 0] >= box[:, 1]).any():
        raise ValueError(
            f"bounds: expected {game.n} rows (low, high) with low < high, got {bounds}"
        )
    rng = np.random.default_rng(0) if rng is None else rng
    with mpmath.workdps(DIGITS):
        look = Closeup(game, DIGITS if game.symbolic else 15)
        found = search(look, box, count("starts", starts), rng)
        return _collect(look, ((None, x, error) for x, error in found))


def _collect(look: Closeup, points: Iterable[tuple[Any, Any, Any]]) -> list[CriticalPoint]:
    """Make critical points of an exact form (or None), a point and its error."""
    game, result = look.game, []
    for exact, point, error in points:
        seen = look.classified(point, error)
        if seen is not None:  # else f or g is not real and finite there
            pairs = zip(point, error, strict=True)
            x = game.wrap([0.0 if abs(c) <= abs(e) else float(c) for c, e in pairs])
            residual = float(np.abs(game.gradient(x)).max())
            result.append(CriticalPoint(x, exact, residual, seen[1], seen[0]))
    return sorted(result, key=lambda p: tuple(np.round(p.x, 9)))


def _rounded(point: Sequence[Any]) -> tuple[tuple[sp.Expr, ...] | None, Array, Array]:
    """Return the exact form, if there is one, the point in double precision and its error."""
    known = isinstance(point, np.ndarray)
    x = point if known else np.array([float(c.evalf(30)) for c in point])
    return None if known else tuple(point), x, MULTIPLICITY * np.spacing(np.abs(x)) * (x != 0)


def _latex(coordinate: sp.Expr | float, value: float) -> str:
    if isinstance(coordinate, sp.Expr):
        roots = coordinate.atoms(sp.CRootOf)
        coordinate = coordinate.xreplace(
            {r: sp.rootof(r.poly.as_expr(), r.index) for r in roots if r.poly.degree() <= 2}
        )
        if not coordinate.has(sp.CRootOf):
            return sp.latex(coordinate, inv_trig_style="full")
    return f"{value:.6g}"
