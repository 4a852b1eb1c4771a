"""The residual generator and discriminator of the paper, at any power-of-two resolution from 8.

The architecture is that of Mescheder, Geiger and Nowozin (2018) without normalization layers, as
the paper's released code configures it: a 4 x 4 start, one stage for each doubling of the
resolution, residual branches scaled by 0.1, leaky ReLUs of slope 0.2 before each convolution.
The linear layers number the units of the 4 x 4 end with the channels last, as the convolutions hold
them in memory, where the released code numbers them with the channels first.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from taugda.checks import count

__all__ = ["Discriminator", "Generator", "Record", "parameter_count", "stages"]

Layer = nn.Conv2d | nn.Linear
Bend = Callable[[Tensor], Tensor]
Apply = Callable[[Layer, Tensor], Tensor]

_START = 4  # pixels across at the narrow end
_BRANCH = 0.1  # factor of a residual branch
_SLOPE = 0.2  # of the leaky ReLU below zero


def stages(resolution: int) -> int:
    """Count the doublings between the 4 x 4 start and a resolution.

    Parameters
    ----------
    resolution : int
        Pixels across: a power of two, at least 8.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If the resolution is anything else.
    """
    size = count("resolution", resolution, least=2 * _START)
    if size & (size - 1):
        raise ValueError(f"resolution: expected a power of two from 8 up, got {resolution}")
    return int(math.log2(size // _START))


def parameter_count(player: nn.Module) -> int:
    """Count a player's parameters.

    Parameters
    ----------
    player : torch.nn.Module
        Generator or discriminator.

    Returns
    -------
    int
        Numbers that training changes.
    """
    return sum(parameter.numel() for parameter in player.parameters())


@dataclass
class Record:
    """What a forward pass of the discriminator leaves for its derivatives.

    Attributes
    ----------
    bends : list of Tensor
        What went into each leaky ReLU, in the order of the pass.
    layers : list of (module, Tensor, Tensor)
        Each convolution and the last linear layer with its input and its output.
    """

    bends: list[Tensor] = field(default_factory=list)
    layers: list[tuple[Layer, Tensor, Tensor]] = field(default_factory=list)


class _Block(nn.Module):
    """x + 0.1 conv(lrelu(conv(lrelu(x)))), with a 1 x 1 shortcut where the width changes."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        hidden = min(width_in, width_out)
        self.conv_0 = nn.Conv2d(width_in, hidden, 3, padding=1)
        self.conv_1 = nn.Conv2d(hidden, width_out, 3, padding=1)
        self.shortcut = (
            nn.Conv2d(width_in, width_out, 1, bias=False) if width_in != width_out else None
        )

    def forward(self, x: Tensor, bend: Bend, apply: Apply) -> Tensor:
        branch = apply(self.conv_1, bend(apply(self.conv_0, bend(x))))
        straight = x if self.shortcut is None else apply(self.shortcut, x)
        return torch.add(straight, branch, alpha=_BRANCH)


def _bend(x: Tensor) -> Tensor:
    return F.leaky_relu(x, _SLOPE)


def _apply(layer: Layer, x: Tensor) -> Tensor:
    return layer(x)


def _widths(width: int, cap: int, resolution: int) -> list[int]:
    """Widths from the full resolution down to the 4 x 4 end."""
    return [min(cap, width * 2**k) for k in range(stages(resolution) + 1)]


def _check_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        count(name, size)


class Generator(nn.Module):
    """Player 1: from a latent vector to a picture in [-1, 1].

    Parameters
    ----------
    resolution : int
        Pixels across, a power of two from 8 up.
    channels : int
        Channels of the picture.
    latent : int
        Dimension of the latent vector.
    width : int
        Width (number of feature maps) at the full resolution; it doubles with each stage.
    cap : int
        Largest width.

    Raises
    ------
    ValueError
        If a size is no positive whole number or the resolution no power of two from 8 up.

    Notes
    -----
    The released code joins the embedding of a class label, of size one and scaled to length
    one, to the latent vector.  With the single class that the paper uses it is a constant sign;
    it is kept so that the player has the paper's 4,684,484 parameters at the paper's settings.
    """

    def __init__(
        self,
        resolution: int = 32,
        channels: int = 3,
        latent: int = 256,
        width: int = 64,
        cap: int = 1024,
    ) -> None:
        super().__init__()
        _check_sizes(channels=channels, latent=latent, width=width, cap=cap)
        widths = _widths(width, cap, resolution)[::-1]
        self.latent = latent
        self.label = nn.Parameter(torch.randn(1))
        self.start = nn.Linear(latent + 1, widths[0] * _START**2)
        # One block before each upsampling and one at the full resolution.
        pairs = [*itertools.pairwise(widths), (widths[-1], widths[-1])]
        self.blocks = nn.ModuleList(_Block(*pair) for pair in pairs)
        self.picture = nn.Conv2d(widths[-1], channels, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        """Make pictures.

        Parameters
        ----------
        z : Tensor, shape (n, latent)
            Latent vectors.

        Returns
        -------
        Tensor, shape (n, channels, resolution, resolution)
            Pictures in [-1, 1].
        """
        label = (self.label / self.label.abs()).expand(len(z), 1)
        x = self.start(torch.cat([z, label], dim=1))
        x = x.view(len(z), _START, _START, -1).permute(0, 3, 1, 2)
        last = len(self.blocks) - 1
        for k, block in enumerate(self.blocks):
            x = block(x, _bend, _apply)
            if k < last:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
        return torch.tanh(self.picture(_bend(x)))


class Discriminator(nn.Module):
    """Player 2: from a picture to one number, large where it looks real.

    Parameters
    ----------
    resolution : int
        Pixels across, a power of two from 8 up.
    channels : int
        Channels of the picture.
    width : int
        Width (number of feature maps) at the full resolution; it doubles with each stage.
    cap : int
        Largest width.

    Raises
    ------
    ValueError
        If a size is no positive whole number or the resolution no power of two from 8 up.
    """

    def __init__(
        self, resolution: int = 32, channels: int = 3, width: int = 64, cap: int = 1024
    ) -> None:
        super().__init__()
        _check_sizes(channels=channels, width=width, cap=cap)
        widths = _widths(width, cap, resolution)
        self.picture = nn.Conv2d(channels, widths[0], 3, padding=1)
        # One block at the full resolution and one after each pooling.
        pairs = [(widths[0], widths[0]), *itertools.pairwise(widths)]
        self.blocks = nn.ModuleList(_Block(*pair) for pair in pairs)
        self.end = nn.Linear(widths[-1] * _START**2, 1)

    def forward(self, x: Tensor, record: Record | None = None) -> Tensor:
        """Judge pictures.

        Parameters
        ----------
        x : Tensor, shape (n, channels, resolution, resolution)
            Pictures.
        record : Record, optional
            Collects what the derivatives in `taugda.gan.passes` are made from.

        Returns
        -------
        Tensor, shape (n,)
            The judgements D(x), as logits.
        """
        if record is None:
            return self._walk(x, _bend, _apply)

        def bend(x: Tensor) -> Tensor:
            record.bends.append(x)
            return _bend(x)

        def apply(layer: Layer, x: Tensor) -> Tensor:
            out = layer(x)
            record.layers.append((layer, x, out))
            return out

        return self._walk(x, bend, apply)

    def linearized(self, x: Tensor, weight: Tensor, bends: Sequence[Tensor]) -> list[Tensor]:
        """Walk through the network with every leaky ReLU held at the slope it had.

        The network is piecewise linear.  This is the linear map of the piece that an earlier
        pass lay in, applied to another input.

        Parameters
        ----------
        x : Tensor, shape (n, channels, resolution, resolution)
            The input.
        weight : Tensor, shape (n,)
            Factor of the biases, one a picture: 1 for the affine map, 0 for its derivative.
        bends : sequence of Tensor
            `Record.bends` of the earlier pass.

        Returns
        -------
        list of Tensor
            The input of each layer, in the order of `Record.layers`.
        """
        before = iter(bends)
        inputs: list[Tensor] = []
        factor = weight.view(-1, 1, 1, 1)

        def bend(x: Tensor) -> Tensor:
            return torch.ops.aten.leaky_relu_backward(x, next(before), _SLOPE, False)

        def apply(layer: Layer, x: Tensor) -> Tensor:
            inputs.append(x)
            if isinstance(layer, nn.Linear):
                return x.new_empty(len(x), 1)  # nothing comes after the last layer
            out = F.conv2d(x, layer.weight, padding=layer.padding)
            if layer.bias is not None:
                out.addcmul_(factor, layer.bias.view(1, -1, 1, 1))
            return out

        with torch.no_grad():
            self._walk(x, bend, apply)
        return inputs

    def _walk(self, x: Tensor, bend: Bend, apply: Apply) -> Tensor:
        """Follow the network with given ways to bend and to apply a layer."""
        x = apply(self.picture, x)
        for k, block in enumerate(self.blocks):
            if k:
                x = F.avg_pool2d(x, 3, stride=2, padding=1)
            x = block(x, bend, apply)
        return apply(self.end, bend(x.permute(0, 2, 3, 1).flatten(1))).squeeze(1)
