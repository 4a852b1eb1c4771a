"""Downloads that are whole or not there."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from taugda.gan.data.errors import DataError

__all__ = ["fetch_into"]


def fetch_into(
    folder: Path, name: str, get: Callable[[Path], None], failed: str, advice: str
) -> Path:
    """Fetch a file into a folder.

    Parameters
    ----------
    folder : Path
        Where the file is wanted; made if it is missing.
    name : str
        The file's name.
    get : callable
        Downloads a file of that name, checked, into the folder that it is given.
    failed, advice : str
        What to say if it does not: what was tried, and what to do instead.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If it cannot be fetched; no part of it stays.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}.") as temporary:
            get(Path(temporary))
            os.replace(Path(temporary) / name, folder / name)
    # Whatever the network, the host, the disk or a missing helper raises, the answer is the same.
    except Exception as error:
        raise DataError(f"{failed}: {error or type(error).__name__}. {advice}.") from error
    return folder / name
