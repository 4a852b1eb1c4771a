"""What the two players of a GAN minimize.

The game: the discriminator (player 2) maximizes
f(theta, omega) = E log sigma(D(x)) + E log(1 - sigma(D(G(z)))) - (penalty), the generator
(player 1) minimizes it (saturating) or follows the non-saturating gradient instead.  All losses
here are written as minimized, so player 2's is -f.
"""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "GENERATOR_LOSSES",
    "PENALTIES",
    "Loss",
    "Penalty",
    "discriminator_loss",
    "generator_loss",
    "gradient_penalty",
]

Loss = Literal["non-saturating", "saturating"]
Penalty = Literal["R1", "R2"]
GENERATOR_LOSSES: tuple[Loss, ...] = ("non-saturating", "saturating")
PENALTIES: tuple[Penalty, ...] = ("R1", "R2")


def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Return the discriminator's loss without the penalty.

    Parameters
    ----------
    real, fake : Tensor, shape (n,)
        Judgements D(x) of real and D(G(z)) of generated pictures, as logits.

    Returns
    -------
    Tensor, scalar
        -mean log sigma(D(x)) - mean log(1 - sigma(D(G(z)))).
    """
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Tensor, loss: Loss = "non-saturating") -> Tensor:
    """Return the generator's loss.

    Parameters
    ----------
    fake : Tensor, shape (n,)
        Judgements D(G(z)), as logits.
    loss : {"non-saturating", "saturating"}
        -mean log sigma(D(G(z))), as the paper's experiments have it, or the generator's part of
        f, mean log(1 - sigma(D(G(z)))).

    Returns
    -------
    Tensor, scalar

    Raises
    ------
    ValueError
        If the loss is unknown.
    """
    if loss == "non-saturating":
        return F.softplus(-fake).mean()
    if loss == "saturating":
        return -F.softplus(fake).mean()
    raise ValueError(f"loss: expected one of {', '.join(GENERATOR_LOSSES)}, got {loss!r}")


def gradient_penalty(slope: Tensor, mu: float, factor: float) -> Tensor:
    """Return the gradient penalty of one batch.

    R1 takes the slope at real, R2 at generated pictures.

    Parameters
    ----------
    slope : Tensor, shape (n, channels, h, w)
        grad_x D(x) at each picture.
    mu : float
        Weight of the penalty.
    factor : float
        1 for mu E|grad_x D|^2, as the paper's released code has it; 1/2 for the theory's
        (mu/2) E|grad_x D|^2 (after Mescheder et al., 2018).

    Returns
    -------
    Tensor, scalar
        factor mu mean |grad_x D(x)|^2.
    """
    return factor * mu * slope.square().sum(dim=tuple(range(1, slope.ndim))).mean()
