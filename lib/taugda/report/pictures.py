"""Small copies of the figures, for the pages that show many at once."""

import base64
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from taugda.atomic import write_atomic
from taugda.report.entries import Entry
from taugda.runs.project import Project

_WIDTH = 640  # pixels across, about twice what is displayed
_QUALITY = 72


def thumbnails(project: Project, entry: Entry, single_file: bool) -> list[dict[str, Any]]:
    """Make small copies of a run's figures, in the page or beside it; addresses from `pages/`.

    They are made of the figures as they are drawn for a narrow page, where there is such a one.
    """
    return [_small(project, entry, name, ("narrow", ""), single_file) for name in entry.figures]


def thumbnail(project: Project, entry: Entry, single_file: bool) -> dict[str, Any] | None:
    """Make a small copy of what stands for a run: the picture drawn for it, or the first."""
    drawn = sorted((entry.folder / "figures").glob("*.thumbnail.png"))
    names = [
        name for p in drawn if (name := p.name.removesuffix(".thumbnail.png")) in entry.figures
    ]
    for name in [*names, *entry.figures][:1]:
        return _small(project, entry, name, ("thumbnail", ""), single_file)
    return None


def _small(
    project: Project, entry: Entry, name: str, versions: Sequence[str], single_file: bool
) -> dict[str, Any]:
    files = [
        entry.folder / "figures" / f"{'.'.join(filter(None, (name, v)))}.png" for v in versions
    ]
    path = next(file for file in files if file.is_file())
    with Image.open(path) as picture:
        width = min(_WIDTH, picture.width)
        size = width, max(1, round(picture.height * width / picture.width))
    file = f"thumbnails/{entry.page.removesuffix('.html')}/{path.stem}.webp"
    address = quote(file)
    if single_file:
        address = f"data:image/webp;base64,{base64.b64encode(_shrink(path, size)).decode()}"
    else:
        _keep(project.pages / file, path, size)
    page = f"{quote(entry.page)}#figure-{quote(name)}"
    shape = {"address": address, "width": size[0], "height": size[1], "page": page}
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
