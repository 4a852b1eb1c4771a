"""Real pictures in memory, as bytes, and endless augmented batches of them."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from taugda.checks import count, positive


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded pictures: bytes of shape (n, channels, h, w), from 0 to ``levels``."""

    pixels: Tensor
    levels: int
    name: str  # of the data set
    source: str  # where they came from, in words
    labels: Tensor | None = None  # class of each picture, int64 of shape (n,)

    @property
    def digest(self) -> str:
        """SHA-256 over the pixels and their shape."""
        found = hashlib.sha256(repr((tuple(self.pixels.shape), self.levels)).encode())
        found.update(self.pixels.contiguous().numpy())
        return found.hexdigest()


def prepare(
    pixels: Tensor, levels: int, random: torch.Generator, flip: bool, noise: float,
    dtype: torch.dtype = torch.float32,
) -> Tensor:  # fmt: skip
    """Return bytes as numbers in [-1, 1], mirrored at random, plus uniform noise: the paper's."""
    device = pixels.device
    x = pixels.to(dtype).mul_(2 / levels).sub_(1)
    if flip:
        mirrored = torch.rand(len(x), generator=random, device=device) < 0.5
        x = torch.where(mirrored.view(-1, 1, 1, 1), x.flip(3), x)
    if noise:
        x += noise * torch.rand(x.shape, generator=random, device=device, dtype=dtype)
    return x


class Batches(Iterator[Tensor]):
    """Endless shuffled batches, prepared on the training device.

    All pictures are seen once an epoch, in a new order each; the rest that fills no batch is left
    out.

    Parameters
    ----------
    images : Images
        The pictures.
    batch : int
        Pictures a batch, at most as many as there are.
    seed : int
        Of the order and the augmentation.
    device, dtype : str, torch.dtype
        Where the batches are wanted, and of which type.
    flip, noise : bool, float
        Whether pictures are mirrored at random; height of the uniform noise, at least 0.
    """

    def __init__(
        self,
        images: Images,
        batch: int,
        *,
        seed: int,
        device: str = "cpu",
        flip: bool = False,
        noise: float = 0.0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        n = len(images.pixels)
        if count("batch", batch) > n:
            raise ValueError(f"batch: expected at most the {n} pictures there are, got {batch}")
        self.batch, self.flip, self.dtype = batch, flip, dtype
        self.noise = positive("noise", noise, zero=True)
        self._levels, self._digest = images.levels, images.digest
        self._pixels = images.pixels.to(device)
        self._random = torch.Generator(device).manual_seed(count("seed", seed, least=0))
        self._order = torch.empty(0, dtype=torch.int64, device=device)
        self._position = 0

    def __next__(self) -> Tensor:
        if self._position + self.batch > len(self._order):
            n, device = len(self._pixels), self._pixels.device
            self._order = torch.randperm(n, generator=self._random, device=device)
            self._position = 0
        chosen = self._order[self._position : self._position + self.batch]
        self._position += self.batch
        return prepare(
            self._pixels[chosen], self._levels, self._random, self.flip, self.noise, self.dtype
        )

    def state_dict(self) -> dict[str, Any]:
        """Return everything that the next batches depend on, as plain values and tensors."""
        place = {"order": self._order.cpu(), "position": self._position}
        return place | {"data": self._digest, "random": self._random.get_state()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; one of other pictures is refused with a ValueError."""
        if state["data"] != self._digest:
            raise ValueError(
                f"state: expected one of the pictures {self._digest[:12]}, got one of "
                f"{state['data'][:12]}; the data have changed since the run was begun"
            )
        self._order = state["order"].to(self._pixels.device)
        self._position = state["position"]
        self._random.set_state(state["random"])
