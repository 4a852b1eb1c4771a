"""The folder of a run's checkpoints: kept while the run is unfinished, and only then.

What lies in it is the notebook's business.  Beside it, ``<run>.json`` says what the run was made
of, so that an attempt never goes on from a state that other code or other data led to.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taugda.runs.files import read_json, swap_in, write_json


def prepare(folder: Path, made_of: Mapping[str, Any], awaited: bool = False) -> bool:
    """Make ready for an attempt; False where checkpoints of another fingerprint were set aside.

    `awaited` says that the data have to be downloaded first, so that they do not count yet.
    """
    former = read_json(_beside(folder, "json")) or {}
    parts = ("notebook", "parameters", "library", *(() if former.get("awaited") else ("data",)))
    same = all(former.get(part) == made_of[part] for part in parts)
    left = folder.is_dir() and any(folder.iterdir())
    if left and not same:
        swap_in(folder, _beside(folder, "older"))
    write_json(_beside(folder, "json"), {**made_of, "awaited": awaited})
    return same or not left


def clear(folder: Path) -> None:
    """Remove the checkpoints of a run that has succeeded."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(_beside(folder, "older"), ignore_errors=True)
    _beside(folder, "json").unlink(missing_ok=True)


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{folder.name}.{suffix}")
