"""Small copies of the figures, for the pages that show many at once."""

import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from taugda.atomic import write_atomic
from taugda.report.entries import Entry

_WIDTH = 640  # pixels across, about twice what is displayed
_QUALITY = 72


def thumbnails(folder: Path, entry: Entry) -> list[dict[str, Any]]:
    """Make small copies of a run's figures in the folder of its page, which addresses are from.

    They are made of the figures as they are drawn for a narrow page, where there is such a one.
    """
    return [_small(folder, entry, name, ("narrow", "")) for name in entry.figures]


def thumbnail(folder: Path, entry: Entry) -> dict[str, Any] | None:
    """Make a small copy of what stands for a run: the picture drawn for it, or the first."""
    drawn = sorted((entry.folder / "figures").glob("*.thumbnail.png"))
    names = [
        name for p in drawn if (name := p.name.removesuffix(".thumbnail.png")) in entry.figures
    ]
    for name in [*names, *entry.figures][:1]:
        return _small(folder, entry, name, ("thumbnail", ""))
    return None


def _small(folder: Path, entry: Entry, name: str, versions: Sequence[str]) -> dict[str, Any]:
    files = [
        entry.folder / "figures" / f"{'.'.join(filter(None, (name, v)))}.png" for v in versions
    ]
    path = next(file for file in files if file.is_file())
    with Image.open(path) as picture:
        width = min(_WIDTH, picture.width)
        size = width, max(1, round(picture.height * width / picture.width))
    file = f"thumbnails/{entry.page.removesuffix('.html')}/{path.stem}.webp"
    _keep(folder / file, path, size)
    page = f"{quote(entry.page)}#figure-{quote(name)}"
    shape = {"address": quote(file), "width": size[0], "height": size[1], "page": page}
    return shape | entry.figures[name]


def _keep(target: Path, path: Path, size: tuple[int, int]) -> None:
    """Write a small copy, unless there is one that bears the picture's own time."""
    moment = path.stat().st_mtime_ns
    if not target.is_file() or target.stat().st_mtime_ns != moment:
        write_atomic(target, _shrink(path, size))
        os.utime(target, ns=(moment, moment))


def _shrink(path: Path, size: tuple[int, int]) -> bytes:
    with Image.open(path) as opened:
        small = opened.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, format="webp", quality=_QUALITY, method=4)
    return buffer.getvalue()
