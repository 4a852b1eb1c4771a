"""tau-GDA as it runs: compiled loops against plain ones, divergence, regions, decay."""

# isort: skip_file
import numba
import numpy as np
import pytest
import sympy as sp

from taugda import games
from taugda.dynamics import (
    DivergenceError, basin_sizes, decay_factor, decay_of, iterations_to_reach, kernels, label,
    measure_radius, rate_error, region_of_attraction, simulate, turns, turns_around, vectormath,
)  # fmt: skip
from taugda.equilibria import critical_points
from taugda.games import Game
from taugda.stability import convergence_rate, step_matrix

X, Y = sp.symbols("x y", real=True)
QUADRATIC, TORUS, POLYNOMIAL = games.quadratic(), games.torus(), games.polynomial()
NUMERIC = games.covariance_gan(1, symbolic=False)
BISTABLE = Game(X**4 / 4 - X**2 / 2 - Y**2 / 2, [X], [Y])  # rest at x = sign(x), y falls to 0
SIDES = [[-1, 0], [1, 0]]
SIGMA = games.covariance_sample(2, np.random.default_rng(2))[0]
GAMES = {
    "quadratic": QUADRATIC,
    "polynomial": POLYNOMIAL,
    "nonequilibrium": games.nonequilibrium(),
    "torus": TORUS,
    "dirac": games.dirac_gan(0.3),
    "dirac-non-saturating": games.dirac_gan(0.3, non_saturating=True),
    "covariance-1": games.covariance_gan(1, 0.5, [[1.7]]),
    "covariance-2": games.covariance_gan(2, 1, SIGMA),
    "covariance-2-numpy": games.covariance_gan(2, 1, SIGMA, symbolic=False),
    "covariance-3": games.covariance_gan(3),
}


def plain_loop(game, x0, tau, step, iterations, alternating=False):
    """tau-GDA as the paper writes it, one step at a time."""
    n1, gradient = game.n1, game.unchecked_gradient
    x = np.array(x0, dtype=float)
    path = [x.copy()]
    for _ in range(iterations):
        g = gradient(x)
        x[..., :n1] -= step * g[..., :n1]
        if alternating:
            g = gradient(x)
        x[..., n1:] -= tau * step * g[..., n1:]
        path.append(x.copy())
    return np.moveaxis(np.array(path), 0, -2)


# Trajectories


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("name", GAMES)
def test_simulation_equals_a_plain_loop(name, alternating):
    game = GAMES[name]
    x0 = np.random.default_rng(0).uniform(-1, 1, game.n)
    fast = simulate(game, x0, 3.0, 1e-2, 300, alternating)
    slow = plain_loop(game, x0, 3.0, 1e-2, 300, alternating)
    assert fast.shape == (301, game.n)
    np.testing.assert_allclose(fast, slow, rtol=1e-10, atol=1e-10)
    for every in (2, 7, 300, 301):  # part of the same run
        part = simulate(game, x0, 3.0, 1e-2, 300, alternating, every=every)
        np.testing.assert_array_equal(part, fast[::every])


@pytest.mark.parametrize("name", ["quadratic", "covariance-2-numpy"])
@pytest.mark.parametrize(
    ("starts", "taus"),
    [((), (2,)), ((5,), ()), ((5,), (5,)), ((5,), (3, 1)), ((3, 1), (2,))],
)
def test_each_pair_of_start_and_tau_is_its_own_run(name, starts, taus):
    game, rng, shape = GAMES[name], np.random.default_rng(3), np.broadcast_shapes(starts, taus)
    x0, tau = rng.uniform(-1, 1, (*starts, game.n)), rng.uniform(1, 3, taus)
    batch = simulate(game, x0, tau, 1e-2, 20)
    assert batch.shape == (*shape, 21, game.n)
    x0, tau = np.broadcast_to(x0, (*shape, game.n)), np.broadcast_to(tau, shape)
    for at in np.ndindex(shape):
        single = simulate(game, x0[at], tau[at], 1e-2, 20)
        np.testing.assert_allclose(batch[at], single, rtol=1e-13, atol=1e-15)


def test_the_start_is_kept():
    x0 = np.array([1.0, 2.0])
    np.testing.assert_array_equal(simulate(TORUS, x0, 1.0, 0.1, 0), [x0])
    simulate(TORUS, x0, 1.0, 0.1, 5)
    np.testing.assert_array_equal(x0, [1.0, 2.0])


def test_a_winding_trajectory_is_not_wrapped():
    turning = Game(-X + Y * 0, [X], [Y], periods=[2 * sp.pi, None])
    path = simulate(turning, [0.0, 0.0], 1.0, 1.0, 20)
    np.testing.assert_allclose(path[:, 0], np.arange(21.0))


# Divergence


@pytest.mark.parametrize("every", [1, 100])
@pytest.mark.parametrize("symbolic", [True, False])
def test_divergence_is_raised_or_warned_of_with_its_iteration(symbolic, every):
    """x doubles each step from 1: 2^1024 is the first that is no float."""
    game = Game(-(X**2) / 2 - Y**2 / 2, [X], [Y])
    if not symbolic:
        game = Game.from_functions(lambda x: x * [-1.0, 1.0], game.blocks, 1, 1)
    first, run = -(-1024 // every), (game, [[0.0, 1.0], [1.0, 0.0]], [1.0, 3.0], 1.0, 2000)
    said = rf"1 of 2 trajectories diverged, .*\(tau = 3\) by iteration {first * every};"
    with pytest.raises(DivergenceError, match=said):
        simulate(*run, every=every)
    with pytest.warns(UserWarning, match=said):
        path = simulate(*run, every=every, on_divergence="warn")
    assert np.isfinite(path[0]).all()
    assert path[1, first - 1, 0] == 2.0 ** (every * (first - 1))
    assert np.isnan(path[1, first:]).all()


# Regions of attraction


def plain_labels(game, grid, attractors, tau, step, iterations, tolerance, alternating):
    with np.errstate(over="ignore", invalid="ignore"):
        path = plain_loop(game, grid, tau, step, iterations, alternating)
    return label(game, path[..., -1, :], attractors, tolerance)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize(
    ("game", "side", "points", "step", "iterations", "tolerance"),
    [(TORUS, np.pi, 33, 0.04, 3000, 1e-4), (POLYNOMIAL, 15.0, 15, 1e-3, 12_000, 0.05)],
    ids=["torus", "polynomial"],
)
def test_labels_equal_those_of_a_plain_loop(
    game, side, points, step, iterations, tolerance, alternating
):
    attractors = [p.x for p in critical_points(game) if p.classification.is_dse]
    taus, bounds = [2.0, 5.0], [(-side, side)] * 2
    labels = region_of_attraction(
        game, attractors, taus, step, iterations, bounds, points, tolerance, alternating
    )
    assert labels.shape == (2, points, points)
    axis = np.linspace(-side, side, points)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    for tau, image in zip(taus, labels, strict=True):
        arguments = (attractors, tau, step, iterations, tolerance, alternating)
        expected = plain_labels(game, grid, *arguments)
        differ = image != expected
        if differ.any():
            # Allowed only on the edge of a region: where one unit in the last place of the
            # start changes the plain loop's own answer.
            near = [plain_labels(game, np.nextafter(grid, s), *arguments) for s in (-99, 99)]
            assert ((near[0] != expected) | (near[1] != expected))[differ].all()
        assert len(np.unique(image)) > 1


@pytest.mark.parametrize(
    ("game", "step", "iterations", "bounds", "points", "tolerance", "expected"),
    [
        # As in an image with x2 upward; of two within the tolerance the nearest at the end counts.
        (BISTABLE, 0.1, 2000, [(-2, 2), (-1, 1)], 4, 1e-6, [[0, 0, 1, 1]] * 4),
        (BISTABLE, 0.1, 2000, [(-2, 2), (-1, 1)], 4, 50.0, [[0, 0, 1, 1]] * 4),
        # One step reaches nothing but what is at rest.
        (BISTABLE, 0.1, 1, [(-1, 1), (0, 1)], 3, 1e-4, [[0, -1, 1], [-1] * 3, [-1] * 3]),
        # |x| grows like exp(t) from a saddle: slow at first, and there in the end, or a bit short.
        (BISTABLE, 0.01, 5000, [(-1e-9, 1e-9), (0, 1)], 2, 1e-6, [[0, 1]] * 2),
        (BISTABLE, 0.01, 2000, [(-1e-9, 1e-9), (0, 1)], 2, 1e-6, [[-1, -1]] * 2),
        # x = 0 from the start, while y needs 7,000 steps: nothing may retire before both rest.
        (Game(X**2 / 2 - Y**2 / 200, [X], [Y]), 0.1, 9000, [(-1, 1)] * 2, 3, 1e-3, [[0] * 3] * 3),
        # Starts that diverge reach nothing.
        (
            Game(-(X**4) / 4 + X**2 / 2 - Y**2 / 2, [X], [Y]), 0.1, 1500, [(-3, 3), (0, 1)], 7,
            1e-3, [[-1, -1, -1, 0, -1, -1, -1]] * 7,
        ),
    ],
)  # fmt: skip
def test_points_retire_where_their_label_is_decided(
    game, step, iterations, bounds, points, tolerance, expected
):
    at = SIDES if game is BISTABLE else [[0, 0]]
    labels = region_of_attraction(game, at, 1.0, step, iterations, bounds, points, tolerance)
    assert labels.tolist() == expected


def test_basin_sizes_count_the_starts_of_each_attractor_and_of_none():
    labels = [[[0, 1], [1, -1]], [[0, 0], [0, 0]]]
    assert basin_sizes(labels, 2).tolist() == [[1, 2, 1], [4, 0, 0]]


def test_label_takes_the_nearest_attractor_within_the_tolerance():
    states = [[0.05, 0.0], [np.pi - 0.01, -np.pi + 0.01], [1.0, 1.0], [np.nan, 0.0]]
    assert label(TORUS, states, [[0, 0], [np.pi, np.pi]], 0.1).tolist() == [0, 1, -1, -1]
    assert label(TORUS, [[0.4, 0]], [[0, 0], [0.5, 0]], 1.0).tolist() == [1]


# The compiled functions


def test_machine_code_is_kept_where_a_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    ends, hits = [], []
    for _ in range(2):  # two processes, as far as Numba can tell
        advance = kernels.advance_all.__wrapped__(TORUS, True)
        columns = np.array([[0.5, 1.0], [-0.5, 2.0]])
        advance(columns, 2.0, 0.1, 50)
        ends.append(columns)
        hits.append(sum(advance.stats.cache_hits.values()))
    assert hits == [0, 1]
    np.testing.assert_array_equal(*ends)
    plain = plain_loop(TORUS, [[0.5, -0.5], [1.0, 2.0]], 2.0, 0.1, 50, True)[:, -1]
    np.testing.assert_allclose(ends[1].T, plain, rtol=1e-12, atol=1e-12)


def test_exponential_is_right_to_two_units_in_the_last_place():
    x = np.concatenate([np.linspace(-700, 700, 20_001), np.linspace(-1, 1, 5001), [0.0, -0.0]])
    fast = np.array([vectormath.exp(v) for v in x])
    reference = np.exp(x)
    assert (np.abs(fast - reference) <= 2 * np.spacing(reference)).all()
    assert vectormath.exp(0.0) == 1.0
    assert vectormath.exp(-708.5) == vectormath.exp(-1e300) == vectormath.exp(-np.inf) == 0.0
    assert vectormath.exp(709.5) == vectormath.exp(1e300) == vectormath.exp(np.inf) == np.inf
    assert np.isnan(vectormath.exp(np.nan))


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_sine_and_cosine_are_right_to_rounding(name):
    near = np.pi / 4 * np.arange(-40, 41)
    x = np.concatenate([np.linspace(-100, 100, 10_001), near, near + 1e-9, [1e5, -9.9e5]])
    fast = np.array([getattr(vectormath, name)(v) for v in x])
    np.testing.assert_allclose(fast, getattr(np, name)(x), rtol=0, atol=3e-16)
    assert np.isnan(getattr(vectormath, name)(np.nan))


# Decay


def test_decay_of_a_geometric_sequence_is_its_factor():
    k = np.arange(4000)
    assert decay_of(0.99 ** k[:2000]) == pytest.approx(0.99, rel=1e-9)
    assert decay_of(0.99 ** k[:2000:10], every=10) == pytest.approx(0.99, rel=1e-9)
    assert decay_of(1.01 ** k[:2000]) == pytest.approx(1.01, rel=1e-9)
    oscillating = 0.99**k * np.abs(np.cos(np.pi / 8 * k)) + 1e-14  # dips down to rounding
    assert decay_of(oscillating, floor=1e-10) == pytest.approx(0.99, rel=1e-3)


@pytest.mark.parametrize("tau", [2.5, 5.0, 10.0])
def test_measured_decay_is_the_exact_radius(tau):
    rate = convergence_rate(QUADRATIC.blocks(np.zeros(4)), tau, 5e-4)
    path = simulate(QUADRATIC, [5, 4, 3, 2], tau, 5e-4, 60_000, every=10)
    measured = decay_factor(QUADRATIC, path, np.zeros(4), every=10)
    assert np.log(measured) == pytest.approx(np.log(rate.radius), rel=0.02)


def test_decay_takes_the_short_way_round_the_torus():
    path = simulate(TORUS, [3.0, -3.0], 5.0, 0.01, 5000)
    rate = convergence_rate(TORUS.blocks([np.pi, np.pi]), 5.0, 0.01)
    assert decay_factor(TORUS, path, [np.pi, np.pi]) == pytest.approx(rate.radius, abs=1e-4)


def test_iterations_to_reach_counts_from_where_the_distance_stays_small():
    path = np.zeros((6, 2))
    path[:, 0] = [3, 0.5, 2, 0.9, 0.2, 0.1]
    game = Game(X**2 - Y**2, [X], [Y])
    for accuracy, expected in ((1.0, 3), (5.0, 0), (0.1, 5), (0.05, None)):
        assert iterations_to_reach(game, path, [0, 0], accuracy) == expected


# Windings and rates


def test_turns_count_revolutions_of_periodic_coordinates_only():
    path = np.stack([np.linspace(1.0, 1.0 + 6 * np.pi, 50), np.linspace(0, -np.pi, 50)], axis=-1)
    np.testing.assert_allclose(turns(TORUS, path), [3.0, -0.5])
    assert np.isnan(turns(POLYNOMIAL, path)).all()


def test_turns_around_count_a_circle_across_the_seam():
    angle = np.linspace(0, 2 * np.pi * 2.25, 400)
    circle = np.stack([np.pi + 0.5 * np.cos(angle), 0.5 * np.sin(angle)], axis=-1)
    wrapped = TORUS.wrap(circle)
    assert turns_around(TORUS, wrapped, [np.pi, 0]) == pytest.approx(2.25)
    assert turns_around(POLYNOMIAL, circle, [0, 0]) < 1


def test_rate_error_is_the_share_of_iterations_that_differs():
    assert rate_error(0.99, 0.99) == 0
    assert rate_error(0.9, 0.81) == pytest.approx(0.5)


@pytest.mark.parametrize("alternating", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.6, 1.03])
def test_measured_radius_is_that_of_the_linearization(alternating, share):
    game, target = games.realizable_gan(0.3), [1, 0.5, 0, 0, 0, 0]
    blocks, tau = game.blocks(target), 4.0
    step = share * convergence_rate(blocks, tau).step_bound
    matrix = step_matrix(blocks, tau, step, alternating)
    predicted = np.abs(np.linalg.eigvals(matrix)).max()
    for hint in (predicted, predicted**1.3):  # the prediction only sets the length of the runs
        measured = measure_radius(game, target, tau, step, hint, alternating=alternating)
        assert rate_error(measured, predicted) < 1e-3


# Refusals


DEFAULTS = {
    simulate: {"game": TORUS, "x0": [1.0, 2.0], "tau": 1.0, "step": 0.1, "iterations": 3},
    region_of_attraction: {
        "game": TORUS, "attractors": [[0, 0]], "tau": 1.0, "step": 0.1, "iterations": 5,
        "bounds": [(-1, 1), (-1, 1)], "points": 3, "tolerance": 1e-3,
    },
    measure_radius: {
        "game": QUADRATIC, "target": np.zeros(4), "tau": 5.0, "step": 5e-4, "predicted": 0.99
    },
    decay_of: {"sizes": 0.1 ** np.arange(20)},
    decay_factor: {"game": TORUS, "path": np.ones((20, 2)), "target": [0, 0]},
    iterations_to_reach: {"game": TORUS, "path": np.ones((6, 2)), "target": [0, 0]},
    turns_around: {"game": QUADRATIC, "path": np.zeros((3, 4)), "centre": np.zeros(4)},
    rate_error: {"measured": 0.9, "predicted": 1.0},
}  # fmt: skip


@pytest.mark.parametrize(
    ("function", "changes", "message"),
    [
        (simulate, {"x0": [1.0, 2.0, 3.0]}, r"x0: expected 2 coordinates .* got shape \(3,\)"),
        (simulate, {"x0": [1.0, np.nan]}, "x0: expected finite numbers"),
        (simulate, {"tau": [1.0, -2.0]}, "tau: expected numbers greater than 0, got -2"),
        (simulate, {"tau": np.nan}, "tau: expected finite numbers"),
        (simulate, {"tau": "fast"}, "tau: expected real numbers"),
        (simulate, {"x0": np.ones((3, 2)), "tau": [1.0, 2.0]}, r"tau: .* shape that fits \(3,\)"),
        (simulate, {"step": 0.0}, "step: expected numbers greater than 0"),
        (simulate, {"step": [0.1, 0.2]}, "step: expected one number"),
        (simulate, {"iterations": -1}, "iterations: expected a whole number, at least 0"),
        (simulate, {"iterations": 1e3}, "iterations: expected a whole number"),
        (simulate, {"every": 0}, "every: expected a whole number, at least 1"),
        (simulate, {"on_divergence": "ignore"}, "on_divergence: expected 'raise' or 'warn'"),
        (region_of_attraction, {"game": QUADRATIC}, "game: expected a symbolic one with n1 = n2"),
        (region_of_attraction, {"game": NUMERIC}, "game: expected a symbolic one"),
        (region_of_attraction, {"attractors": [[0, 0, 0]]}, "attractors: expected 2 coordinates"),
        (region_of_attraction, {"tau": -1.0}, "tau: expected numbers greater than 0"),
        (region_of_attraction, {"step": np.inf}, "step: expected finite"),
        (region_of_attraction, {"iterations": 0}, "iterations: .* whole number, at least 1"),
        (region_of_attraction, {"bounds": [(1, -1), (0, 1)]}, r"bounds: expected \(\(low, high\)"),
        (region_of_attraction, {"bounds": [(0, 1)]}, r"bounds: expected \(\(low, high\)"),
        (region_of_attraction, {"points": 1}, "points: expected a whole number, at least 2"),
        (region_of_attraction, {"tolerance": 0.0}, "tolerance: expected numbers greater than 0"),
        (measure_radius, {"predicted": 1.0}, "predicted: expected"),
        (measure_radius, {"predicted": -0.5}, "predicted: expected"),
        (measure_radius, {"folds": -1.0}, "folds: expected"),
        (measure_radius, {"target": [0.0]}, "target: expected"),
        (measure_radius, {"step": 0.0}, "step: expected"),
        (decay_of, {"floor": 1e-5}, "path: expected at least 10 states above"),
        (decay_factor, {"floor": -1.0}, "floor: expected"),
        (iterations_to_reach, {"accuracy": 0.0}, "accuracy: expected"),
        (turns_around, {}, "game: expected one with n1 = n2 = 1"),
        (rate_error, {}, "predicted: expected a factor other than 1"),
    ],
)
def test_bad_arguments_are_refused_by_name(function, changes, message):
    with pytest.raises(ValueError, match=message):
        function(**(DEFAULTS[function] | changes))
