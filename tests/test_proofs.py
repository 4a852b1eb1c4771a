"""The exact routes: number fields, exact blocks, exact tau* and intervals, closed forms."""

import math

import numpy as np
import pytest
import sympy as sp

from taugda import games
from taugda.blocks import Blocks
from taugda.equilibria import CriticalPoint, classify, critical_points
from taugda.exact import ExactBlocks
from taugda.exact.algebraic import algebraic_elements, simplest
from taugda.exact.numberfield import MAX_DEGREE
from taugda.stability import (
    FieldTooHardError,
    stability_intervals,
    tau_star,
    tau_star_closed_form,
    tau_star_formula,
)
from taugda.stability.exact import exact_classification

X = sp.Symbol("x")
HALF = sp.Rational(1, 2)


def polynomial_points():
    return critical_points(games.polynomial())


def ends(blocks):
    return [(i.lower, i.upper) for i in stability_intervals(blocks, exact=True)]


def integer_blocks(rng, n1, n2, size=6):
    def symmetric(n):
        m = rng.integers(-size, size + 1, (n, n))
        return np.tril(m) + np.tril(m, -1).T

    a22 = symmetric(n2) + int(rng.integers(0, 3)) * size * np.eye(n2, dtype=int)
    a12 = rng.integers(-size, size + 1, (n1, n2))
    return ExactBlocks(*(sp.Matrix(m.tolist()) for m in (symmetric(n1), a12, a22)))


# Numbers


def test_roots_of_different_kinds_come_into_one_field():
    two, three = sp.sqrt(2), sp.sqrt(3)
    field, elements = algebraic_elements([two, three, two * three - sp.sqrt(6), 1 / (two - three)])
    assert field.degree == 4
    assert elements[2].is_zero()
    assert simplest(field, elements[0]) == two
    assert field.sign(elements[3]) == -1


@pytest.mark.parametrize(
    "number",
    [
        sp.sqrt(5 + 2 * sp.sqrt(6)) - sp.sqrt(2) - sp.sqrt(3),
        sp.cos(sp.pi / 7) + sp.cos(3 * sp.pi / 7) + sp.cos(5 * sp.pi / 7) - HALF,
        sp.Poly(X**5 - X - 1).eval(sp.CRootOf(X**5 - X - 1, 0)),
        sp.root(7 + 5 * sp.sqrt(2), 3) - 1 - sp.sqrt(2),
    ],
)  # fmt: skip
def test_zero_is_recognised_as_zero(number):
    assert algebraic_elements([number])[1][0].is_zero()


@pytest.mark.parametrize("k", range(4))
def test_roots_of_one_polynomial_keep_their_order(k):
    poly = X**4 - 10 * X**2 + 1  # its roots +-sqrt(2) +-sqrt(3) lie in one field
    field, elements = algebraic_elements([sp.CRootOf(poly, j) for j in range(4)])
    assert field.degree == 4
    expected = sorted(s * math.sqrt(2) + t * math.sqrt(3) for s in (1, -1) for t in (1, -1))
    assert float(field.ball(elements[k], 64)) == pytest.approx(expected[k], rel=1e-14)


@pytest.mark.parametrize("number", [sp.pi, sp.E, sp.log(2), sp.sqrt(-2), sp.I, sp.exp(sp.sqrt(2))])
def test_numbers_that_are_not_real_algebraic_are_refused(number):
    with pytest.raises(ValueError, match="exact: expected real"):
        algebraic_elements([number])


def test_too_large_a_field_is_refused_with_its_degree():
    roots = [sp.root(2, 5), sp.root(3, 7), sp.sqrt(5)]
    with pytest.raises(FieldTooHardError, match=rf"at most {MAX_DEGREE} .* up to 70"):
        algebraic_elements(roots)


# Blocks


def test_exact_blocks_have_the_numeric_ones_interface():
    blocks = ExactBlocks([[-1, 0], [0, 2]], [[1], [3]], [[2]])
    assert (blocks.n1, blocks.n2) == (2, 1)
    assert blocks.schur_complement == sp.Matrix([[-HALF, 3 * HALF], [3 * HALF, 13 * HALF]])
    assert isinstance(blocks.numeric(), Blocks)
    np.testing.assert_array_equal(blocks.numeric().A12, [[1.0], [3.0]])


def test_symmetry_is_decided_after_simplification():
    nested = sp.sqrt(5 + 2 * sp.sqrt(6))
    blocks = ExactBlocks([[1, nested], [sp.sqrt(2) + sp.sqrt(3), 1]], [[1], [1]], [[sp.Integer(4)]])
    assert blocks.elements[1][0][0][1] == blocks.elements[1][0][1][0]
    with pytest.raises(ValueError, match="A11: expected a symmetric matrix"):
        ExactBlocks([[1, nested], [sp.sqrt(2), 1]], [[1], [1]], [[4]])


@pytest.mark.parametrize(
    ("a11", "a12", "a22", "message"),
    [
        ([[0.5]], [[1]], [[1]], "A11: expected exact numbers, got the float 0.5.*write 1/2"),
        ([[X]], [[1]], [[1]], "A11: expected numbers, got x with the symbols"),
        ([[1]], [[sp.I]], [[1]], "A12: expected real finite numbers"),
        ([[1]], [[1]], [[sp.oo]], "A22: expected real finite numbers"),
        (sp.eye(2), [[1]], [[1]], r"A11: expected shape \(1, 1\) .* got \(2, 2\)"),
        ([[1]], [[1, 2]], [[1, 2], [3, 1]], "A22: expected a symmetric matrix"),
        ([[1]], sp.zeros(1, 0), sp.zeros(0, 0), "A12: expected at least one row and column"),
        ("no", [[1]], [[1]], "A11: expected a matrix"),
    ],
)
def test_bad_exact_blocks_are_refused_by_name(a11, a12, a22, message):
    with pytest.raises(ValueError, match=message):
        ExactBlocks(a11, a12, a22)


@pytest.mark.parametrize(
    "game",
    [games.quadratic(), games.polynomial(), games.nonequilibrium(), games.torus(),
     games.torus(0.2, 0.1), games.dirac_gan(), games.dirac_gan(1, True)],
)  # fmt: skip
def test_exact_blocks_of_a_game_are_the_numeric_ones_up_to_a_positive_factor(game):
    for point in critical_points(game):
        exact = point.exact_blocks.numeric()
        ratio = point.blocks.scale / exact.scale
        for name in ("A11", "A12", "A22"):
            left, right = getattr(point.blocks, name), ratio * getattr(exact, name)
            np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9 * point.blocks.scale)


def test_angles_become_algebraic_numbers():
    free = [p for p in critical_points(games.torus()) if p.exact[0].has(sp.atan, sp.atan2)]
    assert len(free) == 2
    for point in free:
        assert point.exact_blocks.A12[0] == sp.Rational(791, 800)
    for point in critical_points(games.torus(0.5, 0.4)):
        assert all(c.is_algebraic for c in point.exact_blocks.A12)


def test_exact_blocks_need_an_exact_point():
    game = games.quadratic()
    with pytest.raises(ValueError, match="point: expected exact coordinates"):
        game.exact_blocks([0.0, 0, 0, 0])
    with pytest.raises(ValueError, match="point: expected 4 coordinates"):
        game.exact_blocks([0, 0])
    with pytest.raises(ValueError, match="game: expected one defined in SymPy"):
        games.covariance_gan(3).exact_blocks([0] * 18)
    known = critical_points(game)[0]
    bare = CriticalPoint(known.x, None, 0.0, known.classification, known.blocks)
    with pytest.raises(ValueError, match="point: expected one that is known exactly"):
        _ = bare.exact_blocks


# tau*


@pytest.mark.parametrize(
    ("game", "point", "expected"),
    [
        (games.quadratic(), (0, 0, 0, 0), 2),
        (games.quadratic(0.7), (0, 0, 0, 0), 2),
        (games.torus(), (0, 0), sp.Rational(17, 23)),
        (games.torus(), (sp.pi, sp.pi), sp.Rational(23, 17)),
        (games.torus(), (sp.pi, 0), sp.oo),
        (games.dirac_gan(), (0, 0), 0),
        (games.dirac_gan(1, True), (0, 0), 0),
        (games.nonequilibrium(), (1, 1, 1, 1), 0),
        (games.nonequilibrium(), (0, 0, 0, 0), sp.oo),
        (games.covariance_gan(1, 1, [[2]]), (sp.sqrt(2), 0), 0),
    ],
)
def test_the_papers_thresholds_are_exact(game, point, expected):
    result = tau_star(game.exact_blocks(point), exact=True)
    assert isinstance(result.value, sp.Expr)
    assert result.value == expected


def test_tau_star_of_the_polynomial_game_is_rational_at_irrational_points():
    found = [tau_star(p.exact_blocks, exact=True).value for p in polynomial_points()]
    assert found == [sp.oo, 1, sp.oo, sp.oo, 1, *[sp.oo] * 4, 0, sp.oo]


def test_the_point_of_degree_13_is_decided():
    point = critical_points(games.nonequilibrium())[0]
    result = tau_star(point.exact_blocks, exact=True)
    assert point.exact_blocks.elements[0].degree == 13
    assert (result.value, result.classification.kind) == (0, "DNE")


def test_intervals_of_points_that_are_no_equilibria():
    assert ends(games.nonequilibrium().exact_blocks([0, 0, 0, 0])) == [(HALF, 2)]
    assert ends(games.torus().exact_blocks((sp.pi, 0))) == [(0, 1)]
    assert ends(polynomial_points()[8].exact_blocks) == [(0, 1)]
    assert ends(games.quadratic().exact_blocks([0, 0, 0, 0])) == [(2, sp.oo)]


def test_two_windows_have_ends_of_degree_four():
    blocks = ExactBlocks([[0, -2], [-2, -4]], [[5, 3], [-4, 4]], [[4, 5], [5, 8]])
    (first, second), numeric = ends(blocks), stability_intervals(blocks)
    assert second[1] == sp.oo
    for end, close in zip(
        (*first, second[0]), (0.5540363742, 0.6438832946, 2.27916022), strict=True
    ):
        assert sp.degree(sp.minimal_polynomial(end, X), X) == 4
        assert float(end) == pytest.approx(close, rel=1e-9)
    assert [str(i) for i in stability_intervals(blocks, exact=True)] == [str(i) for i in numeric]
    result = tau_star(blocks, exact=True)
    assert result.value == second[0]
    assert not result.touches
    assert len(result.crossing) == 2
    assert "2.27916" in str(result)


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
    blocks = ExactBlocks(a11.subs(p, root), a12, a22)
    result = tau_star(blocks, exact=True)
    assert result.touches
    assert float(result.value) == pytest.approx(0.9624999021, rel=1e-9)
    (_, first), (second, third) = ends(blocks)
    assert first == second == result.value
    assert third == sp.oo


def test_a_repeated_root_counts_once():
    two = sp.sqrt(2)
    twice = ExactBlocks(-two * sp.eye(2), 3 * sp.eye(2), sp.eye(2))
    assert ends(twice) == [(two, sp.oo)]
    assert not tau_star(twice, exact=True).touches


def test_random_integer_blocks_agree_with_the_numeric_routes():
    rng, finite = np.random.default_rng(5), 0
    shapes = [(i, j) for i in range(1, 5) for j in range(1, 5) if i + j <= 5]
    for number in range(400):
        blocks = integer_blocks(rng, *shapes[number % len(shapes)])
        numeric = blocks.numeric()
        kind = exact_classification(blocks)
        exact = stability_intervals(blocks, exact=True)
        other = stability_intervals(numeric)
        assert [math.isinf(i.upper) for i in exact] == [math.isinf(i.upper) for i in other]
        for left, right in zip(exact, other, strict=True):
            assert float(left.lower) == pytest.approx(right.lower, rel=1e-8)
            assert float(left.upper) == pytest.approx(right.upper, rel=1e-8)
        assert kind.kind == classify(numeric).kind
        if not kind.undefined:
            value = tau_star(blocks, exact=True).value
            assert float(value) == pytest.approx(tau_star(numeric).value, rel=1e-8)
            finite += bool(value.is_finite and value > 0)
    assert finite > 40


@pytest.mark.parametrize("root", [sp.sqrt(2), sp.CRootOf(X**3 - X - 1, 0), sp.root(5, 5)])
@pytest.mark.parametrize(("n1", "n2"), [(1, 1), (2, 1), (1, 3), (2, 2), (3, 2)])
def test_blocks_over_a_number_field_agree_with_the_numeric_route(root, n1, n2):
    rng, seen = np.random.default_rng(n1 * 10 + n2), 0
    while seen < 2:
        base = integer_blocks(rng, n1, n2, 3)
        a22 = base.A22 + sp.eye(n2) * 8
        blocks = ExactBlocks(base.A11 - root * sp.eye(n1) / 3, base.A12 * (1 + root), a22)
        value = tau_star(blocks).value
        if not 0 < value < math.inf:
            continue
        seen += 1
        exact = tau_star(blocks, exact=True).value
        assert float(exact) == pytest.approx(value, rel=1e-9)
        assert len(ends(blocks)) == len(stability_intervals(blocks))


@pytest.mark.parametrize(("n1", "n2"), [(1, 7), (7, 1), (2, 6), (4, 4)])
def test_eight_coordinates_are_no_problem(n1, n2):
    rng = np.random.default_rng(n1)
    m = sp.Matrix(rng.integers(-4, 5, (n2, n2)).tolist())
    a12 = sp.Matrix(rng.integers(-4, 5, (n1, n2)).tolist())
    a22 = m * m.T + sp.eye(n2)
    a11 = sp.eye(n1) / 7 - a12 * a22.inv() * a12.T
    result = tau_star(ExactBlocks(a11, a12, a22), exact=True)
    if n2 > 1:
        assert result.value.poly.degree() == n1 * n2
    assert float(result.value) == pytest.approx(tau_star(Blocks(*(
        np.array(b.tolist(), dtype=float) for b in (a11, a12, a22)))).value, rel=1e-7)  # fmt: skip


def test_the_common_factor_does_not_matter():
    blocks = ExactBlocks([[-1, 0], [0, 3]], [[2], [1]], [[1]])
    scaled = ExactBlocks(*(sp.sqrt(3) * b for b in (blocks.A11, blocks.A12, blocks.A22)))
    assert ends(scaled) == ends(blocks)


def test_margins_that_rounding_hides_are_decided():
    tiny = sp.Rational(1, 10**30)
    kind = exact_classification(ExactBlocks([[tiny]], [[1]], [[1]]))
    assert (kind.kind, kind.A11_semidefinite) == ("DNE", True)
    below = ExactBlocks([[-tiny]], [[1]], [[1]])
    assert exact_classification(below).kind == "DSE"
    assert tau_star(below, exact=True).value == tiny
    close = sp.Rational(10**20 + 1, 10**20)
    assert exact_classification(ExactBlocks([[-1]], [[1]], [[1]])).kind == "degenerate"
    assert tau_star(ExactBlocks([[-1]], [[close]], [[1]]), exact=True).value == 1
    assert tau_star(ExactBlocks([[-close]], [[1]], [[1]]), exact=True).value == sp.oo


def test_what_is_never_stable_has_no_interval():
    assert ends(ExactBlocks([[-1]], [[1]], [[1]])) == []  # det J_tau = 0
    assert ends(ExactBlocks([[0]], [[1]], [[0]])) == []  # a circle for every tau
    assert ends(ExactBlocks(sp.diag(1, -1), sp.zeros(2, 1), [[1]])) == []
    assert ends(ExactBlocks([[1]], [[1]], [[0]])) == [(0, sp.oo)]  # beyond the theorem


def test_singular_A22_has_no_tau_star():
    with pytest.raises(ValueError, match="A22: expected a nonsingular matrix"):
        tau_star(ExactBlocks([[1]], [[1, 1]], [[1, 1], [1, 1]]), exact=True)


@pytest.mark.parametrize("function", [tau_star, stability_intervals])
def test_exactness_needs_exact_blocks(function):
    with pytest.raises(ValueError, match=r"expected ExactBlocks .* use game.exact_blocks"):
        function(Blocks([[1.0]], [[1.0]], [[1.0]]), exact=True)


def test_exact_blocks_go_the_numeric_way_unless_asked():
    blocks = games.torus().exact_blocks((0, 0))
    value = tau_star(blocks).value
    assert isinstance(value, float)
    assert value == pytest.approx(17 / 23)
    assert isinstance(stability_intervals(blocks)[0].lower, float)


def test_too_hard_a_threshold_says_its_degree():
    root = sp.root(2, 30)
    a12 = sp.Matrix([[4, 1, 1], [2, 5, 1], [1, 3, 6]])
    blocks = ExactBlocks(sp.diag(1, 2, 3) / 9 - root * sp.eye(3), a12, sp.diag(1, 2, 4))
    with pytest.raises(FieldTooHardError, match="degree up to 270"):
        tau_star(blocks, exact=True)


def test_exact_intervals_print_their_ends():
    text = stability_intervals(games.torus().exact_blocks((0, 0)), exact=True)[0]
    assert str(text) == "(17/23, inf)"
    assert text.latex() == r"$(\frac{17}{23}, \infty)$"
    assert 1 in text
    assert HALF not in text


# Formulas in the parameters


def test_torus_formula_agrees_with_the_exact_route_everywhere():
    a, b = sp.symbols("a b", real=True)
    game = games.torus(a, b)
    values = [sp.Rational(k, 10) for k in (-25, -7, 0, 3, 12)]
    for point in ((0, 0), (sp.pi, sp.pi), (sp.pi, 0), (0, sp.pi)):
        formula = tau_star_formula(game, point)
        assert formula.free_symbols == {a, b}
        for at in [{a: p, b: q} for p in values for q in values]:
            blocks = games.torus(at[a], at[b]).exact_blocks(point)
            assert formula.subs(at) == tau_star(blocks, exact=True).value
    at_origin = tau_star_formula(game, (0, 0))
    assert at_origin.subs({a: sp.Rational(3, 20), b: sp.Rational(3, 20)}) == sp.Rational(17, 23)
    assert at_origin.subs(b, -1) is sp.nan


def test_dirac_gan_formula_and_its_best_tau():
    mu = sp.Symbol("mu", positive=True)
    game = games.dirac_gan(mu)
    assert tau_star_formula(game, (0, 0)) == 0
    tau = sp.Symbol("tau", positive=True)
    matrix = sp.Matrix([[0, HALF], [-tau / 2, tau * mu]])
    at_best = matrix.subs(tau, 1 / mu**2)
    assert list(at_best.eigenvals()) == [1 / (2 * mu)]
    from taugda.games.exact_points import symbolic_blocks

    a11, a12, a22 = symbolic_blocks(game, (0, 0))
    assert (a11[0], a12[0], a22[0]) == (0, HALF, mu)


def test_closed_form_with_numbers_and_symbols():
    a, b, c = sp.symbols("a b c", real=True)
    formula = tau_star_closed_form(a, b, c)
    assert formula.subs({a: -1, b: 1, c: HALF}) == 2
    assert formula.subs({a: 3, b: 0, c: 1}) == 0
    assert formula.subs({a: -2, b: 1, c: 1}) == sp.oo
    assert formula.subs({a: -2, b: 1, c: 0}) is sp.nan
    for bad in (0.5, sp.Symbol("z"), sp.I):
        with pytest.raises(ValueError, match="c: expected an exact real number"):
            tau_star_closed_form(a, b, bad)


def test_formulas_need_one_coordinate_each_and_a_critical_point():
    a = sp.Symbol("a", real=True)
    with pytest.raises(ValueError, match="game: expected one coordinate for each player"):
        tau_star_formula(games.quadratic(), (0, 0, 0, 0))
    with pytest.raises(ValueError, match="point: expected g = 0"):
        tau_star_formula(games.torus(a, 1), (sp.pi / 2, 0))


def test_a_game_with_free_parameters_gives_no_numbers():
    a = sp.Symbol("a", real=True)
    game = games.torus(a, a**2 + 1)
    assert game.parameters == (a,)
    for call in (game.gradient, game.f, game.blocks, lambda x: game.jacobian(x, 1.0)):
        with pytest.raises(ValueError, match=r"without free parameters, .* with \['a'\]"):
            call([0.0, 0.0])
    with pytest.raises(ValueError, match=r"A11: expected numbers, got .* symbols \['a'\]"):
        game.exact_blocks((0, 0))


def test_parameters_are_declared_real():
    with pytest.raises(ValueError, match="a: expected a number or an exact expression"):
        games.torus(sp.Symbol("a"))
    x, y, k = sp.symbols("x y k", real=True)
    with pytest.raises(ValueError, match="f: expected only"):
        games.Game(k * x * y, [x], [y])
    with pytest.raises(ValueError, match="distinct coordinates"):
        games.Game(k * x * y, [x], [y], parameters=[y])
    assert games.Game(k * x * y, [x], [y], parameters=[k]).parameters == (k,)
