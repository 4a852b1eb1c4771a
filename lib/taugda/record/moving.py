"""Moving pictures as notebook outputs: frames, a slider and a button, and nothing to fetch."""

import base64
import html
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from taugda.record.figures import SETTINGS

_DPI, _LOSSLESS = 110, {"lossless": True, "method": 4}
_HEAVIEST = 700_000  # characters of HTML, so that pages stay quick to open
_STYLE, _SCRIPT = (Path(__file__).with_suffix(suffix) for suffix in (".css", ".js"))


def moving(
    frames: Iterable[Any], name: str, alt: str, labels: Sequence[str], still: int
) -> tuple[Any, str]:
    """Make a moving picture of figures drawn one after the other: the still one, and HTML."""
    if not 0 <= still < len(labels):
        raise ValueError(f"still must be a number from 0 to {len(labels) - 1}, found {still!r}")
    from matplotlib import style

    from taugda.plots import layout

    pictures, sizes, kept = [], set(), None
    for number, frame in enumerate(frames):
        file = io.BytesIO()
        layout.narrow(frame)  # it moves in one size on every page
        with style.context(SETTINGS):
            frame.savefig(file, format="webp", dpi=_DPI, pil_kwargs=_LOSSLESS)
        pictures.append(f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}")
        sizes.add(tuple(frame.get_size_inches().tolist()))
        kept = frame if number == still else kept
    if len(pictures) < 2 or len(pictures) != len(labels):
        found = f"found {len(pictures)} frames and {len(labels)} labels"
        raise ValueError(f"frames must be two or more, with one label each, {found}")
    if len(sizes) > 1:
        raise ValueError(f"frames must have one size, found {sorted(sizes)}")
    settings = {"id": f"moving-{name}", "frames": pictures, "labels": [*labels], "at": still}
    # In a script, "</" would end it.
    data = json.dumps(settings, ensure_ascii=False).replace("</", r"<\/")
    style, script = (path.read_text(encoding="utf-8") for path in (_STYLE, _SCRIPT))
    width, height = (round(side * 96) for side in sizes.pop())
    text = (
        f'<div class="moving" id="moving-{name}">\n<style>\n{style}</style>\n'
        f'<img src="{pictures[still]}" alt="{html.escape(alt)}" width="{width}" '
        f'height="{height}">\n<script>\n{script.replace("SETTINGS", data)}</script>\n</div>'
    )
    if len(text) > _HEAVIEST:
        found = f"found {len(text)}; take fewer or smaller ones"
        raise ValueError(f"frames must weigh at most {_HEAVIEST} characters together, {found}")
    return kept, text
