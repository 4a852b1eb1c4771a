"""The two players of an image GAN and one update of both: tau-GDA with RMSprop.

An update takes the real batch and the two latent batches explicitly, so that it can be set
beside another implementation of the same step.
"""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.rmsprop import rmsprop
from torch.optim.swa_utils import get_ema_multi_avg_fn

from taugda.gan.configuration import Configuration
from taugda.gan.gradients import discriminator_gradient, generator_gradient
from taugda.gan.models import Discriminator, Generator


class DivergedError(RuntimeError):
    """A loss or a parameter is no longer a finite number."""


class Losses(NamedTuple):
    """What an update saw, before it stepped; each a scalar on the training device."""

    generator: Tensor
    discriminator: Tensor  # without the penalty
    penalty: Tensor


class _Steps:
    """A player's RMSprop."""

    def __init__(self, player: nn.Module, alpha: float, eps: float) -> None:
        self.parameters = [parameter.detach() for parameter in player.parameters()]
        # The running means of the squared gradient.
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._counts = [torch.zeros(()) for _ in self.parameters]  # asked for, used for nothing
        self._options = {"alpha": alpha, "eps": eps, "weight_decay": 0, "momentum": 0}

    def step(self, gradient: Sequence[Tensor], rate: float) -> None:
        # The function behind torch.optim.RMSprop: making one of the class imports PyTorch's
        # compiler, 1.0 second or a twentieth of a run on the digits.
        rmsprop(
            self.parameters, list(gradient), self.squares, [], [], self._counts,
            foreach=True, lr=rate, centered=False, **self._options,
        )  # fmt: skip


class Trainer:
    """Both players with the state of their steps and the generator's averages.

    The initial players depend on the seed alone, and so do the latent vectors of `draw`.

    Parameters
    ----------
    configuration : Configuration
        The settings.

    Attributes
    ----------
    generator, discriminator : Generator, Discriminator
        Players 1 and 2, on the device.
    averages : dict of float to Generator
        An exponential average of the generator for each beta, from the initial players on.
    updates : int
        Updates done.
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
        self.averages = {b: copy.deepcopy(self.generator).requires_grad_(False) for b in c.averages}
        self._steps = [_Steps(player, c.rms_alpha, c.rms_eps) for player in self._players]
        self._random = torch.Generator(self.device).manual_seed(c.seed)
        self.updates = 0

    @property
    def _players(self) -> tuple[nn.Module, nn.Module]:
        return self.generator, self.discriminator

    def draw(self) -> Tensor:
        """Draw a batch of latent vectors (batch, latent), standard normal.

        Returns
        -------
        Tensor, shape (batch, latent)
            From the trainer's own generator, on its device.
        """
        c, place = self.configuration, {"generator": self._random, "device": self.device}
        return torch.randn(c.batch, c.latent, dtype=c.dtype, **place)

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
            As they were before the steps; without waiting for the device, see `check`.
        """
        c = self.configuration
        real = real.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            fake = self.generator(z2)
        loss2, penalty, gradient2 = discriminator_gradient(
            self.discriminator, real, fake, c.mu, c.penalty_factor, c.penalty
        )
        gamma1, gamma2 = c.rates(self.updates)
        step1, step2 = (player.step for player in self._steps)
        # The generator answers the new discriminator, or both gradients are taken first.
        if c.alternating:
            step2(gradient2, gamma2)
        loss1, gradient1 = generator_gradient(self.generator, self.discriminator, z1, c.loss)
        if not c.alternating:
            step2(gradient2, gamma2)
        step1(gradient1, gamma1)
        for beta, average in self.averages.items():
            # The function behind AveragedModel, which would wait for a GPU here, each update.
            get_ema_multi_avg_fn(beta)(list(average.parameters()), self._steps[0].parameters, None)
        self.updates += 1
        return Losses(loss1, loss2, penalty)

    def check(self, losses: Losses) -> None:
        """Raise DivergedError where a loss of the last update or a parameter is not finite.

        Parameters
        ----------
        losses : Losses
            As the last update returned them.

        Raises
        ------
        DivergedError
            With the first that is not finite.
        """
        # This waits for the device.
        norms = [nn.utils.get_total_norm(steps.parameters) for steps in self._steps]
        finite = torch.isfinite(torch.stack([*losses, *norms])).tolist()
        names = ("generator's loss", "discriminator's loss", "gradient penalty",
                 "generator's parameters", "discriminator's parameters")  # fmt: skip
        c = self.configuration
        if not all(finite):
            raise DivergedError(
                f"update {self.updates}: the {names[finite.index(False)]} not finite any more at "
                f"tau = {c.tau:g}, gamma1 = {c.gamma1:g}, mu = {c.mu:g}; try a smaller gamma1, a "
                "smaller tau, or a larger mu"
            )

    @torch.no_grad()
    def samples(self, beta: float, latents: Tensor, batch: int = 500) -> Tensor:
        """Make pictures in [-1, 1] with the average of that beta, a batch at once.

        Parameters
        ----------
        beta : float
            One of the averages of the configuration.
        latents : Tensor, shape (n, latent)
        batch : int
            How many at once.

        Returns
        -------
        Tensor, shape (n, channels, resolution, resolution)
        """
        average = self.averages[beta]
        parts = latents.to(self.device, self.configuration.dtype).split(batch)
        return torch.cat([average(part) for part in parts])

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next updates depend on, as plain values and tensors."""
        return {
            "configuration": self.configuration.as_dict(),
            "updates": self.updates,
            "players": [player.state_dict() for player in self._players],
            "averages": {f"{b}": a.state_dict() for b, a in self.averages.items()},
            "squares": [steps.squares for steps in self._steps],
            "random": self._random.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; one of another configuration is refused with a ValueError."""
        mine = self.configuration.as_dict()
        for name, value in mine.items():
            if (theirs := state["configuration"].get(name)) != value:
                raise ValueError(
                    f"state: expected one of this configuration, got one in which {name} is "
                    f"{theirs!r} instead of {value!r}"
                )
        for player, part in zip(self._players, state["players"], strict=True):
            player.load_state_dict(part)
        for beta, average in self.averages.items():
            average.load_state_dict(state["averages"][f"{beta}"])
        for steps, parts in zip(self._steps, state["squares"], strict=True):
            if torch.is_tensor(parts):  # one vector a player, as older checkpoints have it
                sizes = [square.numel() for square in steps.squares]
                pairs = zip(parts.split(sizes), steps.squares, strict=True)
                parts = [part.as_strided(x.shape, x.stride()) for part, x in pairs]
            for square, part in zip(steps.squares, parts, strict=True):
                square.copy_(part)
        self._random.set_state(state["random"])
        self.updates = state["updates"]
