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
    SHAPES, definite, dse_blocks, regular_blocks, schur, symmetric, symmetrized, wishart_dse,
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

seeds = st.integers(0, 2**32 - 1)
properties = settings(max_examples=60, deadline=None, derandomize=True, database=None)
QUADRATIC = games.quadratic().blocks([0, 0, 0, 0])  # a DSE with tau* = 2
ONE = Blocks([[1.0]], [[1.0]], [[1.0]])
NOTHING = Blocks([[0.0]], [[0.0]], [[0.0]])


def abscissae(blocks, taus):
    return np.linalg.eigvals(blocks.jacobian(taus)).real.min(axis=-1)


def at(game, *x):
    return game.blocks(x)


# The paper's values


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (QUADRATIC, 2),
        (at(games.quadratic(0.7), 0, 0, 0, 0), 2),
        (at(games.torus(), 0, 0), 17 / 23),
        (at(games.torus(), np.pi, np.pi), 23 / 17),
        (critical_points(games.polynomial())[1].blocks, 1),
        (critical_points(games.polynomial())[4].blocks, 1),
        (critical_points(games.polynomial())[9].blocks, 0),
        (at(games.dirac_gan(0.3), 0, 0), 0),
    ],
)
def test_tau_star_is_the_papers(blocks, expected):
    answer = tau_star(blocks)
    assert answer.qualifies
    assert answer.value == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert tau_star_or_none(blocks) == answer.value


# The guard map


def kronecker_guard_matrix(blocks):
    """Q with its Kronecker products, as the theorem states it; vec is row-major."""

    def lyapunov(a):
        """The matrix of X -> P with A P + P A = X + X^T."""
        eye = np.eye(len(a))
        transposed = np.einsum("il,jk->ijkl", eye, eye).reshape(a.size, a.size)
        return np.linalg.solve(np.kron(a, eye) + np.kron(eye, a), np.eye(a.size) + transposed)

    a12, s1, inverse = blocks.A12, schur(blocks), np.linalg.inv(blocks.A22)
    n, eye1, eye2 = a12 @ inverse, np.eye(blocks.n1), np.eye(blocks.n2)
    second = np.kron(a12, inverse) @ lyapunov(blocks.A22) @ np.kron(a12.T, eye2)
    first = np.kron(eye1, n.T) @ lyapunov(s1) @ np.kron(s1, n)
    return first - second - np.kron(blocks.A11, inverse)


@pytest.mark.parametrize(("n1", "n2"), SHAPES)
def test_guard_matrix_equals_the_theorems_kronecker_form(n1, n2):
    rng = np.random.default_rng([n1, n2])
    for _ in range(3):
        blocks = dse_blocks(rng, n1, n2)
        dense = kronecker_guard_matrix(blocks)
        np.testing.assert_allclose(
            guard_matrix(blocks), dense, rtol=0, atol=1e-10 * np.abs(dense).max(), strict=True
        )


def test_box_sum_is_the_map_of_symmetric_matrices_by_their_upper_halves():
    a, *others = np.random.default_rng(0).standard_normal((11, 4, 4))
    half = np.triu_indices(4)
    for p in map(symmetrized, others):
        np.testing.assert_allclose(box_sum(a) @ p[half], (a @ p + p @ a.T)[half], atol=1e-13)


@pytest.mark.parametrize("seed", [2262, 9889, 18577, 25961])
def test_a_complex_eigenvalue_of_Q_further_right_does_not_count(seed):
    blocks = wishart_dse(seed)
    values = np.linalg.eigvals(guard_matrix(blocks))
    assert not np.isreal(values[values.real.argmax()])
    assert values.real.max() > tau_star(blocks).value * 1.01
    assert tau_star(blocks).value == pytest.approx(tau_star_search(blocks), rel=1e-8)


# tau* by root finding


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


@properties
@given(seeds, st.integers(1, 6), st.integers(1, 6))
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
    values = np.linalg.eigvals(blocks.jacobian(answer.value))
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
        (Blocks(np.diag([-1.0, 0.0]), 2 * np.eye(2), np.eye(2)), 1.0),  # A11 is singular
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
    assert [is_stable(QUADRATIC, tau) for tau in (1.0, 2.0, 2.001)] == [False, False, True]


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


# Intervals


def dissipative_blocks(rng, n1, n2):
    """Blocks with a positive trace and strong coupling: often stable without equilibrium."""
    b = regular_blocks(rng, n1, n2)
    return Blocks(b.A11 + np.eye(n1), 2 * b.A12, b.A22)


def swept_intervals(blocks):
    """The intervals, after a look at the spectrum at their ends and on a fine grid."""
    intervals = stability_intervals(blocks)
    for tau in {e for i in intervals for e in (i.lower, i.upper)} - {0.0, math.inf}:
        values = np.linalg.eigvals(blocks.jacobian(tau))
        assert abs(values.real.min()) < 1e-8 * np.abs(values).max()
    taus = np.geomspace(1e-3, 1e3, 601)
    least = abscissae(blocks, taus)
    clear = np.abs(least) > 1e-9
    inside = np.array([any(tau in i for i in intervals) for tau in taus])
    np.testing.assert_array_equal(inside[clear], least[clear] > 0)
    return intervals


def test_intervals_agree_with_a_sweep_and_are_endless_at_strict_local_minmax_points():
    rng = np.random.default_rng(11)
    stable_without_equilibrium = 0
    for k in range(400):
        draw = (dse_blocks, dissipative_blocks, regular_blocks, dissipative_blocks)[k % 4]
        blocks = draw(rng, *rng.integers(1, 5, 2))
        intervals, is_dse = swept_intervals(blocks), classify(blocks).is_dse
        assert is_dse == (bool(intervals) and intervals[-1].upper == math.inf)
        if is_dse:
            assert intervals[-1].lower == pytest.approx(tau_star(blocks).value, rel=1e-9)
        stable_without_equilibrium += bool(intervals) and not is_dse
    assert stable_without_equilibrium > 10


def test_intervals_where_the_guard_matrix_does_not_exist():
    """A22 has eigenvalues +-1: the pencil takes over; the sweep agrees."""
    rng, found = np.random.default_rng(14), 0
    for _ in range(300):
        n1 = int(rng.integers(2, 4))
        coupling = 3 * rng.standard_normal((n1, 2))
        blocks = Blocks(symmetric(rng, n1) + 2 * np.eye(n1), coupling, np.diag([1.0, -1.0]))
        with pytest.raises(ValueError, match="A22"):
            guard_matrix(blocks)
        found += bool(swept_intervals(blocks))
    assert found > 10


@pytest.mark.parametrize(
    ("shift", "touches", "count"),
    [(0.0, True, 2), (1e-14, True, 2), (-1e-14, True, 2), (-1e-4, False, 2), (1e-4, False, 1)],
)
def test_a_spectrum_that_touches_the_axis_splits_its_interval(shift, touches, count):
    """Two crossings meet where A11's last entry is a root of the guard's discriminant."""
    last = -3.260565708120156 + shift
    blocks = Blocks([[0, -2], [-2, last]], [[5, 3], [-4, 4]], [[4, 5], [5, 8]])
    answer, intervals = tau_star(blocks), swept_intervals(blocks)
    assert (answer.touches, len(intervals)) == (touches, count)
    assert intervals[-1].lower == answer.value
    if touches:
        assert (intervals[0].upper, answer.value) == pytest.approx((0.9624999021,) * 2, rel=1e-7)


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
        # Points of the paper that are no equilibrium.
        (at(games.nonequilibrium(), 0, 0, 0, 0), [(0.5, 2)]),
        (critical_points(games.polynomial())[8].blocks, [(0, 1)]),
    ],
)
def test_intervals_of_known_blocks(blocks, expected):
    ends = [end for i in stability_intervals(blocks) for end in (i.lower, i.upper)]
    assert ends == pytest.approx([end for pair in expected for end in pair])


def test_what_is_printed():
    (interval,) = stability_intervals(QUADRATIC)
    assert (str(interval), interval.latex()) == ("(2, inf)", r"$(2, \infty)$")
    exact = Interval(sp.Rational(17, 23), sp.oo)
    assert (str(exact), exact.latex()) == ("(17/23, inf)", r"$(\frac{17}{23}, \infty)$")
    assert str(tau_star(QUADRATIC)).startswith("tau* = 2 (DSE")
    row = summary(QUADRATIC)
    assert row["kind"] == "DSE"
    assert row[r"$\tau^*$"] == pytest.approx(2.0)
    assert row[r"stable for $\tau$ in"] == r"$(2, \infty)$"
    assert summary(Blocks([[-1.0]], [[0.1]], [[1.0]]))[r"$\tau^*$"] == "none"
    assert summary(Blocks([[1.0]], [[1.0]], [[0.0]]))[r"$\tau^*$"] == "undefined"


# tau_0


def tau_zero_by_the_theorem(blocks, method):
    a12, parts = blocks.A12, (schur(blocks), blocks.A22)
    # polar(S)[1] is |S|.
    q1, q2 = (2 * scipy.linalg.polar(s)[1] if method == "sign" else np.eye(len(s)) for s in parts)
    p1, p2 = map(scipy.linalg.solve_continuous_lyapunov, parts, (q1, q2))
    l0 = -np.linalg.inv(blocks.A22) @ a12.T
    b = p1 @ a12 + parts[0] @ l0.T @ p2
    cross = p2 @ l0 @ a12
    matrix = np.linalg.inv(q2) @ (b.T @ np.linalg.inv(q1) @ b - cross - cross.T)
    return max(0.0, np.linalg.eigvals(matrix).real.max())


@pytest.mark.parametrize("method", ["sign", "identity"])
@pytest.mark.parametrize("draw", [dse_blocks, regular_blocks])
def test_tau_zero_is_the_theorems_and_beyond_it_stability_does_not_change(draw, method):
    rng = np.random.default_rng(21)
    for _ in range(150):
        blocks = draw(rng, *rng.integers(1, 5, 2))
        bound = tau_zero(blocks, method)
        assert bound == pytest.approx(tau_zero_by_the_theorem(blocks, method), rel=1e-6)
        stable = abscissae(blocks, max(bound, 1e-6) * np.geomspace(1.001, 1e4, 12)) > 0
        assert (stable == classify(blocks).is_dse).all()


# Spectra


@pytest.mark.parametrize(("n1", "n2"), [(1, 1), (1, 3), (3, 2), (4, 4)])
def test_followed_eigenvalues_are_the_eigenvalues(n1, n2):
    blocks = regular_blocks(np.random.default_rng([n1, n2]), n1, n2)
    taus = np.linspace(0, 10, 101)
    followed = spectrum(blocks, taus)
    assert followed.eigenvalues.shape == (101, n1 + n2)
    plain = np.linalg.eigvals(blocks.jacobian(taus))
    np.testing.assert_allclose(
        np.sort_complex(followed.eigenvalues), np.sort_complex(plain), atol=1e-9
    )
    np.testing.assert_allclose(followed.abscissa, plain.real.min(axis=1), atol=1e-9)


def test_followed_eigenvalues_pass_through_each_other():
    """Uncoupled players: one eigenvalue is A11, the other tau A22, and they cross at tau = 2."""
    taus = np.linspace(0, 4, 402)
    values = spectrum(Blocks([[2.0]], [[0.0]], [[1.0]]), taus).eigenvalues
    np.testing.assert_allclose(values[:, 0], taus, atol=1e-13)
    np.testing.assert_allclose(values[:, 1], 2.0, atol=1e-13)


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        *((at(games.dirac_gan(mu), 0, 0), 1 / mu**2) for mu in (0.3, 0.5, 1.0)),
        *(
            (critical_points(games.covariance_gan(1, mu, [[sigma]]))[2].blocks, 16 * sigma / mu**2)
            for mu, sigma in ((1.0, 0.5), (0.75, 0.3))
        ),
    ],
)
def test_gans_have_a_double_eigenvalue_where_the_formula_says(blocks, expected):
    (tau,) = double_eigenvalues(blocks, np.linspace(0, 40, 101))
    assert tau == pytest.approx(expected, rel=1e-6)


# Rates


def reaches(rate, j, x0, accuracy=1e-4):
    """Whether the linear iteration does so in as many steps as the bound needs."""
    steps = np.linalg.matrix_power(np.eye(len(j)) - rate.step * j, rate.iterations(1.0, accuracy))
    return np.linalg.norm(steps @ x0) <= accuracy * np.linalg.norm(x0)


def test_radius_is_that_of_the_linearized_iteration_and_the_bound_holds():
    rng = np.random.default_rng(41)
    for _ in range(200):
        blocks = dse_blocks(rng, *rng.integers(1, 5, 2))
        tau = max(tau_star(blocks).value, 0.1) * rng.uniform(1.05, 10)
        gamma, j = convergence_rate(blocks, tau).step_bound, blocks.jacobian(tau)
        for fraction in (0.01, 0.5, 0.99, 1.01, 2.0):
            rate = convergence_rate(blocks, tau, fraction * gamma)
            radius = np.abs(np.linalg.eigvals(np.eye(len(j)) - rate.step * j)).max()
            assert rate.radius == pytest.approx(radius, rel=1e-12)
            assert rate.radius == pytest.approx(math.sqrt(1 - rate.step * rate.d), rel=1e-12)
            assert rate.converges == (radius < 1) == (fraction < 1)
            assert rate.alpha == pytest.approx(gamma - rate.step, abs=1e-15 * gamma)
            if rate.converges:
                assert rate.radius <= rate.bound < 1
                assert reaches(rate, j, rng.standard_normal(len(j)))
            else:
                assert math.isnan(rate.bound)


@pytest.mark.parametrize("mu", [0.3, 1.0])
def test_the_bounds_iteration_count_holds_at_a_defective_jacobian(mu):
    blocks = at(games.dirac_gan(mu), 0, 0)
    j = blocks.jacobian(1 / mu**2)
    assert np.linalg.cond(np.linalg.eig(j)[1]) > 1e6
    gamma = convergence_rate(blocks, 1 / mu**2).step_bound
    for fraction in (0.05, 0.5, 0.9):
        rate = convergence_rate(blocks, 1 / mu**2, fraction * gamma)
        for angle in np.linspace(0, np.pi, 13):
            assert reaches(rate, j, np.array([np.cos(angle), np.sin(angle)]))


def test_the_slowest_mode_rules_although_another_sets_the_step_bound():
    """A11 = 0.01, A12 = 0, A22 = 1, tau = 1: gamma = 2 comes from A22, the radius from A11."""
    rate = convergence_rate(Blocks([[0.01]], [[0.0]], [[1.0]]), 1.0)
    assert rate.step_bound == pytest.approx(2.0)
    assert rate.step == rate.alpha == pytest.approx(1.0)
    assert rate.radius == pytest.approx(0.99)
    assert rate.beta == pytest.approx(1 / (2 * 0.01 - 0.01**2))
    assert rate.bound == pytest.approx(math.sqrt(1 - (1 - 0.99**2) / 4))
    assert rate.iterations(1e-5, 1e-4) == 0  # from close enough


def test_rates_hold_where_the_blocks_differ_in_size():
    # S1 = 9e-6 and tau A22 are the eigenvalues, but for 1e-12; in J_tau as it is one is 0.
    blocks = Blocks([[9e-6]], [[-2.5e-5]], [[579.0]])
    for rate in (convergence_rate(blocks, 1e11), best_step(blocks, 1e11)):
        assert rate.step_bound == pytest.approx(2 / 579e11, rel=1e-12)
    assert common_step_bound([blocks], [1e11]) == pytest.approx(2 / 579e11, rel=1e-12)


def test_an_unstable_jacobian_has_no_step():
    rate = convergence_rate(QUADRATIC, 1.0, 5e-4)
    assert (rate.step_bound, rate.converges, rate.radius > 1) == (0.0, False, True)


@properties
@given(seeds, st.integers(1, 4), st.integers(1, 4), st.floats(0, 2))
def test_best_step_beats_every_other(seed, n1, n2, exponent):
    rng = np.random.default_rng(seed)
    blocks = dse_blocks(rng, n1, n2)
    tau = (tau_star(blocks).value + 0.01) * 10.0**exponent
    best = best_step(blocks, tau)
    assert 0 < best.step < best.step_bound
    searched = scipy.optimize.minimize_scalar(
        lambda step: np.abs(1 - step * np.linalg.eigvals(blocks.jacobian(tau))).max(),
        bounds=(0, best.step_bound),
        method="bounded",
        options={"xatol": 1e-12 * best.step_bound},
    )
    assert searched.fun - 1e-6 < best.radius <= searched.fun + 1e-12


@properties
@given(seeds, st.integers(1, 4), st.integers(1, 4))
def test_step_matrix_is_that_of_a_step_of_both_or_of_one_after_the_other(seed, n1, n2):
    rng = np.random.default_rng(seed)
    blocks = regular_blocks(rng, n1, n2)
    tau, step = rng.uniform(0.1, 5), rng.uniform(0.01, 0.5)
    j = blocks.jacobian(tau)
    both, first, second = np.eye(n1 + n2) - step * j, np.eye(n1 + n2), np.eye(n1 + n2)
    first[:n1] -= step * j[:n1]
    second[n1:] -= step * j[n1:]
    np.testing.assert_allclose(step_matrix(blocks, tau, step), both, atol=1e-13)
    found = step_matrix(blocks, tau, step, alternating=True)
    np.testing.assert_allclose(found, second @ first, atol=1e-13)
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
    # No stable pair: one over the largest eigenvalue, of which a J_tau that is 0 has none.
    values = np.linalg.eigvals(second.jacobian(1.0))
    assert common_step_bound([NOTHING, second], [1.0]) == pytest.approx(1 / np.abs(values).max())


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


# Bad arguments


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
        *(
            (lambda taus=taus: spectrum(ONE, taus), "taus: expected")
            for taus in ([], [2.0, 1.0], [1.0, 1.0], [-1.0, 1.0], [1.0, np.nan], 1.0)
        ),
        (lambda: spectral_abscissa([[np.nan]]), "matrix: expected finite numbers"),
        (lambda: box_sum(np.ones((2, 3))), "matrix: expected a square matrix"),
        (lambda: best_step(QUADRATIC, 1.0), "tau: expected one at which"),
        (lambda: convergence_rate(QUADRATIC, 1.0), "step: expected a number, since J_tau is not"),
        (lambda: convergence_rate(QUADRATIC, 1.0, 0.1).iterations(1, 1), "step: expected one in"),
        (lambda: convergence_rate(ONE, 1.0).iterations(0.0, 1.0), "^distance: expected"),
        (lambda: convergence_rate(ONE, 1.0).iterations(1.0, np.nan), "^accuracy: expected"),
        (lambda: common_step_bound([NOTHING], [1.0]), "all_blocks: expected eigenvalues other"),
        (lambda: common_step_bound([ONE], []), "taus: expected"),
        (
            lambda: tau_star_formula(games.quadratic(), (0, 0, 0, 0)),
            "game: expected one coordinate for each player",
        ),
        (lambda: tau_star_formula(games.torus(), (sp.pi / 2, 0)), "point: expected g = 0"),
        (lambda: ensembles.random_blocks(0, 1, np.random), "n1: expected"),
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
