"""A plain implementation of the GAN's mathematics, from parameters by name, to compare with.

Separate passes for real pictures, penalty and generated pictures; double differentiation for the
penalty; PyTorch's own RMSprop, and Adam without momentum where the start is corrected; decay and
averages written out.
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


class Reference:
    """Both players from given parameters, one update at a time."""

    def __init__(self, c, *players):
        self.c, self.k = c, 0
        self.players = [
            {name: v.detach().clone().requires_grad_() for name, v in player.items()}
            for player in players
        ]
        self.averages = [{n: v.detach().clone() for n, v in players[0].items()} for _ in c.averages]
        make, smoothing = torch.optim.RMSprop, {"alpha": c.rms_alpha}
        if c.rms_bias_correction:
            make, smoothing = torch.optim.Adam, {"betas": (0.0, c.rms_alpha)}
        self.steps = [make(p.values(), eps=c.rms_eps, **smoothing) for p in self.players]

    def losses(self, real, z):
        """Loss and penalty of player 2."""
        c, (theta, omega) = self.c, self.players
        fake = generate(theta, z).detach()
        loss = -torch.log(torch.sigmoid(judge(omega, real))).mean()
        loss = loss - torch.log(1 - torch.sigmoid(judge(omega, fake))).mean()
        x = (real if c.penalty == "R1" else fake).clone().requires_grad_()
        (slope,) = torch.autograd.grad(judge(omega, x).sum(), x, create_graph=True)
        return loss, c.penalty_factor * c.mu * (slope**2).sum(dim=(1, 2, 3)).mean()

    def update(self, real, z2, z1):
        c, (theta, omega), (first, second) = self.c, self.players, self.steps
        gamma1 = c.gamma1 / (1 + self.k) ** c.nu
        if self.k < c.warm_up:
            gamma1 = gamma1 * (self.k + 1) / c.warm_up
        for step, rate in ((first, gamma1), (second, c.tau * gamma1)):
            step.zero_grad()
            step.param_groups[0]["lr"] = rate
        loss2, size = self.losses(real, z2)
        (loss2 + size).backward()
        if c.alternating:
            second.step()
        judged = torch.sigmoid(judge(omega, generate(theta, z1)))
        loss1 = torch.log(1 - judged) if c.loss == "saturating" else -torch.log(judged)
        loss1.mean().backward(inputs=list(theta.values()))
        if not c.alternating:
            second.step()
        first.step()
        for beta, average in zip(c.averages, self.averages, strict=True):
            for name in average:
                average[name] = beta * average[name] + (1 - beta) * theta[name].detach()
        self.k += 1
        return loss1.mean().detach(), loss2.detach(), size.detach()
