"""CIFAR-10's training split, from the archive as it is published."""

import hashlib
import pickle
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from taugda.gan.data.errors import DataError
from taugda.gan.data.fetch import fetch_into

__all__ = ["read_cifar10"]


def read_cifar10(path: Path, download: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read the 50,000 pictures of the training split.

    Parameters
    ----------
    path : Path
        Folder that holds ``cifar-10-python.tar.gz`` or the unpacked ``cifar-10-batches-py``, or
        one of these itself.
    download : bool
        Whether the archive may be fetched into the folder if neither is there.

    Returns
    -------
    pixels : ndarray of uint8, shape (n, 3, 32, 32)
        The pictures.
    labels : ndarray of int64, shape (n,)
        Their classes, 0 to 9.

    Raises
    ------
    DataError
        If they are missing, cannot be fetched or are not the published ones (MD5).

    Notes
    -----
    Names, address and MD5 sums are torchvision's.  The archive is read where it is: nothing is
    unpacked, so that runs side by side cannot see each other's half-written files.
    """
    from taugda.gan.vision import torchvision

    published = torchvision.datasets.CIFAR10
    base, archive = published.base_folder, published.filename
    places = [path, path / base, path / archive]
    found = next((place for place in places if _holds_batches(place, published)), None)
    if found is None:
        advice = (
            f"Put {archive} (MD5 {published.tgz_md5}) or the unpacked folder {base} into {path}"
        )
        if not download:
            raise DataError(f"cifar10: not found in {path}. {advice}, or allow the download.")

        def get(folder: Path) -> None:
            torchvision.datasets.utils.download_url(
                published.url, folder, archive, published.tgz_md5
            )

        found = fetch_into(path, archive, get, f"cifar10: cannot fetch {published.url}", advice)
    pixels, labels = [], []
    for name, md5 in published.train_list:
        data = _batch(found, f"{base}/{name}")
        came = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if came != md5:
            raise DataError(
                f"cifar10: {name} in {found} is damaged: expected MD5 {md5}, got {came}"
            )
        batch = pickle.loads(data, encoding="latin1")  # known by its sum
        pixels.append(batch["data"])
        labels.extend(batch["labels"])
    stacked = np.concatenate(pixels).reshape(-1, 3, 32, 32)
    return np.ascontiguousarray(stacked, dtype=np.uint8), np.array(labels, dtype=np.int64)


def _holds_batches(place: Path, published: type) -> bool:
    return place.is_file() or (place / published.train_list[0][0]).is_file()


def _batch(found: Path, name: str) -> bytes:
    """Read one batch from the archive or from the unpacked folder."""
    try:
        if found.is_dir():
            return (found / Path(name).name).read_bytes()
        with tarfile.open(found) as archive:
            file = archive.extractfile(name)
            return file.read() if file else b""
    except (OSError, EOFError, KeyError, tarfile.TarError) as error:
        raise DataError(f"cifar10: cannot read {name} in {found}: {error}") from error
