"""Batches of real pictures: how many a second, beside what training could use."""

import time
from typing import Any

import torch

from taugda.gan.data import Batches, Images

PICTURES, BATCH, BATCHES, ROUNDS = 50_000, 64, 500, 5
SETTINGS = {"plain": {}, "mirrored, with noise": {"flip": True, "noise": 1 / 128}}


def rows() -> list[dict[str, Any]]:
    """Draw batches of 32 x 32 x 3 pictures, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    random = torch.Generator().manual_seed(0)
    size = (PICTURES, 3, 32, 32)
    pixels = torch.randint(0, 256, size, generator=random, dtype=torch.uint8)
    images = Images(pixels, 255, "random", "made here")
    try:
        return [measure(name, images, options) for name, options in SETTINGS.items()]
    finally:
        torch.set_num_threads(threads)


def measure(name: str, images: Images, options: dict[str, Any]) -> dict[str, Any]:
    """Return the median of some rounds."""
    batches = Batches(images, BATCH, seed=0, **options)
    seconds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(BATCHES):
            next(batches)
        seconds.append(time.process_time() - started)
    median = sorted(seconds)[ROUNDS // 2]
    return {
        "batches of 64, 32 x 32 x 3": name,
        "pictures a CPU second": BATCH * BATCHES / median,
        "CPU ms a batch": 1e3 * median / BATCHES,
    }
