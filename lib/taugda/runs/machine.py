"""What of this machine a run may use: its cores, and one of its GPUs."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from taugda.runs.lock import Lock


def cores() -> int:
    """Count the processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def gpus() -> list[str]:
    """Find the NVIDIA GPUs that this process may use, without loading torch."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        names = [name.strip() for name in named.split(",")]
        return [name for name in names if name and name != "-1"]
    return [str(number) for number in range(len(list(Path("/dev").glob("nvidia[0-9]*"))))]


def take_gpu(devices: list[str]) -> tuple[str, Lock]:
    """Take the device that the fewest runs of this user on this machine are at."""
    level = 0
    while True:
        for device in devices:
            name = f"taugda-{os.getuid()}-gpu-{device}-{level}.lock"
            with suppress(BlockingIOError):
                return device, Lock(Path(tempfile.gettempdir(), name))
        level += 1
