"""Picture files in a directory or a zip: listed, decoded in threads, kept once decoded."""

import hashlib
import io
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor
from tqdm import tqdm

from taugda.atomic import files_below
from taugda.gan.checkpoints import kept
from taugda.gan.fetch import DataError

SUFFIXES = (
    ".avif", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif",
    ".tiff", ".webp",
)  # fmt: skip
# Pictures that Pillow does not read by itself, or that have more than 8 bits.
_UNREAD = (".arw", ".cr2", ".dng", ".exr", ".heic", ".heif", ".jp2", ".jxl", ".nef", ".svg")
# By content, whatever the name says: EPS, for one, would be handed to another program.
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_KEPT_FROM = 10_000  # fewer pictures are decoded again sooner than a file is worth keeping
_AT_ONCE = 128  # pictures a thread takes at a time


@dataclass(frozen=True)
class Pictures:
    """Picture files in a directory or a zip, not yet read; sorted names with forward slashes."""

    path: Path
    names: list[str]
    read: Callable[[str], bytes]

    @property
    def identity(self) -> object:
        """SHA-256 over a zip's bytes, or names, sizes and times of a directory's files."""
        if self.path.is_file():
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        facts = [(name, (self.path / name).stat()) for name in self.names]
        return [[name, fact.st_size, fact.st_mtime_ns] for name, fact in facts]

    @property
    def labels(self) -> Tensor | None:
        """Number of each picture's class folder in their order; None unless all are in one."""
        parents = [PurePosixPath(name).parts[:-1] for name in self.names]
        # The classes are the first level of folders that differs; zip ends with the shortest path.
        for folders in zip(*parents, strict=False):
            classes, numbers = np.unique(folders, return_inverse=True)
            if len(classes) > 1:
                return torch.from_numpy(numbers)
        return None


def find_pictures(path: Path) -> Pictures:
    """List the picture files in a directory and all below it, or in a zip; hidden ones are not."""
    if path.is_dir():
        try:
            found = [file.relative_to(path).as_posix() for file in files_below(path)]
        except OSError as error:
            raise DataError(f"{path}: cannot list {error.filename}: {error.strerror}") from error

        def read(name: str) -> bytes:
            file = path / name
            if not file.is_file():  # opening a pipe, for one, would wait for ever
                what = "a link that leads nowhere" if file.is_symlink() else "no plain file"
                raise ValueError(f"it is {what}")
            return file.read_bytes()

    elif zipfile.is_zipfile(path):
        archive = zipfile.ZipFile(path)
        found, read = archive.namelist(), archive.read
    else:
        what = "another file" if path.exists() else "nothing"
        raise DataError(f"{path}: expected a directory or a zip of pictures, found {what}")
    parts = {name: PurePosixPath(name).parts for name in sorted(set(found))}
    shown = [n for n in parts if not any(part.startswith((".", "__MACOSX")) for part in parts[n])]
    names = [name for name in shown if name.lower().endswith(SUFFIXES)]
    kinds = ", ".join(SUFFIXES)
    if unread := [name for name in shown if name.lower().endswith(_UNREAD)]:
        raise DataError(
            f"{path}: cannot read the picture {unread[0]}: its kind is none of {kinds}; convert or "
            f"remove it (there are {len(unread)} such pictures)"
        )
    if not names:
        packed = [name for name in shown if name.lower().endswith((".zip", ".tar", ".tgz", ".gz"))]
        raise DataError(
            f"{path}: expected pictures ({kinds}), found none among {len(found)} files"
            + (f"; unpack {packed[0]} first" if packed else "")
        )
    return Pictures(path, names, read)


def fit(picture: Image.Image, resolution: int) -> Tensor:
    """Scale the shorter side (bilinear, antialiased) and crop the centre, as in the paper."""
    from taugda.gan.vision import torchvision

    transform = torchvision.transforms.functional
    fitted = transform.center_crop(transform.resize(picture, resolution), resolution)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1)


def decode(pictures: Pictures, resolution: int) -> Tensor:
    """Decode pictures in threads; grey ones, palettes and transparency become plain RGB."""

    def one(name: str) -> Tensor:
        try:
            return fit(_rgb(pictures.read(name)), resolution)
        # Pillow and zipfile raise errors of many kinds on files that are damaged or no pictures.
        except Exception as error:
            raise DataError(f"{pictures.path}: cannot read the picture {name}: {error}") from error

    n, shown = len(pictures.names), {"desc": "decoding", "unit": "picture", "delay": 2}
    pixels = torch.empty((n, 3, resolution, resolution), dtype=torch.uint8)
    with ThreadPool() as pool:
        found = pool.imap(one, pictures.names, _AT_ONCE)
        for k, picture in enumerate(tqdm(found, total=n, leave=False, file=sys.stdout, **shown)):
            pixels[k] = picture
    return pixels


def _rgb(data: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        begin = f"its first bytes are {data[:16]!r}" if data else "it is empty"
        raise ValueError(f"expected a picture ({', '.join(_FORMATS)}); {begin}") from None
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"expected 8 bits a channel, found mode {picture.mode}")
    if picture.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        picture = ImageOps.exif_transpose(picture)
    if "transparency" in picture.info:
        picture = picture.convert("RGBA")
    return picture.convert("RGB")


def keep(pictures: Pictures, resolution: int, cache: Path | None) -> Tensor:
    """Decode pictures, or take a large set from a cache."""
    if cache is None or len(pictures.names) < _KEPT_FROM:
        return decode(pictures, resolution)
    about = {"pictures": pictures.identity, "resolution": resolution}
    made = kept(cache, "pictures", about, lambda: {"pixels": decode(pictures, resolution)})
    return made["pixels"]
