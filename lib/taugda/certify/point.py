"""A critical point in a box: proved by Krawczyk's test, sharpened, and its blocks enclosed."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp

from taugda.certify.balls import Program, UndecidedError, exact_values
from taugda.certify.matrices import tidy
from taugda.games import Game

__all__ = ["Derivatives", "Enclosed", "blocks_at", "fmpq", "krawczyk", "midpoint"]


def fmpq(value: Fraction) -> Any:
    """Return a fraction as flint's rational.

    Parameters
    ----------
    value : fractions.Fraction

    Returns
    -------
    flint.fmpq
    """
    import flint

    return flint.fmpq(value.numerator, value.denominator)


def midpoint(ball: Any) -> Fraction:
    """Return a ball's midpoint exactly.

    Parameters
    ----------
    ball : flint.arb

    Returns
    -------
    fractions.Fraction
    """
    exact = ball.mid().fmpq()
    return Fraction(int(exact.p), int(exact.q))


class Derivatives:
    """A game's g and its Jacobian as programs over balls.

    Parameters
    ----------
    game : Game
        Defined in SymPy.

    Raises
    ------
    ValueError
        If the game is made of NumPy functions, or an expression cannot be enclosed.
    """

    def __init__(self, game: Game) -> None:
        if not game.symbolic:
            raise ValueError(f"game: expected one defined in SymPy, got {game!r}")
        self.game = game
        self.n = game.n
        self.g = Program(list(game.g), game.variables)
        self.flat_jacobian = list(game.symbolic_jacobian)
        self._jacobian = Program(self.flat_jacobian, game.variables)
        # SymPy is slow at this, so it is done once for each point.
        self._exact: dict[Any, list[Fraction | None]] = {}
        self._zeros: dict[Any, bool] = {}

    def jacobian(self, point: Sequence[Any]) -> Any:
        """Return an enclosure of the Jacobian of g over a box.

        Parameters
        ----------
        point : sequence of flint.arb

        Returns
        -------
        flint.arb_mat

        Raises
        ------
        UndecidedError
            If an entry is not known to be finite on the box.
        """
        import flint

        return flint.arb_mat(self.n, self.n, self._jacobian(point))

    def exact_jacobian(self, exact: Sequence[sp.Expr] | None) -> list[Fraction | None]:
        """Return the entries of the Jacobian that are rational at an exact point, row by row.

        Parameters
        ----------
        exact : sequence of sympy.Expr or None
            The point; if unknown, only the constant entries are.

        Returns
        -------
        list of (fractions.Fraction or None)
        """
        key = None if exact is None else tuple(exact)
        if key not in self._exact:
            entries = [e if key or e.is_Rational else sp.nan for e in self.flat_jacobian]
            variables = self.game.variables if key else ()
            self._exact[key] = exact_values(entries, variables, key or ())
        return self._exact[key]

    def vanishes(self, exact: Sequence[sp.Expr]) -> bool:
        """Say whether g is zero at an exact point, by exact arithmetic.

        Parameters
        ----------
        exact : sequence of sympy.Expr

        Returns
        -------
        bool
            False where SymPy does not reduce g to zero.
        """
        key = tuple(exact)
        if key not in self._zeros:
            values = exact_values(list(self.game.g), self.game.variables, key)
            self._zeros[key] = all(v == 0 for v in values)
        return self._zeros[key]

    def antisymmetric(self, jacobian: Sequence[Any]) -> bool:
        """Say whether a Jacobian has the form [[A11, A12], [-A12^T, A22]], both Aii symmetric.

        Parameters
        ----------
        jacobian : sequence
            Its entries row by row, exact numbers or SymPy expressions.

        Returns
        -------
        bool
        """
        n1, n = self.game.n1, self.n

        def gap(i: int, j: int) -> Any:
            sign = -1 if (i < n1) != (j < n1) else 1
            return jacobian[i * n + j] - sign * jacobian[j * n + i]

        return all(sp.expand(gap(i, j)) == 0 for i in range(n) for j in range(i))


def krawczyk(derivatives: Derivatives, centre: Sequence[Fraction], radius: Fraction) -> list[Any]:
    """Prove that g has exactly one zero in a box and return a small enclosure of it.

    Parameters
    ----------
    derivatives : Derivatives
    centre : sequence of fractions.Fraction
    radius : fractions.Fraction
        The box is |x_i - centre_i| <= radius for every i.

    Returns
    -------
    list of flint.arb
        As narrow as the working precision allows.

    Raises
    ------
    UndecidedError
        If the test does not succeed.

    Notes
    -----
    K = c - Y g(c) + (I - Y J(X)) (X - c) inside the interior of X, for any matrix Y, proves one
    zero in X, which lies in K (Krawczyk 1969; Moore 1977).
    """
    import flint

    middle = [flint.arb(fmpq(c)) for c in centre]
    spread = flint.arb(0, 1) * flint.arb(fmpq(radius))
    box = _contract(derivatives, [m + spread for m in middle])
    if not all(abs(k - m) < flint.arb(fmpq(radius)) for k, m in zip(box, middle, strict=True)):
        raise UndecidedError(
            "Krawczyk's test does not succeed in the box: there may be no critical point, or "
            "several, or a degenerate one"
        )
    tiny = flint.arb(2) ** (-2 * flint.ctx.prec)  # around an exact 0 it would never end
    for _ in range(200):  # slow at first where the box is wide, then quadratic
        smaller = _contract(derivatives, box)
        # Both hold the zero, so the narrower one may be kept for each coordinate.
        best = [s if s.rad() < b.rad() else b for s, b in zip(smaller, box, strict=True)]
        if all(s.rad() * 1.01 >= b.rad() or b.rad() < tiny for s, b in zip(best, box, strict=True)):
            return best
        box = best
    return box


def _contract(derivatives: Derivatives, box: Sequence[Any]) -> list[Any]:
    import flint

    n = derivatives.n
    centre = [b.mid() for b in box]
    slope = derivatives.jacobian(box)
    try:
        inverse = slope.mid().inv().mid()
    except ZeroDivisionError as error:
        raise UndecidedError(
            "the Jacobian of g is singular in the middle of the box: a degenerate critical point?"
        ) from error
    value = flint.arb_mat(n, 1, derivatives.g(centre))
    around = flint.arb_mat(n, 1, [b - c for b, c in zip(box, centre, strict=True)])
    identity = flint.arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    image = (identity - inverse * slope) * around - inverse * value
    return [c + image[i, 0] for i, c in enumerate(centre)]


@dataclass(frozen=True)
class Enclosed:
    """The blocks at the point, as balls or, where they are rational, exactly.

    Attributes
    ----------
    A11, A12, A22 : flint.arb_mat or flint.fmpq_mat
    exact : bool
        Whether they are exact rationals.
    exact_A11 : flint.fmpq_mat or None
        A11 alone, where it is rational.
    free : tuple of int
        Coordinates of player 1 whose rows of A11 are exactly zero.
    """

    A11: Any
    A12: Any
    A22: Any
    exact: bool
    exact_A11: Any
    free: tuple[int, ...]


def blocks_at(
    derivatives: Derivatives, box: Sequence[Any], exact: Sequence[sp.Expr] | None
) -> Enclosed:
    """Enclose the blocks of the Jacobian at the critical point.

    Parameters
    ----------
    derivatives : Derivatives
    box : sequence of flint.arb
        Holds the point.
    exact : sequence of sympy.Expr or None
        The point itself, where it is known.

    Returns
    -------
    Enclosed

    Raises
    ------
    UndecidedError
        If the Jacobian is not known to be that of a zero-sum game there.
    """
    import flint

    game = derivatives.game
    n1, n2, n = game.n1, game.n2, game.n
    flat = derivatives.exact_jacobian(exact)
    rational = None not in flat
    if not game.zero_sum and not (
        (rational and derivatives.antisymmetric(flat))
        or derivatives.antisymmetric(derivatives.flat_jacobian)
    ):
        raise UndecidedError("the Jacobian is not known to be that of a zero-sum game here")
    top = [flat[i * n + j] for i in range(n1) for j in range(n1)]
    free = tuple(i for i in range(n1) if not any(v != 0 for v in top[i * n1 : (i + 1) * n1]))
    exact_a11 = None if None in top else flint.fmpq_mat(n1, n1, [fmpq(v) for v in top])
    if rational:
        whole = flint.fmpq_mat(n, n, [fmpq(v) for v in flat])
    else:
        whole = derivatives.jacobian(box)

    def part(rows: range, columns: range) -> Any:
        entries = [whole[i, j] for i in rows for j in columns]
        return type(whole)(len(rows), len(columns), entries)

    one, two = range(n1), range(n1, n1 + n2)
    return Enclosed(
        tidy(part(one, one)), part(one, two), tidy(part(two, two)), rational, exact_a11, free
    )
