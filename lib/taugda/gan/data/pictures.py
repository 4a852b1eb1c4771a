"""Picture files in a directory or a zip: listed, decoded in threads, kept once decoded."""

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps
from torch import Tensor

from taugda.gan.checkpoints import kept
from taugda.gan.data.fetch import DataError

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
    """Picture files in a directory or a zip, not yet read; sorted names with forward slashes."""

    path: Path
    names: tuple[str, ...]

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
        # The classes are the first level of folders that differ; zip ends with the shortest path.
        for folders in zip(*parents, strict=False):
            numbers = {folder: number for number, folder in enumerate(sorted(set(folders)))}
            if len(numbers) > 1:
                return torch.tensor([numbers[folder] for folder in folders])
        return None

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], bytes]]:
        """Open what holds the pictures: a function from a name to bytes, which threads may call."""
        if self.path.is_file():
            with zipfile.ZipFile(self.path) as archive:
                yield archive.read
        else:
            yield lambda name: (self.path / name).read_bytes()


def find_pictures(path: Path) -> Pictures:
    """List the picture files in a directory and all below it, or in a zip; hidden ones are not."""
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
    hidden = any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)
    return not hidden and name.lower().endswith(SUFFIXES)


def fit(picture: Image.Image, resolution: int) -> Tensor:
    """Scale the shorter side (bilinear, antialiased) and crop the centre, as in the paper."""
    from taugda.gan.vision import torchvision

    transform = torchvision.transforms.functional
    fitted = transform.center_crop(transform.resize(picture, resolution), resolution)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1)


def decode(pictures: Pictures, resolution: int) -> Tensor:
    """Decode pictures in threads; grey ones, palettes and transparency become plain RGB."""
    from tqdm import tqdm

    names = pictures.names
    pixels = torch.empty((len(names), 3, resolution, resolution), dtype=torch.uint8)
    with (
        pictures.reader() as read,
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
        tqdm(total=len(names), desc="decoding", unit="picture", delay=2, leave=False) as bar,
    ):

        def part(numbers: range) -> int:
            for number in numbers:
                try:
                    pixels[number] = fit(_rgb(read(names[number])), resolution)
                except _UNREADABLE as error:
                    raise DataError(
                        f"{pictures.path}: cannot read the picture {names[number]}: {error}"
                    ) from error
            return len(numbers)

        numbers = range(len(names))
        try:
            for done in pool.map(part, [numbers[k : k + _AT_ONCE] for k in numbers[::_AT_ONCE]]):
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
) -> Tensor:
    """Decode pictures, or take a set of at least so many from a cache."""
    if cache is None or len(pictures.names) < least:
        return decode(pictures, resolution)
    about = {"pictures": pictures.identity, "resolution": resolution}
    made = kept(cache, "pictures", about, lambda: {"pixels": decode(pictures, resolution)})
    return made["pixels"]
