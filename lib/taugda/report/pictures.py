"""Small copies of the figures, for the pages that show many at once."""

import base64
import io
from pathlib import Path
from typing import Any
from urllib.parse import quote

from taugda.report.entries import Entry
from taugda.runs.files import write_atomic
from taugda.runs.project import Project

_WIDTH = 640  # pixels across, about twice what is displayed
_QUALITY = 72


def thumbnails(
    project: Project, entry: Entry, single_file: bool, limit: int | None = None
) -> list[dict[str, Any]]:
    """Make small copies of a run's figures.

    Parameters
    ----------
    project : Project
        Where the pages go.
    entry : Entry
        The run.
    single_file : bool
        Whether a copy is put into the page or written beside it.
    limit : int, optional
        Only the first so many.

    Returns
    -------
    list of dict
        Name, address as seen from the outputs folder, width and height, caption and text
        alternative of each, and the address of the figure on the run's page.
    """
    found = []
    for name, texts in list(entry.figures.items())[:limit]:
        data, size = _shrink(entry.folder / "figures" / f"{name}.png")
        if single_file:
            address = "data:image/webp;base64," + base64.b64encode(data).decode()
        else:
            file = f"thumbnails/{entry.page.removesuffix('.html')}/{name}.webp"
            path = project.pages / file
            if not path.is_file() or path.read_bytes() != data:
                write_atomic(path, data)
            address = f"pages/{quote(file)}"
        found.append(
            {
                "name": name,
                "address": address,
                "width": size[0],
                "height": size[1],
                "caption": texts["caption"],
                "alt": texts["alt"],
                "page": f"pages/{quote(entry.page)}#figure-{quote(name)}",
            }
        )
    return found


def _shrink(path: Path) -> tuple[bytes, tuple[int, int]]:
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    height = max(1, round(picture.height * _WIDTH / picture.width))
    buffer = io.BytesIO()
    small = picture.resize((_WIDTH, height), Image.Resampling.LANCZOS)
    small.save(buffer, format="webp", quality=_QUALITY, method=4)
    return buffer.getvalue(), small.size
