"""Figures as files that are the same whenever they are made."""

import io
from pathlib import Path
from typing import Any

from taugda.atomic import write_atomic

_DPI = 150
# Above this weight a picture is stored with a palette, so that executed notebooks stay small.
_HEAVY = 120_000


def store(figure: Any, folder: Path, name: str) -> tuple[bytes, int]:
    """Write a figure as PNG and PDF, and close it: the PNG, and the width to display it at."""
    import matplotlib.pyplot as plt

    png, width = _render_png(figure)
    pdf = io.BytesIO()
    # The layout that was found for one file serves for the other.
    figure.set_layout_engine("none")
    figure.savefig(pdf, format="pdf", bbox_inches="tight", metadata={"CreationDate": None})
    write_atomic(folder / f"{name}.png", png)
    write_atomic(folder / f"{name}.pdf", pdf.getvalue())
    plt.close(figure)
    return png, width


def _render_png(figure: Any) -> tuple[bytes, int]:
    """PNG of a figure and the width in pixels that it should be displayed at."""
    from PIL import Image

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight", metadata={"Software": None})
    picture = Image.open(buffer)
    width = round(picture.width * 96 / _DPI)
    if buffer.getbuffer().nbytes > _HEAVY:
        buffer = io.BytesIO()
        reduced = picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT)
        reduced.save(buffer, format="png", optimize=True, dpi=(_DPI, _DPI))
    return buffer.getvalue(), width
