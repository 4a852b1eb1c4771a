"""The folder of a run's checkpoints: kept while the run is unfinished, and only then.

What lies in it is the notebook's business.  Beside it, ``<run>.json`` says what the run was made
of, so that an attempt never goes on from a state that other code or other data led to.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taugda.runs.files import read_json, swap_in, write_json
from taugda.runs.state import differences


def prepare(folder: Path, made_of: Mapping[str, Any]) -> bool:
    """Make ready for an attempt; False where checkpoints of another fingerprint were set aside."""
    former = read_json(_beside(folder, "json")) or {}
    reasons = differences(former, made_of)
    same = not reasons or (reasons == ["data changed"] and former.get("awaited"))
    left = folder.is_dir() and any(folder.iterdir())
    if left and not same:
        swap_in(folder, _beside(folder, "older"))
    write_json(_beside(folder, "json"), dict(made_of))
    return same or not left


def clear(folder: Path) -> None:
    """Remove the checkpoints of a run that has succeeded."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(_beside(folder, "older"), ignore_errors=True)
    _beside(folder, "json").unlink(missing_ok=True)


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{folder.name}.{suffix}")
