"""Expressions, matrices and spectra in ball arithmetic.

What holds for a ball holds for each of its numbers.  A ball is python-flint's ``arb``.  Where a
function is not defined on all of one, the result is not finite, and nothing is proved from it.
"""

from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

import sympy as sp
from flint import acb, acb_mat, arb, arb_mat, fmpq
from sympy.printing.pycode import PythonCodePrinter

_FUNCTIONS = {
    **{n: n for n in ("exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "atan", "asin")},
    **{n: n for n in ("acos", "asinh", "acosh", "atanh", "erf", "gamma")},
    "loggamma": "lgamma",
}

_TINY = 10**60


class UndecidedError(ArithmeticError):
    """The balls are too wide to decide, or nothing can be decided at the point."""


class _Printer(PythonCodePrinter):
    """Prints SymPy expressions as code over ``arb``; what is not known here is refused."""

    def _print_Rational(self, e: sp.Rational) -> str:
        return f"arb(fmpq({e.p}, {e.q}))"

    _print_Integer = _print_Half = _print_One = _print_NegativeOne = _print_Zero = _print_Rational

    def _print_Pi(self, e: sp.Expr) -> str:
        return "arb.pi()"

    def _print_Exp1(self, e: sp.Expr) -> str:
        return "arb(1).exp()"

    def _print_Float(self, e: sp.Float) -> str:
        raise ValueError(f"game: expected exact numbers, got the floating-point number {e}")

    def _print_Pow(self, e: sp.Pow) -> str:
        base = self._print(e.base)
        if e.exp.is_Integer:
            return f"power({base}, {int(e.exp)})"
        return f"({base})**({self._print(e.exp)})"

    def _print_Function(self, e: sp.Function) -> str:
        name = type(e).__name__
        if name not in _FUNCTIONS or len(e.args) != 1:
            known = ", ".join(sorted(_FUNCTIONS))
            raise ValueError(f"game: expected functions out of {known} for a proof, got {name}")
        return f"({self._print(e.args[0])}).{_FUNCTIONS[name]}()"

    _print_exp = _print_log = _print_sin = _print_cos = _print_tan = _print_asin = _print_Function
    _print_sinh = _print_cosh = _print_tanh = _print_atan = _print_acos = _print_Function
    _print_asinh = _print_acosh = _print_atanh = _print_erf = _print_gamma = _print_Function
    _print_loggamma = _print_sign = _print_Abs = _print_Function


def compiled(
    variables: Sequence[sp.Symbol], expressions: Sequence[sp.Expr]
) -> Callable[..., list[arb]]:
    """Return a function of balls, one a variable, that encloses the expressions' values."""
    names = [f"x{i}" for i in range(len(variables))]
    plain = dict(zip(variables, map(sp.Symbol, names), strict=True))
    printer = _Printer({"fully_qualified_modules": False})
    body = ", ".join(f"arb(0) + {printer.doprint(e.xreplace(plain))}" for e in expressions)
    # The source is printed from SymPy expressions by the class above, never typed in.
    return eval(f"lambda {', '.join(names)}: [{body}]", {"arb": arb, "fmpq": fmpq, "power": power})


def power(ball: arb, exponent: int) -> arb:
    """Return a whole power, of balls that hold 0 too, for which flint's own operator has none."""
    if exponent < 0:
        return 1 / power(ball, -exponent)
    result = arb(1)
    for bit in bin(exponent)[2:]:
        result = result * result * (ball if bit == "1" else 1)
    return result


def decimals(low: arb, high: arb | None = None, digits: int = 18) -> tuple[Decimal, Decimal]:
    """Return decimals below every number of a ball and above every number of it or another."""
    ends, high = [], low if high is None else high
    for ball, sign, rounding in ((low, -1, ROUND_FLOOR), (high, 1, ROUND_CEILING)):
        exact = ball.mid().fmpq() + sign * ball.rad().fmpq()
        if abs(exact) < fmpq(1, _TINY):  # a fraction of millions of digits, for a zero
            exact = fmpq(sign * int(sign * exact > 0), _TINY)
        context = Context(prec=digits, rounding=rounding)
        ends.append(context.divide(Decimal(int(exact.p)), Decimal(int(exact.q))))
    return ends[0], ends[1]


def definite(matrix: arb_mat) -> int:
    """Return 1 for a positive definite matrix, -1 for one with a negative eigenvalue, else 0."""
    a, n = matrix.tolist(), matrix.nrows()
    for k in range(n):
        if not a[k][k] > 0:
            return -1 if a[k][k] < 0 else 0
        for i in range(k + 1, n):
            for j in range(k + 1, n):
                a[i][j] = a[i][j] - a[i][k] / a[k][k] * a[k][j]
    return 1


def spectrum(matrix: arb_mat) -> list[acb]:
    """Return enclosures of all eigenvalues, as often as they are repeated."""
    try:
        return acb_mat(matrix).eig(multiple=True)
    except ValueError as error:
        raise UndecidedError("the eigenvalues could not be enclosed") from error


def unstable(matrix: arb_mat) -> bool:
    """Return whether an eigenvalue is left of the imaginary axis, if none is on it for sure."""
    values = spectrum(matrix)
    if any(v.real < 0 for v in values):
        return True
    if all(v.real > 0 for v in values):
        return False
    raise UndecidedError("an eigenvalue of J_tau is not separated from the imaginary axis")


def krawczyk(
    g: Callable[..., list[arb]], jacobian: Callable[..., list[arb]], centre: list[arb], radius: arb
) -> list[arb]:
    """Prove that g has exactly one zero in a box and enclose it; raise where that fails."""
    n = len(centre)
    box = [c.mid() + arb(0, radius) for c in centre]
    eye = arb_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
    for sweep in range(12):
        middle = [b.mid() for b in box]
        slope = arb_mat(n, n, jacobian(*box))
        try:
            inverse = slope.mid().inv().mid()
        except ZeroDivisionError as error:
            raise UndecidedError("the Jacobian is singular there") from error
        shift = (eye - inverse * slope) * arb_mat(
            n, 1, [b - m for b, m in zip(box, middle, strict=True)]
        ) - inverse * arb_mat(n, 1, g(*middle))
        new = [m + shift[i, 0] for i, m in enumerate(middle)]
        if sweep == 0 and not all(b.contains_interior(k) for b, k in zip(box, new, strict=True)):
            raise UndecidedError("no critical point is alone there for sure")
        if all(k.rad() * 2 > b.rad() for k, b in zip(new, box, strict=True)):
            break
        box = [k if k.rad() < b.rad() else b for k, b in zip(new, box, strict=True)]
    return box


def guard(a11: arb_mat, a12: arb_mat, a22: arb_mat, s1: arb_mat) -> arb_mat:
    """Enclose the matrix Q of the guard map; see :func:`taugda.stability.guard_matrix`."""
    n1, n2 = a12.nrows(), a12.ncols()
    inverse = a22.inv()
    n = a12 * inverse

    def lyapunov(s: arb_mat) -> arb_mat:
        k = range(s.nrows())
        sums = [s[i, p] * (j == q) + s[j, q] * (i == p) for i in k for j in k for p in k for q in k]
        return arb_mat(len(k) ** 2, len(k) ** 2, sums).inv()

    try:
        solve22, solve_s1 = lyapunov(a22), lyapunov(s1)
    except ZeroDivisionError as error:
        raise UndecidedError("two eigenvalues of A22 or of S1 may sum to zero") from error

    def symmetric(solve: arb_mat, w: arb_mat) -> arb_mat:
        k = w.nrows()
        right = arb_mat(k * k, 1, (w + w.transpose()).entries())
        return arb_mat(k, k, (solve * right).entries())

    columns = []
    for column in range(n1 * n2):
        y = arb_mat(n1, n2, [int(i == column) for i in range(n1 * n2)])
        z = symmetric(solve22, a12.transpose() * y)
        m = symmetric(solve_s1, s1 * y * n.transpose())
        columns.append((m * n - (a11 * y + a12 * z) * inverse).entries())
    return arb_mat(n1 * n2, n1 * n2, [e for row in zip(*columns, strict=True) for e in row])


def jacobian_at(blocks: tuple[arb_mat, arb_mat, arb_mat], tau: arb) -> arb_mat:
    """Return J_tau = [[A11, A12], [-tau A12^T, tau A22]] as :meth:`Blocks.jacobian` does."""
    a11, a12, a22 = blocks
    n1, n = a12.nrows(), a12.nrows() + a12.ncols()
    rows = [[a11[i, j] for j in range(n1)] + [a12[i, j] for j in range(n - n1)] for i in range(n1)]
    for i in range(n - n1):
        left = [-tau * a12[j, i] for j in range(n1)]
        rows.append(left + [tau * a22[i, j] for j in range(n - n1)])
    return arb_mat(rows)
