"""Proofs: exact numbers and balls against the numeric routes; nothing false is said."""

import math

import numpy as np
import pytest
import sympy as sp

from taugda import equilibria, games, proofs, stability
from taugda.games import Game
from taugda.proofs import ExactBlocks, TooHardError, certify, exact_intervals, exact_tau_star
from taugda.proofs.numbers import elements

HALF = sp.Rational(1, 2)
X = sp.Symbol("x")
PAPER = {
    "quadratic": games.quadratic(),
    "polynomial": games.polynomial(),
    "nonequilibrium": games.nonequilibrium(),
    "torus": games.torus(),
    "dirac": games.dirac_gan(),
    "dirac, non-saturating": games.dirac_gan(non_saturating=True),
}
POINTS = {
    f"{name} {k}": (game, point)
    for name, game in PAPER.items()
    for k, point in enumerate(equilibria.critical_points(game))
}


# Numbers


def test_roots_of_different_kinds_come_into_one_field():
    two, three = sp.sqrt(2), sp.sqrt(3)
    field, found = elements([two, three, two * three - sp.sqrt(6), 1 / (two - three)])
    assert field.degree == 4
    assert found[2].is_zero()
    assert field.sign(found[3]) == -1


@pytest.mark.parametrize(
    "number",
    [
        sp.sqrt(5 + 2 * sp.sqrt(6)) - sp.sqrt(2) - sp.sqrt(3),
        sp.cos(sp.pi / 7) + sp.cos(3 * sp.pi / 7) + sp.cos(5 * sp.pi / 7) - HALF,
        sp.Poly(X**5 - X - 1).eval(sp.CRootOf(X**5 - X - 1, 0)),
        sp.root(7 + 5 * sp.sqrt(2), 3) - 1 - sp.sqrt(2),
    ],
)
def test_zero_is_recognised_as_zero(number):
    assert elements([number])[1][0].is_zero()


@pytest.mark.parametrize("number", [sp.pi, sp.E, sp.log(2), sp.sqrt(-2), sp.I, sp.exp(sp.sqrt(2))])
def test_numbers_that_are_not_real_algebraic_are_refused(number):
    with pytest.raises(ValueError, match="exact: expected real"):
        elements([number])


def test_too_large_a_field_is_refused_with_its_degree():
    with pytest.raises(TooHardError, match=r"at most 36 .* up to 70"):
        elements([sp.root(2, 5), sp.root(3, 7), sp.sqrt(5)])


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
    ],
)
def test_blocks_that_are_not_exact_are_refused(a11, a12, a22, message):
    with pytest.raises(ValueError, match=message):
        ExactBlocks(a11, a12, a22)


# Exact tau* and intervals


@pytest.mark.parametrize("d", [sp.Rational(1, 10**16), sp.Rational(1, 10**40)])
def test_thresholds_that_nearly_meet_are_told_apart(d):
    blocks = ExactBlocks(sp.diag(-1, -1 - d), sp.diag(2, 2), sp.eye(2))
    assert exact_tau_star(blocks) == 1 + d


def test_thresholds_that_are_algebraic():
    root = sp.CRootOf(X**3 - X - 1, 0)  # 1.3247
    assert exact_tau_star(ExactBlocks([[-root]], [[2]], [[1]])) == root
    assert exact_tau_star(ExactBlocks([[-sp.sqrt(2)]], [[2]], [[1]])) == sp.sqrt(2)


def random_exact_blocks(rng):
    """Rational blocks, three in four of them of an equilibrium."""
    n1, n2 = rng.integers(1, 4, 2).tolist()

    def matrix(n, m):
        return sp.Matrix(rng.integers(-4, 5, (n, m)).tolist()) / int(rng.integers(1, 4))

    a11, a12, a22 = matrix(n1, n1), matrix(n1, n2), matrix(n2, n2)
    a11, a22 = a11 + a11.T, a22 + a22.T
    if rng.random() < 0.75:
        q, r = matrix(n2, n2), matrix(n1, n1)
        a22 = q * q.T + sp.eye(n2) / 2
        a11 = r * r.T + sp.eye(n1) / 2 - a12 * a22.inv() * a12.T
    return ExactBlocks(a11, a12, a22)


@pytest.mark.parametrize("seed", range(60))
def test_exact_arithmetic_agrees_with_the_numeric_routes(seed):
    blocks = random_exact_blocks(np.random.default_rng(seed))
    numeric = blocks.numeric()
    kind = equilibria.classify(numeric)
    if kind.kind == "degenerate" or blocks.kind == "degenerate":
        pytest.skip("a decision that rounding can not take")
    assert blocks.kind == kind.kind
    value = exact_tau_star(blocks)
    assert float(value) == pytest.approx(stability.tau_star(numeric).value, rel=1e-9, abs=1e-9)
    exactly, found = exact_intervals(blocks), stability.stability_intervals(numeric)
    ends = [[float(e) for e in (i.lower, i.upper)] for i in exactly]
    np.testing.assert_allclose(ends, [[i.lower, i.upper] for i in found], rtol=1e-8)


EXACT = {
    "quadratic": {2},
    "polynomial": {0, 1},
    "torus": {sp.Rational(17, 23), sp.Rational(23, 17)},
}


@pytest.mark.parametrize("name", EXACT)
def test_the_papers_values_are_exact(name):
    found = set()
    for game, point in (pair for key, pair in POINTS.items() if key.startswith(name)):
        value = exact_tau_star(proofs.exact_blocks(game, point))
        found |= {value} - {sp.oo}
    assert found == EXACT[name]


def test_the_point_that_is_no_equilibrium_is_stable_on_exactly_one_interval():
    game, point = POINTS["nonequilibrium 1"]
    (interval,) = exact_intervals(proofs.exact_blocks(game, point))
    assert (interval.lower, interval.upper) == (HALF, 2)


def test_a_singular_A22_is_refused():
    with pytest.raises(ValueError, match="A22: expected a nonsingular matrix"):
        exact_tau_star(ExactBlocks([[1]], [[1]], [[0]]))
    with pytest.raises(ValueError, match="blocks: expected ExactBlocks"):
        exact_tau_star(games.quadratic().blocks(np.zeros(4)))


# Certificates


@pytest.mark.parametrize("name", POINTS)
def test_the_papers_points_are_certified(name):
    game, point = POINTS[name]
    certificate = certify(game, point)
    assert certificate.proved, str(certificate)
    assert certificate.kind == point.kind
    for x, (low, high) in zip(point.x, certificate.point, strict=True):
        assert float(low) - 1e-9 <= x <= float(high) + 1e-9
    value = stability.tau_star(point.blocks).value
    if math.isinf(value):
        assert certificate.tau_star is None
    else:
        low, high = certificate.tau_star
        assert float(high - low) <= 1e-15 * max(1.0, value)
        assert float(low) == pytest.approx(value, rel=1e-9, abs=1e-12)
    numeric = stability.stability_intervals(point.blocks)
    lower = [float(a[0]) for a, _ in certificate.stable]
    assert lower == pytest.approx([i.lower for i in numeric], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("power", ["3e-15", "1e-17", "1e-30", "1e-60"])
def test_a_window_narrower_than_rounding_is_not_denied(power):
    d = sp.Rational(power)
    a, b, u, v = sp.symbols("a b u v", real=True)
    cost = -(a**2) / 2 + 2 * a * u - u**2 / 2 + (1 + d) * b**2 + 3 * b * v + v**2
    certificate = certify(Game(cost, [a, b], [u, v]), np.zeros(4))
    assert certificate.kind == "neither"
    text = str(certificate)
    if certificate.proved:
        ((low, high),) = certificate.stable
        edges = [sp.Rational(str(end)) for end in (*low, *high)]
        assert edges[0] <= 1 <= edges[1] < edges[2] <= 1 + d <= edges[3]
    else:
        assert "not proved: for which tau" in text
    assert "no gap" not in text or not certificate.proved


x, y = sp.symbols("x y", real=True)


@pytest.mark.parametrize(
    ("cost", "place"),
    [
        (x**2 / 4 - 2 * sp.log(x) + x * y - y**2 / 2, [-2 / math.sqrt(3)] * 2),
        (-sp.log(1 - x * x / 4) + x * y - y**2 / 2, [math.sqrt(6)] * 2),
        (sp.log(x / (1 - x)) + x * y / 2 - y**2 / 2, [2.0, 1.0]),
    ],
)
def test_nothing_is_proved_where_the_cost_is_not_defined(cost, place):
    game = Game(cost, [x], [y])
    gradient = [float(e.subs({x: place[0], y: place[1]})) for e in game.g]
    assert np.allclose(gradient, 0, atol=1e-12)  # formally critical
    certificate = certify(game, place)
    assert certificate.kind == "not proved"
    assert not any(s.proved for s in certificate.statements)


@pytest.mark.parametrize(
    "cost", [sp.log(1 + x**4) - sp.log(1 + y**4), x**2 * y**2, sp.sin(x + y), x**4 - y**4 + x * y]
)
def test_degenerate_points_and_continua_are_not_proved(cost):
    certificate = certify(Game(cost, [x], [y]), [0.0, 0.0])
    expected = "neither" if cost == x**4 - y**4 + x * y else "not proved"
    assert certificate.kind in (expected, "not proved")
    assert certificate.tau_star is None


@pytest.mark.parametrize("seed", range(40))
def test_certificates_state_nothing_false(seed):
    """Random games with clusters, near-singular and degenerate blocks, against exact arithmetic."""
    rng = np.random.default_rng(seed)
    blocks = random_exact_blocks(rng)
    n1, n2 = blocks.n1, blocks.n2
    variables = sp.symbols(f"x:{n1 + n2}", real=True)
    one, two = sp.Matrix(variables[:n1]), sp.Matrix(variables[n1:])
    nudge = sp.Rational(int(rng.integers(0, 3)), 10 ** int(rng.integers(10, 30)))
    a22 = blocks.A22 + nudge * sp.eye(n2)
    form = one.T * blocks.A11 * one / 2 + one.T * blocks.A12 * two - two.T * a22 * two / 2
    truth = ExactBlocks(blocks.A11, blocks.A12, a22)
    certificate = certify(
        Game(sp.expand(form[0]), variables[:n1], variables[n1:]), np.zeros(n1 + n2)
    )
    if certificate.kind != "not proved":
        assert certificate.kind == truth.kind
    if certificate.tau_star is not None:
        low, high = certificate.tau_star
        assert sp.Rational(str(low)) <= exact_tau_star(truth) <= sp.Rational(str(high))
    if certificate.proved and certificate.kind != "not proved":
        exactly = exact_intervals(truth)
        assert len(certificate.stable) == len(exactly)
        for (low, high), interval in zip(certificate.stable, exactly, strict=True):
            assert sp.Rational(str(low[0])) <= interval.lower <= sp.Rational(str(low[1]))
            assert (high is None) == (interval.upper == sp.oo)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: certify(Game(0.1 * x**2 - y**2, [x], [y]), [0, 0]), "floating-point"),
        (lambda: certify(games.covariance_gan(3), np.zeros(18)), "defined in SymPy"),
        (lambda: certify(games.torus(), [0]), "2 coordinates"),
        (lambda: certify(games.torus(), [0, math.nan]), "finite"),
        (lambda: certify(Game(sp.besselj(1, x) - y**2, [x], [y]), [0, 0]), "functions out of"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
