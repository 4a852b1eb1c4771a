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

from taugda.gan.gradients import Loss
from taugda.gan.models import Discriminator, Generator
from taugda.network import LocalGame

Denominators = tuple[Sequence[Tensor] | None, Sequence[Tensor] | None]


def local_game(
    generator: Generator, discriminator: Discriminator, real: Tensor, z: Tensor, mu: float,
    penalty_factor: float = 1.0, loss: Loss = "non-saturating",
    denominators: Denominators = (None, None),
) -> LocalGame:  # fmt: skip
    """Return the game that an update plays on one batch: R1, both players on the same latents."""

    def loss1() -> Tensor:
        judged = discriminator(generator(z))
        return -F.softplus(judged).mean() if loss == "saturating" else F.softplus(-judged).mean()

    def loss2() -> Tensor:
        pictures = real.detach().clone().requires_grad_()
        judged = discriminator(pictures)
        (slope,) = torch.autograd.grad(judged.sum(), pictures, create_graph=True)
        penalty = penalty_factor * mu * slope.square().sum(dim=(1, 2, 3)).mean()
        fit = F.softplus(-judged).mean() + F.softplus(discriminator(generator(z))).mean()
        return fit + penalty

    return LocalGame(generator, discriminator, loss1, loss2, preconditioners=denominators)


def spectrum_at(
    generator: Generator, discriminator: Discriminator, real: Tensor, z: Tensor,
    denominators: Denominators, mu: float, tau: float, gamma1: float, *,
    penalty_factor: float = 1.0, loss: Loss = "non-saturating", count: int = 6,
) -> dict[str, float | list[float]]:  # fmt: skip
    """Return sharpness, edge of stability and leading modes, by name.

    ``denominators``: by what RMSprop divides each player's gradient, sqrt(square) + eps; their
    P^-1/2 A22 P^-1/2 is what gradient descent at rate gamma2 = tau gamma1 sees, and 2 / gamma2 the
    largest eigenvalue that it is stable at (Cohen et al., 2022).
    """
    options = (generator, discriminator, real, z, mu, penalty_factor, loss)
    game, bare = local_game(*options, denominators), local_game(*options)
    (plain,) = bare.extremes(2, ["LA"])
    (scaled,) = game.extremes(2, ["LA"])
    (own,) = game.extremes(1, ["LA"])
    modes = gamma1 * game.eigenvalues(tau, count)
    gradients = np.split(bare.gradient, [bare.n1])
    return {
        "gradient1": float(np.linalg.norm(gradients[0])),
        "gradient2": float(np.linalg.norm(gradients[1])),
        "sharpness": plain,  # lambda_max(A22)
        "edge": tau * gamma1 * scaled,  # 2 at the edge of stability
        "generator_edge": gamma1 * own,
        "modes_real": modes.real.tolist(),  # of gamma1 P^-1 J_tau
        "modes_imaginary": modes.imag.tolist(),
        "factors": np.abs(1 - modes).tolist(),  # of these modes, a simultaneous step
    }
