"""The games: derivatives against automatic differentiation, other forms, bad definitions.

The costs are written here a second time, in torch, from the paper's table.
"""

from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
import sympy as sp
import torch

from taugda import games
from taugda.games import Blocks, Game, game_from_text
from taugda.games.exact_points import symbolic_blocks

X, Y, Z = sp.symbols("x y z", real=True)
PLAIN = sp.Symbol("x")


def loss(t):
    return -torch.log(1 + torch.exp(-t))


def quadratic_cost(x, v):
    m = [[-v, 0, -v, 0], [0, v / 2, 0, v / 2], [-v, 0, -v / 2, 0], [0, v / 2, 0, -v]]
    return 0.5 * x @ torch.tensor(m, dtype=torch.float64) @ x


def polynomial_cost(x, a, b):
    squares = (a * x[0] ** 2 + x[1]) ** 2 + (b * x[1] ** 2 + x[0]) ** 2
    return -torch.exp(-0.01 * (x @ x)) * squares


def nonequilibrium_cost(x, a, b):
    x11, x12, x21, x22 = x
    r = a**0.5
    first = a * x11**2 + 2 * r * x11 * x21 + a * x21**2 / 2
    first = first - x12**2 / 2 + 2 * r * x12 * x22 - a * x22**2
    second = (x11 - 1) ** 2 + (x12 - 1) ** 2 - (x21 - 1) ** 2 - (x22 - 1) ** 2
    return b * (x11 - 1) ** 2 * first + x11**2 * second


def torus_cost(x, a, b):
    return -a * torch.cos(x[0]) + torch.cos(x[0] - x[1]) + b * torch.cos(x[1])


def dirac_cost(x, mu):
    return loss(0 * x[0]) + loss(x[0] * x[1]) - mu / 2 * x[1] ** 2


def covariance_cost(x, d, mu, sigma):
    v, w = x.reshape(2, d, d)
    s = torch.tensor(sigma, dtype=torch.float64)
    return torch.trace(w @ (s - v @ v.T)) - mu / 2 * torch.linalg.matrix_norm(w) ** 2


def realizable_cost(x, mu, a, b, nodes, penalty):
    """The GAN from NumPy's own Gauss-Hermite rule, the penalty by automatic differentiation."""
    z, p = np.polynomial.hermite_e.hermegauss(nodes)
    z, p = torch.tensor(z), torch.tensor(p / p.sum())

    def discriminator(points):
        return x[2] + x[3] * points + x[4] * points**2 / 2 + x[5] * points**3 / 6

    data, generated = a * z + b, x[0] * z + x[1]
    where = (data if penalty == "R1" else generated).requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(where).sum(), where, create_graph=True)
    real, fake = loss(discriminator(data)), loss(-discriminator(generated))
    return p @ real + p @ fake - mu / 2 * (p @ slope**2)


SIGMA = {d: games.covariance_sample(d, np.random.default_rng(d))[0] for d in (1, 2, 3)}
CASES = [
    *((games.quadratic, quadratic_cost, (v,)) for v in (4.0, -2.0)),
    *((games.polynomial, polynomial_cost, ab) for ab in ((0.3, 0.3), (-0.1, 0.5))),
    *((games.nonequilibrium, nonequilibrium_cost, ab) for ab in ((1.0, 1.25), (0.5, -2.0))),
    *((games.torus, torus_cost, ab) for ab in ((0.15, 0.15), (0.4, -0.7))),
    *((games.dirac_gan, dirac_cost, (mu,)) for mu in (0.3, 0.0)),
    (games.realizable_gan, realizable_cost, (0.5, 1.0, 0.5, 3, "R1")),
    (games.realizable_gan, realizable_cost, (2.0, 0.8, -0.3, 2, "R2")),
    *((games.covariance_gan, covariance_cost, (d, 0.75, SIGMA[d])) for d in (1, 2, 3)),
]


def close(actual, expected, rtol=1e-11):
    """Equal up to rounding, measured against the largest entry."""
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale)


@pytest.mark.parametrize(("make", "cost", "parameters"), CASES)
def test_cost_gradient_and_blocks_agree_with_autograd(make, cost, parameters):
    game = make(*parameters)
    n1 = game.n1
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 3, game.n))
    f, g, j = game.f(points), game.gradient(points), game.jacobian(points, 7.0)
    assert (f.shape, g.shape, j.shape) == ((2, 3), points.shape, (*points.shape, game.n))
    for index in np.ndindex(2, 3):
        x = points[index]
        at = torch.tensor(x, requires_grad=True)
        value = cost(at, *parameters)
        slope = torch.autograd.grad(value, at)[0].numpy()
        second = torch.autograd.functional.hessian(lambda y: cost(y, *parameters), at).numpy()
        close([f[index], game.f(x)], value.item())
        close([g[index], game.gradient(x)], [[*slope[:n1], *-slope[n1:]]] * 2)
        blocks = game.blocks(x)
        close(blocks.A11, second[:n1, :n1])
        close(blocks.A12, second[:n1, n1:])
        close(blocks.A22, -second[n1:, n1:])
        close(j[index], blocks.jacobian(7.0))


def test_non_saturating_dirac_gan_is_zero_sum_at_its_equilibrium_only():
    game = games.dirac_gan(0.3, non_saturating=True)
    assert not game.zero_sum
    for same in (game, games.dirac_gan(0.3)):
        np.testing.assert_allclose(same.jacobian([0, 0], 1.0), [[0, 0.5], [-0.5, 0.3]], atol=1e-16)
    theta, omega = x = (0.8, -1.3)
    pull = -theta / (1 + np.exp(theta * omega)) + 0.3 * omega
    np.testing.assert_allclose(game.gradient(x), [omega / (1 + np.exp(-theta * omega)), pull])
    with pytest.raises(ValueError, match="x: expected a point where the game is zero-sum"):
        game.blocks(x)
    with pytest.raises(ValueError, match="game: expected one with a cost f"):
        game.f([0, 0])
    assert "g(x)" in game._repr_latex_() and "theta" in game._repr_latex_()
    long = games.nonequilibrium()  # a term a line; shorter costs stand on one
    assert long._repr_latex_().count(r"\\ & + ") == 1
    assert "aligned" not in games.polynomial()._repr_latex_()


def test_covariance_gan_is_at_rest_on_its_manifold_of_equilibria():
    d, sigma = 3, SIGMA[3]
    game = games.covariance_gan(d, 1, sigma)
    assert [game.symbolic, games.covariance_gan(2, 1, SIGMA[2]).symbolic] == [False, True]
    (known,) = game.known_points
    root = known[: d * d].reshape(d, d)
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0]
    for v in (root, root @ q):
        x = np.concatenate([v.ravel(), np.zeros(d * d)])
        assert np.abs(game.gradient(x)).max() < 1e-13 * np.abs(sigma).max()
        zeros = np.abs(np.linalg.eigvals(game.jacobian(x, 2.0))) < 1e-6
        assert zeros.sum() == d * (d - 1) // 2


def test_covariance_sample_is_drawn_in_the_stated_order_and_its_errors_are_norms():
    sigma, x0 = games.covariance_sample(3, np.random.default_rng(4))
    u, v0, w0 = np.random.default_rng(4).standard_normal((3, 3, 3))
    np.testing.assert_array_equal(sigma, u @ u.T + np.eye(3))
    np.testing.assert_array_equal(x0, np.concatenate([v0.ravel(), w0.ravel()]))
    gap, size = games.covariance_errors([x0, 0 * x0], sigma)
    np.testing.assert_allclose(gap, [np.linalg.norm(sigma - v0 @ v0.T), np.linalg.norm(sigma)])
    np.testing.assert_allclose(size, [np.linalg.norm(w0), 0.0])


@pytest.mark.parametrize(
    ("nodes", "penalty", "non_saturating"),
    [(2, "R2", False), (3, "R1", True), (3, "R2", True), (4, "R1", False), (5, "R1", False)],
)
def test_realizable_gan_has_the_moments_of_its_latent(nodes, penalty, non_saturating):
    mu, a, b = 0.7, 0.8, -0.3
    x = np.array([a, b, 0, 0, 0, 0])
    B, C, R = exact = games.realizable_gan_matrices(a, b, nodes)
    assert all(entry.is_Rational for m in exact for entry in m)
    A12, A22 = (np.array(m, dtype=float) for m in (B, C + mu * R))
    f = partial(realizable_cost, mu=mu, a=a, b=b, nodes=nodes, penalty=penalty)
    second = torch.autograd.functional.hessian(f, torch.tensor(x)).numpy()
    close(np.block([[np.zeros((2, 2)), A12], [A12.T, -A22]]), second, rtol=1e-13)
    assert [m.rank() for m in exact] == [2, min(nodes, 4), min(nodes, 3)]
    # From four nodes on they are those of normal data.
    assert (exact == games.realizable_gan_matrices(a, b, 5)) == (nodes >= 4)
    game = games.realizable_gan(mu, a, b, nodes, penalty, non_saturating)
    assert len(game.known_points) == 2  # z and -z are equally likely
    # Data of one point make it degenerate.
    assert len(games.realizable_gan(1, 0, 0.5, nodes).known_points) == 1
    assert games.realizable_gan_matrices(0, 0.5, nodes)[0].rank() == 1
    blocks = game.blocks(x)
    close(blocks.A11, np.zeros((2, 2)), rtol=1e-14)
    close(blocks.A12, A12, rtol=1e-13)
    close(blocks.A22, A22, rtol=1e-13)


def test_non_saturating_realizable_gan_follows_the_other_gradient():
    plain, variant = (games.realizable_gan(0.7, non_saturating=way) for way in (False, True))
    x = np.array([0.6, 0.2, 0.3, -0.4, 0.5, 0.1])
    z, p = np.polynomial.hermite_e.hermegauss(3)
    made = x[0] * z + x[1]
    d = x[2] + x[3] * made + x[4] * made**2 / 2 + x[5] * made**3 / 6
    slope = x[3] + x[4] * made + x[5] * made**2 / 2
    pull = -p / p.sum() * slope / (1 + np.exp(d))
    close(variant.gradient(x)[:2], [pull @ z, pull.sum()])
    close(variant.gradient(x)[2:], plain.gradient(x)[2:])


def test_decimal_parameters_are_read_exactly():
    assert games.exact("a", 0.15) == games.exact("a", Fraction(3, 20)) == sp.Rational(3, 20)
    assert games.exact("a", sp.sqrt(2)) == sp.sqrt(2)
    assert games.exact("a", sp.Float(0.3)) == sp.Rational(3, 10)
    assert games.torus(0.15).expr == games.torus(sp.Rational(3, 20)).expr


def test_a_game_with_free_parameters_gives_formulas_and_no_numbers():
    a, mu = sp.Symbol("a", real=True), sp.Symbol("mu", positive=True)
    game = games.torus(a, a**2 + 1)
    assert game.parameters == (a,)
    for call in (game.gradient, game.f, game.blocks, lambda x: game.jacobian(x, 1.0)):
        with pytest.raises(ValueError, match=r"without free parameters, .* with \['a'\]"):
            call([0.0, 0.0])
    blocks = symbolic_blocks(games.dirac_gan(mu), (0, 0))
    assert [m[0] for m in blocks] == [0, sp.Rational(1, 2), mu]


def test_text_becomes_the_game_it_says():
    game = game_from_text(
        "-x^2/2 + 1.5e-1*cos(t) + a*x*y**3 - sqrt(2)*pi*y", ["x", "t"], ["y"], {"a": 0.1}, ["t"]
    )
    x, t, y = game.variables
    a, c = sp.Rational(1, 10), sp.Rational(3, 20)
    assert game.expr == -(x**2) / 2 + c * sp.cos(t) + a * x * y**3 - sp.sqrt(2) * sp.pi * y
    assert (game.n1, game.n2, game.periods) == (2, 1, (None, 2 * sp.pi, None))
    # Over several lines, and as other programs and keyboards write.
    lines = "x²/2 − µ*x·y\n  - y^2  # a comment\n  + x³"
    typed_by_hand = game_from_text(lines, ["x"], ["y"], {"μ": 2})
    x, y = typed_by_hand.variables
    assert typed_by_hand.expr == x**2 / 2 - 2 * x * y - y**2 + x**3
    assert game_from_text("cos(µ)*y", ["µ"], ["y"], {}, ["μ"]).periods == (2 * sp.pi, None)
    assert game_from_text("a*x + 2**-3*y", ["x"], ["y"], {"a": 0}).expr == game.variables[2] / 8


def test_wrap_brings_angles_into_the_half_open_interval_and_leaves_lines():
    x = np.array([[np.pi, -np.pi], [3 * np.pi, 0.0], [-7.0, 7.0], [1.0, -2.0]])
    wrapped = games.torus().wrap(x)
    assert ((-np.pi < wrapped) & (wrapped <= np.pi)).all()
    np.testing.assert_allclose(np.exp(1j * wrapped), np.exp(1j * x), atol=1e-14)
    np.testing.assert_array_equal(wrapped[3], x[3])
    mixed = Game(sp.cos(X) * Y - Y**2, [X], [Y], periods=[2 * sp.pi, None])
    np.testing.assert_allclose(mixed.wrap([4.0, 4.0]), [4.0 - 2 * np.pi, 4.0])
    # A displacement takes the short way round.
    across = games.torus().displacement([3.1, -3.1], [-3.1, 3.1])
    np.testing.assert_allclose(across, [6.2 - 2 * np.pi, 2 * np.pi - 6.2], atol=1e-14)
    np.testing.assert_allclose(games.polynomial().displacement([3.0, 0.0], [-4.0, 1.0]), [7, -1])


def test_game_from_functions_is_the_game_of_the_functions():
    game = Game.from_functions(
        lambda x: np.stack([x[..., 1], -x[..., 0], x[..., 2]], axis=-1),
        lambda x: Blocks([[0.0]], [[1.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]),
        1,
        2,
        known_points=[[0, 0, 0]],
        name="mine",
    )
    np.testing.assert_array_equal(game.gradient([[1.0, 2.0, 3.0]]), [[2.0, -1.0, 3.0]])
    np.testing.assert_array_equal(game.jacobian([0, 0, 0], 2.0), [[0, 1, 0], [-2, 0, 0], [0, 0, 2]])
    assert repr(game) == game._repr_latex_() == "<mine: zero-sum game, n1 = 1, n2 = 2>"
    with pytest.raises(ValueError, match="game: expected one defined in SymPy"):
        symbolic_blocks(game, (0, 0, 0))
    with pytest.raises(ValueError, match="known_points: expected g = 0"):
        Game.from_functions(lambda x: x + 1, game.blocks, 1, 1, known_points=[[0.0, 0.0]])


def typed(f, x1=("x",), x2=("y",), *more):
    return game_from_text(f, x1, x2, *more)


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (lambda: Game(X * Y + Z, [X], [Y]), r"f: expected only .* got also \['z'\]"),
        (lambda: Game(sp.Symbol("x") * Y, [X], [Y]), r"got also \['x'\] with other assumptions"),
        (lambda: Game(X, [sp.Symbol("x", positive=True)], [Y]), r"x1, x2: .* got .*positive=True"),
        (lambda: Game(X, X, [Y]), "x1: expected a list of at least one SymPy symbol, got x"),
        (lambda: Game(sp.Lambda(X, X), [X], [Y]), "f: expected a SymPy expression, got Lambda"),
        (lambda: Game(lambda x: x, [X], [Y]), "f: expected a SymPy expression, got <function"),
        (lambda: Game(sp.sqrt(PLAIN**2) - Y**2, [PLAIN], [Y]), r"a smooth .* got Abs in Abs\(x\)"),
        (lambda: Game(sp.I * X**2 - Y**2, [X], [Y]), "f: expected real and finite numbers, got I"),
        (lambda: Game(sp.oo * X, [X], [Y]), "f: expected real and finite numbers, got oo"),
        (lambda: Game(sp.hyper([1], [2], X) * Y, [X], [Y]), "functions that SciPy has, got hyper"),
        (lambda: Game(sp.KroneckerDelta(X, Y), [X], [Y]), "got KroneckerDelta"),
        (lambda: Game(sp.Order(X), [X], [Y]), r"f: expected a smooth .* got Order"),
        (lambda: Game(sp.cos(X), [X], [Y], periods=[-1, None]), "periods: .* than 0, got -1"),
        (lambda: Game(sp.cos(X), [X], [Y], periods=[1, None]), "repeats when x grows by 1"),
        (lambda: typed("x*cos(x)", ["x"], ["y"], {}, ["x"]), "repeats when x grows by 2"),
        (lambda: Game.from_functions(None, None, 1, 1), "gradient: expected a function, got None"),
        (lambda: Game(sp.Max(X, Y), [X], [Y]), "f: expected a smooth .* got Max"),
        (lambda: Game(sp.Piecewise((X, X > 0), (X**2, True)), [X], [Y]), "got Piecewise"),
        (lambda: Game(sp.Function("h")(X) * Y, [X], [Y]), r"got h in h\(x\)"),
        (lambda: Game(X * Y, [X], [X]), r"x1, x2: expected distinct coordinates, got \['x'\]"),
        (lambda: Game(X * Y, [], [Y]), "x1: expected a list of at least one SymPy symbol"),
        (lambda: Game(None, [X], [Y], g=[X]), "g: expected 2 entries, got 1"),
        (lambda: Game(X * Y, [X], [Y], periods=[1]), "periods: expected 2 entries, got 1"),
        (lambda: Game(X * Y, [X], [Y], known_points=[(0, 1)]), "known_points: expected g = 0"),
        (lambda: Game.from_functions(bilinear, bilinear, 0, 1), "n1: expected a whole number"),
        (lambda: games.quadratic(0), "v: expected a number other than 0"),
        (lambda: games.torus(a=True), "a: expected a finite real number"),
        (lambda: games.torus(sp.Symbol("a")), "a: expected a number or an exact expression"),
        (lambda: games.nonequilibrium(a=0), "a: expected a number greater than 0"),
        (lambda: games.dirac_gan(mu=-0.1), "mu: expected a number at least 0"),
        (lambda: games.realizable_gan(nodes=6), "nodes: expected at most 5, got 6"),
        (lambda: games.realizable_gan(penalty="R3"), "penalty: expected 'R1' or 'R2', got 'R3'"),
        (lambda: games.covariance_gan(mu=0), "mu: expected a number greater than 0"),
        (lambda: games.covariance_gan(2, sigma=[[0.1, 0.3], [0.3, 0.9]]), "sigma: expected a pos"),
        (lambda: games.covariance_errors([1.0, 2.0], np.eye(2)), "x: expected 8 coordinates"),
        (lambda: symbolic_blocks(games.polynomial(), (X, 0)), "point: expected real"),
        (lambda: typed("x +"), "expected a formula, got 'x \\+'"),
        (lambda: typed("x*z"), "expected only the names x, y, got 'z'"),
        (lambda: typed("besselj(x)"), "expected one of the functions sin, .* got 'besselj"),
        (lambda: typed("__import__('os').system('true')"), r"expected numbers.* got \"__import__"),
        (lambda: typed("x**y"), "expected a fixed exponent between -64 and 64"),
        (lambda: typed("1e-999999999*x"), "expected a decimal within 1e-400"),
        (lambda: typed("1/(x - x)"), "which divides by 0"),
        (lambda: typed("-" * 4000 + "x"), "f: expected a formula"),
        (lambda: typed("x" * 5001), "expected at most 5000 characters"),
        (lambda: typed("x*y", "x", ["y"]), "x1: expected a list of at least one name, got 'x'"),
        (lambda: typed("y", [], ["y"]), r"x1: expected a list of at least one name, got \[\]"),
        (lambda: typed("x*y", ["x 1"], ["y"]), "x1: expected names of letters and digits"),
        (lambda: typed("x*y", ["x"], ["pi"]), "x2: expected a name that is free, got 'pi'"),
        (lambda: typed("x*y", ["x"], ["y"], {"x": 1}), "constants: expected distinct names"),
        (lambda: typed("x*y", ["x"], ["y"], {}, ["z"]), "periodic: expected names of coordinates"),
    ],
)
def test_bad_definitions_are_refused_by_name(define, message):
    with pytest.raises(ValueError, match=message):
        define()


@pytest.mark.parametrize("symbolic", [True, False])
def test_bad_points_and_taus_are_refused_by_name(symbolic):
    game = games.covariance_gan(1, symbolic=symbolic)
    for x, message in (
        ([1.0, 2.0, 3.0], r"x: expected 2 coordinates .* got shape \(3,\)"),
        (1.0, "x: expected 2 coordinates"),
        ([1.0, np.nan], r"x: expected finite numbers, got nan at index \(1,\)"),
        (["a", "b"], "x: expected real numbers"),
    ):
        for call in (game.f, game.gradient, game.blocks, lambda x: game.jacobian(x, 1.0)):
            with pytest.raises(ValueError, match=message):
                call(x)
    with pytest.raises(ValueError, match="x: expected one point"):
        game.blocks(np.zeros((3, 2)))
    for tau in (0.0, np.nan, [1.0, 2.0]):
        with pytest.raises(ValueError, match="tau: expected"):
            game.jacobian([1.0, 0.0], tau)


@pytest.mark.parametrize(
    ("f", "at", "value"),
    [
        (sp.loggamma, 4.0, np.log(6)),
        (sp.erf, 0.0, 0.0),
        (sp.LambertW, np.e, 1.0),
        (lambda x: sp.besselj(0, x), 0.0, 1.0),
        (lambda x: sp.Product(x, (Z, 1, 3)), 2.0, 8.0),
    ],
)
def test_smooth_functions_that_numpy_lacks_are_evaluated(f, at, value):
    game = Game(f(X) - Y**2, [X], [Y])
    points = np.full((2, 3, 2), [at, 1.0])
    np.testing.assert_allclose(game.f(points), np.full((2, 3), value - 1), rtol=1e-14)
    h = 1e-5
    slope = (game.f([at + h, 1.0]) - game.f([at - h, 1.0])) / (2 * h)
    np.testing.assert_allclose(game.gradient(points)[0, 0], [slope, 2.0], rtol=1e-8)
    curve = (game.gradient([at + h, 1.0]) - game.gradient([at - h, 1.0]))[0] / (2 * h)
    np.testing.assert_allclose(game.jacobian([at, 1.0], 1.0), np.diag([curve, 2.0]), atol=1e-8)


def bilinear(x):
    return np.stack([x[..., 0] + 2 * x[..., 1], -2 * x[..., 0] + 3 * x[..., 1]], axis=-1)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        # Right for one point, wrong for a stack: x[0] is a point there.
        ({"gradient": lambda x: np.array([x[0] + 2 * x[1], -2 * x[0] + 3 * x[1]])}, "gradient:"),
        ({"gradient": lambda x: [[1, 2], [-2, 3]] @ x}, "gradient: expected"),
        ({"f": lambda x: np.sum(x**2)}, "f: expected the coordinates"),
        # Looks at other points, but only once they are far away.
        ({"gradient": lambda x: bilinear(x) / max(1, np.abs(x).max() / 3)}, "gradient: expected"),
        ({"f": lambda x: (x**2).sum(axis=-1)}, "f: expected the cost of which g"),
        ({"blocks": lambda x: ([[1.0]], [[2.0]], [[3.0]])}, "blocks: expected taugda.* got tuple"),
        ({"blocks": lambda x: Blocks([[1.0]], [[2.0, 0.0]], np.eye(2))}, r"blocks: .* = \(1, 1\)"),
        # Small beside the others.
        (
            {
                "gradient": lambda x: bilinear(x * [1e6, 1e-3]),
                "blocks": lambda x: Blocks([[1e6]], [[2e-3]], [[3e-3]]),
            },
            "another A12",
        ),
    ],
)
def test_functions_that_mix_points_or_disagree_are_refused(other, message):
    blocks = Blocks([[1.0]], [[2.0]], [[3.0]])
    right = {"gradient": bilinear, "blocks": lambda x: blocks, "n1": 1, "n2": 1}
    assert Game.from_functions(**right).n == 2
    with pytest.raises(ValueError, match=message):
        Game.from_functions(**right | other)


@pytest.mark.parametrize("unit", [1e-2, 1.0, 1e2])
@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_blocks_that_are_off_by_a_ten_millionth_are_refused(unit, size):
    """A right game passes, a cost far from 0 and steps that are long for it included."""
    f = sp.sin(unit * (X + 2 * Y)) + sp.exp(unit * X * Y / 3) - sp.log(1 + unit**2 * (X - Y) ** 2)
    game = Game(size * f + 1000, [X], [Y])
    for f in (None, game.f):
        assert Game.from_functions(game.gradient, game.blocks, 1, 1, f=f).n == 2
    for name in ("A11", "A12", "A22"):

        def off(x, name=name):
            blocks = game.blocks(x)
            return replace(blocks, **{name: (1 + 1e-7) * getattr(blocks, name)})

        with pytest.raises(ValueError, match=f"blocks: expected the derivatives .* another {name}"):
            Game.from_functions(game.gradient, off, 1, 1)
