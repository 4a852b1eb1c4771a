"""One update of the image GANs against a plain implementation of the same mathematics."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from taugda.gan.configuration import Configuration
from taugda.gan.update import Trainer, players

ROUNDS = 5
SETTINGS = {
    "the paper's, 32 x 32 x 3": Configuration(tau=4, mu=10, averages=(0.999,)),
    "the embedded digits, 8 x 8": Configuration(
        tau=4, mu=10, gamma1=1e-3, penalty_factor=0.5, averages=(0.99,), latent=64, resolution=8,
        channels=1, width=16,
    ),
}  # fmt: skip


class Plain:
    """Separate passes for real pictures, penalty and generated pictures; double differentiation."""

    def __init__(self, c: Configuration) -> None:
        self.c, self.k = c, 0
        self.generator, self.discriminator = (player.to(c.device, c.dtype) for player in players(c))
        self.average = [p.detach().clone() for p in self.generator.parameters()]
        self.optimizers = [
            torch.optim.RMSprop(p.parameters(), lr=c.gamma1, alpha=c.rms_alpha, eps=c.rms_eps)
            for p in (self.generator, self.discriminator)
        ]

    def update(self, real: Tensor, z2: Tensor, z1: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Step player 2, then player 1; return both losses and the penalty."""
        c, D = self.c, self.discriminator
        for optimizer, times in zip(self.optimizers, (1, c.tau), strict=True):
            optimizer.param_groups[0]["lr"] = times * c.rate(self.k)
        self.optimizers[1].zero_grad()
        loss_real = F.softplus(-D(real)).mean()
        loss_real.backward()
        x = real.detach().requires_grad_()
        (slope,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
        penalty = c.penalty_factor * c.mu * slope.square().sum((1, 2, 3)).mean()
        penalty.backward()
        with torch.no_grad():
            fake = self.generator(z2)
        loss_fake = F.softplus(D(fake)).mean()
        loss_fake.backward()
        self.optimizers[1].step()

        self.optimizers[0].zero_grad()
        D.requires_grad_(False)
        loss = F.softplus(-D(self.generator(z1))).mean()
        loss.backward()
        D.requires_grad_(True)
        self.optimizers[0].step()
        with torch.no_grad():
            for a, p in zip(self.average, self.generator.parameters(), strict=True):
                a.lerp_(p, 1 - c.averages[0])
        self.k += 1
        return loss.detach(), (loss_real + loss_fake).detach(), penalty.detach()


def compare(name: str, c: Configuration) -> dict[str, Any]:
    """Time both in turn, on the same batches, from the same players."""
    ours, plain = Trainer(c), Plain(c)
    shape = (c.batch, c.channels, c.resolution, c.resolution)

    def batch(seed: int) -> tuple[Tensor, Tensor, Tensor]:
        random = torch.Generator().manual_seed(seed)
        real = torch.rand(shape, generator=random) * 2 - 1
        z = torch.randn(2, c.batch, c.latent, generator=random)
        return real, z[0], z[1]

    def seconds(update: Callable[..., Any], repeats: int, first: int) -> float:
        batches = [batch(first + k) for k in range(repeats)]
        started = time.process_time()
        for each in batches:
            update(*each)
        return (time.process_time() - started) / repeats

    losses = ours.update(*batch(0))
    expected = plain.update(*batch(0))
    gap = max(abs(float(a / b) - 1) for a, b in zip(losses, expected, strict=True))
    repeats = 1 if c.resolution > 8 else 20
    pairs = [
        (
            seconds(ours.update, repeats, 1 + r * repeats),
            seconds(plain.update, repeats, 1 + r * repeats),
        )
        for r in range(ROUNDS)
    ]
    ratios = sorted(b / a for a, b in pairs)
    return {
        "setting": name,
        "CPU ms an update": 1e3 * sorted(a for a, _ in pairs)[ROUNDS // 2],
        "plain": 1e3 * sorted(b for _, b in pairs)[ROUNDS // 2],
        "ratio, median": ratios[ROUNDS // 2],
        "ratio, least": ratios[0],
        "losses differ by": gap,
    }


def rows() -> list[dict[str, Any]]:
    """Compare at every setting, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [compare(name, c) for name, c in SETTINGS.items()]
    finally:
        torch.set_num_threads(threads)
