"""Figures as files that are the same whenever they are made."""

import io
from pathlib import Path
from typing import Any

from taugda.atomic import write_atomic

# What is drawn only when a figure is saved, such as ticks, heeds the settings of that moment: the
# user's own, TeX for every label say, must not matter.
SETTINGS = ["default", {"pdf.fonttype": 42}]
_DPI = 150
# Above this weight a picture is stored with a palette, so that executed notebooks stay small.
_HEAVY = 120_000


def store(figure: Any, folder: Path, name: str) -> tuple[bytes, int]:
    """Write a figure as PNG and PDF, and close it: the PNG, and the width to display it at."""
    import matplotlib.pyplot as plt
    from PIL import Image

    png, pdf = io.BytesIO(), io.BytesIO()
    with plt.style.context(SETTINGS):
        figure.savefig(
            png, format="png", dpi=_DPI, bbox_inches="tight", metadata={"Software": None}
        )
    picture = Image.open(png)
    width = round(picture.width * 96 / _DPI)
    if png.getbuffer().nbytes > _HEAVY:
        png = io.BytesIO()
        reduced = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
        reduced.save(png, format="png", optimize=True, dpi=(_DPI, _DPI))
    # The layout that was found for one file serves for the other.
    figure.set_layout_engine("none")
    with plt.style.context(SETTINGS):
        figure.savefig(pdf, format="pdf", bbox_inches="tight", metadata={"CreationDate": None})
    write_atomic(folder / f"{name}.png", png.getvalue())
    write_atomic(folder / f"{name}.pdf", pdf.getvalue())
    plt.close(figure)
    return png.getvalue(), width
