"""Critical points: the paper's lists, exactness, two routes to the same points, kinds."""

import warnings

import mpmath
import numpy as np
import pytest
import sympy as sp

from taugda import games
from taugda.blocks import Blocks
from taugda.equilibria import NotPolynomialError, classify, critical_points
from taugda.games import Game, game_from_text

# As printed in the paper, in double precision.
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
SQUARE = [[2.0, -1.0], [-1.0, 1.0]]


def exact_points(game):
    return critical_points(game, method="exact")


def test_polynomial_game_has_the_papers_eleven_points_and_kinds():
    points = exact_points(games.polynomial())
    for point, (expected, kind) in zip(points, POLYNOMIAL, strict=True):
        np.testing.assert_allclose(point.x, expected, rtol=1e-12, atol=0)
        assert point.kind == kind
    # Text of a point that is a root: which polynomial's.
    assert "5 r_{1}" in points[1].exact_form()
    assert points[1].exact_form().endswith("with $3 r^{3} + 2 r^{2} - 12 r - 4 = 0$")


def test_other_games_of_the_paper_have_its_points():
    points = exact_points(games.nonequilibrium())
    expected = [(-4.734, 0.278, -92.47, 0.533), (0, 0, 0, 0), (1, 1, 1, 1)]
    np.testing.assert_allclose([p.x for p in points], expected, rtol=2e-3)
    assert [p.kind for p in points] == ["DNE", "neither", "DNE"]
    points = exact_points(games.torus())
    equilibria = [p for p in points if p.classification.is_dse]
    np.testing.assert_allclose([p.x for p in equilibria], [(0, 0), (np.pi, np.pi)], atol=1e-15)
    assert {p.kind for p in equilibria} == {"DSE"}
    for corner in ((0, np.pi), (np.pi, 0)):
        assert any(np.allclose(p.x, corner) for p in points)
    (origin,) = exact_points(games.quadratic(0.3))
    assert (origin.kind, origin.exact, origin.latex()) == ("DSE", (0,) * 4, "(0, 0, 0, 0)")
    points = exact_points(games.covariance_gan(1, 1, [[2.25]]))
    assert [(*p.x, p.kind) for p in points[::2]] == [(-1.5, 0.0, "DSE"), (1.5, 0.0, "DSE")]
    assert (*points[1].x,) == (0.0, 2.25)


SOLVED = [
    (games.polynomial(), 11),
    (games.polynomial(0.2, 0.5), 9),
    (games.nonequilibrium(), 3),
    (games.nonequilibrium(4, 2), 3),
    (games.torus(), 6),
    # With unequal weights the mixed points need a triangle of sides 1/a, 1/b and 1.
    (games.torus(0.2, 0.18), 6),
    (games.torus(0.2, 0.1), 4),
    (games.torus(0.5, -0.4), 6),
    (games.covariance_gan(1, 0.5, [[2.0]]), 3),
    # Fields on which SymPy's change of order gives up with "zero divisor".
    (Game(X**4 / 4 - sp.cbrt(2) * X**2 / 2 + X * Y**2 - Y**4, [X], [Y]), 5),
    (Game(sp.sqrt(2) * X**2 * Y - Y**4 + X**4 / 4 + sp.sqrt(3) * X * Y, [X], [Y]), 1),
    (Game(X**4 / 4 - X**2 + X * Y - Y**2 / 2, [X], [Y]), 3),
    (Game((X**2 - 2) * (1 - Y**2), [X], [Y]), 5),
    (Game(X**3 / 3 - sp.sqrt(3) * X - Y**2, [X], [Y]), 2),
    (Game(X + Y, [X], [Y]), 0),
]


@pytest.mark.parametrize(("game", "count"), SOLVED)
def test_exact_points_solve_the_equations_in_fifty_digits(game, count):
    points = exact_points(game)
    assert len(points) == count
    for point in points:
        with mpmath.workdps(50):
            digits = [mpmath.mpf(str(sp.N(c, 50))) for c in point.exact]
            g = sp.lambdify(game.variables, list(game.g), modules="mpmath")(*digits)
            assert max(map(abs, g)) < mpmath.mpf(10) ** -40
        np.testing.assert_allclose(
            game.displacement(point.x, [float(c.evalf(30)) for c in point.exact]), 0, atol=1e-13
        )
        assert point.residual == np.abs(game.gradient(point.x)).max()


@pytest.mark.parametrize("non_saturating", [False, True])
def test_a_gan_falls_back_on_its_known_point(non_saturating):
    game = games.dirac_gan(0.3, non_saturating)
    for other, what in ((game, "g: expected a"), (games.covariance_gan(3), "defined in SymPy")):
        with pytest.raises(NotPolynomialError, match=what):
            critical_points(other, method="exact")
    (point,) = critical_points(game)
    assert (point.exact, point.kind, point.residual) == ((0, 0), "DSE", 0.0)
    assert [p.kind for p in critical_points(games.covariance_gan(3))] == ["degenerate"]


@pytest.mark.parametrize(
    ("game", "size", "starts"),
    [(games.torus(0.2, 0.18), np.pi, 200), (games.polynomial(), 15, 500)],
)
def test_search_finds_the_exact_points_and_is_repeatable(game, size, starts):
    exact = exact_points(game)
    options = {"method": "search", "bounds": [(-size, size)] * 2, "starts": starts}
    found, again = (critical_points(game, **options) for _ in range(2))
    np.testing.assert_array_equal([p.x for p in found], [p.x for p in again])
    assert all(p.exact is None for p in found)
    inside = [p for p in found if (np.abs(p.x) <= 15).all()]
    assert len(inside) == len(exact)
    for point in exact:
        gaps = [np.abs(game.displacement(point.x, p.x)).max() for p in inside]
        assert min(gaps) < 1e-7
        assert inside[int(np.argmin(gaps))].kind == point.kind


def test_search_serves_a_game_that_is_no_polynomial():
    (zero,) = critical_points(Game(sp.airyai(X) - Y**2, [X], [Y]))
    np.testing.assert_allclose(zero.x, [-1.018792971647471, 0], atol=1e-15)  # DLMF, table 9.9.1


@pytest.mark.parametrize(
    ("game", "message"),
    [
        (Game((X + Y) ** 2, [X], [Y]), "game: expected finitely many critical points"),
        (games.covariance_gan(2), "game: expected finitely many critical points"),
        (Game(sp.sin(X + Y), [X], [Y]), "game: expected isolated critical points, got a continuum"),
        (Game(sp.tanh(X * Y) ** 2, [X], [Y]), "game: expected isolated critical points, got a"),
        (Game(X**2 * Y**2, [X], [Y]), "got a continuum"),
    ],
)
def test_a_continuum_is_named(game, message):
    with pytest.raises(ValueError, match=message) as caught:
        critical_points(game)
    assert "method" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "guess"}, "method: expected 'exact', 'known' or 'search', got 'guess'"),
        ({"method": "search", "starts": 0}, "starts: expected a whole number"),
        ({"method": "search", "bounds": [(-1, 1)]}, "bounds: expected 2 rows"),
        ({"method": "search", "bounds": [(-1, 1), (1, -1)]}, "bounds: expected 2 rows"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        critical_points(games.torus(), **options)


@pytest.mark.parametrize(
    ("blocks", "kind"),
    [
        (([[2.0]], [[1.0]], [[3.0]]), "DNE"),
        (([[-1.0]], [[2.0]], [[2.0]]), "DSE"),
        (([[0.0]], [[1.0]], [[2.0]]), "DSE"),
        (([[-1.0]], [[1.0]], [[2.0]]), "neither"),
        (([[1.0]], [[1.0]], [[-2.0]]), "neither"),
        (([[1.0]], [[1.0]], [[0.0]]), "degenerate"),
        (([[-2.0]], [[2.0]], [[2.0]]), "degenerate"),
        # The players' dimensions differ: A12 is n1 x n2.
        (([[-1.0]], [[1.0, 1.0]], np.diag([1.0, 4.0])), "DSE"),
        ((np.diag([-1.0, 3.0]), [[2.0], [0.0]], [[2.0]]), "DSE"),
        # An eigenvalue below zero decides, although another is zero.
        (([[1.0]], [[0.0, 0.0]], np.diag([-1.0, 0.0])), "neither"),
        (([[2.0, 1.0], [1.0, 1.0]], [[1.0, 0.5], [2.0, 1.0]], SQUARE), "DNE"),
        (([[-1.0, 1.0], [1.0, 1.0]], [[2.0, 0.5], [0.0, 1.0]], SQUARE), "DSE"),
        (([[-9.0, 1.0], [1.0, 1.0]], [[2.0, 0.5], [0.0, 1.0]], SQUARE), "neither"),
        (([[-1.0, -1.0], [-1.0, -1.0]], [[1.0, 0.0], [1.0, 0.0]], np.eye(2)), "degenerate"),
        (([[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]], np.ones((2, 2))), "degenerate"),
    ],
)
def test_kind_of_known_blocks_in_units_of_any_size(blocks, kind):
    blocks, rng = Blocks(*blocks), np.random.default_rng(15)
    result = classify(blocks)
    assert result.kind == kind
    assert result.is_dse == (kind in ("DNE", "DSE"))
    least = [np.linalg.eigvalsh(m)[0] for m in (blocks.A11, blocks.A22)]
    assert [result.min_A11, result.min_A22] == pytest.approx(least)
    assert result.A11_semidefinite == (least[0] >= 0)
    singular = "A22 is singular" in result.reason
    s1 = np.nan if singular else np.linalg.eigvalsh(blocks.schur_complement)[0]
    assert result.min_S1 == pytest.approx(s1, nan_ok=True)
    for most in (1, 10, 30, 60):
        u, v = (2.0 ** rng.integers(-most, most, n) for n in blocks.A12.shape)
        units = (u[:, None] * blocks.A11 * u, u[:, None] * blocks.A12 * v)
        assert classify(Blocks(*units, v[:, None] * blocks.A22 * v)).kind == kind


@pytest.mark.parametrize(("n", "kind"), [(6, "DNE"), (60, "degenerate")])
def test_units_that_doubles_cannot_hold_in_a_large_game_are_said_to_be_too_much(n, kind):
    """Above 40 coordinates no more digits are taken, and the numbers told fit the verdict."""
    rng = np.random.default_rng(5)
    units = 10.0 ** rng.uniform(-5, 5, n)
    m = rng.standard_normal((2, n, n))
    a11, a22 = (u @ u.T / n + 0.1 * np.eye(n) for u in m)
    small = (units[:, None] * a11 * units, m[0], units[:, None] * a22 * units)
    found = classify(Blocks(*((k + k.T) / 2 if k is not m[0] else k for k in small)))
    assert found.kind == kind
    assert (found.min_A22 > 0) == (kind == "DNE")
    assert len(found.reason) < 200


def test_singular_to_within_rounding_is_what_the_last_digits_decide():
    for reason, blocks in (
        ("S1 is singular to within rounding", Blocks([[-1 / 3]], [[1.0]], [[3.0]])),
        ("S1 is singular:", Blocks([[-2.0]], [[2.0]], [[2.0]])),
        ("A22 is singular to within", Blocks([[1.0]], [[1.0, 1.0]], [[0.1, 0.3], [0.3, 0.9]])),
    ):
        assert classify(blocks).kind == "degenerate"
        assert classify(blocks).reason.startswith(reason)
    # S1 is a thousand times less than A11's last digit in both, its sign that of D^2 f.
    steep, small = np.array([[3e8], [1e8]]), 1e-6 * np.array([[-1.0, 2.0], [2.0, 1.0]])
    for sign, kind in ((-1.0, "DSE"), (1.0, "neither")):
        assert classify(Blocks(sign * small, steep, [[1.0]])).kind == kind


def found(f, periodic=(), **options):
    """The points of a game typed as text, without what the search says of flat places."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the search met flat places")
        game = game_from_text(f, ["x"], ["y"], periodic=periodic)
        points = critical_points(game, **options)
    assert all(p.residual < 1e-8 * max(1.0, np.abs(p.blocks.jacobian(1.0)).max()) for p in points)
    # What is decided from the blocks alone, tau* for one, must not contradict the point.
    assert [classify(p.blocks).kind for p in points] == [p.kind for p in points]
    return [(*np.round(p.x, 4) + 0.0, p.kind) for p in points]


@pytest.mark.parametrize(
    ("f", "periodic", "expected"),
    [
        # Far out on tails, g is small and no zero is near.
        ("2*tanh(5*x)^2 + tanh(5*x)*tanh(5*y) - tanh(5*y)^2", "", [(0, 0, "DNE")]),
        (
            "exp(-9*x^2 - 4*y^2) + x*y*exp(-5*x^2 - 5*y^2)",
            "",
            [(-0.7378, 0.3962, "neither"), (0, 0, "neither"), (0.7378, -0.3962, "neither")],
        ),
        (
            "exp(-2*(x-1)^2)*exp(-(y-1)^2) - exp(-(x+1)^2 - 2*(y+1)^2)",
            "",
            # f(-y, -x) = -f(x, y), and at the box's corner both parts are equal.
            [(-1, -1, "neither"), (1, 1, "neither"), (3, -3, "neither")],
        ),
        (
            "cos(x)*exp(-y^2) + exp(-2*y^2)",
            "x",
            [(0, 0, "neither"), *((3.1416, y, k) for y, k in
             ((-0.8326, "neither"), (0, "DNE"), (0.8326, "neither")))],
        ),
        # Of order 4, where the Jacobian is as small as the point's error allows.
        ("log(1 + x^4) - log(1 + y^4)", "", [(0, 0, "degenerate")]),
        ("tanh(x)^4 - tanh(y)^4", "", [(0, 0, "degenerate")]),
        ("exp(x) - x - x^2/2 - y^4 - cos(y) - y^2/2", "", [(0, 0, "degenerate")]),
        ("exp(x-1) - x - (x-1)^2/2 - (y-2)^4", "", [(1, 2, "degenerate")]),
        ("(x^2-2)^4 - y^2", "", [
            (-1.4142, 0, "degenerate"), (0, 0, "neither"), (1.4142, 0, "degenerate")]),
        ("6*y*log(1 + x^2) - y^2 - 4*log(1 + y^2)*tanh(x)", "", [(0, 0, "degenerate")]),
        ("sin(x)*sin(y)", "xy", [
            *((-1.5708, y, "neither") for y in (-1.5708, 1.5708)),
            *((0, y, "degenerate") for y in (0, 3.1416)),
            *((1.5708, y, "neither") for y in (-1.5708, 1.5708)),
            *((3.1416, y, "degenerate") for y in (0, 3.1416))]),
        # Where f is not real there is no point, although g is zero.
        ("x^2/4 - 2*log(x) + x*y - y^2/2", "", [(1.1547, 1.1547, "DNE")]),
        ("-log(1 - x*x/4) + x*y - y^2/2", "", [(0, 0, "DNE")]),
        ("log(x/(1-x)) + x*y/2 - y^2/2", "", []),
        # Polynomials over no field that SymPy computes in.
        ("pi*x^2 + x*y - pi*y^2 + x^4/4", "", [(0, 0, "DNE")]),
        ("log(2)*x^2 + x*y - sin(1)*y^2 + exp(1)*x^4", "", [(0, 0, "DNE")]),
        (
            "cos(x-1) + cos(x-y)/2 - cos(y)",
            "xy",
            [(-2.3874, 0.2458, "neither"), (-1.7073, -2.7073, "DNE"),
             (0.5657, -0.4343, "neither"), (1.4807, 2.6609, "neither")],
        ),
        # The first coefficient is 0, which no finite number of digits shows; S1 = 1/2.
        ("(sin(1)^2 + cos(1)^2 - 1)*x^2 - y^2 + x*y", "", [(0, 0, "DSE")]),
        ("(sqrt(5+2*sqrt(6)) - sqrt(2) - sqrt(3))*x^2 - y^2 + x*y", "", [(0, 0, "DSE")]),
        ("(log(6)-log(2)-log(3))*x^2 - y^2 + tanh(x)*y", "", [(0, 0, "DSE")]),
        # The scale of f changes nothing.
        ("1e-20*(cosh(x) + x*y - y^2)", "", [(0, 0, "DNE")]),
    ],
)  # fmt: skip
def test_the_search_finds_what_is_there_and_nothing_else(f, periodic, expected):
    points = found(f, list(periodic))
    assert [p[2] for p in points] == [p[2] for p in expected]
    np.testing.assert_allclose([p[:2] for p in points], [p[:2] for p in expected], atol=2e-4)


def test_points_met_once_are_a_sign_that_others_are_missed():
    many = game_from_text("cos(20*x) - cos(20*y)", ["x"], ["y"])
    with pytest.warns(UserWarning, match="from one start each: others may be missing; more starts"):
        assert len(critical_points(many, starts=8)) < 39**2


def test_flat_places_are_named_and_the_box_holds_in_every_coordinate():
    game = game_from_text("exp(-9*x^2 - 4*y^2) + x*y*exp(-5*x^2 - 5*y^2)", ["x"], ["y"])
    with pytest.warns(UserWarning, match="flat places, where g and its Jacobian both vanish"):
        assert len(critical_points(game)) == 3
    with pytest.raises(ValueError, match="got only flat places"):
        critical_points(game, bounds=[(8, 9), (8, 9)])
    # Flat only beside what is steep, and flat to any number of digits.
    steep = game_from_text("cosh(30*x) + x*y - y^2", ["x"], ["y"])
    with pytest.warns(UserWarning, match="flat places"):
        assert [p.kind for p in critical_points(steep)] == ["DNE"]
    step = game_from_text("2*tanh(5*x)^2 + tanh(5*x)*tanh(5*y) - tanh(5*y)^2", ["x"], ["y"])
    with pytest.raises(ValueError, match="got only flat places"):
        critical_points(step, bounds=[(-3e3, 3.1e3)] * 2)
    four = "tanh(3*x)^2 + tanh(3*z)^2 + tanh(x)*tanh(y) - tanh(y)^2 - tanh(w)^2"
    assert len(critical_points(game_from_text(four, ["x", "z"], ["y", "w"]))) == 1
    # Nearly all of a large box is flat, which says nothing of the points in the rest.
    assert len(found("cos(x)*exp(-y^2) + exp(-2*y^2)", ["x"], bounds=[(-50, 50)] * 2)) == 4
    # Units of the coordinates change nothing.
    wide = game_from_text("cos(2*x/a) - cos(y/b) + x*y/a/b/3", ["x"], ["y"], {"a": 1e4, "b": 1e-3})
    points = [p.x / [1e4, 1e-3] for p in critical_points(wide, bounds=[(-3e4, 3e4), (-3e-3, 3e-3)])]
    expected = found("cos(2*x) - cos(y) + x*y/3")
    np.testing.assert_allclose(points, [p[:2] for p in expected], atol=1e-4)
    wells = "cos(3*x) - cos(3*y) + x*y/1000"
    assert {abs(round(p[1])) for p in found(wells, bounds=[(-9, 9), (-0.5, 0.5)])} == {0}


def test_the_search_starts_again_where_points_were_met_from_one_start_only():
    points = found("cos(14*x) - cos(14*y)", starts=100)
    assert len(points) == 27**2  # k pi / 14 for |k| <= 13
    assert sum(kind == "DNE" for *_, kind in points) == 14**2
