"""Figures as files that are the same whenever they are made."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taugda.atomic import write_atomic

# What is drawn only when a figure is saved, such as ticks, heeds the settings of that moment: the
# user's own, TeX for every label say, must not matter.
SETTINGS = ["default", {"pdf.fonttype": 42}]
_DPI = 150
# Above this weight a picture is stored with a palette, so that executed notebooks stay small.
_HEAVY = 120_000


def store(figure: Any, folder: Path, name: str, thumbnail: Sequence[int] | None) -> tuple[str, int]:
    """Write a figure as PNG and PDF, and close it: the PNG in base64, and its width on a page.

    Beside it lie a version for narrow pages, where it is wide, and a small picture of the panels
    that are named for it: ``NAME.narrow.png`` and ``NAME.thumbnail.png``.
    """
    import matplotlib.pyplot as plt

    from taugda.plots import layout

    png, width = _png(figure, _HEAVY)
    write_atomic(folder / f"{name}.png", png)
    # The layout that was found for one file serves for the other.
    engine, pdf = figure.get_layout_engine(), io.BytesIO()
    figure.set_layout_engine("none")
    with plt.style.context(SETTINGS):
        figure.savefig(pdf, format="pdf", bbox_inches="tight", metadata={"CreationDate": None})
    write_atomic(folder / f"{name}.pdf", pdf.getvalue())
    figure.set_layout_engine(engine)
    if layout.narrow(figure):
        write_atomic(folder / f"{name}.narrow.png", _png(figure, 0)[0])
    if thumbnail is not None and layout.small(figure, thumbnail):
        write_atomic(folder / f"{name}.thumbnail.png", _png(figure, 0, box=None, dpi=260)[0])
    plt.close(figure)
    return base64.b64encode(png).decode(), width


def _png(figure: Any, heavy: int, box: str | None = "tight", dpi: int = _DPI) -> tuple[bytes, int]:
    """Draw a figure as PNG, with a palette if it weighs more, and the width to display it at."""
    import matplotlib.pyplot as plt
    from PIL import Image

    png = io.BytesIO()
    with plt.style.context(SETTINGS):
        figure.savefig(png, format="png", dpi=dpi, bbox_inches=box, metadata={"Software": None})
    picture = Image.open(png)
    if png.getbuffer().nbytes > heavy:
        png = io.BytesIO()
        reduced = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
        reduced.save(png, format="png", optimize=True, dpi=(dpi, dpi))
    return png.getvalue(), round(picture.width * 96 / dpi)
