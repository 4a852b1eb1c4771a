"""Both players' gradients, each from as few passes through the networks as they need.

The discriminator is piecewise linear in its input, so its derivatives need no double backward
pass.  Write a_l for the input of layer l and d_l for the derivative of D(x) with respect to that
layer's output.  One forward and one backward pass give a_l, d_l and the slope u = grad_x D(x).
The derivative of a loss that weighs the judgements with s and of a penalty P(u) is then, for the
weights of layer l, the correlation of d_l with s a_l + t_l, where t_l is the input of layer l
when v = dP/du is sent through the network with the slopes of its leaky ReLUs held fixed.  Where
nothing is penalized, the backward pass gives s d_l at once, to be correlated with a_l.  The
weights' part is done once, for real and generated pictures and the penalty together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from taugda.gan.models import Discriminator, Generator, Layer, Record
from taugda.gan.objectives import (
    Loss,
    Penalty,
    discriminator_loss,
    generator_loss,
    gradient_penalty,
)

__all__ = ["DiscriminatorGradient", "discriminator_gradient", "generator_gradient"]


@dataclass(frozen=True)
class DiscriminatorGradient:
    """The discriminator's losses and their gradient at one point.

    Attributes
    ----------
    loss : Tensor, scalar
        Without the penalty.
    penalty : Tensor, scalar
        The gradient penalty.
    gradient : list of Tensor
        Of loss + penalty, one a parameter, in the order of ``parameters()``.
    """

    loss: Tensor
    penalty: Tensor
    gradient: list[Tensor]


def discriminator_gradient(
    discriminator: Discriminator,
    real: Tensor,
    fake: Tensor,
    mu: float,
    factor: float = 1.0,
    penalty: Penalty = "R1",
) -> DiscriminatorGradient:
    """Return the gradient of the discriminator's loss with its gradient penalty.

    Parameters
    ----------
    discriminator : Discriminator
        Player 2.
    real, fake : Tensor, shape (n, channels, resolution, resolution)
        Real and generated pictures.
    mu : float
        Weight of the penalty, at least 0.
    factor : float
        1 for mu E|grad_x D|^2 (the released code), 1/2 for the theory's mu/2.
    penalty : {"R1", "R2"}
        Whether the slope is penalized at the real or at the generated pictures.

    Returns
    -------
    DiscriminatorGradient
        Equal to what automatic differentiation of the same losses gives, up to rounding.
    """
    n = len(real)
    # The pictures whose slope is penalized come first.
    parts = (real, fake) if penalty == "R1" else (fake, real)
    pictures = torch.cat(parts).requires_grad_()
    record = Record()
    judged = discriminator(pictures, record)
    free = judged.detach().requires_grad_()
    first, second = free[:n], free[n:]
    loss = discriminator_loss(*((first, second) if penalty == "R1" else (second, first)))
    (weight,) = torch.autograd.grad(loss, free)
    inside, outside = weight[:n], weight[n:]
    one = torch.ones_like(inside)
    outputs = [output for _, _, output in record.layers]
    # Weights handed over as `grad_outputs` would do the same; PyTorch imports SymPy for that.
    weighted = judged @ torch.cat([one, outside])
    slopes, *cotangents = torch.autograd.grad(weighted, [pictures, *outputs])
    slope = slopes[:n].detach().requires_grad_()
    size = gradient_penalty(slope, mu, factor)
    (direction,) = torch.autograd.grad(size, slope)

    gradients: dict[nn.Parameter, Tensor] = {}
    with torch.no_grad():
        sent = inside.view(-1, 1, 1, 1) * pictures[:n] + direction
        through = discriminator.linearized(sent, inside, [bend[:n] for bend in record.bends])
        of_biases = torch.cat([inside, one])
        for (layer, given, _), cotangent, combined in zip(
            record.layers, cotangents, through, strict=True
        ):
            # The pass is over, so its inputs may be overwritten.
            given[:n] = combined
            gradients[layer.weight] = _weight_gradient(layer, given, cotangent)
            if layer.bias is not None:
                gradients[layer.bias] = _bias_gradient(cotangent, of_biases)
    ordered = [gradients[parameter] for parameter in discriminator.parameters()]
    return DiscriminatorGradient(loss.detach(), size.detach(), ordered)


def _weight_gradient(layer: Layer, given: Tensor, cotangent: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return cotangent.T @ given
    _, gradient, _ = torch.ops.aten.convolution_backward(
        cotangent, given, layer.weight, None, layer.stride, layer.padding, layer.dilation,
        False, [0, 0], layer.groups, [False, True, False],
    )  # fmt: skip
    return gradient


def _bias_gradient(cotangent: Tensor, weight: Tensor) -> Tensor:
    return weight @ (cotangent.sum((2, 3)) if cotangent.ndim == 4 else cotangent)


def generator_gradient(
    generator: Generator, discriminator: Discriminator, z: Tensor, loss: Loss = "non-saturating"
) -> tuple[Tensor, Sequence[Tensor]]:
    """Return the gradient of the generator's loss.

    Parameters
    ----------
    generator, discriminator : Generator, Discriminator
        Players 1 and 2.
    z : Tensor, shape (n, latent)
        Latent vectors.
    loss : {"non-saturating", "saturating"}
        See `taugda.gan.objectives.generator_loss`.

    Returns
    -------
    loss : Tensor, scalar
        The loss.
    gradient : sequence of Tensor
        One a parameter of the generator, in the order of ``parameters()``.
    """
    value = generator_loss(discriminator(generator(z)), loss)
    # Only the generator's gradient is asked for, so none is formed for player 2's weights.
    return value.detach(), torch.autograd.grad(value, list(generator.parameters()))
