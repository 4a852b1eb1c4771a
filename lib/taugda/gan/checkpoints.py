"""Files of tensors and plain values that are whole or count as not there: checkpoints, caches.

A file holds a mark, the SHA-256 of what follows, and what ``torch.save`` wrote.
"""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from taugda.atomic import write_atomic

_MARK = b"taugda checkpoint 1\n"
_HEAD = len(_MARK) + hashlib.sha256().digest_size


class CheckpointError(RuntimeError):
    """A checkpoint that could not be written."""


class Checkpoints:
    """The last two checkpoints of one training run, in a folder that is made for the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)

    def save(self, update: int, state: dict[str, Any]) -> None:
        """Write a checkpoint, then drop the oldest; where it cannot be, the earlier ones stay."""
        try:
            write_atomic(self.folder / f"update-{update:09d}.pt", packed(state))
        except OSError as error:
            there = ", ".join(path.name for path in self.paths()) or "none"
            raise CheckpointError(
                f"the checkpoint of update {update} cannot be written to {self.folder}: "
                f"{error.strerror}; there to go on from: {there}"
            ) from error
        # A killed process may have left a part of a file; a run has one process at a time.
        for old in [*self.paths()[2:], *self.folder.glob(".update-*.tmp")]:
            old.unlink(missing_ok=True)

    def paths(self) -> list[Path]:
        """List those that there are, the newest first."""
        return sorted(self.folder.glob("update-*.pt"), reverse=True)


def newest(stores: Sequence[Checkpoints]) -> list[dict[str, Any]] | None:
    """Read the newest checkpoints that all have whole, of one update; None where there are none."""
    shared = set.intersection(*({path.name for path in store.paths()} for store in stores))
    for name in sorted(shared, reverse=True):
        found = [read(store.folder / name) for store in stores]
        states = [state for state in found if state is not None]
        if len(states) == len(stores):
            return states
        print(f"{name} is damaged: passed over")
    return None


def packed(state: dict[str, Any]) -> bytes:
    """Return the content of a state's file."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    return _MARK + hashlib.sha256(content).digest() + content


def read(path: Path) -> dict[str, Any] | None:
    """Read a state, its tensors on the CPU; None where there is none or it is damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    content = data[_HEAD:]
    if data[:_HEAD] != _MARK + hashlib.sha256(content).digest():
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def kept(
    folder: Path | None, prefix: str, about: dict[str, Any], make: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    """Return what is made once, from the folder if it lies there whole and is about the same."""
    if folder is None:
        return make()
    text = json.dumps(about, sort_keys=True)
    path = folder / f"{prefix}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.pt"
    found = read(path)
    if found is None or found["about"] != text:
        found = make() | {"about": text}
        write_atomic(path, packed(found))
    return found
