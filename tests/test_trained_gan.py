"""The GAN with fixed features: its gradient, best answers and blocks by second routes."""

import numpy as np
import pytest
import torch

from taugda import stability
from taugda.equilibria import classify
from taugda.gan import equilibrium
from taugda.gan.equilibrium import FeatureGan


@pytest.fixture(scope="module")
def gan():
    return FeatureGan(0.4, features=9, hidden=2, components=3, latent=2, pictures=30)


@pytest.fixture(scope="module")
def trained():
    (one,) = equilibrium.follow([1.15], 400, seed=4)
    return one


def point(gan, seed=0):
    return np.random.default_rng(seed).standard_normal(gan.n1 + gan.n2)


def test_the_gradient_by_hand_is_the_automatic_one(gan):
    x = point(gan)
    both = torch.from_numpy(x).requires_grad_()
    (df,) = torch.autograd.grad(gan.cost(both[: gan.n1], both[gan.n1 :]), both)
    df[gan.n1 :] *= -1
    np.testing.assert_allclose(gan.gradient(x), df.numpy(), atol=1e-15)
    with torch.no_grad():
        value = gan.cost(both[: gan.n1], both[gan.n1 :])
    assert gan.objective(x[: gan.n1], x[gan.n1 :]) == pytest.approx(float(value), rel=1e-14)
    many = np.stack([point(gan, seed) for seed in range(3)])
    np.testing.assert_allclose(gan.gradient(many)[2], gan.gradient(many[2]), atol=1e-15)


def test_the_blocks_are_those_of_differences(gan):
    x = point(gan)
    h = 1e-6 * np.eye(len(x))
    j = (gan.gradient(x + h) - gan.gradient(x - h)).T / 2e-6
    np.testing.assert_allclose(gan.blocks(x).jacobian(1.0), j, atol=1e-9)


def test_the_penalty_is_the_mean_square_slope_of_the_discriminator(gan):
    pictures = torch.from_numpy(gan.x).requires_grad_()
    omega = torch.from_numpy(point(gan)[gan.n1 :])
    judged = torch.tanh(pictures @ torch.from_numpy(gan.v).T + torch.from_numpy(gan.c)) @ omega
    (slope,) = torch.autograd.grad(judged.sum(), pictures)
    expected = gan.mu * slope.square().sum(dim=1).mean() + gan.ridge * omega @ omega
    found = omega.numpy() @ gan._penalty @ omega.numpy()
    assert found == pytest.approx(float(expected), rel=1e-12)


def test_the_best_answer_is_one_from_near_and_far(gan):
    theta = point(gan)[: gan.n1]
    answers = [gan.best_response(theta, scale * point(gan)[gan.n1 :]) for scale in (0, 1, 30)]
    for answer in answers:
        g2 = gan.gradient(np.concatenate([theta, answer]))[gan.n1 :]
        assert np.linalg.norm(g2) < 1e-12
        np.testing.assert_allclose(answer, answers[0], atol=1e-9)


def test_training_ends_at_a_strict_local_minmax_point(trained):
    assert trained.gradient < 1e-13
    assert classify(trained.blocks).kind == "DSE"
    star = stability.tau_star(trained.blocks).value
    assert star == pytest.approx(stability.tau_star_by_frequency(trained.blocks), rel=1e-10)
    assert 0 < star < stability.tau_star_bound(trained.blocks)


def test_modes_grow_as_their_eigenvalues_say(trained):
    star = stability.tau_star(trained.blocks).value
    for tau, sign in ((0.9 * star, 1), (1.1 * star, -1)):
        predicted, measured = equilibrium.mode_growth(trained, tau, 0.02, steps=2000)
        assert np.sign(predicted) == sign
        assert measured == pytest.approx(predicted, rel=1e-3)
    gamma = stability.convergence_rate(trained.blocks, 1.0).step_bound
    for share, sign in ((0.99, -1), (1.01, 1)):
        predicted, measured = equilibrium.mode_growth(trained, 1.0, share * gamma, True, 200)
        assert np.sign(predicted) == sign
        assert measured == pytest.approx(predicted, rel=1e-5)


def test_runs_side_by_side_are_plain_loops(gan):
    start, taus = point(gan), (1.0, 3.0)
    paths = equilibrium.descend(gan, start, taus, 0.01, 40, 10)
    assert paths.shape == (2, 5, gan.n1 + gan.n2)
    x = start.copy()
    for _ in range(40):
        g = gan.gradient(x)
        x = x - 0.01 * np.concatenate([g[: gan.n1], 3 * g[gan.n1 :]])
    np.testing.assert_allclose(paths[1, -1], x, atol=1e-12)


def test_a_path_ends_where_no_critical_point_is_reached(monkeypatch):
    monkeypatch.setattr(equilibrium, "_CRITICAL", -1.0)
    small = {"features": 9, "hidden": 2, "components": 3, "latent": 2, "pictures": 30}
    assert equilibrium.follow([1.0, 2.0], 10, **small) == []


def test_a_bad_setting_is_refused():
    with pytest.raises(ValueError, match="mu: expected numbers greater than 0"):
        FeatureGan(0.0)
    with pytest.raises(ValueError, match="features: expected a whole number, at least 1"):
        FeatureGan(1.0, features=0)
