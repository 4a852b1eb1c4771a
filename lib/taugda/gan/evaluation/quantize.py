"""Eight bits a channel, as the paper's protocol stores pictures."""

import torch
from torch import Tensor

__all__ = ["quantize"]


def quantize(pictures: Tensor) -> Tensor:
    """Round pictures to eight bits a channel, as a picture file would.

    Parameters
    ----------
    pictures : Tensor
        Numbers in [-1, 1]; what lies outside is cut off.

    Returns
    -------
    Tensor of uint8
        0 for -1, 255 for 1, rounded to the nearest.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    if not torch.isfinite(pictures).all():
        raise ValueError("pictures: expected finite numbers, got some that are not")
    return pictures.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
