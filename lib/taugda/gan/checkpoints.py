"""Checkpoints that are whole or not there, and are checked before they are trusted."""

import hashlib
import io
import re
from pathlib import Path
from typing import Any

import torch

from taugda.atomic import write_atomic
from taugda.checks import count

__all__ = ["CheckpointError", "Checkpoints"]

_MARK = b"taugda checkpoint 1\n"
_DIGEST = hashlib.sha256().digest_size


class CheckpointError(RuntimeError):
    """A checkpoint that could not be written."""


class Checkpoints:
    """The last checkpoints of one training run.

    Parameters
    ----------
    folder : Path
        Where they lie; made when the first is saved.
    keep : int
        How many of the newest stay.

    Attributes
    ----------
    damaged : list of str
        What `load` passed over, a phrase each.

    Notes
    -----
    A file holds a mark, the SHA-256 of what follows, and what ``torch.save`` wrote.
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = Path(folder)
        self.keep = count("keep", keep)
        self.damaged: list[str] = []

    def save(self, update: int, state: dict[str, Any]) -> Path:
        """Write a checkpoint, then drop the oldest.

        Parameters
        ----------
        update : int
            Updates done.
        state : dict
            Tensors and plain values.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        CheckpointError
            If it cannot be written; the earlier ones stay.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        content = buffer.getvalue()
        path = self.folder / f"update-{update:09d}.pt"
        try:
            write_atomic(path, _MARK + hashlib.sha256(content).digest() + content)
        except OSError as error:
            kept = self._paths()
            rest = f"the run goes on from {kept[0].name} when it is started again" if kept else ""
            raise CheckpointError(
                f"the checkpoint of update {update} ({len(content) / 2**20:.0f} MiB) cannot be "
                f"written to {self.folder}: {error.strerror}; "
                + (rest or "no earlier one is there")
            ) from error
        # A killed process may have left a part of a file; a run has one process at a time.
        for old in [*self._paths()[self.keep :], *self.folder.glob(".update-*.tmp")]:
            old.unlink(missing_ok=True)
        return path

    def load(self) -> dict[str, Any] | None:
        """Read the newest checkpoint that is whole, its tensors on the CPU.

        Returns
        -------
        dict or None
            The state; None where there is no whole checkpoint.
        """
        self.damaged = []
        for path in self._paths():
            state = _read(path)
            if state is not None:
                return state
            self.damaged.append(f"{path.name} is damaged")
        return None

    def _paths(self) -> list[Path]:
        found = [p for p in self.folder.glob("update-*.pt") if re.fullmatch(r"update-\d+", p.stem)]
        return sorted(found, reverse=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    head = len(_MARK) + _DIGEST
    content = data[head:]
    if data[:head] != _MARK + hashlib.sha256(content).digest():
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
