"""tau* by frequency and its bound, against the guard map and the spectrum of J_tau."""

import numpy as np
import pytest
from games_at_random import dse_blocks, symmetric, wishart_dse

from taugda import ensembles, stability
from taugda.blocks import Blocks
from taugda.equilibria import classify
from taugda.stability import frequency, thresholds
from taugda.stability.guard import crossings_descending


def by_guard_map(blocks):
    """tau* from all eigenvalues of the guard map's matrix."""
    if classify(blocks).A11_semidefinite:
        return 0.0
    roots = crossings_descending(blocks, blocks.n1 * blocks.n2)
    return next(r.tau for r in roots if stability.is_stable(blocks, r.tau * (1 + 1e-6)))


def far_from_the_bound(n1, n2, rng):
    """A DSE whose tau* lies far below the bound: A11 and A22 are not tied to each other."""
    m = rng.standard_normal((n2, n2))
    a11, a12, a22 = symmetric(rng, n1), rng.standard_normal((n1, n2)), m @ m.T / n2
    a22 += 0.05 * np.eye(n2)
    least = np.linalg.eigvalsh(a11 + a12 @ np.linalg.solve(a22, a12.T))[0]
    return Blocks(a11 + max(0.0, 0.02 - least) * np.eye(n1), a12, a22)


@pytest.mark.parametrize("seed", range(90))
def test_the_guard_map_agrees_and_the_bound_holds(seed):
    rng = np.random.default_rng(seed)
    n1, n2 = rng.integers(1, 7, 2)
    draw = (dse_blocks(rng, n1, n2), far_from_the_bound(n1, n2, rng), wishart_dse(seed, 6))
    blocks = draw[seed % 3] or draw[0]
    if seed % 4 == 0:  # other units of x1 and x2
        p, q = 10.0 ** rng.uniform(-6, 6, 2)
        blocks = Blocks(p * p * blocks.A11, p * q * blocks.A12, q * q * blocks.A22)
    expected = by_guard_map(blocks)
    found = stability.tau_star_by_frequency(blocks)
    assert found == pytest.approx(expected, rel=1e-10, abs=0)
    assert found <= stability.tau_star_bound(blocks) * (1 + 1e-12)


@pytest.mark.parametrize("n", [(9, 9), (1, 60), (60, 1), (5, 40), (40, 5), (20, 29)])
def test_larger_games_of_every_shape(n):
    rng = np.random.default_rng(n)
    for blocks in (ensembles.random_dse(*n, rng), far_from_the_bound(*n, rng)):
        expected = by_guard_map(blocks)
        assert stability.tau_star_by_frequency(blocks) == pytest.approx(expected, rel=1e-9)
        assert stability.tau_star(blocks).value == pytest.approx(expected, rel=1e-9)
        assert expected <= stability.tau_star_bound(blocks)


def test_a_game_on_which_the_krylov_method_gives_up_is_decided_by_frequency():
    blocks = far_from_the_bound(120, 120, np.random.default_rng([120, 120, 0]))
    with pytest.raises(stability.KrylovError, match="found 0 of 1"):
        list(crossings_descending(blocks, restarts=6))
    answer = stability.tau_star(blocks)
    assert answer.method == "by frequency"
    assert stability.spectral_abscissa(blocks.jacobian(answer.value * 1.0001)) > 0
    assert stability.spectral_abscissa(blocks.jacobian(answer.value * 0.9999)) < 0


@pytest.mark.parametrize(
    ("blocks", "expected", "rel"),
    [
        (Blocks([[-2.0]], [[3.0]], [[0.5]]), 4.0, 1e-14),
        (Blocks(np.zeros((2, 2)), [[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], np.eye(3)), 0.0, 0.0),
        # Two crossings in one place, and nearly so.
        (Blocks(-np.eye(2), 2 * np.eye(2), np.eye(2)), 1.0, 1e-10),
        (Blocks(np.diag([-1, -1 - 1e-8]), 2 * np.eye(2), np.eye(2)), 1 + 1e-8, 1e-12),
    ],
)
def test_known_blocks_whose_bound_is_sharp(blocks, expected, rel):
    assert stability.tau_star_by_frequency(blocks) == pytest.approx(expected, rel=rel, abs=0)
    assert stability.tau_star_bound(blocks) == pytest.approx(expected, rel=1e-14, abs=0)
    assert stability.extreme_bound(0.5, 2.0) == 0


def test_steps_so_coarse_that_a_crossing_is_missed_are_halved_until_the_spectrum_agrees(
    monkeypatch,
):
    blocks = far_from_the_bound(20, 20, np.random.default_rng([20, 20, 1]))
    expected = stability.tau_star_by_frequency(blocks)
    monkeypatch.setattr(frequency, "_HALVINGS", 0)
    assert stability.tau_star_by_frequency(blocks) == pytest.approx(expected, rel=1e-9)


def test_what_the_spectrum_does_not_confirm_is_refused(monkeypatch):
    blocks = far_from_the_bound(9, 9, np.random.default_rng(0))
    monkeypatch.setattr(frequency._Sweep, "candidates", lambda self, step: [1e-3 * self.bound])
    with pytest.raises(stability.FrequencyError, match="is confirmed by the spectrum, in 0"):
        stability.tau_star_by_frequency(blocks)
    # tau_star then takes the guard map after all.
    monkeypatch.setattr(thresholds, "_TRIAL", 1)
    assert stability.tau_star(blocks).value == pytest.approx(by_guard_map(blocks), rel=1e-9)


@pytest.mark.parametrize("function", [stability.tau_star_bound, stability.tau_star_by_frequency])
def test_a_point_that_is_no_equilibrium_is_refused(function):
    with pytest.raises(ValueError, match="expected those of a DSE, got not a DSE: min eig A22"):
        function(Blocks([[1.0]], [[1.0]], [[-1.0]]))
    with pytest.raises(ValueError, match="least_a22: expected one greater than 0"):
        stability.extreme_bound(-1.0, 0.0)
