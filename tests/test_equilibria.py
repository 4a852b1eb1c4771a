"""Critical points: the paper's lists, exactness, two routes to the same points, kinds."""

import mpmath
import numpy as np
import pytest
import sympy as sp

from taugda import games
from taugda.blocks import Blocks
from taugda.equilibria import NotPolynomialError, classify, critical_points
from taugda.games import Game

# Printed in the paper's facts, each coordinate to double precision; which of them are strict
# local minmax points is printed there too.
POLYNOMIAL = [
    ((-13.820094037878516, 1.3290523981301106), "neither"),
    ((-11.029738508573407, -11.029738508573407), "DSE"),
    ((-8.95173917676807, 10.572163992478098), "neither"),
    ((-10 / 3, -10 / 3), "neither"),
    ((-1.6216535911507022, -1.6216535911507022), "DSE"),
    ((0.0, 0.0), "neither"),
    ((1.3290523981301106, -13.820094037878516), "neither"),
    ((2.1578773928584454, 13.643388740325724), "neither"),
    ((9.318058766390777, 9.318058766390777), "neither"),
    ((10.572163992478098, -8.95173917676807), "DNE"),
    ((13.643388740325724, 2.1578773928584454), "neither"),
]
X, Y = sp.symbols("x y", real=True)
ROOT, FOURTH_ROOT = sp.sqrt(2), sp.root(3, 4)


def exact_points(game):
    return critical_points(game, method="exact")


def digits_of_g(game, point, digits=50):
    """The largest |component of g| at an exact point, computed with many digits."""
    with mpmath.workdps(digits):
        values = [mpmath.mpf(str(sp.N(c, digits))) for c in point]
        g = sp.lambdify(game.variables, list(game.g), modules="mpmath")
        return max(abs(c) for c in g(*values))


# The paper's points


def test_polynomial_game_has_the_papers_eleven_points_and_kinds():
    points = exact_points(games.polynomial())
    assert len(points) == 11
    for point, (expected, kind) in zip(points, POLYNOMIAL, strict=True):
        np.testing.assert_allclose(point.x, expected, rtol=1e-12, atol=0)
        assert point.kind == kind


def test_nonequilibrium_game_has_three_points():
    points = exact_points(games.nonequilibrium())
    expected = [(-4.734, 0.278, -92.47, 0.533), (0, 0, 0, 0), (1, 1, 1, 1)]
    np.testing.assert_allclose([p.x for p in points], expected, rtol=2e-3)
    assert [p.kind for p in points] == ["DNE", "neither", "DNE"]


def test_torus_game_has_six_points_of_which_two_are_equilibria():
    points = exact_points(games.torus())
    assert len(points) == 6
    equilibria = [p for p in points if p.classification.is_dse]
    np.testing.assert_allclose([p.x for p in equilibria], [(0, 0), (np.pi, np.pi)], atol=1e-15)
    assert {p.kind for p in equilibria} == {"DSE"}
    corners = [(0, np.pi), (np.pi, 0)]
    assert all(any(np.allclose(p.x, c) for p in points) for c in corners)


@pytest.mark.parametrize("game", [games.quadratic(), games.quadratic(0.3)], ids=["4", "0.3"])
def test_quadratic_game_has_the_origin_only(game):
    (origin,) = exact_points(game)
    assert (origin.kind, origin.exact) == ("DSE", (0, 0, 0, 0))


@pytest.mark.parametrize(
    "game",
    [
        games.polynomial(),
        games.polynomial(0.2, 0.5),
        games.nonequilibrium(),
        games.nonequilibrium(4, 2),
        games.torus(),
        games.torus(0.2, 0.18),
        games.torus(0.5, -0.4),
        games.covariance_gan(1, 0.5, [[2.0]]),
    ],
    ids=repr,
)
def test_exact_points_solve_the_equations_in_fifty_digits(game):
    points = exact_points(game)
    assert points
    for point in points:
        assert digits_of_g(game, point.exact) < mpmath.mpf(10) ** -40
        np.testing.assert_allclose(
            game.displacement(point.x, [float(c.evalf(30)) for c in point.exact]), 0, atol=1e-13
        )
        assert point.residual == np.abs(game.gradient(point.x)).max()


def test_torus_of_unequal_weights_has_the_two_mixed_points_only_where_the_triangle_closes():
    """1/a, 1/b and 1 are the sides: a sin x1 = b sin x2 = sin(x1 - x2)."""
    assert len(exact_points(games.torus(0.2, 0.18))) == 6
    assert len(exact_points(games.torus(0.2, 0.1))) == 4


def test_covariance_gan_at_d_1_has_both_signs_of_the_root():
    points = exact_points(games.covariance_gan(1, 1, [[2.25]]))
    found = [(p.x.tolist(), p.kind) for p in points if p.x[0] != 0]
    assert found == [([-1.5, 0.0], "DSE"), ([1.5, 0.0], "DSE")]
    (saddle,) = [p for p in points if p.x[0] == 0]
    assert saddle.x[1] == 2.25


@pytest.mark.parametrize("non_saturating", [False, True])
def test_dirac_gan_falls_back_on_its_known_point(non_saturating):
    game = games.dirac_gan(0.3, non_saturating)
    with pytest.raises(NotPolynomialError):
        critical_points(game, method="exact")
    (point,) = critical_points(game)
    assert (point.exact, point.kind, point.residual) == ((0, 0), "DSE", 0.0)


def test_covariance_gan_in_numpy_is_degenerate_at_its_known_point():
    (point,) = critical_points(games.covariance_gan(3))
    assert (point.kind, point.exact) == ("degenerate", None)


# Search


@pytest.mark.parametrize(
    ("game", "bounds", "starts"),
    [
        (games.torus(), [(-np.pi, np.pi)] * 2, 100),
        (games.torus(0.2, 0.18), [(-np.pi, np.pi)] * 2, 200),
        (games.polynomial(), [(-15, 15)] * 2, 500),
    ],
    ids=["torus", "torus-unequal", "polynomial"],
)
def test_search_finds_the_exact_points(game, bounds, starts):
    exact = exact_points(game)
    found = critical_points(game, method="search", bounds=bounds, starts=starts)
    assert all(p.exact is None for p in found)
    inside = [p for p in found if (np.abs(p.x) <= 15).all()]
    assert len(inside) == len(exact)
    for point in exact:
        gaps = [np.abs(game.displacement(point.x, p.x)).max() for p in inside]
        assert min(gaps) < 1e-7
        assert inside[int(np.argmin(gaps))].kind == point.kind


def test_search_is_repeatable_and_follows_its_generator():
    def search(seed):
        rng = np.random.default_rng(seed)
        points = critical_points(games.torus(), method="search", starts=3, rng=rng)
        return [p.x.tolist() for p in points]

    assert search(1) == search(1)
    assert search(1) != search(2)


def test_search_serves_a_game_that_is_no_polynomial():
    game = Game(sp.exp(X) - 2 * X + X * Y - Y**2, [X], [Y])
    (point,) = critical_points(game)
    assert point.exact is None
    assert point.residual < 1e-9
    # By hand: y = x/2 from the second equation, then e^x - 2 + x/2 = 0.
    x = point.x[0]
    assert point.x[1] == pytest.approx(x / 2)
    assert np.exp(x) - 2 + x / 2 == pytest.approx(0, abs=1e-12)


# Solving


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (X**4 / 4 - X**2 + X * Y - Y**2 / 2, [(-1, -1), (0, 0), (1, 1)]),
        (
            (X**2 - 2) * (1 - Y**2),
            [(-ROOT, -1), (-ROOT, 1), (0, 0), (ROOT, -1), (ROOT, 1)],
        ),
        (X**3 / 3 - sp.sqrt(3) * X - Y**2, [(-FOURTH_ROOT, 0), (FOURTH_ROOT, 0)]),
        (X + Y, []),
        (X**2 + X * Y + X - Y**2, [(sp.Rational(-2, 5), sp.Rational(-1, 5))]),
    ],
    ids=["cubic", "roots", "irrational", "none", "linear"],
)
def test_all_real_solutions_are_found_exactly(f, expected):
    points = exact_points(Game(f, [X], [Y]))
    assert [tuple(float(c) for c in p.exact) for p in points] == [
        tuple(float(c) for c in point) for point in expected
    ]
    for point, wanted in zip(points, expected, strict=True):
        assert all(abs(sp.N(a - b, 50)) < 1e-40 for a, b in zip(point.exact, wanted, strict=True))


@pytest.mark.parametrize(
    "game", [Game((X + Y) ** 2, [X], [Y]), games.covariance_gan(2)], ids=["line", "manifold"]
)
def test_a_continuum_of_points_is_refused(game):
    with pytest.raises(ValueError, match="game: expected finitely many critical points"):
        critical_points(game)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "method: expected 'exact', 'known' or 'search', got 'guess'"),
        ({"method": "search", "starts": 0}, "starts: expected a whole number"),
        ({"method": "search", "bounds": [(-1, 1)]}, "bounds: expected 2 rows"),
        ({"method": "search", "bounds": [(-1, 1), (1, -1)]}, "bounds: expected 2 rows"),
        ({"method": "search", "bounds": [(-1, 1), (0, np.nan)]}, "bounds: expected finite"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        critical_points(games.torus(), **options)


def test_exact_solution_of_a_numpy_game_is_refused():
    with pytest.raises(NotPolynomialError, match="game: expected one defined in SymPy"):
        critical_points(games.covariance_gan(3), method="exact")


# Kinds


@pytest.mark.parametrize(
    ("blocks", "kind", "margin"),
    [
        (([[2.0]], [[1.0]], [[3.0]]), "DNE", 2.0),
        (([[5.0]], [[1.0]], [[3.0]]), "DNE", 3.0),
        (([[-1.0]], [[2.0]], [[2.0]]), "DSE", 1.0),
        (([[0.0]], [[1.0]], [[2.0]]), "DSE", 0.5),
        (([[-1.0]], [[1.0]], [[2.0]]), "neither", -0.5),
        (([[1.0]], [[1.0]], [[-2.0]]), "neither", -2.0),
        (([[1.0]], [[1.0]], [[0.0]]), "degenerate", 0.0),
        (([[-2.0]], [[2.0]], [[2.0]]), "degenerate", 0.0),
        # The players' dimensions differ: A12 is n1 x n2.
        (([[-1.0]], [[1.0, 1.0]], np.diag([1.0, 4.0])), "DSE", 0.25),
        ((np.diag([-1.0, 3.0]), [[2.0], [0.0]], [[2.0]]), "DSE", 1.0),
        ((np.diag([-1.0, 3.0]), [[0.0], [2.0]], [[2.0]]), "neither", -1.0),
        # An eigenvalue below zero decides, although another is zero.
        (([[1.0]], [[0.0, 0.0]], np.diag([-1.0, 0.0])), "neither", -1.0),
    ],
)
def test_kind_and_margin_of_known_blocks(blocks, kind, margin):
    result = classify(Blocks(*blocks))
    assert result.kind == kind
    assert result.margin == pytest.approx(margin, abs=1e-14)
    assert result.is_dse == (kind in ("DNE", "DSE"))


def test_reason_names_the_deciding_eigenvalue():
    assert "min eig S1 = -0.5" in classify(Blocks([[-1.0]], [[1.0]], [[2.0]])).reason
    assert "A22 is singular" in classify(Blocks([[1.0]], [[1.0]], [[0.0]])).reason


def test_eigenvalues_are_reported():
    result = classify(Blocks(np.diag([-1.0, 3.0]), [[2.0], [0.0]], [[2.0]]))
    assert (result.min_A11, result.min_A22, result.min_S1) == pytest.approx((-1.0, 2.0, 1.0))
    assert not result.A11_semidefinite
    assert classify(Blocks([[0.0]], [[1.0]], [[1.0]])).A11_semidefinite
    assert np.isnan(classify(Blocks([[1.0]], [[1.0]], [[0.0]])).min_S1)


def test_scale_of_the_cost_changes_no_kind():
    for factor in (1e-9, 1.0, 1e9):
        for a11, kind in ((2.0, "DNE"), (-1.0, "DSE"), (-3.0, "neither"), (-2.0, "degenerate")):
            blocks = Blocks([[factor * a11]], [[factor * 2.0]], [[factor * 2.0]])
            assert classify(blocks).kind == kind


def test_tolerance_decides_what_counts_as_zero():
    blocks = Blocks([[1.0]], [[0.0]], [[1e-6]])
    assert classify(blocks).kind == "DNE"
    assert classify(blocks, tolerance=1e-5).kind == "degenerate"
    with pytest.raises(ValueError, match="tolerance: expected"):
        classify(blocks, tolerance=-1.0)
