"""Every setting of a training run, in one frozen object; the defaults are the paper's.

Sources: Fiez & Ratliff (2021), experiments on image GANs, and the configuration of their released
code where the text is silent or differs (the decay, the penalty's factor, the order of steps).
"""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

from taugda.checks import count, positive
from taugda.gan.gradients import GENERATOR_LOSSES, PENALTIES, Loss, Penalty
from taugda.gan.models import stages

__all__ = ["Configuration", "arithmetic"]

Precision = Literal["float32", "tf32", "float64"]
PRECISIONS: tuple[Precision, ...] = ("float32", "tf32", "float64")


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """The settings of one training run.

    Parameters
    ----------
    tau, mu : float
        Timescale separation (paper: 1, 2, 4, 8), weight of the gradient penalty (paper: 10 and 1).
    penalty : {"R1", "R2"}
        Slope penalized at real (R1, the paper's) or at generated pictures (R2).
    penalty_factor : float
        1: mu E|grad_x D|^2, the released code; 1/2: (mu/2) E|grad_x D|^2, the theory.
    loss : {"non-saturating", "saturating"}
        The generator's loss.  Paper: non-saturating.
    alternating : bool
        Whether the generator's step sees the updated discriminator, as in the released code, or
        both players step from the same point, as in the theory.
    gamma1, nu : float
        Update k (from 0) uses the rate gamma1 / (1 + k)^nu for the generator, tau times that for
        the discriminator.  Paper: 1e-4 (CIFAR-10), 5e-5 (CelebA; the released script has 1e-4) and
        0.005.  The text can be read as gamma1 / (1 + nu)^k; the released code is followed.
    rms_alpha, rms_eps : float
        RMSprop's smoothing of the squared gradient and the number added to its root.
    averages : tuple of float
        Factors beta in [0, 1) of the generator's exponential averages, kept side by side; an
        average's window is about 1 / (1 - beta) updates.
    updates : int
        Updates of each player.  Paper: 150,000 at mu = 10 and 300,000 at mu = 1.
    batch, latent : int
        Pictures a batch, real and generated alike; dimension of the standard normal latent vector.
    resolution, channels : int
        Of the pictures, in pixels across.
    width, cap : int
        Feature maps at the full resolution, and the most at any; they double with each stage.
    flip, noise : bool, float
        Whether real pictures are mirrored at random; height of the uniform noise added to them.
    seed : int
        Of the initial players, the latent vectors, the order of the data and its augmentation.
    device, precision : str
        Where to train, such as ``cpu`` or ``cuda``; float32, tf32 (on CUDA only) or float64.

    Raises
    ------
    ValueError
        If a value is out of its range or the device is not there.
    """

    tau: float
    mu: float
    penalty: Penalty = "R1"
    penalty_factor: float = 1.0
    loss: Loss = "non-saturating"
    alternating: bool = True
    gamma1: float = 1e-4
    nu: float = 0.005
    rms_alpha: float = 0.99
    rms_eps: float = 1e-8
    averages: tuple[float, ...] = (0.99, 0.999, 0.9999)
    updates: int = 150_000
    batch: int = 64
    latent: int = 256
    resolution: int = 32
    channels: int = 3
    width: int = 64
    cap: int = 1024
    flip: bool = True
    noise: float = 1 / 128
    seed: int = 0
    device: str = "cpu"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for name in ("tau", "penalty_factor", "gamma1", "rms_eps"):
            positive(name, getattr(self, name))
        for name in ("mu", "nu", "noise"):
            positive(name, getattr(self, name), zero=True)
        for name in ("updates", "batch", "latent", "channels", "width", "cap"):
            count(name, getattr(self, name))
        count("seed", self.seed, least=0)
        stages(self.resolution)
        choices = {"penalty": PENALTIES, "loss": GENERATOR_LOSSES, "precision": PRECISIONS}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                given = getattr(self, name)
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {given!r}")
        _fraction("rms_alpha", self.rms_alpha)
        object.__setattr__(self, "averages", tuple(self.averages))
        if not self.averages or len(set(self.averages)) != len(self.averages):
            raise ValueError(
                f"averages: expected at least one beta, each once, got {self.averages!r}"
            )
        for beta in self.averages:
            _fraction("averages", beta)
        device = _device(self.device)
        if self.precision == "tf32" and device.type != "cuda":
            raise ValueError(f"precision: tf32 needs a CUDA device, got device {self.device!r}")

    def rates(self, update: int) -> tuple[float, float]:
        """Return both players' rates in one update.

        Parameters
        ----------
        update : int
            Its number, from 0.

        Returns
        -------
        gamma1, gamma2 : float
            gamma1 / (1 + update)^nu and tau times that.
        """
        gamma1 = self.gamma1 / (1 + update) ** self.nu
        return gamma1, self.tau * gamma1

    @property
    def dtype(self) -> torch.dtype:
        """Type of the numbers."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def as_dict(self) -> dict[str, Any]:
        """Return plain data by name."""
        return dataclasses.asdict(self) | {"averages": list(self.averages)}


@contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """Allow TF32 where it is asked for, and only there: cuDNN would use it by default."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before


def _fraction(name: str, value: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"{name}: expected a number in [0, 1), got {value!r}")


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device: expected one such as cpu or cuda, got {name!r}") from error
    if device.type == "cpu":
        return device
    if device.type == "cuda" and torch.cuda.is_available():
        if device.index is None or device.index < torch.cuda.device_count():
            return device
    raise ValueError(f"device: expected one that this machine has, got {name!r}")
