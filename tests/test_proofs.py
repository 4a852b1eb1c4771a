"""Proofs: exact numbers, exact tau* and intervals, certificates that state nothing false."""

import math
from dataclasses import replace

import numpy as np
import pytest
import sympy as sp
from games_at_random import wishart_dse

from taugda import games, proofs
from taugda.blocks import Blocks
from taugda.equilibria import CriticalPoint, classify, critical_points
from taugda.games import Game, game_from_text
from taugda.proofs import ExactBlocks, TooHardError, certify, exact_blocks, exact_tau_star
from taugda.proofs.numbers import MAX_DEGREE, Numbers
from taugda.stability import stability_intervals, tau_star

X = sp.Symbol("x")
x, y = sp.symbols("x y", real=True)
HALF = sp.Rational(1, 2)
TORUS, ONE = games.torus(), [[1]]
SINGULAR = ExactBlocks([[1]], [[1, 1]], [[1, 1], [1, 1]])


def ends(blocks):
    return [(i.lower, i.upper) for i in proofs.exact_intervals(blocks)]


def floats(blocks):
    """The blocks in double precision."""
    parts = (blocks.A11, blocks.A12, blocks.A22)
    return Blocks(*(np.array(m.evalf(30).tolist(), dtype=float) for m in parts))


def integer_blocks(rng, n1, n2, size=6):
    m, a12, n = (rng.integers(-size, size + 1, k) for k in ((n1, n1), (n1, n2), (n2, n2)))
    a22 = (n + n.T) // 2 + rng.integers(0, 3) * size * np.eye(n2, dtype=int)
    return ExactBlocks(*(sp.Matrix(b.tolist()) for b in ((m + m.T) // 2, a12, a22)))


def quadratic_game(blocks):
    """The game whose blocks at 0 are these."""
    a11, a12, a22 = map(sp.Matrix, (blocks.A11, blocks.A12, blocks.A22))
    v = sp.symbols(f"v:{a11.rows + a22.rows}", real=True)
    one, two = sp.Matrix(v[: a11.rows]), sp.Matrix(v[a11.rows :])
    f = (one.T * a11 * one / 2 + one.T * a12 * two - two.T * a22 * two / 2)[0]
    return Game(sp.nsimplify(sp.expand(f), rational=True), one, two)


def known(game, *exact):
    """A point of which it is said that these are its exact coordinates."""
    at = np.array(exact, dtype=float)
    return CriticalPoint(at, exact, 0.0, classify(game.blocks(at)), game.blocks(at))


def attack(d):
    return game_from_text(
        f"-a**2/2 + 2*a*u - u**2/2 + (1 + {d})*b**2 + 3*b*v + v**2", ["a", "b"], ["u", "v"]
    )


# Numbers


@pytest.mark.parametrize(
    "number",
    [
        sp.sqrt(2) * sp.sqrt(3) - sp.sqrt(6),
        sp.sqrt(5 + 2 * sp.sqrt(6)) - sp.sqrt(2) - sp.sqrt(3),
        sp.cos(sp.pi / 7) + sp.cos(3 * sp.pi / 7) + sp.cos(5 * sp.pi / 7) - HALF,
        sp.Poly(X**5 - X - 1).eval(sp.CRootOf(X**5 - X - 1, 0)),
        sp.root(7 + 5 * sp.sqrt(2), 3) - 1 - sp.sqrt(2),
        1 / (sp.sqrt(2) - sp.sqrt(3)) + sp.sqrt(2) + sp.sqrt(3),
        sp.CRootOf(X**4 - 10 * X**2 + 1, 0) + sp.CRootOf(X**4 - 10 * X**2 + 1, 3),
    ],
)
def test_zero_is_recognised_as_zero_and_nothing_else_is(number):
    numbers = Numbers([number])
    assert numbers.sign(number) == 0
    tiny = sp.Rational(1, 10**80)
    assert (numbers.sign(number + tiny), numbers.sign(number - tiny)) == (1, -1)


# Blocks


def test_symmetry_is_decided_exactly():
    nested = sp.sqrt(5 + 2 * sp.sqrt(6))
    ExactBlocks([[1, nested], [sp.sqrt(2) + sp.sqrt(3), 1]], [[1], [1]], [[4]])
    with pytest.raises(ValueError, match="A11: expected a symmetric matrix"):
        ExactBlocks([[1, nested], [sp.sqrt(2), 1]], [[1], [1]], [[4]])


def test_exact_blocks_of_a_game_are_the_numeric_ones_up_to_a_positive_factor():
    for game in (games.torus(0.2, 0.1), games.polynomial(), games.dirac_gan(1, True)):
        for point in critical_points(game):
            j, k = floats(exact_blocks(game, point)).jacobian(1.0), point.blocks.jacobian(1.0)
            ratio = np.abs(k).max() / np.abs(j).max()
            np.testing.assert_allclose(ratio * j, k, rtol=1e-9, atol=1e-9 * np.abs(k).max())


# Exact tau* and intervals


@pytest.mark.parametrize(
    ("game", "point", "expected"),
    [
        (games.quadratic(), (0, 0, 0, 0), [(2, sp.oo)]),
        (games.quadratic(0.7), (0, 0, 0, 0), [(2, sp.oo)]),
        (TORUS, (0, 0), [(sp.Rational(17, 23), sp.oo)]),
        (TORUS, (sp.pi, sp.pi), [(sp.Rational(23, 17), sp.oo)]),
        (TORUS, (sp.pi, 0), [(0, 1)]),
        (games.dirac_gan(), (0, 0), [(0, sp.oo)]),
        (games.nonequilibrium(), (1, 1, 1, 1), [(0, sp.oo)]),
        (games.nonequilibrium(), (0, 0, 0, 0), [(HALF, 2)]),
        (games.covariance_gan(1, 1, [[2]]), (sp.sqrt(2), 0), [(0, sp.oo)]),
    ],
)
def test_the_papers_thresholds_are_exact(game, point, expected):
    blocks = exact_blocks(game, point)
    assert ends(blocks) == expected
    assert exact_tau_star(blocks) == (expected[-1][0] if expected[-1][1] == sp.oo else sp.oo)


def test_irrational_points_with_rational_thresholds():
    game = games.polynomial()
    blocks = [exact_blocks(game, point) for point in critical_points(game)]
    finite = {k: star for k, b in enumerate(blocks) if (star := exact_tau_star(b)) != sp.oo}
    assert (finite, len(blocks)) == ({1: 1, 4: 1, 9: 0}, 11)
    assert ends(blocks[8]) == [(0, 1)]
    game = games.nonequilibrium()
    hardest = exact_blocks(game, critical_points(game)[0])
    assert (hardest.numbers.degree, hardest.kind, exact_tau_star(hardest)) == (13, "DNE", 0)


def test_two_windows_have_ends_of_degree_four():
    blocks = ExactBlocks([[0, -2], [-2, -4]], [[5, 3], [-4, 4]], [[4, 5], [5, 8]])
    (first, second) = ends(blocks)
    assert second[1] == sp.oo
    close = (0.5540363742, 0.6438832946, 2.27916022)
    for end, value in zip((*first, second[0]), close, strict=True):
        assert sp.degree(sp.minimal_polynomial(end, X), X) == 4
        assert float(end) == pytest.approx(value, rel=1e-9)
    assert exact_tau_star(blocks) == second[0]


def test_a_spectrum_that_touches_the_axis_splits_an_interval():
    # The two windows above meet as A11's last entry grows to a root of the guard polynomial's
    # discriminant (of degree 12); in floats this is never met exactly.
    p, t = sp.symbols("p t")
    a11, a12 = sp.Matrix([[0, -2], [-2, p]]), sp.Matrix([[5, 3], [-4, 4]])
    a22 = sp.Matrix([[4, 5], [5, 8]])
    j = sp.Matrix(sp.BlockMatrix([[a11, a12], [-t * a12.T, t * a22]]))
    _, c1, c2, c3, c4 = sp.Poly((sp.eye(4) * X + j).det(method="berkowitz"), X).all_coeffs()
    guard = sp.cancel((c1 * c2 * c3 - c3**2 - c1**2 * c4) / t)
    factors = sp.Poly(sp.discriminant(guard, t), p).factor_list()[1]
    factor = next(f for f, _ in factors if f.degree() == 12)
    root = min(factor.real_roots(radicals=False), key=lambda r: abs(float(r) + 3.26))
    (_, first), (second, third) = ends(ExactBlocks(a11.subs(p, root), a12, a22))
    assert first == second
    assert float(first) == pytest.approx(0.9624999021, rel=1e-9)
    assert third == sp.oo


def test_random_integer_blocks_agree_with_the_numeric_routes():
    rng, finite = np.random.default_rng(5), 0
    shapes = [(i, j) for i in range(1, 5) for j in range(1, 5) if i + j <= 5]
    for number in range(150):
        blocks = integer_blocks(rng, *shapes[number % len(shapes)])
        numeric = floats(blocks)
        exact, other = proofs.exact_intervals(blocks), stability_intervals(numeric)
        assert len(exact) == len(other)
        for left, right in zip(exact, other, strict=True):
            assert float(left.lower) == pytest.approx(right.lower, rel=1e-8)
            assert float(left.upper) == pytest.approx(right.upper, rel=1e-8)
        assert blocks.kind == classify(numeric).kind
        if not classify(numeric).undefined:
            value = exact_tau_star(blocks)
            assert float(value) == pytest.approx(tau_star(numeric).value, rel=1e-8)
            finite += bool(value.is_finite and value > 0)
    assert finite > 15


@pytest.mark.parametrize("root", [sp.sqrt(2), sp.CRootOf(X**3 - X - 1, 0), sp.root(5, 5)])
@pytest.mark.parametrize(("n1", "n2"), [(1, 1), (1, 3), (2, 2), (3, 2)])
def test_blocks_over_a_number_field_agree_with_the_numeric_route(root, n1, n2):
    rng = np.random.default_rng(n1 * 10 + n2)
    while True:
        base = integer_blocks(rng, n1, n2, 3)
        a22 = base.A22 + sp.eye(n2) * 8
        blocks = ExactBlocks(base.A11 - root * sp.eye(n1) / 3, base.A12 * (1 + root), a22)
        value = tau_star(floats(blocks)).value
        if 0 < value < math.inf:
            break
    assert float(exact_tau_star(blocks)) == pytest.approx(value, rel=1e-9)
    assert len(ends(blocks)) == len(stability_intervals(floats(blocks)))


@pytest.mark.parametrize(("n1", "n2"), [(1, 7), (4, 4)])
def test_eight_coordinates_are_no_problem(n1, n2):
    rng = np.random.default_rng(n1)
    m = sp.Matrix(rng.integers(-4, 5, (n2, n2)).tolist())
    a12 = sp.Matrix(rng.integers(-4, 5, (n1, n2)).tolist())
    a22 = m * m.T + sp.eye(n2)
    a11 = sp.eye(n1) / 7 - a12 * a22.inv() * a12.T
    blocks = ExactBlocks(a11, a12, a22)
    value = exact_tau_star(blocks)
    assert value.poly.degree() == n1 * n2
    assert float(value) == pytest.approx(tau_star(floats(blocks)).value, rel=1e-7)


def test_special_blocks():
    two, tiny = sp.sqrt(2), sp.Rational(1, 10**30)
    assert ends(ExactBlocks(-two * sp.eye(2), 3 * sp.eye(2), sp.eye(2))) == [(two, sp.oo)]  # double
    blocks = ExactBlocks([[-1, 0], [0, 3]], [[2], [1]], [[1]])
    parts = (sp.sqrt(3) * b for b in (blocks.A11, blocks.A12, blocks.A22))
    assert ends(ExactBlocks(*parts)) == ends(blocks)  # a common factor does not matter
    assert ExactBlocks([[tiny]], [[1]], [[1]]).kind == "DNE"
    assert exact_tau_star(ExactBlocks([[-tiny]], [[1]], [[1]])) == tiny
    assert ExactBlocks([[-1]], [[1]], [[1]]).kind == "degenerate"
    assert ends(ExactBlocks([[-1]], [[1]], [[1]])) == []  # det J_tau = 0
    assert ends(ExactBlocks([[0]], [[1]], [[0]])) == []  # a circle for every tau
    assert ends(ExactBlocks(sp.diag(1, -1), sp.zeros(2, 1), [[1]])) == []
    assert ends(ExactBlocks([[1]], [[1]], [[0]])) == [(0, sp.oo)]  # beyond the theorem
    close = sp.Rational(1, 10**16)
    blocks = ExactBlocks(sp.diag(-1, -1 - close), sp.diag(2, 2), sp.eye(2))
    assert exact_tau_star(blocks) == 1 + close


def test_what_is_too_hard_says_its_degree():
    with pytest.raises(TooHardError, match=rf"at most {MAX_DEGREE} .* up to 70"):
        Numbers([sp.root(2, 5), sp.root(3, 7), sp.sqrt(5)])
    a11 = sp.diag(1, 2, 3) / 9 - sp.root(2, 30) * sp.eye(3)
    blocks = ExactBlocks(a11, [[4, 1, 1], [2, 5, 1], [1, 3, 6]], sp.diag(1, 2, 4))
    with pytest.raises(TooHardError, match="degree up to 270"):
        exact_tau_star(blocks)


# Certificates


@pytest.mark.parametrize(
    "game",
    [games.quadratic(), games.polynomial(), games.nonequilibrium(), TORUS,
     games.dirac_gan(), games.dirac_gan(non_saturating=True), games.covariance_gan(1),
     games.realizable_gan()],
)  # fmt: skip
def test_every_critical_point_gets_its_class_and_tau_star(game):
    for point in critical_points(game, method="known" if game.n > 4 else None):
        certificate = certify(game, point)
        assert certificate.proved, str(certificate)
        assert certificate.kind == point.kind
        star, intervals = tau_star(point.blocks).value, stability_intervals(point.blocks)
        assert len(certificate.stable) == len(intervals)
        assert (certificate.tau_star is None) == math.isinf(star)
        if certificate.tau_star is not None:
            low, high = map(float, certificate.tau_star)
            assert high - low <= 1e-12 * high
            assert low * (1 - 1e-9) <= star <= high * (1 + 1e-9)


@pytest.mark.parametrize("d", ["3e-15", "1e-17", "1e-30"])
@pytest.mark.parametrize("exact", [True, False])
def test_a_narrow_interval_is_not_lost(d, exact):
    game = attack(d)
    (point,) = critical_points(game)
    certificate = certify(game, point if exact else point.x)
    assert certificate.proved, str(certificate)
    (((a, b), (c, e)),) = certificate.stable
    end = 1 + sp.Rational(d)
    assert (sp.Rational(str(a)) <= 1 <= sp.Rational(str(b))) and b < c
    assert sp.Rational(str(c)) <= end <= sp.Rational(str(e))
    assert ends(exact_blocks(game, point)) == [(1, end)]


def test_two_roots_that_cannot_be_told_apart_leave_the_sentence_open():
    game = attack("1e-400")
    decided = certify(game, [0, 0, 0, 0])  # a guess at the point lets exact arithmetic decide
    assert decided.proved
    assert decided.stable[0][0][1] < decided.stable[0][1][0]
    game = Game(sp.pi * game.expr, game.x1, game.x2)
    certificate = certify(game, [0, 0, 0, 0])
    assert (certificate.kind, certificate.stable) == ("neither", ())
    assert "not proved: for which tau it is stable" in str(certificate)
    assert sum(statement.proved for statement in certificate.statements) == 2


@pytest.mark.parametrize(
    ("game", "point", "why"),
    [
        (games.quadratic(), [1, 1, 1, 1], "is further away"),
        (games.quadratic(), [0.01, 0, 0, 0], "is further away"),
        (Game(sp.exp(-x) - y**2, [x], [y]), [3, 0], "is further away"),
        (Game(-(x**2) / 2 + x * y - y**2 / 2, [x], [y]), [0, 0], "singular"),
        (Game(x**4 + x * y**2 - y**2, [x], [y]), [0, 0], "singular"),
        # g itself vanishes there, but f is not defined.
        (Game(x**2 / 4 - 2 * sp.log(x) + x * y - y**2 / 2, [x], [y]), [-1.1547] * 2, "not a real"),
        (Game(-sp.log(1 - x**2 / 4) + x * y - y**2 / 2, [x], [y]), [6**0.5] * 2, "not a real"),
    ],
)
def test_nothing_is_proved_of_what_is_degenerate_or_no_point(game, point, why):
    certificate = certify(game, point)
    assert not any(statement.proved for statement in certificate.statements)
    assert why in str(certificate)
    assert (certificate.kind, certificate.tau_star, certificate.stable) == ("not proved", None, ())


def test_an_exact_point_that_is_another_is_not_believed():
    # A11 = x is 0 at the alleged point only; the zero of g has A11 = -1/1000.
    game = Game((x**3) / 6 - x / 2000000 + (x + sp.Rational(1, 1000)) * y - y**2 / 2, [x], [y])
    forged = replace(known(game, sp.Rational(-1, 1000), 0), exact=(sp.Integer(0), sp.Integer(0)))
    certificate = certify(game, forged)
    assert certificate.kind == "DSE"
    assert certificate.tau_star[0] > 0


@pytest.mark.parametrize("algebraic", [True, False])
def test_tiny_margins_and_zeros_are_told_apart(algebraic):
    tiny = sp.Rational(1, 10**200)
    for a11, kind in ((tiny, "DNE"), (-tiny, "DSE"), (sp.Integer(0), "DSE")):
        game = quadratic_game(ExactBlocks([[a11]], [[1]], [[1 + tiny]]))
        if not algebraic:
            game = Game(sp.pi * game.expr, game.x1, game.x2)
        certificate = certify(game, [0, 0])
        assert (certificate.kind, certificate.proved) == (kind, True)


def test_A11_that_rounding_hides_is_no_zero():
    root, tiny = sp.sqrt(2), sp.Rational(1, 10**60)
    f = tiny * (x - root) ** 2 / 2 + (x - root) * (y - root) - (y - root) ** 2 / 2
    game = Game(sp.expand(f + (y - root) ** 3), [x], [y])
    assert certify(game, known(game, root, root)).kind == "DNE"
    assert certify(game, [float(root)] * 2).kind == "DNE"


def test_singular_blocks_with_a_negative_eigenvalue_decide():
    # The first pivot is 0; and Q does not exist, as two eigenvalues of A22 sum to 0.
    blocks = ExactBlocks([[1, 2], [2, 0]], [[1, 0], [0, 3]], [[0, 1], [1, 0]])
    certificate = certify(quadratic_game(blocks), [0] * 4)
    assert certificate.proved, str(certificate)
    assert certificate.kind == blocks.kind == "neither"
    degenerate = certify(Game(x**2 / 2 + x * y, [x], [y]), [0, 0])
    assert degenerate.kind == "degenerate"
    assert degenerate.tau_star is None


@pytest.mark.parametrize("seed", [2262, 9889, 268, 20499])
def test_rare_cases_agree_with_double_precision(seed):
    blocks = wishart_dse(seed)
    certificate = certify(quadratic_game(blocks), np.zeros(blocks.n1 + blocks.n2))
    assert certificate.proved, str(certificate)
    assert float(certificate.tau_star[0]) == pytest.approx(tau_star(blocks).value, rel=1e-9)
    assert len(certificate.stable) == len(stability_intervals(blocks))


def test_a_double_root_is_enclosed_as_one():
    one = TORUS.blocks([0, 0])
    blocks = Blocks(*(a[0, 0] * np.eye(2) for a in (one.A11, one.A12, one.A22)))
    low, high = certify(quadratic_game(blocks), [0.0] * 4).tau_star
    assert float(low) <= 17 / 23 <= float(high)
    assert high - low < 1e-12


def test_printed_certificate():
    text = str(certify(TORUS, [0, 0]))
    for part in ("exactly one critical point", "DSE and no DNE", "0.7391304347826", "in exactly"):
        assert part in text
    assert "not proved" not in text


# Refusals


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Numbers([sp.pi]), "exact: expected real"),
        (lambda: Numbers([sp.exp(sp.sqrt(2))]), "exact: expected real"),
        (lambda: Numbers([sp.sqrt(-2)]), "exact: expected real"),
        (lambda: ExactBlocks([[0.5]], ONE, ONE), "A11: .* got the float 0.5.*write 1/2"),
        (lambda: ExactBlocks([[X]], ONE, ONE), "A11: expected real finite numbers, got x"),
        (lambda: ExactBlocks(ONE, [[sp.I]], ONE), "A12: expected real finite numbers"),
        (lambda: ExactBlocks(ONE, ONE, [[sp.oo]]), "A22: expected real finite numbers"),
        (lambda: ExactBlocks(sp.eye(2), ONE, ONE), r"A11: expected shape \(1, 1\) .* got \(2, 2\)"),
        (lambda: ExactBlocks(ONE, [[1, 2]], [[1, 2], [3, 1]]), "A22: expected a symmetric matrix"),
        (lambda: ExactBlocks("no", ONE, ONE), "A11: expected a matrix"),
        (lambda: exact_blocks(games.quadratic(), [0.0, 0, 0, 0]), "point: expected exact coord"),
        (lambda: exact_blocks(games.quadratic(), [0, 0]), "point: expected 4 coordinates"),
        (lambda: exact_blocks(games.covariance_gan(3), [0] * 18), "game: expected one defined in"),
        (
            lambda: exact_blocks(TORUS, replace(known(TORUS, 0, 0), exact=None)),
            "point: expected one that is known exactly",
        ),
        (lambda: exact_tau_star(SINGULAR), "A22: expected a nonsingular matrix"),
        (lambda: exact_tau_star(floats(SINGULAR)), "blocks: expected ExactBlocks, got Blocks"),
        (lambda: ends(floats(SINGULAR)), "blocks: expected ExactBlocks, got Blocks"),
        (lambda: certify(Game(sp.Abs(x) - y**2, [x], [y]), [0, 0]), "Abs"),
        (lambda: certify(Game(0.1 * x**2 - y**2, [x], [y]), [0, 0]), "floating-point"),
        (lambda: certify(games.covariance_gan(3), np.zeros(18)), "defined in SymPy"),
        (lambda: certify(TORUS, [0]), "2 coordinates"),
        (lambda: certify(TORUS, [0, math.nan]), "finite"),
        (lambda: certify(games.dirac_gan(sp.Symbol("mu", positive=True)), [0, 0]), "parameters"),
    ],
)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
