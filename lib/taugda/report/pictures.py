"""Small copies of the figures, for the pages that show many at once."""

import base64
import io
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from taugda.atomic import write_atomic
from taugda.report.entries import Entry
from taugda.runs.project import Project

_WIDTH = 640  # pixels across, about twice what is displayed
_QUALITY = 72


def thumbnails(
    project: Project, entry: Entry, single_file: bool, limit: int | None = None
) -> list[dict[str, Any]]:
    """Make small copies of a run's figures, in the page or beside it; addresses from `pages/`."""
    found = []
    for name, texts in list(entry.figures.items())[:limit]:
        path = entry.folder / "figures" / f"{name}.png"
        with Image.open(path) as picture:
            size = _WIDTH, max(1, round(picture.height * _WIDTH / picture.width))
        file = f"thumbnails/{entry.page.removesuffix('.html')}/{name}.webp"
        address = quote(file)
        if single_file:
            address = f"data:image/webp;base64,{base64.b64encode(_shrink(path, size)).decode()}"
        else:
            _keep(project.pages / file, path, size)
        found.append(
            {"address": address, "width": size[0], "height": size[1], **texts,
             "page": f"{quote(entry.page)}#figure-{quote(name)}"}
        )  # fmt: skip
    return found


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
