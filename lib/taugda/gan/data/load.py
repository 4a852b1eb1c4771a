"""Data sets by name."""

import difflib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from taugda.gan.data.celeba import find_celeba
from taugda.gan.data.cifar10 import read_cifar10
from taugda.gan.data.errors import DataError
from taugda.gan.data.images import Images
from taugda.gan.data.pictures import find_pictures, fit, keep
from taugda.gan.models import stages

__all__ = ["DATASETS", "load"]

DATASETS = ("digits", "cifar10", "celeba", "folder")
_WANTED = {
    "cifar10": "the folder with cifar-10-python.tar.gz",
    "celeba": "the folder with img_align_celeba.zip",
    "folder": "a directory or a zip of pictures",
}


def load(
    name: str,
    *,
    path: str | Path | None = None,
    resolution: int | None = None,
    download: bool = False,
    cache: Path | None = None,
) -> Images:
    """Load real pictures into memory.

    Parameters
    ----------
    name : {"digits", "cifar10", "celeba", "folder"}
        scikit-learn's handwritten digits, which need no file; CIFAR-10's training split; CelebA's
        aligned pictures; or the pictures in a directory (with all below it) or a zip.
    path : str or Path, optional
        Where the data are, for all but digits.  A relative path starts at the working directory.
    resolution : int, optional
        Pixels across, a power of two from 8 up; without it 8 for digits and the paper's 32 else.
    download : bool
        Whether cifar10 or celeba may be fetched into ``path`` if they are missing.
    cache : Path, optional
        Folder that large decoded sets are kept in.

    Returns
    -------
    Images
        Digits: one channel, 1,797 pictures of 8 x 8 with values 0 to 16.  The others: three
        channels of 8 bits, after the paper's preprocessing, the shorter side scaled to
        ``resolution`` and the centre cropped; in the order of the archive or of the sorted names.
        Labels where there are classes: of cifar10, and of a folder in which every picture lies
        in one of several class folders.

    Raises
    ------
    ValueError
        If the name or the resolution is none that there is, or ``path`` is missing.
    DataError
        If the data are missing, cannot be fetched or cannot be read; the message says which file.
    """
    if name not in DATASETS:
        close = difflib.get_close_matches(str(name), DATASETS)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"name: expected one of {', '.join(DATASETS)}, got {name!r}{hint}")
    if name == "digits":
        if resolution not in (None, 8):
            raise ValueError(f"resolution: expected 8, the digits' own, got {resolution!r}")
        return _digits()
    resolution = 32 if resolution is None else resolution
    stages(resolution)
    if path is None:
        raise ValueError(f"path: expected {_WANTED[name]}, got None")
    path = Path(path).expanduser()
    if name == "cifar10":
        pixels, labels = read_cifar10(path, download)
        if resolution != pixels.shape[2]:
            pixels = _resized(pixels, resolution)
        return _images(pixels, name, "CIFAR-10's training split", labels)
    pictures = find_celeba(path, download) if name == "celeba" else find_pictures(path)
    source = "CelebA's aligned pictures" if name == "celeba" else f"the pictures in {path.name}"
    labels = None if name == "celeba" else pictures.labels
    return _images(keep(pictures, resolution, cache), name, source, labels)


def _digits() -> Images:
    # scikit-learn's own loader reads the same file, after importing all of it for a second or two.
    found = find_spec("sklearn")
    where = found.submodule_search_locations if found else None
    path = Path(where[0] if where else "sklearn") / "datasets" / "data" / "digits.csv.gz"
    try:
        rows = np.loadtxt(path, delimiter=",", dtype=np.int64)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path}: expected the digits that scikit-learn ships, got: {error}; "
            "install scikit-learn again"
        ) from error
    return Images(
        torch.from_numpy(rows[:, :-1].astype(np.uint8).reshape(-1, 1, 8, 8)),
        16,
        "digits",
        "scikit-learn's handwritten digits, 8 x 8",
        torch.from_numpy(rows[:, -1].copy()),
    )


def _resized(pixels: NDArray[np.uint8], resolution: int) -> NDArray[np.uint8]:
    from PIL import Image

    return np.stack([fit(Image.fromarray(p.transpose(1, 2, 0)), resolution) for p in pixels])


def _images(
    pixels: NDArray[np.uint8], name: str, source: str, labels: NDArray[np.int64] | None
) -> Images:
    size = pixels.shape[-1]
    return Images(
        torch.from_numpy(pixels),
        255,
        name,
        f"{source}, {size} x {size}",
        None if labels is None else torch.from_numpy(labels),
    )
