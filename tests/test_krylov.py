"""The route without the matrix: same roots as the dense one, proof on the spectrum, honest ends."""

import numpy as np
import pytest
from scipy.sparse.linalg import ArpackNoConvergence

from taugda import ensembles, stability
from taugda.blocks import Blocks
from taugda.stability import guard


def roots(blocks, dense_order):
    return list(guard.crossings_descending(blocks, dense_order))


@pytest.mark.parametrize(("n1", "n2"), [(4, 4), (3, 9), (9, 3), (12, 12), (7, 20)])
def test_krylov_finds_the_dense_routes_largest_root(n1, n2):
    blocks = ensembles.random_dse(n1, n2, np.random.default_rng([n1, n2]))
    dense, sparse = roots(blocks, n1 * n2)[0], next(guard.crossings_descending(blocks, 0))
    assert (dense.method, sparse.method) == ("guard map, dense", "guard map, Krylov")
    assert sparse.tau == pytest.approx(dense.tau, rel=1e-9)
    assert stability.last_crossing(blocks) == pytest.approx(stability.tau_star(blocks).value)


def test_all_positive_real_roots_come_in_descending_order():
    blocks = ensembles.random_blocks(4, 5, np.random.default_rng(5))
    dense = [root.tau for root in roots(blocks, 20)]
    sparse = [root.tau for root in roots(blocks, 0)]
    assert len(dense) > 1
    assert sparse == sorted(sparse, reverse=True)
    np.testing.assert_allclose(sparse, dense, rtol=1e-9)


def test_a_complex_pair_ahead_is_passed_over():
    blocks = Blocks([[-1, 1], [1, -3]], [[3, 4], [5, -2]], [[5, -3], [-3, 2]])
    expected = stability.tau_star_search(blocks)
    assert np.linalg.eigvals(stability.guard_matrix(blocks)).real.max() > 1.01 * expected
    assert roots(blocks, 0)[0].tau == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n1", "n2"), [(40, 40), (20, 70), (70, 20)])
def test_tau_star_of_a_large_game_is_confirmed_on_the_spectrum(n1, n2):
    blocks = ensembles.random_dse(n1, n2, np.random.default_rng([n1, n2]))
    answer = stability.tau_star(blocks)
    assert answer.method == "guard map, Krylov"
    assert stability.spectral_abscissa(blocks.jacobian(answer.value * 1.0001)) > 0
    assert stability.spectral_abscissa(blocks.jacobian(answer.value * 0.9999)) < 0
    assert len(answer.crossing) == 2


@pytest.mark.parametrize(
    ("name", "value", "n", "message"),
    [("_RESTARTS", 1, 40, r"found \d+ of 1 eigenvalues"), ("_COUNTS", (1,), 12, "did not decide")],
)
def test_no_convergence_or_decision_is_an_error(monkeypatch, name, value, n, message):
    monkeypatch.setattr(guard, name, value)
    monkeypatch.setattr(guard, "_FALLBACK", 0)
    with pytest.raises(stability.KrylovError, match=message):
        roots(ensembles.random_dse(n, n, np.random.default_rng(0)), 0)


def test_where_krylov_gives_up_the_dense_matrix_is_the_last_resort(monkeypatch):
    blocks = ensembles.random_dse(9, 9, np.random.default_rng(0))
    expected = roots(blocks, 81)

    def eigs(*_, **__):
        raise ArpackNoConvergence("no convergence", np.empty(0), np.empty((9, 0)))

    monkeypatch.setattr(guard, "eigs", eigs)
    (first, *_) = roots(blocks, 0)
    assert (first.tau, first.method) == (expected[0].tau, "guard map, dense")


@pytest.mark.parametrize("seed", range(30))
def test_last_crossing_is_where_the_number_of_unstable_eigenvalues_last_changes(seed):
    rng = np.random.default_rng(seed)
    blocks = ensembles.random_blocks(*rng.integers(1, 5, 2).tolist(), rng)
    last = stability.last_crossing(blocks)
    taus = np.append(last * 0.9999, np.geomspace(max(last, 1e-6) * 1.0001, 1e7, 4000))
    below, *beyond = (np.linalg.eigvals(blocks.jacobian(taus)).real <= 0).sum(axis=1)
    assert len(set(beyond)) == 1
    assert last == 0 or below != beyond[0]
    assert last <= stability.tau_zero(blocks) * (1 + 1e-9)


def test_where_the_guard_matrix_does_not_exist_and_the_game_is_large_the_error_says_so():
    rng = np.random.default_rng(0)
    a22 = np.diag(np.r_[-1.0, np.arange(1.0, 40.0)])  # -1 and 1 sum to zero
    blocks = Blocks(np.diag(rng.uniform(1, 2, 40)), rng.standard_normal((40, 40)), a22)
    with pytest.raises(ValueError, match="A22: expected no two eigenvalues that sum to zero"):
        stability.last_crossing(blocks)
