"""The last checkpoints of a training run, checked before they are trusted."""

import re
from pathlib import Path
from typing import Any

from taugda.atomic import write_atomic
from taugda.checks import count
from taugda.gan import store

__all__ = ["CheckpointError", "Checkpoints"]


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
    """

    def __init__(self, folder: Path, keep: int = 2) -> None:
        self.folder = Path(folder)
        self.keep = count("keep", keep)
        self.damaged: list[str] = []

    def save(self, update: int, state: dict[str, Any]) -> None:
        """Write a checkpoint, then drop the oldest; where it cannot be, the earlier ones stay."""
        content = store.packed(state)
        try:
            write_atomic(self.folder / f"update-{update:09d}.pt", content)
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

    def load(self) -> dict[str, Any] | None:
        """Read the newest checkpoint that is whole, its tensors on the CPU; None without one."""
        self.damaged = []
        for path in self._paths():
            state = store.read(path)
            if state is not None:
                return state
            self.damaged.append(f"{path.name} is damaged")
        return None

    def _paths(self) -> list[Path]:
        found = [p for p in self.folder.glob("update-*.pt") if re.fullmatch(r"update-\d+", p.stem)]
        return sorted(found, reverse=True)
