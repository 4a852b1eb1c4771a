"""The blocks of a Jacobian: their Schur complement, J_tau, and what is refused."""

import numpy as np
import pytest
from games_at_random import SHAPES, regular_blocks

from taugda.blocks import Blocks


def test_schur_complement_of_a_known_game():
    blocks = Blocks([[-1.0, 0.0], [0.0, 2.0]], [[1.0], [3.0]], [[2.0]])
    np.testing.assert_allclose(blocks.schur_complement, [[-0.5, 1.5], [1.5, 6.5]], rtol=1e-15)


def test_jacobian_of_a_known_game():
    blocks = Blocks([[1.0]], [[2.0, 3.0]], [[4.0, 5.0], [5.0, 6.0]])
    expected = [[1, 2, 3], [-20, 40, 50], [-30, 50, 60]]
    np.testing.assert_array_equal(blocks.jacobian(10.0), expected)


@pytest.mark.parametrize(("n1", "n2"), [(1, 3), (3, 1), (4, 2)])
def test_jacobians_over_many_taus_equal_those_one_by_one(n1, n2):
    blocks = regular_blocks(np.random.default_rng(0), n1, n2)
    taus = np.array([[0.0, 0.5, 1.0], [2.0, 7.0, 30.0]])
    many = blocks.jacobian(taus)
    assert many.shape == (2, 3, n1 + n2, n1 + n2)
    for index in np.ndindex(taus.shape):
        np.testing.assert_array_equal(many[index], blocks.jacobian(taus[index]))


def test_determinant_of_the_jacobian_is_that_of_A22_times_that_of_S1():
    rng = np.random.default_rng(1)
    for n1, n2 in SHAPES:
        blocks = regular_blocks(rng, n1, n2)
        left = np.linalg.det(blocks.jacobian(3.0))
        right = 3.0**n2 * np.linalg.det(blocks.A22) * np.linalg.det(blocks.schur_complement)
        assert left == pytest.approx(right, rel=1e-10)


def test_dimensions_are_read_from_A12():
    blocks = Blocks(np.eye(2), np.ones((2, 3)), np.eye(3))
    assert (blocks.n1, blocks.n2) == (2, 3)


def test_rounding_in_a_symmetric_block_is_averaged_away():
    blocks = Blocks([[1.0, 2.0], [2.0 + 1e-13, 1.0]], [[1.0], [1.0]], [[1.0]])
    np.testing.assert_array_equal(blocks.A11, blocks.A11.T)


def test_blocks_cannot_be_changed():
    blocks = Blocks(np.eye(2), np.ones((2, 1)), [[1.0]])
    with pytest.raises(ValueError, match="read-only"):
        blocks.A11[0, 0] = 5.0
    with pytest.raises(AttributeError):
        blocks.A12 = np.eye(2)


def test_the_arrays_that_came_stay_the_callers_own():
    arrays = [np.eye(2), np.ones((2, 1)), np.eye(1)]
    blocks = Blocks(*arrays)
    for array in arrays:
        array[0, 0] = 5.0
    assert blocks.A11[0, 0] == blocks.A12[0, 0] == blocks.A22[0, 0] == 1.0


@pytest.mark.parametrize(
    ("a11", "a12", "a22", "message"),
    [
        (np.eye(2), np.ones((1, 1)), np.eye(1), r"A11: expected shape \(1, 1\) .* got \(2, 2\)"),
        (np.eye(2), np.ones((2, 1)), np.eye(2), r"A22: expected shape \(1, 1\) .* got \(2, 2\)"),
        (np.eye(3), np.ones((2, 3)), np.eye(2), r"A11: expected shape \(2, 2\)"),
        (1.0, np.ones((1, 1)), np.eye(1), r"A11: expected 2 dimension\(s\)"),
        (np.eye(1), np.ones((1, 0)), np.ones((0, 0)), "A12: expected at least one row and column"),
        ([[1, 2], [3, 1]], np.ones((2, 1)), np.eye(1), "A11: expected a symmetric matrix"),
        (np.eye(1), np.ones((1, 2)), [[1, 0.1], [0, 1]], "A22: expected a symmetric matrix"),
        (np.eye(1), [[np.nan]], np.eye(1), r"A12: expected finite numbers, got nan at .*\(0, 0\)"),
        (np.eye(1), np.eye(1), [[np.inf]], "A22: expected finite numbers"),
        ([["a"]], np.eye(1), np.eye(1), "A11: expected real numbers"),
        ([[1j]], np.eye(1), np.eye(1), "A11: expected real numbers"),
    ],
)
def test_bad_blocks_are_refused_by_name(a11, a12, a22, message):
    with pytest.raises(ValueError, match=message):
        Blocks(a11, a12, a22)


@pytest.mark.parametrize("a22", [[[0.0]], [[1e-17]]])
def test_schur_complement_of_a_singular_A22_is_refused(a22):
    with pytest.raises(ValueError, match="A22: expected a nonsingular matrix"):
        _ = Blocks([[1.0]], [[1.0]], a22).schur_complement


@pytest.mark.parametrize("tau", [-1.0, np.nan, np.inf, [1.0, -2.0]])
def test_bad_tau_is_refused(tau):
    with pytest.raises(ValueError, match="tau: expected"):
        Blocks([[1.0]], [[1.0]], [[1.0]]).jacobian(tau)
