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
_NAMES = "update-*.pt"  # of checkpoints


class CheckpointError(RuntimeError):
    """A checkpoint that could not be written."""


def save(folder: Path, update: int, state: dict[str, Any]) -> None:
    """Write a checkpoint, of which a run has two: the oldest goes, or all stay where it cannot."""
    try:
        write_atomic(folder / f"update-{update:09d}.pt", packed(state))
    except OSError as error:
        there = ", ".join(sorted(path.name for path in folder.glob(_NAMES))) or "none"
        raise CheckpointError(
            f"the checkpoint of update {update} cannot be written to {folder}: "
            f"{error.strerror}; there to go on from: {there}"
        ) from error
    # A killed process may have left a part of a file; a run has one process at a time.
    for old in [*sorted(folder.glob(_NAMES))[:-2], *folder.glob(".update-*.tmp")]:
        old.unlink(missing_ok=True)


def newest(folders: Sequence[Path]) -> list[dict[str, Any]] | None:
    """Read the newest checkpoints that all have whole, of one update; None where there are none."""
    shared = set.intersection(*({path.name for path in each.glob(_NAMES)} for each in folders))
    for name in sorted(shared, reverse=True):
        states = [read(folder / name) for folder in folders]
        if None not in states:
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
