"""A plain implementation of the GAN's mathematics, from parameters by name, to compare with.

Separate passes for real pictures, penalty and generated pictures; double differentiation for the
penalty; RMSprop, decay and averages written out.
"""

import torch
from torch.nn import functional as F


def bend(x):
    return torch.where(x > 0, x, 0.2 * x)


def block(p, name, x):
    y = F.conv2d(bend(x), p[f"{name}.conv_0.weight"], p[f"{name}.conv_0.bias"], padding=1)
    y = F.conv2d(bend(y), p[f"{name}.conv_1.weight"], p[f"{name}.conv_1.bias"], padding=1)
    if f"{name}.shortcut.weight" in p:
        x = F.conv2d(x, p[f"{name}.shortcut.weight"])
    return x + 0.1 * y


def stages(p):
    return len({name.split(".")[1] for name in p if name.startswith("blocks.")}) - 1


def generate(p, z):
    z = torch.cat([z, torch.sign(p["label"]) * torch.ones_like(z[:, :1])], dim=1)
    x = z @ p["start.weight"].T + p["start.bias"]
    x = x.reshape(len(z), 4, 4, -1).permute(0, 3, 1, 2)
    for k in range(stages(p)):
        x = block(p, f"blocks.{k}", x).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    x = block(p, f"blocks.{stages(p)}", x)
    return torch.tanh(F.conv2d(bend(x), p["picture.weight"], p["picture.bias"], padding=1))


def judge(p, x):
    x = block(p, "blocks.0", F.conv2d(x, p["picture.weight"], p["picture.bias"], padding=1))
    for k in range(1, stages(p) + 1):
        x = block(p, f"blocks.{k}", F.avg_pool2d(x, 3, stride=2, padding=1))
    return (
        bend(x).permute(0, 2, 3, 1).reshape(len(x), -1) @ p["end.weight"].T + p["end.bias"]
    ).squeeze(1)


def leaves(p):
    return {name: value.detach().clone().requires_grad_() for name, value in p.items()}


def gradient(value, p):
    parts = torch.autograd.grad(value, list(p.values()), materialize_grads=True)
    return dict(zip(p, parts, strict=True))


def discriminator_gradient(theta, omega, real, z, mu, factor, penalty="R1"):
    """Loss, penalty and gradient by name of player 2."""
    omega, fake = leaves(omega), generate(theta, z).detach()
    total = {name: torch.zeros_like(value) for name, value in omega.items()}

    def add(value):
        for name, part in gradient(value, omega).items():
            total[name] += part
        return value.detach()

    loss = add(-torch.log(torch.sigmoid(judge(omega, real))).mean())
    x = (real if penalty == "R1" else fake).clone().requires_grad_()
    (slope,) = torch.autograd.grad(judge(omega, x).sum(), x, create_graph=True)
    size = add(factor * mu * (slope**2).sum(dim=(1, 2, 3)).mean())
    loss = loss + add(-torch.log(1 - torch.sigmoid(judge(omega, fake))).mean())
    return loss, size, total


def generator_gradient(theta, omega, z, loss="non-saturating"):
    """Loss and gradient by name of player 1."""
    theta = leaves(theta)
    judged = torch.sigmoid(judge(omega, generate(theta, z)))
    value = -torch.log(judged).mean() if loss == "non-saturating" else torch.log(1 - judged).mean()
    return value.detach(), gradient(value, theta)


class Reference:
    """Both players from given parameters, one update at a time."""

    def __init__(self, c, theta, omega):
        self.c, self.k = c, 0
        self.theta = {name: v.detach().clone() for name, v in theta.items()}
        self.omega = {name: v.detach().clone() for name, v in omega.items()}
        self.squares = [
            {name: torch.zeros_like(v) for name, v in player.items()}
            for player in (self.theta, self.omega)
        ]
        self.averages = {b: {n: v.clone() for n, v in self.theta.items()} for b in c.averages}

    def step(self, which, gradient, rate):
        player, squares = (self.theta, self.omega)[which], self.squares[which]
        for name, g in gradient.items():
            squares[name] = self.c.rms_alpha * squares[name] + (1 - self.c.rms_alpha) * g * g
            mean = squares[name]
            if self.c.rms_bias_correction:
                mean = mean / (1 - self.c.rms_alpha ** (self.k + 1))
            player[name] = player[name] - rate * g / (mean.sqrt() + self.c.rms_eps)

    def update(self, real, z2, z1):
        c = self.c
        gamma1 = c.gamma1 / (1 + self.k) ** c.nu
        if self.k < c.warm_up:
            gamma1 = gamma1 * (self.k + 1) / c.warm_up
        loss2, size, second = discriminator_gradient(
            self.theta, self.omega, real, z2, c.mu, c.penalty_factor, c.penalty
        )
        if c.alternating:
            self.step(1, second, c.tau * gamma1)
        loss1, first = generator_gradient(self.theta, self.omega, z1, c.loss)
        if not c.alternating:
            self.step(1, second, c.tau * gamma1)
        self.step(0, first, gamma1)
        for beta, average in self.averages.items():
            for name in average:
                average[name] = beta * average[name] + (1 - beta) * self.theta[name]
        self.k += 1
        return loss1, loss2, size
