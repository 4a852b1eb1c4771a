"""Data sets by name: what a run asks for, found on the disk or fetched on request."""

import difflib
import os
from pathlib import Path

import numpy as np
import torch

from taugda.gan.data import pictures
from taugda.gan.data.images import Images
from taugda.gan.models import stages
from taugda.gan.vision import import_torchvision

__all__ = ["DATASETS", "DataError", "load"]

DATASETS = ("digits", "cifar10", "celeba", "folder")
_DIGITS = 8  # pixels across
_CIFAR_ARCHIVE = "cifar-10-python.tar.gz"
_CELEBA = "img_align_celeba"


class DataError(ValueError):
    """Data that are missing, damaged or not what they should be; it says what to do."""


def load(
    name: str,
    *,
    path: str | Path | None = None,
    resolution: int | None = None,
    download: bool = False,
    cache: Path | None = None,
) -> Images:
    """Load a data set into memory, decoded once.

    Parameters
    ----------
    name : {"digits", "cifar10", "celeba", "folder"}
        ``digits``: the 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships.
        ``cifar10``: the training split, from ``cifar-10-python.tar.gz`` or its unpacked folder in
        ``path``.  ``celeba``: the aligned faces, from ``img_align_celeba.zip`` or its unpacked
        folder in ``path``.  ``folder``: pictures of any size in a folder (searched through) or a
        zip; where each lies in a folder of its class, the folders are the labels.
    path : str or Path, optional
        Where the data are, for all but the digits; a relative path starts at the working
        directory.
    resolution : int, optional
        Pixels across, a power of two from 8 up; by default 8 for the digits and 32 otherwise.
        Pictures are resized so that their shorter side fits (bilinear, antialiased) and cropped
        to the centre, as in the paper's preprocessing.
    download : bool
        Fetch cifar10 or celeba into ``path`` if they are missing.
    cache : Path, optional
        Folder that decoded pictures are kept in.

    Returns
    -------
    Images
        In a fixed order.

    Raises
    ------
    DataError
        If the data are missing, cannot be fetched, are damaged, or a picture cannot be read; it
        names the file and what to place where.
    ValueError
        If the name or the resolution is not one of these.
    """
    if name not in DATASETS:
        close = difflib.get_close_matches(str(name), DATASETS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"name: expected one of {', '.join(DATASETS)}, got {name!r}{hint}")
    if name == "digits":
        return _digits(resolution)
    size = 32 if resolution is None else resolution
    stages(size)
    if path is None:
        raise DataError(f"path: {name} needs the place where the data are, got None")
    place = Path(path).expanduser()
    if name == "cifar10":
        return _cifar10(place, size, download)
    source = _celeba(place, download) if name == "celeba" else place
    if not source.exists():
        raise DataError(f"path: expected a folder or zip of pictures, found nothing at {source}")
    try:
        pixels, labels = pictures.decode(source, size, cache)
    except pictures.PictureError as error:
        raise DataError(str(error)) from error
    words = "the aligned CelebA faces" if name == "celeba" else f"pictures of {source.name}"
    return Images(pixels, 255, name, f"{words}, {size} x {size}", labels)


def _digits(resolution: int | None) -> Images:
    if resolution not in (None, _DIGITS):
        raise ValueError(f"resolution: the digits have 8 pixels across, got {resolution!r}")
    from sklearn.datasets import load_digits

    found = load_digits()
    pixels = torch.from_numpy(found.images.astype(np.uint8)).unsqueeze(1)
    labels = torch.from_numpy(found.target).long()
    return Images(pixels, 16, "digits", "scikit-learn's handwritten digits, 8 x 8", labels)


def _cifar10(place: Path, size: int, download: bool) -> Images:
    datasets = import_torchvision("torchvision.datasets")
    check = import_torchvision("torchvision.datasets.utils").check_integrity
    archive = place / _CIFAR_ARCHIVE
    if archive.is_file() and not check(archive, datasets.CIFAR10.tgz_md5):
        raise DataError(
            f"{archive} is damaged or another file: its MD5 is not {datasets.CIFAR10.tgz_md5}; "
            "delete it and fetch it again"
        )
    try:
        # With a whole archive at hand, "download" only unpacks it.
        found = datasets.CIFAR10(place, train=True, download=download or archive.is_file())
    except Exception as error:  # whatever the network or the file system raises
        raise DataError(
            f"CIFAR-10 is not in {place} ({_first_line(error)}). Place {_CIFAR_ARCHIVE} (MD5 "
            f"{datasets.CIFAR10.tgz_md5}) there, or set download to true where there is a network"
        ) from error
    pixels = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
    if size != pixels.shape[2]:
        pixels = pictures.resize(found.data, size)
    labels = torch.tensor(found.targets)
    return Images(pixels, 255, "cifar10", f"CIFAR-10's training split, {size} x {size}", labels)


def _celeba(place: Path, download: bool) -> Path:
    """Find the folder or zip of the aligned faces."""
    places = (place, place / "celeba")
    if place.suffix == ".zip" or place.name == _CELEBA:
        return place
    for candidate in [p / f"{_CELEBA}{end}" for p in places for end in ("", ".zip")]:
        if candidate.exists():
            return candidate
    reason = "it was not asked to be fetched"
    if download:
        try:
            os.makedirs(place, exist_ok=True)
            import_torchvision("torchvision.datasets").CelebA(place, download=True)
        except Exception as error:  # gdown missing, quota exceeded, no network
            reason = _first_line(error)
        found = place / "celeba" / f"{_CELEBA}.zip"
        if found.is_file():
            return found
    raise DataError(
        f"CelebA is not in {place} ({reason}). Place {_CELEBA}.zip there, or the folder {_CELEBA} "
        "that it unpacks to; the label files are not needed"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
