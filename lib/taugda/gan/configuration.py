"""Every setting of a training run, in one frozen object; the defaults are the paper's.

Sources: Fiez & Ratliff (2021), experiments on image GANs, and the configuration of their released
code where the text is silent or differs (the decay, the penalty's factor, the order of steps).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, get_args

import torch

from taugda.checks import count, positive
from taugda.gan.gradients import Loss, Penalty
from taugda.gan.models import stages

Precision = Literal["float32", "tf32", "float64"]
OWN = ("tau", "mu", "seed")  # in which GANs that are trained side by side may differ


def _one_of(allowed: tuple[Any, ...], name: str, value: Any) -> Any:
    if value not in allowed or type(value) is not type(allowed[0]):
        raise ValueError(f"{name}: expected one of {allowed}, got {value!r}")
    return value


def _fraction(name: str, value: Any) -> float:
    if not 0 <= positive(name, value, zero=True) < 1:
        raise ValueError(f"{name}: expected a number in [0, 1), got {value!r}")
    return float(value)


_EITHER = (True, False)
_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(("tau", "penalty_factor", "gamma1", "rms_eps"), positive),
    **dict.fromkeys(("mu", "nu", "noise"), partial(positive, zero=True)),
    **dict.fromkeys(("updates", "batch", "latent", "channels", "width", "cap"), count),
    **dict.fromkeys(("warm_up", "seed"), partial(count, least=0)),
    **dict.fromkeys(("alternating", "rms_bias_correction", "flip"), partial(_one_of, _EITHER)),
    "rms_alpha": _fraction,
    "penalty": partial(_one_of, get_args(Penalty)),
    "loss": partial(_one_of, get_args(Loss)),
    "precision": partial(_one_of, get_args(Precision)),
}


@dataclass(frozen=True)
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
    rms_bias_correction : bool
        Whether the mean square, which starts at 0, is divided by 1 - rms_alpha^(k+1).  Without, as
        in the released code, the first steps are up to 10 times as long.
    warm_up : int
        Updates over which both rates rise from 0 to their course; 0 in the released code.
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
        If a value is out of its range, of another type or unknown, or the device is not there.
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
    rms_bias_correction: bool = False
    warm_up: int = 0
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
        fixed = {name: check(name, getattr(self, name)) for name, check in _CHECKS.items()}
        fixed["averages"] = tuple(_fraction("averages", beta) for beta in self.averages)
        for name, value in fixed.items():
            object.__setattr__(self, name, value)
        stages(self.resolution)
        if not self.averages or len(set(self.averages)) < len(self.averages):
            raise ValueError(f"averages: expected each beta once, got {self.averages}")
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError, TypeError) as error:
            raise ValueError(f"device: expected one of this machine: {error}") from error
        if self.precision == "tf32" and not self.device.startswith("cuda"):
            raise ValueError(f"precision: tf32 needs a CUDA device, got {self.device!r}")

    def rate(self, update: int) -> float:
        """Return the generator's rate in an update, counted from 0; tau times it is the other's.

        Parameters
        ----------
        update : int

        Returns
        -------
        float
            gamma1 / (1 + update)^nu, less while it warms up.
        """
        share = min(1.0, (update + 1) / self.warm_up) if self.warm_up else 1.0
        return share * self.gamma1 / (1 + update) ** self.nu

    @property
    def dtype(self) -> torch.dtype:
        """Type of the numbers."""
        return torch.float64 if self.precision == "float64" else torch.float32

    def as_dict(self) -> dict[str, Any]:
        """Return plain data by name."""
        return {**vars(self), "averages": list(self.averages)}


@contextmanager
def arithmetic(precision: Precision) -> Iterator[None]:
    """Multiply in TF32 on a GPU where it is asked for, and only there.

    By default cuDNN's convolutions use it and products of matrices do not, so that float32 would
    be neither the one nor the other.
    """
    places = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    before = [place.fp32_precision for place in places]
    for place in places:
        place.fp32_precision = "tf32" if precision == "tf32" else "ieee"
    try:
        yield
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value
