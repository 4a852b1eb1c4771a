"""The two players of an image GAN and one update of both: tau-GDA with RMSprop.

An update takes the real batch and the two latent batches explicitly, so that it can be set
beside another implementation of the same step.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from taugda.gan.configuration import OWN, Configuration
from taugda.gan.gradients import discriminator_gradient, generator_gradient
from taugda.gan.models import Discriminator, Generator

# Of convolutions' numbers in memory: channels last is faster, on CPUs and GPUs alike.
LAYOUT = torch.channels_last
_AT_ONCE = 500  # pictures that are made at a time


class DivergedError(RuntimeError):
    """A loss or a parameter is no longer a finite number."""


class Losses(NamedTuple):
    """What an update saw, before it stepped; each (stack,), on the training device."""

    generator: Tensor
    discriminator: Tensor  # without the penalty
    penalty: Tensor


class _Steps:
    """A player's RMSprop, whose rate is a common one times a factor for each GAN of the stack.

    The common rate and the mean square's share of 1 are numbers on the device, so that a captured
    step finds those of its own update there.
    """

    # PyTorch's own has one rate for all: a stack would need a call for each of its GANs.
    def __init__(self, player: nn.Module, factors: Sequence[float], c: Configuration) -> None:
        self.parameters = [parameter.detach() for parameter in player.parameters()]
        # The running means of the squared gradient.
        self.squares = [torch.zeros_like(parameter) for parameter in self.parameters]
        self._alpha, self._eps, self._corrected = c.rms_alpha, c.rms_eps, c.rms_bias_correction
        each = torch.tensor(factors, dtype=c.dtype, device=c.device)
        self._factors = [
            each.repeat_interleave(len(p) // len(each)).view(-1, *[1] * (p.ndim - 1))
            for p in self.parameters
        ]
        self._rate, self._share = (torch.ones((), dtype=c.dtype, device=c.device) for _ in "rs")

    def prepare(self, rate: float, updates: int) -> None:
        """Set the rate of the next step, with which there will have been so many."""
        self._rate.fill_(-rate)
        self._share.fill_(math.sqrt(1 - self._alpha**updates))

    def step(self, gradient: Sequence[Tensor]) -> None:
        torch._foreach_mul_(self.squares, self._alpha)
        torch._foreach_addcmul_(self.squares, gradient, gradient, 1 - self._alpha)
        steps = torch._foreach_div(gradient, self.denominators())
        torch._foreach_mul_(steps, self._rate)
        torch._foreach_addcmul_(self.parameters, steps, self._factors)

    def denominators(self) -> list[Tensor]:
        """Return by what the last step divided the gradient."""
        sizes = torch._foreach_sqrt(self.squares)
        if self._corrected:
            torch._foreach_div_(sizes, self._share)
        torch._foreach_add_(sizes, self._eps)
        return list(sizes)


class Captured:
    """A function of tensors that CUDA records once and then replays, in place of slow launches.

    Shapes stay, and what it changes beside what it returns, it changes in place.  The first calls
    run as they are, which is where libraries choose their algorithms.
    """

    def __init__(self, function: Callable[..., tuple[Tensor, ...]], warm_up: int = 3) -> None:
        self.function, self.warm_up = function, warm_up
        self._replay: Callable[[], None] | None = None
        self._stream: torch.cuda.Stream | None = None

    def __call__(self, *given: Tensor) -> tuple[Tensor, ...]:
        """Do what the function does."""
        if self.warm_up:
            self.warm_up -= 1
            # The stream that is captured later: what autograd or a library keeps of it is right.
            device = given[0].device
            self._stream = self._stream or torch.cuda.Stream(device)
            present = torch.cuda.current_stream(device)
            self._stream.wait_stream(present)
            with torch.cuda.stream(self._stream):
                found = self.function(*given)
            present.wait_stream(self._stream)
            return found
        if self._replay is None:
            self._inputs = [tensor.clone() for tensor in given]
            self._replay, self._outputs = self._record()
        for mine, tensor in zip(self._inputs, given, strict=True):
            mine.copy_(tensor)
        self._replay()
        return tuple(tensor.clone() for tensor in self._outputs)

    def _record(self) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):  # nothing is computed yet
            outputs = self.function(*self._inputs)
        return graph.replay, outputs


class Trainer:
    """A stack of GANs that are trained side by side, with their steps' state and averages.

    Each is trained as it would be alone, to rounding: initial players and latent vectors depend
    on its own seed, and the GANs share nothing but the calls that compute them.  Small networks
    leave a processor waiting for the next call; twelve side by side take two fifths of the time.

    Parameters
    ----------
    configurations : Configuration, one or more
        The settings, which may differ in tau, mu and seed alone.

    Attributes
    ----------
    generator, discriminator : Generator, Discriminator
        Players 1 and 2, on the device.
    averages : dict of float to Generator
        An exponential average of the generator for each beta, from the initial players on.
    updates : int
        Updates done.

    Raises
    ------
    ValueError
        If the settings differ in anything else.
    """

    def __init__(self, *configurations: Configuration) -> None:
        c, self.configurations = configurations[0], configurations
        for other in configurations:
            if (same := replace(other, **{n: getattr(c, n) for n in OWN})) != c:
                raise ValueError(
                    f"configurations: expected them to differ in {', '.join(OWN)} alone, got "
                    f"{same!r} beside {c!r}"
                )
        self.configuration, self.device = c, torch.device(c.device)
        self.generator, self.discriminator = stacked = players(c, len(configurations))
        for player, *alone in zip(stacked, *map(players, configurations), strict=True):
            states = [each.state_dict() for each in alone]
            player.load_state_dict({n: torch.cat([s[n] for s in states]) for n in states[0]})
            player.to(device=c.device, dtype=c.dtype, memory_format=LAYOUT)
        self.averages = {b: copy.deepcopy(self.generator).requires_grad_(False) for b in c.averages}
        self._mu = torch.tensor([c.mu for c in configurations], dtype=c.dtype, device=c.device)
        one, tau = [1.0] * len(configurations), [c.tau for c in configurations]
        self._steps = _Steps(self.generator, one, c), _Steps(self.discriminator, tau, c)
        on_gpu = self.device.type == "cuda"
        self._play = Captured(self._steps_of_both) if on_gpu else self._steps_of_both
        self._random = [torch.Generator(c.device).manual_seed(c.seed) for c in configurations]
        self.updates = 0

    def draw(self) -> Tensor:
        """Draw a batch of latent vectors, standard normal, each GAN's from its own generator.

        Returns
        -------
        Tensor, shape (batch, stack * latent)
            On the device.
        """
        c = self.configuration
        place = {"dtype": c.dtype, "device": self.device}
        each = [torch.randn(c.batch, c.latent, generator=r, **place) for r in self._random]
        return torch.cat(each, 1)

    def update(self, real: Tensor, z2: Tensor, z1: Tensor) -> Losses:
        """Let each player take one step.

        Parameters
        ----------
        real : Tensor, shape (batch, stack * channels, resolution, resolution)
            Real pictures in [-1, 1] (and the noise).
        z2, z1 : Tensor, shape (batch, stack * latent)
            Latent vectors of the discriminators' and of the generators' step.

        Returns
        -------
        Losses
            As they were before the steps; without waiting for the device, see `finite`.
        """
        rate = self.configuration.rate(self.updates)
        self.updates += 1
        for player in self._steps:
            player.prepare(rate, self.updates)
        return Losses(*self._play(real.contiguous(memory_format=LAYOUT), z2, z1))

    def _steps_of_both(self, real: Tensor, z2: Tensor, z1: Tensor) -> tuple[Tensor, ...]:
        """Update everything in place, never waiting for the device: this may be captured."""
        c = self.configuration
        with torch.no_grad():
            fake = self.generator(z2)
        loss2, penalty, gradient2 = discriminator_gradient(
            self.discriminator, real, fake, self._mu, c.penalty_factor, c.penalty
        )
        step1, step2 = (player.step for player in self._steps)
        # The generator answers the new discriminator, or both gradients are taken first.
        if c.alternating:
            step2(gradient2)
        loss1, gradient1 = generator_gradient(self.generator, self.discriminator, z1, c.loss)
        if not c.alternating:
            step2(gradient2)
        step1(gradient1)
        for beta, average in self.averages.items():
            # The function behind AveragedModel, which would wait for a GPU here, each update.
            get_ema_multi_avg_fn(beta)(list(average.parameters()), self._steps[0].parameters, None)
        return loss1, loss2, penalty

    def finite(self, losses: Losses) -> list[str]:
        """Say of each GAN what is no longer finite after an update; empty texts where all is."""
        names = ("generator's loss", "discriminator's loss", "gradient penalty",
                 "generator's parameters", "discriminator's parameters")  # fmt: skip
        sums = [
            sum(p.unflatten(0, (len(self._mu), -1)).flatten(1).sum(1) for p in steps.parameters)
            for steps in self._steps
        ]
        good = torch.isfinite(torch.stack([*losses, *sums])).T.tolist()  # this waits for the device
        return ["" if all(each) else names[each.index(False)] for each in good]

    @torch.no_grad()
    def samples(self, beta: float, latents: Tensor) -> Tensor:
        """Make pictures in [-1, 1] with the averages of that beta, some at a time.

        Parameters
        ----------
        beta : float
            One of the averages of the configuration.
        latents : Tensor, shape (n, latent)
            The same for all GANs.

        Returns
        -------
        Tensor, shape (stack, n, channels, resolution, resolution)
        """
        c, stack = self.configuration, len(self.configurations)
        parts = latents.to(self.device, c.dtype).split(_AT_ONCE)
        made = torch.cat([self.averages[beta](part.repeat(1, stack)) for part in parts])
        return made.unflatten(1, (stack, -1)).transpose(0, 1)

    def alone(self, number: int) -> tuple[Generator, Discriminator, list[list[Tensor]]]:
        """Return copies of one GAN's players, and by what RMSprop divides each one's gradient."""
        c, stack = self.configurations[number], len(self.configurations)
        copies = [player.to(self.device, c.dtype) for player in players(c)]
        for player, part in zip(copies, self._parts(number), strict=False):
            player.load_state_dict(part)
        sizes = [[x.chunk(stack)[number] for x in s.denominators()] for s in self._steps]
        return *copies, sizes

    def state_dicts(self) -> list[dict[str, Any]]:
        """Return all that each GAN's next updates depend on, as plain values and tensors."""
        return [
            {
                "configuration": c.as_dict(), "updates": self.updates,
                "parts": [{n: x.clone() for n, x in part.items()} for part in self._parts(number)],
                "random": self._random[number].get_state(),
            }
            for number, c in enumerate(self.configurations)
        ]  # fmt: skip

    def load_state_dicts(self, states: Sequence[dict[str, Any]]) -> None:
        """Go on from the GANs' states; one of another configuration is refused with ValueError."""
        for number, (c, state) in enumerate(zip(self.configurations, states, strict=True)):
            for name, value in c.as_dict().items():
                if (other := state["configuration"].get(name)) != value:
                    raise ValueError(
                        f"state: expected one of this configuration, got one in which {name} is "
                        f"{other!r} instead of {value!r}"
                    )
            for mine, theirs in zip(self._parts(number), state["parts"], strict=True):
                for name, part in mine.items():
                    part.copy_(theirs[name])
            self._random[number].set_state(state["random"])
        self.updates = states[0]["updates"]
        for player in self._steps:
            player.prepare(self.configuration.rate(self.updates), self.updates)

    def _parts(self, number: int) -> list[dict[str, Tensor]]:
        """Return one GAN's part of what updates change: players, averages, squares, by name."""
        networks = self.generator, self.discriminator, *self.averages.values()
        squares = [dict(enumerate(steps.squares)) for steps in self._steps]
        held, stack = [network.state_dict() for network in networks], len(self.configurations)
        return [{n: x.chunk(stack)[number] for n, x in h.items()} for h in [*held, *squares]]


def players(c: Configuration, stack: int = 1) -> tuple[Generator, Discriminator]:
    """Make the initial players of a GAN, which depend on the sizes and the seed alone.

    Parameters
    ----------
    c : Configuration
    stack : int
        How many GANs the players have room for.

    Returns
    -------
    Generator, Discriminator
        On the CPU, in float32.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(c.seed)
        sizes = c.resolution, c.channels, c.width, c.cap, stack
        return Generator(*sizes, latent=c.latent), Discriminator(*sizes)
