"""Picture files in a directory or a zip: listed, decoded in threads, kept once decoded."""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from taugda.atomic import write_atomic
from taugda.gan.data.errors import DataError

__all__ = ["Pictures", "decode", "find_pictures", "fit", "keep"]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_KEPT_FROM = 10_000  # fewer pictures are decoded again sooner than a file is worth keeping
_AT_ONCE = 128  # pictures a thread takes at a time
# What Pillow and zipfile raise on files that are damaged or no pictures.
_UNREADABLE = (
    OSError, ValueError, SyntaxError, EOFError, zipfile.BadZipFile, zlib.error,
    Image.DecompressionBombError,
)  # fmt: skip


@dataclass(frozen=True)
class Pictures:
    """Picture files in one place, not yet read.

    Attributes
    ----------
    path : Path
        A directory or a zip file.
    names : tuple of str
        Of the pictures below it, sorted, with forward slashes.
    """

    path: Path
    names: tuple[str, ...]

    @property
    def identity(self) -> str:
        """SHA-256 over a zip's bytes, or over the names, sizes and times of a directory's files."""
        if self.path.is_file():
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        facts = [(name, (self.path / name).stat()) for name in self.names]
        listed = json.dumps([[name, fact.st_size, fact.st_mtime_ns] for name, fact in facts])
        return hashlib.sha256(listed.encode()).hexdigest()

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """Number of each picture's class folder in their order; None unless all are in one."""
        parents = [PurePosixPath(name).parts[:-1] for name in self.names]
        # Folders that all pictures share, one around the whole set say, tell nothing.
        shared = 0
        while all(len(parts) > shared for parts in parents):
            folders = [parts[shared] for parts in parents]
            if len(set(folders)) > 1:
                break
            shared += 1
        else:
            return None
        numbers = {folder: number for number, folder in enumerate(sorted(set(folders)))}
        return np.array([numbers[folder] for folder in folders], dtype=np.int64)

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], bytes]]:
        """Open what holds the pictures.

        Yields
        ------
        callable
            From a name to the file's bytes; several threads may call it.
        """
        if self.path.is_file():
            with zipfile.ZipFile(self.path) as archive:
                yield archive.read
        else:
            yield lambda name: (self.path / name).read_bytes()


def find_pictures(path: Path) -> Pictures:
    """List the picture files in a directory and all below it, or in a zip.

    Parameters
    ----------
    path : Path
        The directory or zip file.

    Returns
    -------
    Pictures
        Sorted; hidden files and those with another suffix than a picture's are left out.

    Raises
    ------
    DataError
        If there is neither a directory nor a zip, or no picture in it.
    """
    if path.is_dir():
        found = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    elif not path.exists():
        raise DataError(f"{path}: expected a directory or a zip of pictures, found nothing")
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            found = archive.namelist()
    else:
        raise DataError(f"{path}: expected a directory or a zip of pictures, found another file")
    names = sorted(name for name in found if _is_picture(name))
    if not names:
        raise DataError(
            f"{path}: expected pictures ({', '.join(SUFFIXES)}), found none "
            f"among {len(found)} files"
        )
    return Pictures(path, tuple(names))


def _is_picture(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(SUFFIXES)


def fit(picture: Image.Image, resolution: int) -> NDArray[np.uint8]:
    """Apply the paper's preprocessing of one picture.

    Parameters
    ----------
    picture : PIL.Image.Image
        In RGB.
    resolution : int
        Pixels across the result.

    Returns
    -------
    ndarray of uint8, shape (3, resolution, resolution)
        The shorter side scaled to ``resolution`` (bilinear, antialiased), the centre cropped: as
        torchvision's ``Resize`` and ``CenterCrop`` do.
    """
    from taugda.gan.vision import torchvision

    transform = torchvision.transforms.functional
    if min(picture.size) != resolution:
        picture = transform.resize(picture, resolution)
    if picture.size != (resolution, resolution):
        picture = transform.center_crop(picture, resolution)
    return np.asarray(picture).transpose(2, 0, 1)


def decode(pictures: Pictures, resolution: int) -> NDArray[np.uint8]:
    """Decode pictures in threads, with a progress bar when it takes long.

    Parameters
    ----------
    pictures : Pictures
        The files; grey pictures, palettes and transparency become plain RGB.
    resolution : int
        Pixels across the results.

    Returns
    -------
    ndarray of uint8, shape (n, 3, resolution, resolution)
        In the order of the names.

    Raises
    ------
    DataError
        If a file cannot be read as a picture; it is named.
    """
    from tqdm import tqdm

    names = pictures.names
    pixels = np.empty((len(names), 3, resolution, resolution), dtype=np.uint8)
    with (
        pictures.reader() as read,
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
        tqdm(total=len(names), desc="decoding", unit="picture", delay=2, leave=False) as bar,
    ):

        def part(start: int) -> int:
            stop = min(start + _AT_ONCE, len(names))
            for number in range(start, stop):
                try:
                    pixels[number] = fit(_rgb(read(names[number])), resolution)
                except _UNREADABLE as error:
                    raise DataError(
                        f"{pictures.path}: cannot read the picture {names[number]}: {error}"
                    ) from error
            return stop - start

        try:
            for done in pool.map(part, range(0, len(names), _AT_ONCE)):
                bar.update(done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return pixels


def _rgb(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"expected 8 bits a channel, found mode {picture.mode}")
    if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        picture = ImageOps.exif_transpose(picture)
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def keep(
    pictures: Pictures, resolution: int, cache: Path | None, least: int = _KEPT_FROM
) -> NDArray[np.uint8]:
    """Decode pictures, or take them from a cache.

    Parameters
    ----------
    pictures : Pictures
        The files.
    resolution : int
        Pixels across the results.
    cache : Path, optional
        Folder that a large decoded set is kept in, and taken from if it is whole.
    least : int
        Number of pictures from which a set counts as large.

    Returns
    -------
    ndarray of uint8, shape (n, 3, resolution, resolution)
        As from `decode`.
    """
    if cache is None or len(pictures.names) < least:
        return decode(pictures, resolution)
    key = hashlib.sha256(f"{pictures.identity} {resolution}".encode()).hexdigest()
    path = cache / f"pictures-{key[:32]}.npz"
    pixels = _read(path, key)
    if pixels is None:
        pixels = decode(pictures, resolution)
        buffer = io.BytesIO()
        np.savez(buffer, pixels=pixels, key=key, digest=_digest(pixels))
        write_atomic(path, buffer.getvalue())
    return pixels


def _read(path: Path, key: str) -> NDArray[np.uint8] | None:
    """Return what was kept; None where there is nothing or it is damaged."""
    try:
        with np.load(path) as kept:
            pixels = kept["pixels"]
            whole = str(kept["key"]) == key
            return pixels if whole and _digest(pixels) == str(kept["digest"]) else None
    except Exception:  # whatever a damaged file raises: the pictures are decoded again
        return None


def _digest(pixels: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()
