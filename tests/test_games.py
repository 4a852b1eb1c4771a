"""The games: derivatives against automatic differentiation, other forms, bad definitions.

The costs are written here a second time, in torch, from the paper's table.
"""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from taugda import games
from taugda.games import Blocks, Game


def quadratic_cost(torch, x, v):
    m = [[-v, 0, -v, 0], [0, v / 2, 0, v / 2], [-v, 0, -v / 2, 0], [0, v / 2, 0, -v]]
    return 0.5 * x @ torch.tensor(m, dtype=torch.float64) @ x


def polynomial_cost(torch, x, a, b):
    p, q = x
    return -torch.exp(-0.01 * (p**2 + q**2)) * ((a * p**2 + q) ** 2 + (b * q**2 + p) ** 2)


def nonequilibrium_cost(torch, x, a, b):
    x11, x12, x21, x22 = x
    r = a**0.5
    first = a * x11**2 + 2 * r * x11 * x21 + a * x21**2 / 2
    first = first - x12**2 / 2 + 2 * r * x12 * x22 - a * x22**2
    second = (x11 - 1) ** 2 + (x12 - 1) ** 2 - (x21 - 1) ** 2 - (x22 - 1) ** 2
    return b * (x11 - 1) ** 2 * first + x11**2 * second


def torus_cost(torch, x, a, b):
    return -a * torch.cos(x[0]) + torch.cos(x[0] - x[1]) + b * torch.cos(x[1])


def log_sigmoid_loss(torch, t):
    return -torch.log(1 + torch.exp(-t))


def dirac_cost(torch, x, mu):
    zero = torch.zeros((), dtype=torch.float64)
    real, fake = log_sigmoid_loss(torch, zero), log_sigmoid_loss(torch, x[0] * x[1])
    return fake + real - mu / 2 * x[1] ** 2


def covariance_cost(torch, x, d, mu, sigma):
    v, w = x[: d * d].reshape(d, d), x[d * d :].reshape(d, d)
    s = torch.tensor(sigma, dtype=torch.float64)
    return torch.trace(w @ (s - v @ v.T)) - mu / 2 * torch.linalg.matrix_norm(w) ** 2


def realizable_cost(torch, x, mu, a, b, nodes, penalty):
    """The GAN from NumPy's own Gauss-Hermite rule, the penalty by automatic differentiation."""
    z, p = np.polynomial.hermite_e.hermegauss(nodes)
    z, p = torch.tensor(z), torch.tensor(p / p.sum())

    def discriminator(points):
        return x[2] + x[3] * points + x[4] * points**2 / 2 + x[5] * points**3 / 6

    data, generated = a * z + b, x[0] * z + x[1]
    where = (data if penalty == "R1" else generated).requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(where).sum(), where, create_graph=True)
    value = p @ log_sigmoid_loss(torch, discriminator(data))
    value = value + p @ log_sigmoid_loss(torch, -discriminator(generated))
    return value - mu / 2 * (p @ slope**2)


SIGMA = {d: games.covariance_sample(d, np.random.default_rng(d))[0] for d in (1, 2, 3)}
COSTS = {
    "quadratic": (quadratic_cost, [{"v": 4.0}, {"v": 0.7}, {"v": -2.0}]),
    "polynomial": (polynomial_cost, [{"a": 0.3, "b": 0.3}, {"a": -0.1, "b": 0.5}]),
    "nonequilibrium": (nonequilibrium_cost, [{"a": 1.0, "b": 1.25}, {"a": 0.5, "b": -2.0}]),
    "torus": (torus_cost, [{"a": 0.15, "b": 0.15}, {"a": 0.4, "b": -0.7}]),
    "dirac_gan": (dirac_cost, [{"mu": 0.3}, {"mu": 1.0}, {"mu": 0.0}]),
    "realizable_gan": (
        realizable_cost,
        [
            {"mu": mu, "a": a, "b": b, "nodes": nodes, "penalty": penalty}
            for mu, a, b, nodes, penalty in (
                (0.5, 1.0, 0.5, 3, "R1"),
                (2.0, 0.8, -0.3, 2, "R2"),
                (0.0, 1.5, 0.0, 4, "R1"),
            )
        ],
    ),
    "covariance_gan": (
        covariance_cost,
        [
            {"d": d, "mu": mu, "sigma": SIGMA[d]}
            for d, mu in ((1, 0.5), (1, 1.0), (2, 0.75), (3, 1.0))
        ],
    ),
}
CASES = [
    pytest.param(name, parameters, id=f"{name}-{k}")
    for name, (_, several) in COSTS.items()
    for k, parameters in enumerate(several)
]


def random_points(game, count, seed=0, spread=1.5):
    return np.random.default_rng(seed).uniform(-spread, spread, (count, game.n))


def close(actual, expected, rtol=1e-11):
    """Equal up to rounding, measured against the largest entry."""
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale)


# Derivatives


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_cost_gradient_and_blocks_agree_with_autograd(name, parameters):
    import torch

    game = getattr(games, name)(**parameters)
    n1 = game.n1

    def cost(x):
        return COSTS[name][0](torch, x, **parameters)

    for x in random_points(game, 10):
        at = torch.tensor(x, requires_grad=True)
        value = cost(at)
        slope = torch.autograd.grad(value, at)[0].numpy()
        second = torch.autograd.functional.hessian(cost, at).numpy()
        close(game.f(x), value.item())
        close(game.gradient(x), np.concatenate([slope[:n1], -slope[n1:]]))
        blocks = game.blocks(x)
        close(blocks.A11, second[:n1, :n1])
        close(blocks.A12, second[:n1, n1:])
        close(blocks.A22, -second[n1:, n1:])


@pytest.mark.parametrize("mu", [0.3, 1.0])
def test_non_saturating_dirac_gan_agrees_with_autograd(mu):
    import torch

    game = games.dirac_gan(mu, non_saturating=True)

    def field(x):
        """Generator: descends -l(-theta omega); discriminator: ascends f."""
        theta, omega = x
        generator = -log_sigmoid_loss(torch, -theta * omega)
        discriminator = dirac_cost(torch, torch.stack([theta, omega]), mu)
        (g1,) = torch.autograd.grad(generator, theta, create_graph=True)
        (slope2,) = torch.autograd.grad(discriminator, omega, create_graph=True)
        return torch.stack([g1, -slope2])

    for x in random_points(game, 10, spread=3.0):
        at = torch.tensor(x, requires_grad=True)
        close(game.gradient(x), field(at).detach().numpy())
        tau = np.array([[1.0], [2.5]])
        expected = tau * torch.autograd.functional.jacobian(field, at).numpy()
        close(game.jacobian(x, 2.5), expected)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_many_points_at_once_equal_one_by_one(name, parameters):
    game = getattr(games, name)(**parameters)
    points = random_points(game, 6, seed=1).reshape(2, 3, game.n)
    f, g, j = game.f(points), game.gradient(points), game.jacobian(points, 3.0)
    assert f.shape == (2, 3)
    assert g.shape == (2, 3, game.n)
    assert j.shape == (2, 3, game.n, game.n)
    for index in np.ndindex(2, 3):
        close(f[index], game.f(points[index]), rtol=1e-14)
        close(g[index], game.gradient(points[index]), rtol=1e-14)
        close(j[index], game.jacobian(points[index], 3.0), rtol=1e-14)


@pytest.mark.parametrize(("name", "parameters"), CASES)
def test_jacobian_is_made_of_the_blocks(name, parameters):
    game = getattr(games, name)(**parameters)
    x = random_points(game, 1, seed=2)[0]
    close(game.jacobian(x, 7.0), game.blocks(x).jacobian(7.0))


def test_constant_derivatives_spread_over_many_points():
    x, y = sp.symbols("x y", real=True)
    game = Game(3 * x + x * y - 2 * y, [x], [y])
    np.testing.assert_array_equal(game.gradient(np.zeros((4, 2))), [[3.0, 2.0]] * 4)
    np.testing.assert_array_equal(game.jacobian(np.zeros((4, 2)), 1.0), [[[0, 1], [-1, 0]]] * 4)


# The paper's games


@pytest.mark.parametrize("mu", [0.3, 1.0])
@pytest.mark.parametrize("non_saturating", [False, True])
def test_dirac_gan_has_the_papers_jacobian_at_its_equilibrium(mu, non_saturating):
    game = games.dirac_gan(mu, non_saturating)
    np.testing.assert_allclose(game.jacobian([0, 0], 1.0), [[0, 0.5], [-0.5, mu]], atol=1e-16)
    blocks = game.blocks([0, 0])
    assert (blocks.A11[0, 0], blocks.A12[0, 0], blocks.A22[0, 0]) == pytest.approx((0, 0.5, mu))


def test_non_saturating_dirac_gan_is_zero_sum_at_its_equilibrium_only():
    game = games.dirac_gan(0.3, non_saturating=True)
    assert not game.zero_sum
    theta, omega = 0.8, -1.3
    by_hand = [
        omega / (1 + np.exp(-theta * omega)),
        -theta / (1 + np.exp(theta * omega)) + 0.3 * omega,
    ]
    np.testing.assert_allclose(game.gradient([theta, omega]), by_hand, rtol=1e-14)
    with pytest.raises(ValueError, match="x: expected a point where the game is zero-sum"):
        game.blocks([theta, omega])
    with pytest.raises(ValueError, match="game: expected one with a cost f"):
        game.f([0, 0])
    assert "theta" in game.latex()
    assert "g(x)" in game._repr_latex_()


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("mu", [0.5, 1])
def test_covariance_gan_in_numpy_equals_the_symbolic_one(d, mu):
    symbolic = games.covariance_gan(d, mu, SIGMA[d], symbolic=True)
    numeric = games.covariance_gan(d, mu, SIGMA[d], symbolic=False)
    assert (symbolic.symbolic, numeric.symbolic) == (True, False)
    assert (symbolic.n1, symbolic.n2) == (numeric.n1, numeric.n2) == (d * d, d * d)
    points = random_points(symbolic, 12, seed=3).reshape(3, 4, -1)
    close(numeric.f(points), symbolic.f(points), rtol=1e-13)
    close(numeric.gradient(points), symbolic.gradient(points), rtol=1e-13)
    close(numeric.jacobian(points, 4.0), symbolic.jacobian(points, 4.0), rtol=1e-13)
    for x in points[0]:
        for name in ("A11", "A12", "A22"):
            close(getattr(numeric.blocks(x), name), getattr(symbolic.blocks(x), name), rtol=1e-13)


@pytest.mark.parametrize("d", [3, 5])
def test_covariance_gan_is_at_rest_on_its_manifold_of_equilibria(d):
    sigma, _ = games.covariance_sample(d, np.random.default_rng(d))
    game = games.covariance_gan(d, 1, sigma)
    (known,) = game.known_points
    root = known[: d * d].reshape(d, d)
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((d, d)))[0]
    for v in (root, root @ q):
        x = np.concatenate([v.ravel(), np.zeros(d * d)])
        assert np.abs(game.gradient(x)).max() < 1e-13 * np.abs(sigma).max()
        zeros = np.abs(np.linalg.eigvals(game.jacobian(x, 2.0))) < 1e-6
        assert zeros.sum() == d * (d - 1) // 2


def test_covariance_sample_is_seeded_and_drawn_in_the_stated_order():
    sigma, x0 = games.covariance_sample(3, np.random.default_rng(4))
    u, v0, w0 = np.random.default_rng(4).standard_normal((3, 3, 3))
    np.testing.assert_array_equal(sigma, u @ u.T + np.eye(3))
    np.testing.assert_array_equal(x0, np.concatenate([v0.ravel(), w0.ravel()]))


@pytest.mark.parametrize(
    ("nodes", "penalty", "non_saturating"),
    [(2, "R1", False), (2, "R2", False), (3, "R1", True), (3, "R2", True), (4, "R1", False)],
)
def test_realizable_gan_has_the_closed_form_blocks_at_its_equilibrium(
    nodes, penalty, non_saturating
):
    mu, a, b = 0.7, 0.8, -0.3
    game = games.realizable_gan(mu, a, b, nodes, penalty, non_saturating)
    B, C, R = (np.array(m, dtype=float) for m in games.realizable_gan_matrices(a, b, nodes))
    assert len(game.known_points) == 2  # z and -z are equally likely
    blocks = game.blocks([a, b, 0, 0, 0, 0])
    close(blocks.A11, np.zeros((2, 2)), rtol=1e-14)
    close(blocks.A12, B, rtol=1e-14)
    close(blocks.A22, C + mu * R, rtol=1e-14)


@pytest.mark.parametrize("nodes", [2, 3, 4, 5])
def test_realizable_gan_matrices_are_moments_of_the_latent(nodes):
    a, b = 0.8, -0.3
    z, p = np.polynomial.hermite_e.hermegauss(nodes)
    x, p = a * z + b, p / p.sum()
    phi = np.stack([np.ones(nodes), x, x**2 / 2, x**3 / 6])
    slope = np.stack([np.zeros(nodes), np.ones(nodes), x, x**2 / 2])
    psi = np.stack([z, np.ones(nodes)])
    expected = (-(psi * p) @ slope.T / 2, (phi * p) @ phi.T / 2, (slope * p) @ slope.T)
    exact = games.realizable_gan_matrices(a, b, nodes)
    for matrix, numbers in zip(exact, expected, strict=True):
        close(np.array(matrix, dtype=float), numbers, rtol=1e-13)
        assert all(entry.is_Rational for entry in matrix)
    assert [m.rank() for m in exact] == [2, min(nodes, 4), min(nodes, 3)]
    assert (exact[1] + exact[2]).is_positive_definite


def test_realizable_gan_from_four_nodes_on_is_that_of_normal_data():
    assert games.realizable_gan_matrices(1, 0.5, 4) == games.realizable_gan_matrices(1, 0.5, 5)
    x = sp.Symbol("x", real=True)
    density = sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi)
    phi = sp.Matrix([1, x, x**2 / 2, x**3 / 6])
    normal = (phi * phi.T / 2).applyfunc(lambda e: sp.integrate(e * density, (x, -sp.oo, sp.oo)))
    assert games.realizable_gan_matrices(1, 0, 4)[1] == normal
    assert games.realizable_gan_matrices(1, 0, 3)[1] != normal


def test_realizable_gan_rests_on_a_line_without_its_penalty():
    """Three nodes leave a cubic that vanishes on all data: D = c He3((x - b) / a)."""
    game = games.realizable_gan(0, 1, 0)
    for c in (0.2, -3.0):
        close(game.gradient([1, 0, 0, -3 * c, 0, 6 * c]), np.zeros(6))
    assert np.abs(games.realizable_gan(0, 1, 0, 4).gradient([1, 0, 0, -3, 0, 6])).max() > 0.1


def test_realizable_gan_of_one_point_is_degenerate():
    game = games.realizable_gan(1, 0, 0.5)
    assert len(game.known_points) == 1
    assert games.realizable_gan_matrices(0, 0.5)[0].rank() == 1


def test_non_saturating_realizable_gan_follows_the_other_gradient():
    plain, variant = (games.realizable_gan(0.7, non_saturating=way) for way in (False, True))
    x = np.array([0.6, 0.2, 0.3, -0.4, 0.5, 0.1])
    z, p = np.polynomial.hermite_e.hermegauss(3)
    p = p / p.sum()
    made = x[0] * z + x[1]
    d = x[2] + x[3] * made + x[4] * made**2 / 2 + x[5] * made**3 / 6
    slope = x[3] + x[4] * made + x[5] * made**2 / 2
    pull = -p * slope / (1 + np.exp(d))
    close(variant.gradient(x)[:2], [pull @ z, pull.sum()])
    close(variant.gradient(x)[2:], plain.gradient(x)[2:])
    assert not variant.zero_sum


def test_decimal_parameters_are_read_exactly():
    assert games.exact("a", 0.15) == games.exact("a", Fraction(3, 20)) == sp.Rational(3, 20)
    assert games.exact("a", sp.sqrt(2)) == sp.sqrt(2)
    assert games.exact("a", sp.Float(0.3)) == sp.Rational(3, 10)
    assert games.torus(0.15).expr == games.torus(sp.Rational(3, 20)).expr


# Periodic coordinates


def test_wrap_brings_angles_into_the_half_open_interval():
    game = games.torus()
    x = np.array([[np.pi, -np.pi], [3 * np.pi, 0.0], [-7.0, 7.0], [1.0, -2.0]])
    wrapped = game.wrap(x)
    assert (wrapped > -np.pi).all()
    assert (wrapped <= np.pi).all()
    np.testing.assert_allclose(np.cos(wrapped), np.cos(x), atol=1e-14)
    np.testing.assert_allclose(np.sin(wrapped), np.sin(x), atol=1e-14)
    np.testing.assert_allclose(wrapped[0], [np.pi, np.pi])
    np.testing.assert_array_equal(wrapped[3], x[3])


def test_displacement_takes_the_short_way_round():
    game = games.torus()
    across = game.displacement([3.1, -3.1], [-3.1, 3.1])
    np.testing.assert_allclose(across, [6.2 - 2 * np.pi, 2 * np.pi - 6.2], atol=1e-14)
    np.testing.assert_allclose(games.polynomial().displacement([3.0, 0.0], [-4.0, 1.0]), [7, -1])


def test_only_the_periodic_coordinate_is_wrapped():
    x, y = sp.symbols("x y", real=True)
    game = Game(sp.cos(x) * y - y**2, [x], [y], periods=[2 * sp.pi, None])
    np.testing.assert_allclose(game.wrap([4.0, 4.0]), [4.0 - 2 * np.pi, 4.0])


# A user's own game


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
    assert repr(game) == "<mine: zero-sum game, n1 = 1, n2 = 2>"
    with pytest.raises(ValueError, match="game: expected one with a cost f"):
        game.f([0, 0, 0])
    with pytest.raises(ValueError, match="game: expected one defined in SymPy"):
        game.latex()


def test_game_from_functions_refuses_a_known_point_that_is_not_critical():
    with pytest.raises(ValueError, match="known_points: expected g = 0"):
        Game.from_functions(lambda x: x + 1, lambda x: None, 1, 1, known_points=[[0.0, 0.0]])


X, Y, Z = sp.symbols("x y z", real=True)


@pytest.mark.parametrize(
    ("define", "message"),
    [
        (
            lambda: Game(X * Y + Z, [X], [Y]),
            r"f: expected only the coordinates .* got also \['z'\]",
        ),
        (lambda: Game(None, [X], [Y], g=[X, Z]), "g: expected only the coordinates"),
        (lambda: Game(X * Y, [X], [X]), r"x1, x2: expected distinct coordinates, got \['x'\]"),
        (lambda: Game(X * Y, [X], [Y, Y]), r"x1, x2: expected distinct coordinates, got \['y'\]"),
        (lambda: Game(X, [X], [sp.Symbol("x")]), "x1, x2: expected distinct coordinates"),
        (lambda: Game(X * Y, [], [Y]), "x1: expected at least one SymPy symbol"),
        (lambda: Game(X * Y, [X], ["y"]), "x2: expected at least one SymPy symbol"),
        (lambda: Game(None, [X], [Y]), "f: expected an expression where no g is given"),
        (lambda: Game(sp.Matrix([X]), [X], [Y]), "f: expected a SymPy expression"),
        (lambda: Game(None, [X], [Y], g=[X]), "g: expected 2 components, got 1"),
        (lambda: Game(X * Y, [X], [Y], periods=[1]), "periods: expected 2 entries, got 1"),
        (lambda: Game(X * Y, [X], [Y], known_points=[(0,)]), "known_points: expected 2 coord"),
        (lambda: Game(X * Y, [X], [Y], known_points=[(0, 1)]), "known_points: expected g = 0"),
        (lambda: Game.from_functions(None, None, 0, 1), "n1: expected a whole number"),
        (lambda: games.quadratic(0), "v: expected a number other than 0"),
        (lambda: games.quadratic(float("nan")), "v: expected a finite real number, got nan"),
        (lambda: games.polynomial(b="3"), "b: expected a finite real number"),
        (lambda: games.polynomial(a=1j), "a: expected a finite real number"),
        (lambda: games.torus(a=sp.I), "a: expected a finite real number"),
        (lambda: games.torus(a=True), "a: expected a finite real number"),
        (lambda: games.nonequilibrium(a=0), "a: expected a number greater than 0"),
        (lambda: games.dirac_gan(mu=-0.1), "mu: expected a number at least 0"),
        (lambda: games.realizable_gan(mu=-1), "mu: expected a number at least 0"),
        (lambda: games.realizable_gan(nodes=1), "nodes: expected a whole number, at least 2"),
        (lambda: games.realizable_gan(nodes=6), "nodes: expected at most 5, got 6"),
        (lambda: games.realizable_gan(penalty="R3"), "penalty: expected 'R1' or 'R2', got 'R3'"),
        (lambda: games.realizable_gan(a="wide"), "a: expected a finite real number"),
        (lambda: games.realizable_gan_matrices(b=np.inf), "b: expected a finite real number"),
        (lambda: games.covariance_gan(mu=0), "mu: expected a number greater than 0"),
        (lambda: games.covariance_gan(mu=-1), "mu: expected a number greater than 0"),
        (lambda: games.covariance_gan(d=0), "d: expected a whole number, at least 1"),
        (lambda: games.covariance_gan(d=1.5), "d: expected a whole number"),
        (lambda: games.covariance_gan(2, sigma=np.eye(3)), "sigma: expected a symmetric matrix"),
        (lambda: games.covariance_gan(2, sigma=[[1, 2], [0, 1]]), "sigma: expected a symmetric"),
        (lambda: games.covariance_gan(2, sigma=[[1, 2], [2, 4]]), "sigma: expected a positive def"),
        (lambda: games.covariance_gan(2, sigma=[[0.1, 0.3], [0.3, 0.9]]), "sigma: expected a pos"),
        (lambda: games.covariance_gan(1, sigma=[[0.0]]), "sigma: expected a positive definite"),
        (lambda: games.covariance_gan(1, sigma=[[np.nan]]), "sigma: expected finite numbers"),
        (lambda: games.covariance_sample(0, np.random.default_rng()), "d: expected a whole number"),
    ],
)
def test_bad_definitions_are_refused_by_name(define, message):
    with pytest.raises(ValueError, match=message):
        define()


@pytest.mark.parametrize("method", ["f", "gradient", "blocks", "jacobian"])
@pytest.mark.parametrize("symbolic", [True, False])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1.0, 2.0, 3.0], r"x: expected 2 coordinates, got shape \(3,\)"),
        (1.0, "x: expected 2 coordinates"),
        ([1.0, np.nan], r"x: expected finite numbers, got nan at index \(1,\)"),
        ([np.inf, 0.0], "x: expected finite numbers"),
        (["a", "b"], "x: expected real numbers"),
    ],
)
def test_bad_points_are_refused_by_name(method, symbolic, x, message):
    game = games.covariance_gan(1, symbolic=symbolic)
    more = (1.0,) if method == "jacobian" else ()
    with pytest.raises(ValueError, match=message):
        getattr(game, method)(x, *more)


def test_blocks_take_one_point_only():
    with pytest.raises(ValueError, match="x: expected one point"):
        games.torus().blocks(np.zeros((3, 2)))


@pytest.mark.parametrize("tau", [0.0, -1.0, np.nan, [1.0, 2.0]])
@pytest.mark.parametrize("symbolic", [True, False])
def test_bad_tau_is_refused(tau, symbolic):
    with pytest.raises(ValueError, match="tau: expected"):
        games.covariance_gan(1, symbolic=symbolic).jacobian([1.0, 0.0], tau)
