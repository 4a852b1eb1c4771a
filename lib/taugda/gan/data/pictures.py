"""Pictures of any size from a folder or a zip, decoded once to bytes of one size."""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from torch import Tensor

from taugda.atomic import write_atomic
from taugda.gan.vision import import_torchvision

__all__ = ["PictureError", "decode", "resize"]

_ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
_WORTH_KEEPING = 2000  # pictures, from which on they are kept decoded
_BAR_FROM = 2000  # pictures, from which on a bar is shown


class PictureError(ValueError):
    """Pictures that are missing or cannot be read."""


def decode(source: Path, size: int, cache: Path | None = None) -> tuple[Tensor, Tensor | None]:
    """Read all pictures of a folder or a zip.

    Parameters
    ----------
    source : Path
        Folder (searched through) or zip.
    size : int
        Pixels across.
    cache : Path, optional
        Folder that many decoded pictures are kept in.

    Returns
    -------
    pixels : Tensor of uint8, shape (n, 3, size, size)
        In the order of their names.
    labels : Tensor of int64, shape (n,), or None
        The number of each picture's folder, where all lie in folders of which there are several.

    Raises
    ------
    PictureError
        If there is no picture, the zip is damaged, or a picture cannot be read; it is named.
    """
    names, sizes, read = _listing(source)
    if not names:
        raise PictureError(f"{source} holds no pictures ({', '.join(_ENDINGS)})")
    kept = None
    if cache is not None and len(names) >= _WORTH_KEEPING:
        text = repr((source.name, names, sizes, size))
        kept = cache / f"pictures-{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"
    pixels = _read_kept(kept, len(names), size) if kept else None
    if pixels is None:
        pixels = _decode_all(source, names, read, size)
        if kept:
            buffer = io.BytesIO()
            digest = hashlib.sha256(pixels).hexdigest()
            np.savez(buffer, pixels=pixels, digest=digest)
            write_atomic(kept, buffer.getvalue())
    return torch.from_numpy(pixels), _labels(names)


def resize(arrays: Iterable[np.ndarray], size: int) -> Tensor:
    """Resize pictures that are in memory.

    Parameters
    ----------
    arrays : iterable of ndarray of uint8, shape (h, w, 3)
        Pictures.
    size : int
        Pixels across.

    Returns
    -------
    Tensor of uint8, shape (n, 3, size, size)
    """
    from PIL import Image

    fit = _fit(size)
    return torch.from_numpy(np.stack([fit(Image.fromarray(array)) for array in arrays]))


def _listing(source: Path) -> tuple[list[str], list[int], Callable[[str], bytes]]:
    """Names of the pictures, their sizes in bytes, and a function that reads one."""
    if source.is_dir():
        files = {
            path.relative_to(source).as_posix(): path
            for path in source.rglob("*")
            if path.suffix.lower() in _ENDINGS and path.is_file()
        }
        names = sorted(files)
        return names, [files[n].stat().st_size for n in names], lambda n: files[n].read_bytes()
    try:
        archive = zipfile.ZipFile(source)
    except (OSError, zipfile.BadZipFile) as error:
        raise PictureError(f"{source} is no folder and no whole zip: {error}") from error
    found = {
        info.filename: info
        for info in archive.infolist()
        if PurePosixPath(info.filename).suffix.lower() in _ENDINGS
        and not info.is_dir()
        and not info.filename.startswith("__MACOSX/")
    }
    names = sorted(found)
    # One archive object serves all threads: it locks its file while it reads.
    return names, [found[n].file_size for n in names], archive.read


def _decode_all(
    source: Path, names: list[str], read: Callable[[str], bytes], size: int
) -> np.ndarray:
    from PIL import Image
    from tqdm import tqdm

    fit = _fit(size)

    def one(name: str) -> np.ndarray:
        try:
            with Image.open(io.BytesIO(read(name))) as picture:
                return fit(picture.convert("RGB"))
        except Exception as error:  # Pillow raises many kinds for a damaged file
            raise PictureError(f"{source}: {name} cannot be read as a picture: {error}") from error

    pixels = np.empty((len(names), 3, size, size), np.uint8)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        decoded = pool.map(one, names, chunksize=64)
        bar = tqdm(
            decoded, total=len(names), unit="picture", leave=False, disable=len(names) < _BAR_FROM
        )
        try:
            for k, picture in enumerate(bar):
                pixels[k] = picture
        except PictureError:
            pool.shutdown(cancel_futures=True)
            raise
    return pixels


def _fit(size: int) -> Callable[..., np.ndarray]:
    """Resize the shorter side and crop the centre, as torchvision's transforms do."""
    transforms = import_torchvision("torchvision.transforms")
    steps = transforms.Compose([transforms.Resize(size), transforms.CenterCrop(size)])
    return lambda picture: np.asarray(steps(picture), np.uint8).transpose(2, 0, 1)


def _read_kept(path: Path, count: int, size: int) -> np.ndarray | None:
    try:
        with np.load(path) as kept:
            pixels, digest = kept["pixels"], str(kept["digest"])
    except Exception:  # missing, or damaged in any way: they are decoded again
        return None
    whole = pixels.shape == (count, 3, size, size) and pixels.dtype == np.uint8
    return pixels if whole and hashlib.sha256(pixels).hexdigest() == digest else None


def _labels(names: list[str]) -> Tensor | None:
    folders = [PurePosixPath(name).parent.as_posix() for name in names]
    kinds = sorted(set(folders))
    if len(kinds) < 2 or "." in kinds:
        return None
    number = {kind: k for k, kind in enumerate(kinds)}
    return torch.tensor([number[folder] for folder in folders])
