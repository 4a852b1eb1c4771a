"""The folder of a run's checkpoints: kept while the run is unfinished, and only then.

What lies in it is the notebook's business.  Beside it, ``<run>.json`` says what the run was made
of, so that an attempt never goes on from a state that other code or other data led to.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taugda.runs.files import read_json, swap_in, write_json

_PARTS = ("notebook", "parameters", "data", "modules")


def prepare(folder: Path, made_of: Mapping[str, Any], awaited: bool = False) -> bool:
    """Make ready for an attempt.

    Parameters
    ----------
    folder : Path
        The run's folder of checkpoints.
    made_of : mapping
        Fingerprint of the run that is about to start.
    awaited : bool
        Whether it has to download its data first, so that the next attempt's data will differ.

    Returns
    -------
    bool
        False if there were checkpoints of a run with another fingerprint.  They are set aside in
        ``<run>.older`` until the run has succeeded, and it starts from its beginning.
    """
    former = read_json(_stamp(folder))
    former = former if isinstance(former, dict) else {}
    parts = [part for part in _PARTS if part != "data" or not former.get("awaited")]
    same = all(former.get(part) == made_of[part] for part in parts)
    left = folder.is_dir() and any(folder.iterdir())
    if left and not same:
        swap_in(folder, _older(folder))
    write_json(_stamp(folder), {**made_of, "awaited": awaited})
    return same or not left


def clear(folder: Path) -> None:
    """Remove the checkpoints of a run that has succeeded.

    Parameters
    ----------
    folder : Path
        The run's folder of checkpoints.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(_older(folder), ignore_errors=True)
    _stamp(folder).unlink(missing_ok=True)


def _stamp(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.json")


def _older(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.older")
