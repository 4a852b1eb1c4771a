"""Both players' losses and their gradients, each from as few passes as they need.

The discriminator (player 2) maximizes f = E log sigma(D(x)) + E log(1 - sigma(D(G(z)))) - penalty,
the generator (player 1) minimizes it (saturating) or follows the non-saturating gradient instead.
All losses here are written as minimized, so player 2's is -f.

The discriminator is piecewise linear in its input, so its derivatives need no double backward
pass.  Write a_l for the input of layer l and d_l for the derivative of D(x) with respect to that
layer's output.  One forward and one backward pass give a_l, d_l and the slope u = grad_x D(x).
The derivative of a loss that weighs the judgements with s and of a penalty P(u) is then, for the
weights of layer l, the correlation of d_l with s a_l + t_l, where t_l is the input of layer l
when v = dP/du is sent through the network with the slopes of its leaky ReLUs held fixed.  Where
nothing is penalized, the backward pass gives s d_l at once, to be correlated with a_l.  The
weights' part is done once, for real and generated pictures and the penalty together.

All of it holds for a stack of players: they share no parameter, so the gradient of the sum of
their losses holds the gradient of each.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taugda.gan.models import SLOPE, Discriminator, Generator, Layer, Walk, spread

Loss = Literal["non-saturating", "saturating"]
Penalty = Literal["R1", "R2"]


class _Recorded(Walk):
    """A pass that keeps what went into each leaky ReLU, and each layer with input and output."""

    def __init__(self) -> None:
        self.bends: list[Tensor] = []
        self.layers: list[tuple[Layer, Tensor, Tensor]] = []

    def bend(self, x: Tensor) -> Tensor:
        self.bends.append(x)
        return super().bend(x)

    def apply(self, layer: Layer, x: Tensor) -> Tensor:
        out = layer(x)
        self.layers.append((layer, x, out))
        return out


class _Linearized(Walk):
    """A pass through the linear piece that a recorded pass lay in, which keeps layers' inputs."""

    # The weight (n, stack) is the factor of the biases: 1 for the affine map, 0 for its derivative.
    def __init__(self, record: _Recorded, weight: Tensor) -> None:
        self._bends = iter([before[: len(weight)] for before in record.bends])
        self._weight = weight
        self.inputs: list[Tensor] = []

    def bend(self, x: Tensor) -> Tensor:
        return torch.ops.aten.leaky_relu_backward(x, next(self._bends), SLOPE, False)

    def apply(self, layer: Layer, x: Tensor) -> Tensor:
        self.inputs.append(x)
        if isinstance(layer, nn.Linear):
            return x.new_empty(*x.shape[:2], 1)  # nothing comes after the last layer
        out = F.conv2d(x, layer.weight, padding=layer.padding, groups=layer.groups)
        if layer.bias is not None:
            weight = spread(self._weight, len(layer.bias) // layer.groups)
            out.addcmul_(weight, layer.bias.view(1, -1, 1, 1))
        return out


def discriminator_gradient(
    player: Discriminator, real: Tensor, fake: Tensor, mu: Tensor | float, factor: float,
    penalty: Penalty,
) -> tuple[Tensor, Tensor, list[Tensor]]:  # fmt: skip
    """Return losses (stack,), penalties (stack,), and their sum's gradient, a part a parameter."""
    n, stack = len(real), player.stack
    # The pictures whose slope is penalized come first.
    parts = (real, fake) if penalty == "R1" else (fake, real)
    pictures = torch.cat(parts).requires_grad_()
    record = _Recorded()
    judged = player(pictures, record)
    free = judged.detach().requires_grad_()
    of_real, of_fake = (free[:n], free[n:]) if penalty == "R1" else (free[n:], free[:n])
    loss = F.softplus(-of_real).mean(0) + F.softplus(of_fake).mean(0)
    (weight,) = torch.autograd.grad(loss.sum(), free)
    inside, outside = weight[:n], weight[n:]
    one = torch.ones_like(inside)
    outputs = [output for _, _, output in record.layers]
    # Weights handed over as `grad_outputs` would do the same; PyTorch imports SymPy for that.
    weighted = (judged * torch.cat([one, outside])).sum()
    slopes, *cotangents = torch.autograd.grad(weighted, [pictures, *outputs])
    slope = slopes[:n].detach().requires_grad_()
    squares = slope.unflatten(1, (stack, -1)).square().sum(dim=(2, 3, 4))
    size = factor * mu * squares.mean(0)
    (direction,) = torch.autograd.grad(size.sum(), slope)

    gradients: dict[nn.Parameter, Tensor] = {}
    with torch.no_grad():
        through = _Linearized(record, inside)
        weights = spread(inside, slope.shape[1] // stack)
        player(torch.addcmul(direction, weights, pictures[:n]), through)
        of_biases = torch.cat([inside, one])
        for (layer, given, _), cotangent, combined in zip(
            record.layers, cotangents, through.inputs, strict=True
        ):
            # The pass is over, so its inputs may be overwritten.
            given[:n] = combined
            if isinstance(layer, nn.Linear):
                of_weight = (cotangent.permute(1, 2, 0) @ given.transpose(0, 1)).flatten(0, 1)
            else:
                _, of_weight, _ = torch.ops.aten.convolution_backward(
                    cotangent, given, layer.weight, None, layer.stride, layer.padding,
                    layer.dilation, False, [0, 0], layer.groups, [False, True, False],
                )  # fmt: skip
            gradients[layer.weight] = of_weight
            if layer.bias is not None:
                if cotangent.ndim == 4:
                    cotangent = cotangent.sum((2, 3)).unflatten(1, (stack, -1))
                gradients[layer.bias] = (of_biases.unsqueeze(2) * cotangent).sum(0).flatten()
    return loss.detach(), size.detach(), [gradients[p] for p in player.parameters()]


def generator_gradient(
    generator: Generator, discriminator: Discriminator, z: Tensor, loss: Loss
) -> tuple[Tensor, Sequence[Tensor]]:
    """Return the generators' losses (stack,) and their sum's gradient, a part a parameter."""
    judged = discriminator(generator(z))
    value = (-F.softplus(judged) if loss == "saturating" else F.softplus(-judged)).mean(0)
    # Only the generator's gradient is asked for, so none is formed for player 2's weights.
    return value.detach(), torch.autograd.grad(value.sum(), list(generator.parameters()))
