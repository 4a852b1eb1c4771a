"""What the players of an image GAN look like to their optimizer at one moment of training.

The derivatives are taken twice through the networks, with the graphs kept.  With leaky ReLUs the
penalty is discontinuous in the weights, so leading eigenvalues mean something (an average of many
regions), the bulk and the negative eigenvalues of A22 do not; they are not returned.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from taugda.gan.configuration import Configuration
from taugda.gan.models import Discriminator, Generator
from taugda.network import LocalGame

Denominators = Sequence[Sequence[Tensor] | None]


def local_game(
    c: Configuration, generator: Generator, discriminator: Discriminator,
    denominators: Denominators, real: Tensor, z: Tensor,
) -> LocalGame:  # fmt: skip
    """Return the game that an update plays on one batch, both players on the same latents."""

    def loss1() -> Tensor:
        judged = discriminator(generator(z))
        return -F.softplus(judged).mean() if c.loss == "saturating" else F.softplus(-judged).mean()

    def loss2() -> Tensor:
        made = generator(z)
        penalized = (real if c.penalty == "R1" else made).detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(discriminator(penalized).sum(), penalized, create_graph=True)
        penalty = c.penalty_factor * c.mu * slope.square().sum(dim=(1, 2, 3)).mean()
        fit = F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(made)).mean()
        return fit + penalty

    return LocalGame(generator, discriminator, loss1, loss2, preconditioners=tuple(denominators))


def spectrum(
    c: Configuration, generator: Generator, discriminator: Discriminator,
    denominators: Denominators, real: Tensor, z: Tensor, updates: int,
) -> dict[str, float | list[float]]:  # fmt: skip
    """Return sharpness, edge of stability and leading modes after so many updates, by name.

    ``denominators``: by what RMSprop divides each player's gradient; P^-1/2 A22 P^-1/2 is what
    gradient descent at rate gamma2 = tau gamma1 sees, and 2 / gamma2 the largest eigenvalue that
    it is stable at (Cohen et al., 2022).
    """
    game = local_game(c, generator, discriminator, denominators, real, z)
    bare = local_game(c, generator, discriminator, (None, None), real, z)
    rate, (plain,) = c.rate(updates), bare.extremes(2, ["LA"])
    (own,), (scaled,) = (game.extremes(player, ["LA"]) for player in (1, 2))
    modes = rate * game.eigenvalues(c.tau)
    return {
        "sharpness": plain,  # lambda_max(A22)
        "edge": c.tau * rate * scaled,  # 2 at the edge of stability
        "generator_edge": rate * own,
        "modes_real": modes.real.tolist(),  # of gamma1 P^-1 J_tau
        "modes_imaginary": modes.imag.tolist(),
        "factors": np.abs(1 - modes).tolist(),  # of these modes, a simultaneous step
    }
