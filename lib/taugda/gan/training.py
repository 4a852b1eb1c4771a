"""The two players of an image GAN and one update of both: tau-GDA with RMSprop.

An update takes the real batch and the two latent batches explicitly, so that it can be set
beside another implementation of the same step.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from taugda.gan.configuration import Configuration
from taugda.gan.models import Discriminator, Generator
from taugda.gan.passes import discriminator_gradient, generator_gradient

__all__ = ["DivergedError", "Losses", "Trainer"]


class DivergedError(RuntimeError):
    """A loss or a parameter is no longer a finite number."""


@dataclass(frozen=True)
class Losses:
    """What an update saw, before it stepped; each a scalar on the training device.

    Attributes
    ----------
    generator : Tensor
        The generator's loss.
    discriminator : Tensor
        The discriminator's loss without the penalty.
    penalty : Tensor
        The gradient penalty.
    """

    generator: Tensor
    discriminator: Tensor
    penalty: Tensor


class _Vector:
    """A network's parameters in one piece of memory, so that few operations reach them all."""

    def __init__(self, network: nn.Module) -> None:
        parameters = list(network.parameters())
        self.whole = torch.cat([_memory(parameter.detach()) for parameter in parameters])
        self._places = []
        start = 0
        for parameter in parameters:
            self._places.append((parameter.shape, parameter.stride(), start))
            start += parameter.numel()
        for parameter, part in zip(parameters, self.parts(self.whole), strict=True):
            parameter.data = part

    def parts(self, whole: Tensor) -> list[Tensor]:
        """View a vector of the same order as the parameters that it is made of."""
        return [whole.as_strided(*place) for place in self._places]


class _RMSprop(_Vector):
    """A player's parameters with RMSprop's steps, as `torch.optim.RMSprop` takes them.

    Making one of those imports PyTorch's compiler, which takes longer than fifty updates on the
    digits.
    """

    def __init__(self, player: nn.Module, alpha: float, eps: float) -> None:
        super().__init__(player)
        self._alpha, self._eps = alpha, eps
        self._gradient = torch.zeros_like(self.whole)
        self._gradient_parts = self.parts(self._gradient)
        self.square = torch.zeros_like(self.whole)  # the running mean of the squared gradient

    def step(self, gradient: Sequence[Tensor], rate: float) -> None:
        """Take a step along the gradients of the parameters."""
        torch._foreach_copy_(self._gradient_parts, list(gradient))
        g = self._gradient
        self.square.mul_(self._alpha).addcmul_(g, g, value=1 - self._alpha)
        self.whole.addcdiv_(g, self.square.sqrt().add_(self._eps), value=-rate)


def _memory(x: Tensor) -> Tensor:
    """Return the numbers in the order of memory; a parameter has no gaps."""
    return x.as_strided((x.numel(),), (1,))


class Trainer:
    """Both players with the state of their steps and the generator's averages.

    Parameters
    ----------
    configuration : Configuration
        The settings.

    Attributes
    ----------
    generator, discriminator : Generator, Discriminator
        Players 1 and 2, on the device and of the precision of the configuration.
    averages : dict of float to Generator
        An exponential average of the generator for each beta; the first lies at the initial
        players.
    updates : int
        Updates done.

    Notes
    -----
    The initial players depend on the seed alone.  The latent vectors of `draw` come from a
    generator of their own on the training device, seeded with it too.
    """

    def __init__(self, configuration: Configuration) -> None:
        c = self.configuration = configuration
        self.device = torch.device(c.device)
        sizes = {"resolution": c.resolution, "channels": c.channels, "width": c.width, "cap": c.cap}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(c.seed)
            generator, discriminator = Generator(latent=c.latent, **sizes), Discriminator(**sizes)
        # On CPUs and GPUs alike, convolutions are faster with the channels last in memory.
        place = {"device": self.device, "dtype": c.dtype, "memory_format": torch.channels_last}
        self.generator, self.discriminator = generator.to(**place), discriminator.to(**place)
        self.averages = {
            beta: copy.deepcopy(self.generator).requires_grad_(False) for beta in c.averages
        }
        self._steps = [_RMSprop(player, c.rms_alpha, c.rms_eps) for player in self._players]
        self._average_vectors = {beta: _Vector(a) for beta, a in self.averages.items()}
        self._random = torch.Generator(self.device).manual_seed(c.seed)
        self.updates = 0

    @property
    def _players(self) -> tuple[nn.Module, nn.Module]:
        return self.generator, self.discriminator

    def draw(self) -> Tensor:
        """Draw a batch of latent vectors.

        Returns
        -------
        Tensor, shape (batch, latent)
            Standard normal numbers.
        """
        c = self.configuration
        size = (c.batch, c.latent)
        return torch.randn(size, generator=self._random, device=self.device, dtype=c.dtype)

    def update(self, real: Tensor, z2: Tensor, z1: Tensor) -> Losses:
        """Let each player take one step.

        Parameters
        ----------
        real : Tensor, shape (batch, channels, resolution, resolution)
            Real pictures in [-1, 1] (and the noise).
        z2, z1 : Tensor, shape (batch, latent)
            Latent vectors of the discriminator's and of the generator's step.

        Returns
        -------
        Losses
            Without waiting for the device; see `check`.

        Notes
        -----
        Alternating, the discriminator steps first and the generator's gradient is taken at the
        new discriminator, as in the released code.  Simultaneous, both gradients are taken
        first.
        """
        c = self.configuration
        real = real.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            fake = self.generator(z2)
        second = discriminator_gradient(
            self.discriminator, real, fake, c.mu, c.penalty_factor, c.penalty
        )
        gamma1, gamma2 = c.rates(self.updates)
        step1, step2 = (player.step for player in self._steps)
        if c.alternating:
            step2(second.gradient, gamma2)
        first, gradient = generator_gradient(self.generator, self.discriminator, z1, c.loss)
        if not c.alternating:
            step2(second.gradient, gamma2)
        step1(gradient, gamma1)
        for beta, average in self._average_vectors.items():
            average.whole.lerp_(self._steps[0].whole, 1 - beta)
        self.updates += 1
        return Losses(first, second.loss, second.penalty)

    @torch.no_grad()
    def check(self, losses: Losses) -> None:
        """Stop where a loss or a parameter is not finite; waits for the device.

        Parameters
        ----------
        losses : Losses
            Of the last update.

        Raises
        ------
        DivergedError
            With the update, tau and what to try.
        """
        names = ("generator's loss", "discriminator's loss", "gradient penalty")
        values = [losses.generator, losses.discriminator, losses.penalty]
        values += [player.whole.norm() for player in self._steps]
        finite = torch.isfinite(torch.stack(values)).tolist()
        if all(finite):
            return
        what = [*names, "generator's parameters", "discriminator's parameters"][finite.index(False)]
        c = self.configuration
        raise DivergedError(
            f"update {self.updates}: the {what} not finite any more at tau = {c.tau:g}, "
            f"gamma1 = {c.gamma1:g}, mu = {c.mu:g}; try a smaller gamma1, a smaller tau, or a "
            "larger mu"
        )

    @torch.no_grad()
    def samples(self, beta: float, latents: Tensor, batch: int = 500) -> Tensor:
        """Make pictures with one of the generator's averages.

        Parameters
        ----------
        beta : float
            Which average.
        latents : Tensor, shape (n, latent)
            Latent vectors, on any device.
        batch : int
            How many are made at once.

        Returns
        -------
        Tensor, shape (n, channels, resolution, resolution)
            Pictures in [-1, 1], on the training device.

        Raises
        ------
        ValueError
            If no average has that beta.
        """
        if beta not in self.averages:
            known = ", ".join(f"{b:g}" for b in self.averages)
            raise ValueError(f"beta: expected one of {known}, got {beta!r}")
        parts = latents.to(self.device, self.configuration.dtype).split(batch)
        return torch.cat([self.averages[beta](part) for part in parts])

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next updates depend on.

        Returns
        -------
        dict
            Plain values and tensors.
        """
        return {
            "configuration": self.configuration.plain(),
            "updates": self.updates,
            "players": [player.state_dict() for player in self._players],
            "averages": {f"{b}": a.state_dict() for b, a in self.averages.items()},
            "squares": [player.square for player in self._steps],
            "random": self._random.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state.

        Parameters
        ----------
        state : dict
            From `state_dict`.

        Raises
        ------
        ValueError
            If it belongs to another configuration.
        """
        mine = self.configuration.plain()
        other = [k for k, value in mine.items() if state["configuration"].get(k) != value]
        if other:
            raise ValueError(
                f"state: expected one of this configuration, got one in which {other[0]} is "
                f"{state['configuration'].get(other[0])!r} instead of {mine[other[0]]!r}"
            )
        for player, part in zip(self._players, state["players"], strict=True):
            player.load_state_dict(part)
        for beta, average in self.averages.items():
            average.load_state_dict(state["averages"][f"{beta}"])
        for player, part in zip(self._steps, state["squares"], strict=True):
            player.square.copy_(part)
        self._random.set_state(state["random"])
        self.updates = state["updates"]
