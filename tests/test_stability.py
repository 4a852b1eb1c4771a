"""tau*, tau_0, intervals, spectra and rates, each number by two routes where there are two."""

# isort: skip_file
import inspect
import math

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import sympy as sp
from games_at_random import (
    SHAPES, definite, dse_blocks, regular_blocks, rotation, schur, symmetric, symmetrized,
    wishart_dse,
)  # fmt: skip
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from taugda import ensembles, games, stability
from taugda.blocks import Blocks
from taugda.equilibria import classify, critical_points
from taugda.stability import (
    Interval, best_step, box_sum, common_step_bound, convergence_rate, double_eigenvalues,
    guard_matrix, is_stable, regularized_gan_blocks, spectral_abscissa, spectral_radius, spectrum,
    stability_intervals, step_matrix, summary, tau_star, tau_star_formula, tau_star_or_none,
    tau_star_search, tau_zero,
)  # fmt: skip

# Seeds of `wishart_dse`: a complex eigenvalue of Q lies further right than every real one ...
COMPLEX_AHEAD = [2262, 9889, 18577, 25961]
# ... and the point is stable on a bounded interval below tau* as well.
TWO_INTERVALS = [268, 20499, 24225, 34481, 47670]

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 6)
properties = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def jacobian(blocks, tau):
    """J_tau as the paper writes it."""
    return np.block([[blocks.A11, blocks.A12], [-tau * blocks.A12.T, tau * blocks.A22]])


def abscissae(blocks, taus):
    return np.array([np.linalg.eigvals(jacobian(blocks, t)).real.min() for t in taus])


def at(game, *x):
    return game.blocks(x)


# The paper's values


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (at(games.quadratic(), 0, 0, 0, 0), 2),
        (at(games.quadratic(0.7), 0, 0, 0, 0), 2),
        (at(games.torus(), 0, 0), 17 / 23),
        (at(games.torus(), np.pi, np.pi), 23 / 17),
        (critical_points(games.polynomial())[1].blocks, 1),
        (critical_points(games.polynomial())[4].blocks, 1),
        (critical_points(games.polynomial())[9].blocks, 0),
        (critical_points(games.nonequilibrium())[0].blocks, 0),
        (at(games.nonequilibrium(), 1, 1, 1, 1), 0),
        (at(games.dirac_gan(0.3), 0, 0), 0),
        (at(games.dirac_gan(1, non_saturating=True), 0, 0), 0),
    ],
)
def test_tau_star_is_the_papers(blocks, expected):
    answer = tau_star(blocks)
    assert answer.qualifies
    assert answer.value == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert tau_star_or_none(blocks) == answer.value


def test_points_that_are_stable_on_a_bounded_interval_only():
    origin = at(games.nonequilibrium(), 0, 0, 0, 0)
    (interval,) = stability_intervals(origin)
    assert (interval.lower, interval.upper) == pytest.approx((0.5, 2.0), rel=1e-9)
    assert tau_star(origin).value == math.inf
    assert (1.0 in interval, 2.001 in interval) == (True, False)
    (interval,) = stability_intervals(critical_points(games.polynomial())[8].blocks)
    assert interval.lower == 0.0 < interval.upper < math.inf


# The guard map


def duplication_matrix(n):
    """H with H vech(P) = vec(P) for symmetric P, entries i <= j row by row, vec row-major."""
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    h = np.zeros((n * n, len(pairs)))
    for column, (i, j) in enumerate(pairs):
        h[i * n + j, column] = h[j * n + i, column] = 1.0
    return h


def dense_box_sum(a):
    h = duplication_matrix(len(a))
    eye = np.eye(len(a))
    return np.linalg.pinv(h) @ (np.kron(a, eye) + np.kron(eye, a)) @ h


def dense_guard_matrix(blocks):
    """Q with its Kronecker products, as the theorem states it."""
    a11, a12, a22 = blocks.A11, blocks.A12, blocks.A22
    n1, n2 = a12.shape
    s1, inverse = schur(blocks), np.linalg.inv(a22)
    n = a12 @ inverse
    h1, h2 = duplication_matrix(n1), duplication_matrix(n2)
    middle2 = h2 @ np.linalg.inv(dense_box_sum(a22)) @ np.linalg.pinv(h2)
    middle1 = h1 @ np.linalg.inv(dense_box_sum(s1)) @ np.linalg.pinv(h1)
    return (
        -np.kron(a11, inverse)
        - 2 * np.kron(a12, inverse) @ middle2 @ np.kron(a12.T, np.eye(n2))
        + 2 * np.kron(np.eye(n1), n.T) @ middle1 @ np.kron(s1, n)
    )


@pytest.mark.parametrize(("n1", "n2"), SHAPES)
def test_guard_matrix_equals_the_theorems_kronecker_form(n1, n2):
    rng = np.random.default_rng([n1, n2])
    for _ in range(3):
        blocks = dse_blocks(rng, n1, n2)
        dense = dense_guard_matrix(blocks)
        assert guard_matrix(blocks).shape == (n1 * n2, n1 * n2)
        np.testing.assert_allclose(
            guard_matrix(blocks), dense, rtol=0, atol=1e-10 * np.abs(dense).max()
        )


def test_box_sum_is_the_definition_and_has_the_sums_of_eigenvalues():
    a = np.random.default_rng(0).standard_normal((4, 4))
    np.testing.assert_allclose(box_sum(a), dense_box_sum(a), atol=1e-14)
    values = np.linalg.eigvals(a)
    sums = [values[i] + values[j] for i in range(4) for j in range(i, 4)]
    gaps = np.abs(np.linalg.eigvals(box_sum(a))[:, None] - sums)
    assert gaps[scipy.optimize.linear_sum_assignment(gaps)].max() < 1e-12
    with pytest.raises(ValueError, match="matrix: expected a square matrix"):
        box_sum(np.ones((2, 3)))


@pytest.mark.parametrize("seed", COMPLEX_AHEAD)
def test_a_complex_eigenvalue_of_Q_further_right_does_not_count(seed):
    blocks = wishart_dse(seed)
    values = np.linalg.eigvals(guard_matrix(blocks))
    assert not np.isreal(values[values.real.argmax()])
    assert values.real.max() > tau_star(blocks).value * 1.01
    assert tau_star(blocks).value == pytest.approx(last_crossing(blocks), rel=1e-8)


# tau* by root finding


def last_crossing(blocks, low=1e-4, high=1e6, samples=2000):
    """The largest tau at which the spectral abscissa changes its sign: a sweep, then Brent."""
    taus = np.geomspace(low, high, samples)
    unstable = np.flatnonzero(abscissae(blocks, taus) <= 0)
    assert unstable.size
    assert unstable[-1] < samples - 1
    bracket = taus[unstable[-1]], taus[unstable[-1] + 1]
    return scipy.optimize.brentq(lambda tau: abscissae(blocks, [tau])[0], *bracket, xtol=1e-15)


@pytest.mark.parametrize("n1", range(1, 7))
def test_tau_star_agrees_with_the_library_search_on_900_games(n1):
    """6 x 150 games; the search knows nothing of the guard map."""
    rng = np.random.default_rng(n1)
    positive = 0
    for k in range(150):
        blocks = dse_blocks(rng, n1, 1 + k % 6)
        value = tau_star(blocks).value
        searched = tau_star_search(blocks, samples=300)
        if searched < value * (1 - 1e-8):
            # Two crossings between neighbours of the coarse grid: a finer one decides.
            searched = tau_star_search(blocks, samples=40_000)
        assert searched == pytest.approx(value, rel=1e-8)
        positive += value > 0
    assert positive > 60


# Properties of tau*


@properties
@given(seeds, sizes, sizes, st.floats(-6, 6), st.floats(-2, 2))
def test_tau_star_sees_no_rotation_and_no_scale_but_player_2s_unit_of_time(seed, n1, n2, e, k):
    """With x2 in another unit, x2 = c y2, tau changes by c^2: tau* does so too."""
    rng = np.random.default_rng(seed)
    blocks = dse_blocks(rng, n1, n2)
    u, v, f, c = rotation(rng, n1), rotation(rng, n2), 10.0**e, 10.0**k
    turned = Blocks(
        symmetrized(f * u @ blocks.A11 @ u.T),
        f * c * u @ blocks.A12 @ v.T,
        symmetrized(f * c * c * v @ blocks.A22 @ v.T),
    )
    assert tau_star(turned).value * c * c == pytest.approx(tau_star(blocks).value, rel=1e-8)


@properties
@given(seeds, sizes, sizes)
def test_at_tau_star_the_spectrum_leaves_the_imaginary_axis_for_good(seed, n1, n2):
    blocks = dse_blocks(np.random.default_rng(seed), n1, n2)
    answer = tau_star(blocks)
    assert answer.qualifies
    assert (answer.value == 0) == (np.linalg.eigvalsh(blocks.A11)[0] >= 0)
    if answer.value == 0:
        assert (abscissae(blocks, np.geomspace(1e-3, 1e3, 30)) > 0).all()
        return
    assert (abscissae(blocks, answer.value * np.geomspace(1 + 1e-6, 1e3, 30)) > 0).all()
    assert abscissae(blocks, [answer.value * (1 - 1e-6)])[0] < 0
    assert not answer.touches
    values = np.linalg.eigvals(jacobian(blocks, answer.value))
    assert abs(values.real.min()) < 1e-9 * np.abs(values).max()
    assert len(answer.crossing) == 2
    assert answer.crossing[0] == answer.crossing[1].conj()
    assert min(abs(values - answer.crossing[0])) < 1e-9 * np.abs(values).max()


@pytest.mark.parametrize(("n1", "n2"), [(1, 1), (2, 3), (3, 3), (4, 6)])
def test_tau_star_is_zero_where_A11_is_singular_and_semidefinite(n1, n2):
    rng = np.random.default_rng([n1, n2])
    for rank in range(n1):
        half = rng.standard_normal((n1, rank))
        blocks = Blocks(half @ half.T, rng.standard_normal((n1, n2)), definite(rng, n2))
        assert classify(blocks).kind == "DSE"
        assert tau_star(blocks).value == 0
        assert (abscissae(blocks, np.geomspace(1e-2, 1e3, 20)) > 0).all()
        assert [(i.lower, i.upper) for i in stability_intervals(blocks)] == [(0.0, math.inf)]


@pytest.mark.parametrize("seed", TWO_INTERVALS)
def test_stability_below_tau_star_in_an_interval_of_its_own(seed):
    blocks = wishart_dse(seed)
    first, last = stability_intervals(blocks)
    assert 0 < first.lower < first.upper < last.lower < last.upper == math.inf
    assert last.lower == tau_star(blocks).value
    inside = [math.sqrt(first.lower * first.upper), math.sqrt(first.upper * last.lower)]
    assert (abscissae(blocks, inside) > 0).tolist() == [True, False]


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        (Blocks([[-1.0]], [[1.0]], [[2.0]]), "min eig S1 = -0.5"),
        (Blocks([[1.0]], [[1.0]], [[-2.0]]), "min eig A22 = -2"),
        (Blocks([[-0.5]], [[1.0]], [[2.0]]), "S1 is singular"),
    ],
)
def test_no_finite_tau_star_is_a_value_with_a_reason(blocks, reason):
    answer = tau_star(blocks)
    assert answer.value == math.inf
    assert not answer.qualifies
    assert reason in answer.reason
    assert "no finite tau*" in str(answer)
    assert answer.crossing.size == 0


@pytest.mark.parametrize("a22", [np.zeros((2, 2)), [[1.0, 1.0], [1.0, 1.0 + 1e-15]]])
def test_a_singular_A22_is_refused(a22):
    blocks = Blocks([[1.0]], [[1.0, 2.0]], a22)
    for function in (tau_star, tau_zero, guard_matrix):
        with pytest.raises(ValueError, match="A22: expected a nonsingular matrix"):
            function(blocks)
    assert tau_star_or_none(blocks) is None


# Scales (issue 15): right to what the input's rounding allows


def uneven(e):
    return Blocks(np.diag([-e, 1.0]), [[1.0, 2.0], [3.0, 1.0]], [[2.0, 1.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (Blocks([[-1e6]], [[1000.0005]], [[1.0]]), 1e6),
        (Blocks([[-1e-10]], [[1e3]], [[1e-3]]), 1e-7),
        (Blocks([[-1e7]], [[3.0]], [[1e-7]]), 1e14),
        (Blocks([[-1e-10]], [[1.0]], [[1e9]]), 1e-19),
        (uneven(1e-8), 1.1627906994226924e-09),
        (uneven(1e-11), 1.1627906976761668e-12),
        (Blocks([[-1.0]], [[1.0]], [[1e-18]]), 1e18),
        (Blocks([[1.0]], [[1.0]], [[1e-18]]), 0.0),
        # S1 is below 1e-12 of its norm, and both players' units differ a millionfold.
        (
            Blocks([[3.71e-6, -0.0295], [-0.0295, 179.3]], [[21615.6], [12671714.3]], [[1.61]]),
            1.2769765647216526e-18,
        ),
        # Here 256 bits do not reach, and the guard map takes more.
        (
            Blocks(
                [
                    [2.83549124, 7.05708698e-03, 1.74207303e-02],
                    [7.05708698e-03, 3.52528841e-05, 1.81785104e-05],
                    [1.74207303e-02, 1.81785104e-05, 1.38978271e-04],
                ],
                [[-4.98698695e07], [-3.41134704e04], [-8.55947056e05]],
                [[0.1]],
            ),
            2.3538527070676774e-22,
        ),
    ],
)
def test_badly_scaled_blocks_have_the_right_tau_star_and_intervals(blocks, expected):
    """Rational arithmetic or the trace gave the values; one unit of f, x1 and x2 is as another."""
    for c, a, b in ((1.0, 1.0, 1.0), (1e9, 1.0, 1.0), (1.0, 1e-5, 1e5), (1e-7, 1e4, 1.0)):
        changed = Blocks(c * a * a * blocks.A11, c * a * b * blocks.A12, c * b * b * blocks.A22)
        answer = tau_star(changed)
        assert answer.value * b * b / a / a == pytest.approx(expected, rel=1e-9, abs=0)
        assert not answer.touches
        (interval,) = stability_intervals(changed)
        assert (interval.lower, interval.upper) == (answer.value, math.inf)


def test_is_stable_where_the_eigenvalues_differ_in_size():
    for tau in (1e-12, 1.0, 3e9, 1e15):  # at 3e9 they are 2 and 3e9
        assert is_stable(Blocks([[1.0]], [[1.0]], [[1.0]]), tau)
        assert not is_stable(Blocks([[-2.0]], [[1.0]], [[1.0]]), tau)
    assert not is_stable(Blocks([[-0.5]], [[1.0]], [[2.0]]), 3.0)  # an eigenvalue 0


def test_equilibria_with_a_nearly_singular_A22_are_stable_beyond_tau_star():
    rng = np.random.default_rng(15)
    for k in range(60):
        n1, n2 = rng.integers(1, 4, 2)
        a22 = definite(rng, n2, 10.0 ** rng.uniform(-9, -1), 3.0)
        a12, s1 = rng.standard_normal((n1, n2)), definite(rng, n1)
        blocks = Blocks(symmetrized(s1 - a12 @ np.linalg.inv(a22) @ a12.T), a12, a22)
        answer = tau_star(blocks)
        last = stability_intervals(blocks)[-1]
        assert answer.qualifies
        assert last.upper == math.inf
        assert last.lower == pytest.approx(answer.value, rel=1e-12), k


@pytest.mark.parametrize(
    ("shift", "touches", "count"),
    [(0.0, True, 2), (1e-14, True, 2), (-1e-14, True, 2), (-1e-4, False, 2), (1e-4, False, 1)],
)
def test_a_spectrum_that_touches_the_axis_splits_its_interval(shift, touches, count):
    """Two crossings meet where A11's last entry is a root of the guard's discriminant."""
    last = -3.260565708120156 + shift
    blocks = Blocks([[0, -2], [-2, last]], [[5, 3], [-4, 4]], [[4, 5], [5, 8]])
    answer, intervals = tau_star(blocks), stability_intervals(blocks)
    assert (answer.touches, len(intervals)) == (touches, count)
    assert intervals[-1].lower == answer.value
    if touches:
        assert (intervals[0].upper, answer.value) == pytest.approx((0.9624999021,) * 2, rel=1e-7)


# Intervals


def dissipative_blocks(rng, n1, n2):
    """Blocks with a positive trace and strong coupling: often stable without equilibrium."""
    b = regular_blocks(rng, n1, n2)
    return Blocks(b.A11 + np.eye(n1), 2 * b.A12, b.A22)


def test_intervals_agree_with_a_fine_sweep():
    rng = np.random.default_rng(11)
    taus = np.geomspace(1e-3, 1e3, 301)
    stable_without_equilibrium = 0
    for k in range(400):
        n1, n2 = rng.integers(1, 5, 2)
        blocks = dse_blocks(rng, n1, n2) if k % 4 == 0 else dissipative_blocks(rng, n1, n2)
        intervals = stability_intervals(blocks)
        stable_without_equilibrium += bool(intervals) and not classify(blocks).is_dse
        ends = np.array([e for i in intervals for e in (i.lower, i.upper)])
        clear = np.ones(len(taus), dtype=bool)
        if len(ends):
            clear = (np.abs(taus[:, None] / np.maximum(ends, 1e-9) - 1) > 1e-5).all(axis=1)
        inside = np.array([any(tau in i for i in intervals) for tau in taus])
        swept = np.linalg.eigvals(blocks.jacobian(taus)).real.min(axis=1) > 0
        np.testing.assert_array_equal(inside[clear], swept[clear])
    assert stable_without_equilibrium > 10


def test_intervals_end_at_infinity_exactly_at_strict_local_minmax_points():
    rng = np.random.default_rng(13)
    for k in range(200):
        shape = rng.integers(1, 4, 2)
        blocks = (dse_blocks if k % 2 else regular_blocks)(rng, *shape)
        intervals = stability_intervals(blocks)
        endless = bool(intervals) and intervals[-1].upper == math.inf
        assert endless == classify(blocks).is_dse
        for tau in {e for i in intervals for e in (i.lower, i.upper)} - {0.0, math.inf}:
            values = np.linalg.eigvals(jacobian(blocks, tau))
            assert abs(values.real.min()) < 1e-8 * np.abs(values).max()
        if endless:
            assert intervals[-1].lower == pytest.approx(tau_star(blocks).value, rel=1e-9)


def test_intervals_where_the_guard_matrix_does_not_exist():
    """A22 has eigenvalues +-1: the pencil takes over; the sweep agrees."""
    rng = np.random.default_rng(14)
    taus = np.geomspace(1e-3, 1e3, 601)
    found = 0
    for _ in range(300):
        n1 = int(rng.integers(2, 4))
        coupling = 3 * rng.standard_normal((n1, 2))
        blocks = Blocks(symmetric(rng, n1) + 2 * np.eye(n1), coupling, np.diag([1.0, -1.0]))
        with pytest.raises(ValueError, match="A22"):
            guard_matrix(blocks)
        intervals = stability_intervals(blocks)
        swept = np.linalg.eigvals(blocks.jacobian(taus)).real.min(axis=1)
        inside = np.array([any(tau in i for i in intervals) for tau in taus])
        clear = np.abs(swept) > 1e-6
        np.testing.assert_array_equal(inside[clear], swept[clear] > 0)
        found += bool(intervals)
    assert found > 10


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (Blocks([[1.0]], [[0.0]], [[1.0]]), [(0, math.inf)]),
        (Blocks([[1.0]], [[0.0]], [[-1.0]]), []),
        (Blocks([[-1.0]], [[2.0]], [[1.0]]), [(1, math.inf)]),
        (Blocks([[1.0]], [[2.0]], [[-1.0]]), [(0, 1)]),
        # Trace 0 at every tau is never stable; A22 = 0 leaves trace A11.
        (Blocks([[0.0]], [[1.0]], [[0.0]]), []),
        (Blocks([[1.0]], [[1.0]], [[0.0]]), [(0, math.inf)]),
        # An eigenvalue 0 at every tau.
        (Blocks([[1.0]], [[1.0]], [[-1.0]]), []),
        (Blocks(np.zeros((2, 2)), [[1.0], [0.0]], [[1.0]]), []),
    ],
)
def test_intervals_of_known_blocks(blocks, expected):
    ends = [end for i in stability_intervals(blocks) for end in (i.lower, i.upper)]
    assert ends == pytest.approx([end for pair in expected for end in pair])


def test_what_is_printed():
    blocks = at(games.quadratic(), 0, 0, 0, 0)
    (interval,) = stability_intervals(blocks)
    assert (str(interval), interval.latex()) == ("(2, inf)", r"$(2, \infty)$")
    exact = Interval(sp.Rational(17, 23), sp.oo)
    assert (str(exact), exact.latex()) == ("(17/23, inf)", r"$(\frac{17}{23}, \infty)$")
    assert str(tau_star(blocks)).startswith("tau* = 2 (DSE")
    assert [is_stable(blocks, tau) for tau in (1.0, 2.0, 2.001, 1e4)] == [False, False, True, True]


def test_summary_names_kind_tau_star_and_intervals():
    row = summary(at(games.quadratic(), 0, 0, 0, 0))
    assert row["kind"] == "DSE"
    assert row[r"$\tau^*$"] == pytest.approx(2.0)
    assert row[r"stable for $\tau$ in"] == r"$(2, \infty)$"
    assert summary(Blocks([[-1.0]], [[0.1]], [[1.0]]))[r"$\tau^*$"] == "none"
    assert summary(Blocks([[1.0]], [[1.0]], [[0.0]]))[r"$\tau^*$"] == "undefined"


# tau_0


def tau_zero_by_the_theorem(blocks, q1, q2):
    s1, a22, a12 = schur(blocks), blocks.A22, blocks.A12
    p1 = scipy.linalg.solve_continuous_lyapunov(s1, q1)
    p2 = scipy.linalg.solve_continuous_lyapunov(a22, q2)
    l0 = -np.linalg.inv(a22) @ a12.T
    b = p1 @ a12 + s1 @ l0.T @ p2
    cross = p2 @ l0 @ a12
    matrix = np.linalg.inv(q2) @ (b.T @ np.linalg.inv(q1) @ b - cross - cross.T)
    return max(0.0, np.linalg.eigvals(matrix).real.max())


def absolute(m):
    values, vectors = np.linalg.eigh(symmetrized(m))
    return (vectors * np.abs(values)) @ vectors.T


@pytest.mark.parametrize("method", ["sign", "identity"])
@pytest.mark.parametrize("draw", [dse_blocks, regular_blocks])
def test_beyond_tau_zero_stability_does_not_change(draw, method):
    rng = np.random.default_rng(21)
    for _ in range(150):
        blocks = draw(rng, *rng.integers(1, 5, 2))
        bound = tau_zero(blocks, method)
        stable = abscissae(blocks, max(bound, 1e-6) * np.geomspace(1.001, 1e4, 12)) > 0
        assert (stable == classify(blocks).is_dse).all()


@pytest.mark.parametrize("method", ["sign", "identity"])
def test_tau_zero_is_the_theorems_formula_and_bounds_tau_star(method):
    rng = np.random.default_rng(22)
    for k in range(150):
        draw = dse_blocks if k % 2 else regular_blocks
        blocks = draw(rng, *rng.integers(1, 5, 2))
        n1, n2 = blocks.n1, blocks.n2
        right = (np.eye(n1), np.eye(n2))
        if method == "sign":
            right = (2 * absolute(schur(blocks)), 2 * absolute(blocks.A22))
        value = tau_zero(blocks, method)
        if k % 2:  # where the Lyapunov equations have one solution
            assert value == pytest.approx(tau_zero_by_the_theorem(blocks, *right), rel=1e-6)
            assert value >= tau_star(blocks).value * (1 - 1e-9)
        elif not classify(blocks).is_dse:
            assert all(value >= i.upper * (1 - 1e-9) for i in stability_intervals(blocks))


# Spectra


@pytest.mark.parametrize(("n1", "n2"), [(1, 1), (1, 3), (3, 2), (4, 4)])
def test_followed_eigenvalues_are_the_eigenvalues(n1, n2):
    blocks = regular_blocks(np.random.default_rng([n1, n2]), n1, n2)
    taus = np.linspace(0, 10, 101)
    followed = spectrum(blocks, taus)
    assert followed.eigenvalues.shape == (101, n1 + n2)
    for tau, values in zip(taus, followed.eigenvalues, strict=True):
        plain = np.linalg.eigvals(jacobian(blocks, tau))
        gaps = np.abs(values[:, None] - plain)
        pairs = scipy.optimize.linear_sum_assignment(gaps)
        assert gaps[pairs].max() < 1e-6 * max(1.0, np.abs(plain).max())
    np.testing.assert_allclose(followed.abscissa, abscissae(blocks, taus), atol=1e-7)
    assert len(list(followed)) == n1 + n2


def test_followed_eigenvalues_pass_through_each_other():
    """Uncoupled players: one eigenvalue is A11, the other tau A22, and they cross at tau = 2."""
    taus = np.linspace(0, 4, 402)
    values = spectrum(Blocks([[2.0]], [[0.0]], [[1.0]]), taus).eigenvalues
    np.testing.assert_allclose(values[:, 0], taus, atol=1e-13)
    np.testing.assert_allclose(values[:, 1], 2.0, atol=1e-13)


@pytest.mark.parametrize("taus", [[], [2.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, np.nan], 1.0])
def test_spectrum_refuses_what_is_no_increasing_sequence(taus):
    with pytest.raises(ValueError, match="taus: expected"):
        spectrum(Blocks([[1.0]], [[1.0]], [[1.0]]), taus)


def test_spectral_abscissa_of_known_matrices():
    matrices = np.array([np.diag([3.0, -2.0]), [[1.0, 5.0], [-5.0, 1.0]]])
    np.testing.assert_allclose(spectral_abscissa(matrices), [-2.0, 1.0])
    with pytest.raises(ValueError, match="matrix: expected finite numbers"):
        spectral_abscissa([[np.nan]])


@pytest.mark.parametrize("mu", [0.3, 0.5, 1.0])
def test_dirac_gan_has_a_double_eigenvalue_at_one_over_mu_squared(mu):
    blocks = at(games.dirac_gan(mu), 0, 0)
    (tau,) = double_eigenvalues(blocks, np.linspace(0, 20, 101))
    assert tau == pytest.approx(1 / mu**2, rel=1e-6)


@pytest.mark.parametrize(("mu", "sigma"), [(1.0, 0.5), (0.75, 0.3)])
def test_covariance_gan_at_d_1_has_a_double_eigenvalue_at_16_sigma_over_mu_squared(mu, sigma):
    game = games.covariance_gan(1, mu, [[sigma]])
    (point,) = [p for p in critical_points(game) if p.x[0] > 0]
    (tau,) = double_eigenvalues(point.blocks, np.linspace(0, 40, 101))
    assert tau == pytest.approx(16 * sigma / mu**2, rel=1e-6)


# Rates


def stable_case(rng):
    """Random stable blocks and a tau above tau*."""
    blocks = dse_blocks(rng, *rng.integers(1, 5, 2))
    return blocks, max(tau_star(blocks).value, 0.1) * rng.uniform(1.05, 10)


def test_radius_is_that_of_the_linearized_iteration():
    rng = np.random.default_rng(41)
    for _ in range(200):
        blocks, tau = stable_case(rng)
        gamma = convergence_rate(blocks, tau).step_bound
        for fraction in (0.01, 0.5, 0.99, 1.01, 2.0):
            rate = convergence_rate(blocks, tau, fraction * gamma)
            j = jacobian(blocks, tau)
            radius = np.abs(np.linalg.eigvals(np.eye(len(j)) - rate.step * j)).max()
            assert rate.radius == pytest.approx(radius, rel=1e-12)
            assert rate.radius == pytest.approx(math.sqrt(1 - rate.step * rate.d), rel=1e-12)
            assert rate.converges == (radius < 1) == (fraction < 1)
            assert rate.alpha == pytest.approx(gamma - rate.step, abs=1e-15 * gamma)
            if rate.converges:
                assert rate.radius <= rate.bound < 1
            else:
                assert math.isnan(rate.bound)


def linear_distance(j, step, iterations, x0):
    return np.linalg.norm(np.linalg.matrix_power(np.eye(len(j)) - step * j, iterations) @ x0)


def test_the_bounds_iteration_count_reaches_the_accuracy():
    rng = np.random.default_rng(42)
    for _ in range(300):
        blocks, tau = stable_case(rng)
        gamma = convergence_rate(blocks, tau).step_bound
        rate = convergence_rate(blocks, tau, rng.uniform(0.02, 0.98) * gamma)
        j = jacobian(blocks, tau)
        x0 = rng.standard_normal(len(j))
        x0 /= np.linalg.norm(x0)
        assert linear_distance(j, rate.step, rate.iterations(1.0, 1e-4), x0) <= 1e-4


@pytest.mark.parametrize("mu", [0.3, 1.0])
def test_the_bounds_iteration_count_holds_at_a_defective_jacobian(mu):
    blocks = at(games.dirac_gan(mu), 0, 0)
    j = jacobian(blocks, 1 / mu**2)
    assert np.linalg.cond(np.linalg.eig(j)[1]) > 1e6
    for fraction in (0.05, 0.5, 0.9):
        gamma = convergence_rate(blocks, 1 / mu**2).step_bound
        rate = convergence_rate(blocks, 1 / mu**2, fraction * gamma)
        count = rate.iterations(1.0, 1e-4)
        for angle in np.linspace(0, np.pi, 13):
            x0 = np.array([np.cos(angle), np.sin(angle)])
            assert linear_distance(j, rate.step, count, x0) <= 1e-4


def test_the_slowest_mode_rules_although_another_sets_the_step_bound():
    """A11 = 0.01, A12 = 0, A22 = 1, tau = 1: gamma = 2 comes from A22, the radius from A11."""
    rate = convergence_rate(Blocks([[0.01]], [[0.0]], [[1.0]]), 1.0, 1.0)
    assert rate.step_bound == pytest.approx(2.0)
    assert rate.alpha == pytest.approx(1.0)
    assert rate.radius == pytest.approx(0.99)
    assert rate.beta == pytest.approx(1 / (2 * 0.01 - 0.01**2))
    assert rate.bound == pytest.approx(math.sqrt(1 - (1 - 0.99**2) / 4))
    usual = 1 / (2 * 1.0 - 1.0 * 1.0**2)  # 1 / (2 Re l_m - alpha |l_m|^2), l_m = A22
    assert math.sqrt(1 - 1.0 / (4 * usual)) < rate.radius <= rate.bound


def test_no_iterations_are_needed_from_close_enough():
    rate = convergence_rate(Blocks([[1.0]], [[0.0]], [[1.0]]), 1.0)
    assert rate.iterations(1e-5, 1e-4) == 0
    assert rate.step == pytest.approx(1.0)
    for bad in ((0.0, 1.0), (1.0, 0.0), (1.0, np.nan)):
        with pytest.raises(ValueError, match=r"^(distance|accuracy): expected"):
            rate.iterations(*bad)


def test_rates_hold_where_the_blocks_differ_in_size():
    # S1 = 9e-6 and tau A22 are the eigenvalues, but for 1e-12; in J_tau as it is one is 0.
    blocks = Blocks([[9e-6]], [[-2.5e-5]], [[579.0]])
    for rate in (convergence_rate(blocks, 1e11), best_step(blocks, 1e11)):
        assert rate.step_bound == pytest.approx(2 / 579e11, rel=1e-12)
    assert common_step_bound([blocks], [1e11]) == pytest.approx(2 / 579e11, rel=1e-12)


def test_an_unstable_jacobian_has_no_step():
    blocks = at(games.quadratic(), 0, 0, 0, 0)
    rate = convergence_rate(blocks, 1.0, 5e-4)
    assert (rate.step_bound, rate.converges) == (0.0, False)
    assert rate.radius > 1
    with pytest.raises(ValueError, match="step: expected one in"):
        rate.iterations(1.0, 1e-4)
    with pytest.raises(ValueError, match="step: expected a number, since J_tau is not stable"):
        convergence_rate(blocks, 1.0)


@properties
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.floats(0, 2))
def test_best_step_beats_every_other(seed, n1, n2, exponent):
    rng = np.random.default_rng(seed)
    blocks = dse_blocks(rng, n1, n2)
    tau = (tau_star(blocks).value + 0.01) * 10.0**exponent
    best = best_step(blocks, tau)
    assert 0 < best.step < best.step_bound
    others = np.concatenate([np.linspace(1e-3, 0.999, 200) * best.step_bound])
    radii = [convergence_rate(blocks, tau, step).radius for step in others]
    assert best.radius <= min(radii) + 1e-12
    searched = scipy.optimize.minimize_scalar(
        lambda step: np.abs(1 - step * np.linalg.eigvals(blocks.jacobian(tau))).max(),
        bounds=(0, best.step_bound),
        method="bounded",
        options={"xatol": 1e-12 * best.step_bound},
    )
    assert best.radius == pytest.approx(searched.fun, abs=1e-6)


def test_best_step_of_two_real_eigenvalues_is_the_textbook_one():
    """For eigenvalues m < M it is 2 / (m + M), with the radius (M - m) / (M + m)."""
    best = best_step(Blocks([[1.0]], [[0.0]], [[1.0]]), 9.0)
    assert (best.step, best.radius) == (pytest.approx(0.2), pytest.approx(0.8))


@properties
@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_step_matrix_of_alternating_steps_is_a_product_in_any_order(seed, n1, n2):
    rng = np.random.default_rng(seed)
    blocks = regular_blocks(rng, n1, n2)
    tau, step = rng.uniform(0.1, 5), rng.uniform(0.01, 0.5)
    first, second = np.eye(n1 + n2), np.eye(n1 + n2)
    first[:n1] -= step * jacobian(blocks, tau)[:n1]
    second[n1:] -= step * jacobian(blocks, tau)[n1:]
    found = step_matrix(blocks, tau, step, alternating=True)
    np.testing.assert_allclose(found, second @ first, atol=1e-13)
    for order in (found, first @ second):
        np.testing.assert_allclose(np.poly(order), np.poly(found), rtol=1e-8, atol=1e-8)
    together = step_matrix(blocks, tau, step)
    np.testing.assert_allclose(together, np.eye(n1 + n2) - step * jacobian(blocks, tau))
    extra = step**2 * tau * (blocks.A12.T @ blocks.A12)
    np.testing.assert_allclose(found[n1:, n1:], together[n1:, n1:] - extra, atol=1e-12)
    np.testing.assert_allclose(found[:n1], together[:n1])
    radii = spectral_radius(blocks, [[tau], [2 * tau]], [step, step / 3], alternating=True)
    assert radii.shape == (2, 2)
    assert radii[0, 0] == pytest.approx(np.abs(np.linalg.eigvals(found)).max())
    assert spectral_radius(blocks, tau, step) == pytest.approx(
        convergence_rate(blocks, tau, step).radius
    )


def test_common_step_bound_is_the_smallest_of_the_stable_pairs():
    first, second = at(games.torus(), 0, 0), at(games.torus(), np.pi, np.pi)
    expected = min(convergence_rate(b, t).step_bound for b in (first, second) for t in (2, 5))
    assert common_step_bound([first, second], [2, 5]) == pytest.approx(expected)
    # At tau = 1 the second is unstable and does not count.
    assert common_step_bound([first, second], [1.0]) == convergence_rate(first, 1.0).step_bound
    # No stable pair: one over the largest eigenvalue.
    values = np.linalg.eigvals(jacobian(second, 1.0))
    assert common_step_bound([second], [1.0]) == pytest.approx(1 / np.abs(values).max())
    # A point at which J_tau is 0 sets no unit.
    nothing = Blocks([[0.0]], [[0.0]], [[0.0]])
    assert common_step_bound([nothing, first], [2.0]) == common_step_bound([first], [2.0])
    with pytest.raises(ValueError, match="all_blocks: expected eigenvalues other than 0"):
        common_step_bound([nothing], [1.0])
    with pytest.raises(ValueError, match="taus: expected"):
        common_step_bound([first], [])


# Regularized GANs


@properties
@given(seeds, st.integers(1, 4), st.integers(0, 3), st.floats(-2, 2))
def test_regularized_gans_are_stable_for_every_tau_and_mu(seed, n1, more, exponent):
    rng = np.random.default_rng(seed)
    n2, mu = n1 + more, 10.0**exponent
    b = rng.standard_normal((n1, n2))
    assume(np.linalg.cond(b) < 1e3)
    half = rng.standard_normal((n2, n2 - 1))
    blocks = regularized_gan_blocks(b, half @ half.T, definite(rng, n2), mu)
    np.testing.assert_allclose(
        jacobian(blocks, 1.0)[n1:, n1:] - half @ half.T, blocks.A22 - half @ half.T
    )
    assert (blocks.A11 == 0).all()
    assert tau_star(blocks).value == 0
    assert (abscissae(blocks, np.geomspace(1e-2, 1e2, 9)) > 0).all()
    assert [(i.lower, i.upper) for i in stability_intervals(blocks)] == [(0.0, math.inf)]


def test_regularized_gan_blocks_are_assembled_from_floats_or_sympy():
    parts = [[1.0, 2.0]], np.eye(2), np.diag([2.0, 4.0])
    for given_parts in (parts, [sp.Matrix(m) for m in parts]):
        blocks = regularized_gan_blocks(*given_parts, 0.5)
        np.testing.assert_array_equal(blocks.A11, [[0.0]])
        np.testing.assert_array_equal(blocks.A12, [[1.0, 2.0]])
        np.testing.assert_array_equal(blocks.A22, np.diag([2.0, 3.0]))


@pytest.mark.parametrize(
    ("b", "c", "r", "mu", "message"),
    [
        ([[1, 2], [2, 4]], np.eye(2), np.eye(2), 1.0, "B: expected full row rank 2, got rank 1"),
        (np.ones((2, 1)), np.eye(1), np.eye(1), 1.0, "B: expected full row rank 2, got rank 1"),
        ([[0.0]], np.eye(1), np.eye(1), 1.0, "B: expected full row rank 1, got rank 0"),
        ([[1.0]], [[0.0]], [[1.0]], 0.0, r"C \+ mu R: expected a positive definite"),
        ([[1.0]], [[-2.0]], [[1.0]], 1.0, r"C \+ mu R: expected a positive definite"),
        (np.eye(2), [[0.1, 0.3], [0.3, 0.9]], np.eye(2), 0.0, r"C \+ mu R: expected a positive"),
        ([[1.0]], [[1.0]], np.eye(2), 1.0, "R: expected the shape of C"),
        ([[1.0]], np.eye(2), np.eye(2), 1.0, "A22: expected shape"),
        ([[1.0]], [[1.0]], [[1.0]], -1.0, "mu: expected numbers at least 0"),
        ([[np.nan]], [[1.0]], [[1.0]], 1.0, "B: expected finite numbers"),
        ([1.0], [[1.0]], [[1.0]], 1.0, "B: expected 2 dimension"),
    ],
)
def test_bad_regularized_gans_are_refused_by_name(b, c, r, mu, message):
    with pytest.raises(ValueError, match=message):
        regularized_gan_blocks(b, c, r, mu)


# Closed forms


def test_formulas_of_the_torus_and_the_dirac_gan():
    a, b, mu = sp.Symbol("a", real=True), sp.Symbol("b", real=True), sp.Symbol("mu", positive=True)
    game = games.torus(a, b)
    values = [sp.Rational(k, 10) for k in (-25, -7, 3, 12)]
    for point in ((0, 0), (sp.pi, sp.pi), (sp.pi, 0), (0, sp.pi)):
        formula = tau_star_formula(game, point)
        assert formula.free_symbols == {a, b}
        for p, q in [(p, q) for p in values for q in values]:
            x = [float(c) for c in point]
            expected = tau_star_or_none(games.torus(p, q).blocks(x))
            assert float(formula.subs({a: p, b: q})) == pytest.approx(expected)
    at_origin = tau_star_formula(game, (0, 0))
    assert at_origin.subs({a: sp.Rational(3, 20), b: sp.Rational(3, 20)}) == sp.Rational(17, 23)
    assert at_origin.subs(b, -1) is sp.nan
    assert tau_star_formula(games.dirac_gan(mu), (0, 0)) == 0


def test_formulas_need_one_coordinate_each_and_a_critical_point():
    with pytest.raises(ValueError, match="game: expected one coordinate for each player"):
        tau_star_formula(games.quadratic(), (0, 0, 0, 0))
    with pytest.raises(ValueError, match="point: expected g = 0"):
        tau_star_formula(games.torus(sp.Symbol("a", real=True), 1), (sp.pi / 2, 0))


# Bad arguments


ONE = Blocks([[1.0]], [[1.0]], [[1.0]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tau_star_search(Blocks([[-1.0]], [[0.1]], [[1.0]])), "blocks: expected those of"),
        (lambda: tau_zero(Blocks([[-0.5]], [[1.0]], [[2.0]])), "S1: expected a nonsingular"),
        (lambda: tau_zero(ONE, "best"), "method: expected 'sign' or 'identity'"),
        (
            lambda: guard_matrix(Blocks([[1.0]], [[1.0, 2.0]], np.diag([1.0, -1.0]))),
            "A22: expected no two eigenvalues that sum to zero",
        ),
        (
            lambda: guard_matrix(Blocks(np.diag([1.0, -1.0]), [[0.0], [0.0]], [[1.0]])),
            "S1: expected no two eigenvalues that sum to zero",
        ),
        (lambda: double_eigenvalues(ONE, [1.0]), "taus: expected an increasing sequence"),
        (lambda: best_step(at(games.quadratic(), 0, 0, 0, 0), 1.0), "tau: expected one at which"),
        *((lambda b=b: convergence_rate(ONE, b, 0.1), "tau: expected") for b in (0, np.nan)),
        *((lambda b=b: convergence_rate(ONE, 1.0, b), "step: expected") for b in (-1, np.inf)),
        (lambda: is_stable(ONE, 0.0), "tau: expected"),
        (lambda: best_step(ONE, -1.0), "tau: expected"),
        (lambda: step_matrix(ONE, 0.0, 1.0), "tau: expected"),
        (lambda: spectral_radius(ONE, 1.0, -1.0), "step: expected"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Ensembles


def test_random_ensembles_are_what_they_say():
    rng = np.random.default_rng(51)
    for n1, n2 in SHAPES:
        blocks = ensembles.random_dse(n1, n2, rng)
        assert (blocks.n1, blocks.n2) == (n1, n2)
        assert classify(blocks).is_dse
        assert np.linalg.eigvalsh(blocks.A22)[0] > 0.1 * (1 - 1e-9)
        assert np.linalg.eigvalsh(schur(blocks))[0] > 0.1 * (1 - 1e-6)
        assert ensembles.random_blocks(n1, n2, rng).A12.shape == (n1, n2)
    with pytest.raises(ValueError, match="n1: expected"):
        ensembles.random_blocks(0, 1, rng)


TAKE_BLOCKS = [
    function
    for function in (classify, *vars(stability).values())
    if inspect.isfunction(function)
    and next(iter(inspect.signature(function).parameters)) == "blocks"
]


@pytest.mark.parametrize("function", TAKE_BLOCKS)
def test_a_point_in_the_place_of_its_blocks_is_refused(function):
    (point,) = critical_points(games.quadratic())
    with pytest.raises(TypeError, match=r"blocks: .* point.blocks\), got CriticalPoint"):
        function(point, *[1.0] * (len(inspect.signature(function).parameters) - 1))
