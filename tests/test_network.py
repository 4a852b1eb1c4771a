"""A game between networks: its operators against dense derivatives and the games' blocks."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector as vector

from taugda import games, network, stability
from taugda.network import LocalGame, denominators

torch_double = {"dtype": torch.float64}


def zeros(n):
    """Parameters of two players."""
    return [torch.zeros(n, **torch_double, requires_grad=True) for _ in range(2)]


def quadratic():
    """The paper's quadratic game as PyTorch sees it, at its equilibrium."""
    a, b = zeros(2)
    rows = [[-4, 0, -4, 0], [0, 2, 0, 2], [-4, 0, -2, 0], [0, 2, 0, -4]]
    q = torch.tensor(rows, **torch_double)
    return a, b, lambda: torch.cat([a, b]) @ q @ torch.cat([a, b]) / 2


@pytest.fixture
def small():
    """Two small networks, and losses of a GAN that are not each other's negatives."""
    torch.manual_seed(0)
    g = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)).double()
    d = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    z, x = torch.randn(7, 2, **torch_double), torch.randn(7, 2, **torch_double)

    def loss():
        return nn.functional.softplus(-d(g(z))).mean()

    def loss2():
        return nn.functional.softplus(-d(x)).mean() + nn.functional.softplus(d(g(z))).mean()

    return g, d, loss, loss2


def dense(players, losses, tau):
    """J_tau and g column by column, by Hessians of functions of one vector."""
    parameters = [p for player in players for p in player.parameters()]
    n1, found = sum(p.numel() for p in players[0].parameters()), []
    options = {"retain_graph": True, "materialize_grads": True}
    for loss in losses:
        g = vector(torch.autograd.grad(loss(), parameters, create_graph=True))
        hessian = [vector(torch.autograd.grad(value, parameters, **options)) for value in g]
        found.append((g.detach().numpy(), torch.stack(hessian).numpy()))
    (g1, one), (g2, two) = found
    return np.concatenate([one[:n1], tau * two[n1:]]), np.concatenate([g1[:n1], g2[n1:]])


def test_the_papers_quadratic_game_has_the_blocks_of_the_library(monkeypatch):
    a, b, loss = quadratic()
    game = LocalGame([a], [b], loss)
    expected = games.quadratic(4).blocks([0, 0, 0, 0])
    for name in ("A11", "A12", "A22"):
        np.testing.assert_allclose(getattr(game.blocks(), name), getattr(expected, name))
    assert stability.tau_star(game.blocks()).value == pytest.approx(2)
    reading = game.read(tau=3)
    assert reading.critical and reading.zero_sum
    assert reading.bound == pytest.approx(stability.tau_star_bound(expected)) == 2
    assert reading.step == pytest.approx(stability.convergence_rate(expected, 3).step_bound)
    assert "tau* is at most 2" in str(reading) and "critical" in str(reading)
    assert "no step is stable" in str(game.read(tau=1))
    monkeypatch.setattr(network, "_MOST", 3)  # blocks of large games are not formed
    with pytest.raises(ValueError, match="expected at most 3 numbers, got 4"):
        game.blocks()


def test_operators_are_those_of_the_dense_jacobian(small):
    g, d, *losses = small
    game = LocalGame(g, d, *losses)
    jacobian, gradient = dense((g, d), losses, 2.5)
    n1, v = game.n1, np.random.default_rng(0).standard_normal(game.n1 + game.n2)
    np.testing.assert_allclose(game.gradient, gradient, atol=1e-15)
    np.testing.assert_allclose(game.jacobian(2.5) @ v, jacobian @ v, atol=1e-14)
    own = slice(n1), slice(n1, None)
    for i, j in product((0, 1), repeat=2):
        expected = jacobian[own[i], own[j]] @ v[own[j]] / (1, 2.5)[i]
        np.testing.assert_allclose(game.block(i + 1, j + 1) @ v[own[j]], expected, atol=1e-14)
    assert not game.zero_sum
    assert "the game is not zero-sum" in str(game.read())
    with pytest.raises(ValueError, match="loss2: expected -loss up to terms of player 2 alone"):
        game.blocks()


def test_lanczos_and_arnoldi_find_what_dense_matrices_have(small, monkeypatch):
    g, d, *losses = small
    game = LocalGame(g, d, *losses)
    whole = [*game.extremes(1), *game.extremes(2)]
    leading = game.eigenvalues(4.0)[:4]
    monkeypatch.setattr(network, "_DENSE", 0)
    np.testing.assert_allclose([*game.extremes(1), *game.extremes(2)], whole, rtol=1e-7)
    np.testing.assert_allclose(np.abs(game.eigenvalues(4.0, 4)), np.abs(leading), rtol=1e-7)

    def eigs(*_, **__):
        raise network.ArpackNoConvergence("no convergence", np.empty(0), np.empty((0, 0)))

    monkeypatch.setattr(network, "eigs", eigs)  # those that are not found are an error
    with pytest.raises(RuntimeError, match=r"0 of 3 eigenvalues \(LM\) of an operator of order"):
        game.eigenvalues(4.0, 3)


def test_a_step_that_is_judged_by_leading_eigenvalues_alone_is_said_to_be(monkeypatch):
    (a, b), weights = zeros(5), torch.arange(1, 6, **torch_double)
    game = LocalGame([a], [b], lambda: weights @ a**2 - weights @ b**2 + a @ b)
    whole = game.read(2.0)
    monkeypatch.setattr(network, "_DENSE", 0)
    partial = game.read(2.0)
    assert whole.step == pytest.approx(partial.step, rel=1e-6)
    assert f"gamma1 below {whole.step:.4g} is stable" in str(whole)
    assert f"no gamma1 above {whole.step:.4g} is stable" in str(partial)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("RMSprop", {}), ("RMSprop", {"centered": True}), ("Adam", {"betas": (0.0, 0.999)})],
)
def test_an_optimizers_state_scales_the_game_as_its_steps_do(small, kind, options):
    g, d, *losses = small
    optimizer = getattr(torch.optim, kind)(d.parameters(), lr=1e-3, **options)
    for _ in range(4):
        before = vector(d.parameters()).detach()
        optimizer.zero_grad()
        losses[1]().backward()
        optimizer.step()
    now = vector(denominators(optimizer, d.parameters()))  # by which the last step was divided
    step = -1e-3 * vector(q.grad for q in d.parameters()) / now
    np.testing.assert_allclose(vector(d.parameters()).detach() - before, step, rtol=1e-9)
    game = LocalGame(g, d, *losses, preconditioners=(None, optimizer))
    plain, _ = dense((g, d), losses, 2.0)
    share = np.concatenate([np.ones(game.n1), now.numpy()])
    expected = np.sort(np.abs(np.linalg.eigvals(plain / share[:, None])))[:-6:-1]
    np.testing.assert_allclose(np.abs(game.eigenvalues(2.0))[:5], expected, rtol=1e-9)
    ones = denominators(torch.optim.SGD(d.parameters(), lr=1.0), d.parameters())
    assert all((t == 1).all() for t in ones)


def test_a_linear_player_has_no_curvature_of_its_own():
    a, b = (torch.tensor([0.3], **torch_double, requires_grad=True) for _ in range(2))
    game = LocalGame([a], [b], lambda: (a * b).sum() - b.square().sum())
    assert game.extremes(1) == [0, 0]
    assert game.block(1, 2).matvec(np.ones(1)) == 1
    alone = LocalGame([a], [b], lambda: a.sum() + b.sum())
    assert alone.block(1, 2).matvec(np.ones(1)) == 0
    a, b = zeros(400)  # more than are taken apart as a matrix
    game = LocalGame([a], [b], lambda: a.sum() - (b**2).sum())
    assert game.extremes(1, ["LA"]) == [0.0]
    assert game.extremes(2, ["LA"]) == pytest.approx([2.0])


def test_a_point_far_from_critical_is_said_in_words():
    a, b, loss = quadratic()
    with torch.no_grad():
        a += 1.0
    reading = LocalGame([a], [b], loss).read(3.0)
    assert not reading.critical
    assert "NOT critical: the next such point is" in str(reading)
    saddle = LocalGame([a], [b], lambda: (a * b).sum() + b.square().sum())
    assert "no bound of tau*, A22 is not positive definite" in str(saddle.read())


A, B, LOSS = quadratic()
SPARE = torch.ones(1, requires_grad=True)
STEPPED = torch.optim.Adagrad([B], lr=1.0)


def infinite():
    return LOSS() + A.sum() * float("inf")


def scaled(*preconditioners):
    return LocalGame([A], [B], LOSS, preconditioners=preconditioners)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: LocalGame([], [B], LOSS), "player1: .* a list with parameters, got none"),
        (lambda: LocalGame([A], [B.detach()], LOSS), "player2: .* tensors that require a gradient"),
        (lambda: LocalGame([A], [A, B], LOSS), "player2: .* of its own, got some of player1's"),
        (lambda: LocalGame([A], [SPARE], LOSS), "player2: .* in its own loss, got none"),
        (lambda: LocalGame([A], [B, SPARE], LOSS), r"player2: .* own loss, got not those at \[1\]"),
        (lambda: LocalGame([A], [B], lambda: LOSS().detach()), "loss: .* a tensor with its graph"),
        (lambda: LocalGame([A], [B], lambda: A), "loss: expected a scalar tensor, got torch.Size"),
        (lambda: LocalGame([A], [B], infinite), "loss: expected a finite number, got nan"),
        (lambda: LocalGame([A], [B], LOSS, infinite), "loss2: expected a finite number"),
        (lambda: LocalGame([A], [B], lambda: (A.sqrt() + B).sum()), "player1: .* finite gradient"),
        (lambda: scaled(None, [A[:1]]), "expected shapes .* for player2"),
        (lambda: scaled(None, [A * 0]), "expected numbers greater than 0 for player2"),
        (lambda: scaled(None, STEPPED), "expected RMSprop, Adam or SGD"),
        (lambda: scaled(STEPPED, None), "expected one of parameter 0"),
    ],
)
def test_what_is_no_game_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
