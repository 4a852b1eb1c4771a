"""The residual generator and discriminator of the paper, at any power-of-two resolution from 8.

The architecture is that of Mescheder, Geiger and Nowozin (2018) without normalization layers, as
the paper's released code configures it: a 4 x 4 start, one stage for each doubling of the
resolution, residual branches scaled by 0.1, leaky ReLUs of slope 0.2 before each convolution; the
width, the number of feature maps, doubles with each stage up to a cap.
The linear layers number the units of the 4 x 4 end with the channels last, as in memory, where the
released code numbers them with the channels first.

A network may be a stack: several players of one size side by side, each with feature maps of its
own (grouped convolutions), which share nothing but the calls that compute them.  Every parameter
of a stack is its players' parameters one after the other.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taugda.checks import count

SLOPE = 0.2  # of the leaky ReLU below zero
_START = 4  # pixels across at the narrow end
_BRANCH = 0.1  # factor of a residual branch
Layer = nn.Conv2d | nn.Linear


def stages(resolution: int) -> int:
    """Count the doublings between the 4 x 4 start and a resolution, a power of two from 8."""
    size = count("resolution", resolution, least=2 * _START)
    if size & (size - 1):
        raise ValueError(f"resolution: expected a power of two from 8 up, got {resolution}")
    return (size // _START).bit_length() - 1


def parameter_count(player: nn.Module) -> int:
    """Count the numbers of one player that training changes.

    Parameters
    ----------
    player : Generator or Discriminator

    Returns
    -------
    int
    """
    return sum(parameter.numel() for parameter in player.parameters()) // player.stack


def spread(x: Tensor, width: int) -> Tensor:
    """Repeat numbers (n, stack) for the feature maps of each player: (n, stack * width, 1, 1)."""
    return x.repeat_interleave(width, 1)[:, :, None, None]


class Walk:
    """How a pass goes through a network; `taugda.gan.gradients` has passes of its own."""

    def bend(self, x: Tensor) -> Tensor:
        """Apply the leaky ReLU."""
        return F.leaky_relu(x, SLOPE)

    def apply(self, layer: Layer, x: Tensor) -> Tensor:
        """Apply a convolution or a linear layer."""
        return layer(x)


_PLAIN = Walk()


class _Linear(nn.Linear):
    """Linear layers side by side, from (n, stack, in) to (n, stack, out)."""

    def __init__(self, size_in: int, size_out: int, stack: int) -> None:
        super().__init__(size_in, stack * size_out)
        self.stack = stack

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.unflatten(0, (self.stack, -1)).transpose(1, 2)
        bias = self.bias.view(self.stack, 1, -1)
        return torch.baddbmm(bias, x.transpose(0, 1), weight).transpose(0, 1)


def _conv(width_in: int, width_out: int, stack: int, size: int = 3) -> nn.Conv2d:
    widths = stack * width_in, stack * width_out
    return nn.Conv2d(*widths, size, padding=size // 2, groups=stack, bias=size > 1)


class _Block(nn.Module):
    """x + 0.1 conv(lrelu(conv(lrelu(x)))), with a 1 x 1 shortcut where the width changes."""

    def __init__(self, width_in: int, width_out: int, stack: int) -> None:
        super().__init__()
        hidden = min(width_in, width_out)
        self.conv_0 = _conv(width_in, hidden, stack)
        self.conv_1 = _conv(hidden, width_out, stack)
        same = width_in == width_out
        self.shortcut = None if same else _conv(width_in, width_out, stack, size=1)

    def forward(self, x: Tensor, walk: Walk = _PLAIN) -> Tensor:
        branch = walk.apply(self.conv_1, walk.bend(walk.apply(self.conv_0, walk.bend(x))))
        straight = x if self.shortcut is None else walk.apply(self.shortcut, x)
        return torch.add(straight, branch, alpha=_BRANCH)


def _widths(resolution: int, width: int, cap: int) -> list[int]:
    """Return the widths from the full resolution down to the 4 x 4 end."""
    return [min(cap, width * 2**k) for k in range(stages(resolution) + 1)]


class Generator(nn.Module):
    """Player 1: from latent vectors (n, stack * latent) to pictures in [-1, 1]."""

    # The released code joins the embedding of a class label, of size one and scaled to length one,
    # to the latent vector.  With the single class that the paper uses it is a constant sign; it is
    # kept so that the player has the paper's 4,684,484 parameters at the paper's settings.

    def __init__(
        self, resolution: int = 32, channels: int = 3, width: int = 64, cap: int = 1024,
        stack: int = 1, latent: int = 256,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stack = stack
        widths = _widths(resolution, width, cap)[::-1]
        self.label = nn.Parameter(torch.randn(stack))
        self.start = _Linear(latent + 1, widths[0] * _START**2, stack)
        # One block before each upsampling and one at the full resolution.
        pairs = [*itertools.pairwise(widths), (widths[-1], widths[-1])]
        self.blocks = nn.ModuleList(_Block(*pair, stack) for pair in pairs)
        self.picture = _conv(widths[-1], channels, stack)

    def forward(self, z: Tensor) -> Tensor:
        """Make pictures (n, stack * channels, resolution, resolution)."""
        label = (self.label / self.label.abs()).view(1, -1, 1).expand(len(z), -1, 1)
        x = self.start(torch.cat([z.unflatten(1, (self.stack, -1)), label], dim=2))
        x = x.unflatten(2, (_START, _START, -1)).permute(0, 2, 3, 1, 4).flatten(3)
        x = x.permute(0, 3, 1, 2)
        for k, block in enumerate(self.blocks):
            if k:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = block(x)
        return torch.tanh(self.picture(_PLAIN.bend(x)))


class Discriminator(nn.Module):
    """Player 2: from pictures to one number each, a logit that is large where they look real."""

    def __init__(
        self, resolution: int = 32, channels: int = 3, width: int = 64, cap: int = 1024,
        stack: int = 1,
    ) -> None:  # fmt: skip
        super().__init__()
        self.stack = stack
        widths = _widths(resolution, width, cap)
        self.picture = _conv(channels, widths[0], stack)
        # One block at the full resolution and one after each pooling.
        pairs = [(widths[0], widths[0]), *itertools.pairwise(widths)]
        self.blocks = nn.ModuleList(_Block(*pair, stack) for pair in pairs)
        self.end = _Linear(widths[-1] * _START**2, 1, stack)

    def forward(self, x: Tensor, walk: Walk = _PLAIN) -> Tensor:
        """Judge pictures (n, stack * channels, resolution, resolution): (n, stack)."""
        x = walk.apply(self.picture, x)
        for k, block in enumerate(self.blocks):
            if k:
                x = F.avg_pool2d(x, 3, stride=2, padding=1)
            x = block(x, walk)
        x = walk.bend(x).permute(0, 2, 3, 1).unflatten(3, (self.stack, -1))
        return walk.apply(self.end, x.permute(0, 3, 1, 2, 4).flatten(2)).squeeze(2)
