"""Files of tensors and plain values that are whole, or count as not there.

A file holds a mark, the SHA-256 of what follows, and what ``torch.save`` wrote.
"""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from taugda.atomic import write_atomic

__all__ = ["kept", "packed", "read"]

_MARK = b"taugda checkpoint 1\n"
_HEAD = len(_MARK) + hashlib.sha256().digest_size


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
