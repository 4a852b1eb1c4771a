"""The blocks of a Jacobian: their Schur complement, J_tau, and what is refused."""

import numpy as np
import pytest

from taugda.blocks import Blocks
from taugda.checks import setting


def test_schur_complement_and_jacobian_of_known_games():
    blocks = Blocks([[-1.0, 0.0], [0.0, 2.0]], [[1.0], [3.0]], [[2.0]])
    np.testing.assert_allclose(blocks.schur_complement, [[-0.5, 1.5], [1.5, 6.5]], rtol=1e-15)
    blocks = Blocks([[1.0]], [[2.0, 3.0]], [[4.0, 5.0], [5.0, 6.0]])
    assert (blocks.n1, blocks.n2) == (1, 2)
    expected = [[1, 2, 3], [-20, 40, 50], [-30, 50, 60]]
    np.testing.assert_array_equal(blocks.jacobian(10.0), expected)
    taus = np.array([[0.0, 0.5, 1.0], [2.0, 7.0, 30.0]])
    many = blocks.jacobian(taus)
    assert many.shape == (2, 3, 3, 3)
    for index in np.ndindex(taus.shape):
        np.testing.assert_array_equal(many[index], blocks.jacobian(taus[index]))


def test_blocks_are_symmetric_and_their_own():
    arrays = [np.array([[1.0, 2.0], [2.0 + 1e-13, 1.0]]), np.ones((2, 1)), np.eye(1)]
    blocks = Blocks(*arrays)
    for array in arrays:
        array[0, 0] = 5.0
    assert blocks.A11[0, 0] == blocks.A12[0, 0] == blocks.A22[0, 0] == 1.0
    np.testing.assert_array_equal(blocks.A11, blocks.A11.T)
    with pytest.raises(ValueError, match="read-only"):
        blocks.A11[0, 0] = 5.0
    with pytest.raises(AttributeError):
        blocks.A12 = np.eye(2)


@pytest.mark.parametrize(
    ("a11", "a12", "a22", "message"),
    [
        (np.eye(2), np.ones((1, 1)), np.eye(1), r"A11: expected shape \(1, 1\) .* got \(2, 2\)"),
        (np.eye(2), np.ones((2, 1)), np.eye(2), r"A22: expected shape \(1, 1\) .* got \(2, 2\)"),
        (1.0, np.ones((1, 1)), np.eye(1), r"A11: expected 2 dimension\(s\)"),
        (np.eye(1), np.ones((1, 0)), np.ones((0, 0)), "A12: expected at least one row and column"),
        ([[1, 2], [3, 1]], np.ones((2, 1)), np.eye(1), "A11: expected a symmetric matrix"),
        (np.eye(1), np.ones((1, 2)), [[1, 0.1], [0, 1]], "A22: expected a symmetric matrix"),
        (np.eye(1), [[np.nan]], np.eye(1), r"A12: expected finite numbers, got nan at .*\(0, 0\)"),
        ([[1j]], np.eye(1), np.eye(1), "A11: expected real numbers"),
    ],
)
def test_bad_blocks_are_refused_by_name(a11, a12, a22, message):
    with pytest.raises(ValueError, match=message):
        Blocks(a11, a12, a22)


def test_singular_A22_and_bad_tau_are_refused():
    for a22 in (np.zeros((2, 2)), [[0.1, 0.3], [0.3, 0.9]]):
        with pytest.raises(ValueError, match="A22: expected a nonsingular matrix"):
            _ = Blocks([[1.0]], [[1.0, 1.0]], a22).schur_complement
    assert Blocks([[-1e7]], [[3.0]], [[1e-7]]).schur_complement == pytest.approx(8e7)
    units = Blocks([[1.0]], [[1.0, 1.0]], np.diag([1.0, 1e-17]))  # small, but not 0 beside rounding
    assert units.schur_complement == pytest.approx(1e17)
    for tau in (-1.0, np.nan, np.inf, [1.0, -2.0]):
        with pytest.raises(ValueError, match="tau: expected"):
            Blocks([[1.0]], [[1.0]], [[1.0]]).jacobian(tau)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([3, -3], "range"), r"name: .* low < high, got \[3, -3\]"),
        (([1, 2, 3], "range"), "name: expected two numbers"),
        (([-1e308, 1e308], "range"), "name: expected two numbers"),
        (([-1, 1], "range", 0), "name: .* low at least 0, got"),
        ((11, "count", 1, 10), "name: expected .* at most 10, got 11"),
        ((True, "count", 1), "name: expected a whole number, at least 1, got True"),
        (([], "positive"), "name: expected at least one number, got none"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(given, message):
    for fits in (([0, 1.5], "range", 0), (10, "count", 1, 10), ([1, 2.5], "positive")):
        setting("name", *fits)
    with pytest.raises(ValueError, match=message):
        setting("name", *given)
