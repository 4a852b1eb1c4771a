"""A game between networks: its operators against dense derivatives and the games' blocks."""

import numpy as np
import pytest
import torch
from torch import nn

from taugda import games, network, stability

torch_double = {"dtype": torch.float64}


def quadratic(v=4.0):
    """The paper's quadratic game as PyTorch sees it, at its equilibrium."""
    a, b = (torch.zeros(2, **torch_double, requires_grad=True) for _ in range(2))
    rows = [[-v, 0, -v, 0], [0, v / 2, 0, v / 2], [-v, 0, -v / 2, 0], [0, v / 2, 0, -v]]
    q = torch.tensor(rows, **torch_double)

    def loss():
        x = torch.cat([a, b])
        return x @ q @ x / 2

    return a, b, loss


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
    n1 = sum(p.numel() for p in players[0].parameters())
    rows = []
    for loss in losses:
        grads = torch.autograd.grad(loss(), parameters, create_graph=True)
        flat = torch.cat([g.reshape(-1) for g in grads])
        hessian = []
        for value in flat:
            row = torch.autograd.grad(value, parameters, retain_graph=True, materialize_grads=True)
            hessian.append(torch.cat([r.reshape(-1) for r in row]))
        rows.append((flat.detach().numpy(), torch.stack(hessian).numpy()))
    g = np.concatenate([rows[0][0][:n1], rows[1][0][n1:]])
    return np.concatenate([rows[0][1][:n1], tau * rows[1][1][n1:]]), g


def test_the_papers_quadratic_game_has_the_blocks_of_the_library():
    a, b, loss = quadratic()
    game = network.LocalGame([a], [b], loss)
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


def test_operators_are_those_of_the_dense_jacobian(small):
    g, d, *losses = small
    game = network.LocalGame(g, d, *losses)
    jacobian, gradient = dense((g, d), losses, 2.5)
    n1, v = game.n1, np.random.default_rng(0).standard_normal(game.n1 + game.n2)
    np.testing.assert_allclose(game.gradient, gradient, atol=1e-15)
    np.testing.assert_allclose(game.jacobian(2.5) @ v, jacobian @ v, atol=1e-14)
    np.testing.assert_allclose(game.block(1, 1) @ v[:n1], jacobian[:n1, :n1] @ v[:n1], atol=1e-14)
    np.testing.assert_allclose(game.block(1, 2) @ v[n1:], jacobian[:n1, n1:] @ v[n1:], atol=1e-14)
    a21, a22 = jacobian[n1:, :n1] / 2.5, jacobian[n1:, n1:] / 2.5
    np.testing.assert_allclose(game.block(2, 1) @ v[:n1], a21 @ v[:n1], atol=1e-14)
    np.testing.assert_allclose(game.block(2, 2) @ v[n1:], a22 @ v[n1:], atol=1e-14)
    assert not game.zero_sum
    assert "the game is not zero-sum" in str(game.read())
    with pytest.raises(ValueError, match="loss2: expected -loss up to terms of player 2 alone"):
        game.blocks()


def test_lanczos_and_arnoldi_find_what_dense_matrices_have(small, monkeypatch):
    g, d, *losses = small
    game = network.LocalGame(g, d, *losses)
    whole = [*game.extremes(1), *game.extremes(2)]
    leading = game.eigenvalues(4.0)[:4]
    monkeypatch.setattr(network, "_DENSE", 0)
    np.testing.assert_allclose([*game.extremes(1), *game.extremes(2)], whole, rtol=1e-7)
    np.testing.assert_allclose(np.abs(game.eigenvalues(4.0, 4)), np.abs(leading), rtol=1e-7)


def test_a_step_that_is_judged_by_leading_eigenvalues_alone_is_said_to_be(monkeypatch):
    a, b = (torch.zeros(5, **torch_double, requires_grad=True) for _ in range(2))
    weights = torch.arange(1, 6, **torch_double)

    def loss():
        return weights @ a**2 - weights @ b**2 + a @ b

    whole = network.LocalGame([a], [b], loss).read(2.0)
    monkeypatch.setattr(network, "_DENSE", 0)
    partial = network.LocalGame([a], [b], loss).read(2.0)
    assert whole.step == pytest.approx(partial.step, rel=1e-6)
    assert f"gamma1 below {whole.step:.4g} is stable" in str(whole)
    assert f"no gamma1 above {whole.step:.4g} is stable" in str(partial)


def test_eigenvalues_that_are_not_found_are_an_error(small, monkeypatch):
    def eigs(*_, **__):
        raise network.ArpackNoConvergence("no convergence", np.empty(0), np.empty((0, 0)))

    g, d, *losses = small
    monkeypatch.setattr(network, "_DENSE", 0)
    monkeypatch.setattr(network, "eigs", eigs)
    with pytest.raises(RuntimeError, match=r"0 of 3 eigenvalues \(LM\) of an operator of order"):
        network.LocalGame(g, d, *losses).eigenvalues(4.0, 3)


@pytest.mark.parametrize("kind", ["RMSprop", "Adam"])
def test_an_optimizers_state_scales_the_game_as_its_steps_do(small, kind):
    g, d, *losses = small
    optimizer = getattr(torch.optim, kind)(d.parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        losses[1]().backward()
        optimizer.step()
    g.zero_grad()
    game = network.LocalGame(g, d, *losses, preconditioners=(None, optimizer))
    plain, _ = dense((g, d), losses, 2.0)
    p = np.concatenate([t.numpy().ravel() for t in network.denominators(optimizer, d.parameters())])
    share = np.concatenate([np.ones(game.n1), p])
    expected = np.linalg.eigvals(plain / share[:, None])
    np.testing.assert_allclose(
        np.abs(game.eigenvalues(2.0))[:5], np.sort(np.abs(expected))[::-1][:5], rtol=1e-9
    )
    if kind == "RMSprop":  # one more step from here is -lr * gradient / denominator
        before = torch.cat([q.detach().reshape(-1).clone() for q in d.parameters()])
        optimizer.zero_grad()
        losses[1]().backward()
        grads = torch.cat([q.grad.reshape(-1) for q in d.parameters()])
        optimizer.step()
        after = torch.cat([q.detach().reshape(-1) for q in d.parameters()])
        now = torch.cat([t.reshape(-1) for t in network.denominators(optimizer, d.parameters())])
        np.testing.assert_allclose(after - before, -1e-3 * grads / now, rtol=1e-9)
    assert all((t == 1).all() for t in network.denominators(
        torch.optim.SGD(d.parameters(), lr=1.0), d.parameters()))  # fmt: skip


def test_a_linear_player_has_no_curvature_of_its_own():
    a, b = (torch.tensor([0.3], **torch_double, requires_grad=True) for _ in range(2))
    game = network.LocalGame([a], [b], lambda: (a * b).sum() - b.square().sum())
    assert game.extremes(1) == [0, 0]
    assert game.block(1, 2).matvec(np.ones(1)) == 1
    alone = network.LocalGame([a], [b], lambda: a.sum() + b.sum())
    assert alone.block(1, 2).matvec(np.ones(1)) == 0


def test_a_point_far_from_critical_is_said_in_words(small):
    a, b, loss = quadratic()
    with torch.no_grad():
        a += 1.0
    reading = network.LocalGame([a], [b], loss).read(3.0)
    assert not reading.critical
    assert "NOT critical: the next such point is" in str(reading)
    b2 = torch.zeros(2, **torch_double, requires_grad=True)
    saddle = network.LocalGame([a], [b2], lambda: (a * b2).sum() + b2.square().sum())
    assert "no bound of tau*, A22 is not positive definite" in str(saddle.read())


def refused():
    a, b, loss = quadratic()
    spare = torch.ones(1, requires_grad=True)
    inf = lambda: loss() + a.sum() * float("inf")  # noqa: E731
    stepped = torch.optim.Adagrad([b], lr=1.0)
    return [
        (([], [b], loss), {}, "player1: expected a module or a list with parameters, got none"),
        (([a], [b.detach()], loss), {}, r"player2: expected tensors that require a gradient"),
        (([a], [a, b], loss), {}, "player2: expected parameters of its own, got some of player1's"),
        (
            ([a], [spare], loss),
            {},
            "player2: expected all its parameters in its own loss, got none",
        ),
        (([a], [b, spare], loss), {}, r"got not those at \[1\]"),
        (([a], [b], lambda: loss().detach()), {}, "loss: expected a tensor with its graph"),
        (([a], [b], lambda: a), {}, "loss: expected a scalar tensor, got torch.Size"),
        (([a], [b], inf), {}, "loss: expected a finite number, got nan"),
        (([a], [b], loss, inf), {}, "loss2: expected a finite number"),
        (([a], [b], lambda: loss() + a.abs().sqrt().sum()), {}, "player1: expected a finite grad"),
        (([a], [b], loss), {"preconditioners": (None, [a[:1]])}, "expected shapes .* for player2"),
        (([a], [b], loss), {"preconditioners": (None, [a * 0])}, "expected numbers greater than 0"),
        (([a], [b], loss), {"preconditioners": (None, stepped)}, "expected RMSprop, Adam or SGD"),
        (([a], [b], loss), {"preconditioners": (stepped, None)}, "expected one of parameter 0"),
    ]


@pytest.mark.parametrize("number", range(len(refused())))
def test_what_is_no_game_is_refused(number):
    players, options, message = refused()[number]
    with pytest.raises(ValueError, match=message):
        network.LocalGame(*players, **options)


def test_blocks_of_large_games_are_not_formed(monkeypatch):
    a, b, loss = quadratic()
    monkeypatch.setattr(network, "_MOST", 3)
    with pytest.raises(ValueError, match="expected at most 3 numbers, got 4"):
        network.LocalGame([a], [b], loss).blocks()


def test_a_player_that_nothing_reaches_has_eigenvalues_zero():
    """More parameters than are taken apart as a matrix, and a loss that is linear in them."""
    x, y = (torch.zeros(400, dtype=torch.float64, requires_grad=True) for _ in range(2))
    game = network.LocalGame([x], [y], lambda: x.sum() - (y**2).sum())
    assert game.extremes(1, ["LA"]) == [0.0]
    assert game.extremes(2, ["LA"]) == pytest.approx([2.0])
