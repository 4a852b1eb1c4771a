"""Moving pictures as notebook outputs: frames, a slider and a button, and nothing to fetch."""

import base64
import html
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from taugda.record.figures import SETTINGS

_DPI, _LOSSLESS = 110, {"lossless": True, "method": 4}
_HEAVIEST = 700_000  # characters of HTML, so that pages stay quick to open


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
    width, height = (round(side * 96) for side in sizes.pop())
    text = (
        f'<div class="moving" id="moving-{name}">\n<style>{_STYLE}</style>\n'
        f'<img src="{pictures[still]}" alt="{html.escape(alt)}" width="{width}" '
        f'height="{height}">\n<script>{_SCRIPT.replace("SETTINGS", data)}</script>\n</div>'
    )
    if len(text) > _HEAVIEST:
        found = f"found {len(text)}; take fewer or smaller ones"
        raise ValueError(f"frames must weigh at most {_HEAVIEST} characters together, {found}")
    return kept, text


_STYLE = """
.moving img { display: block; max-width: 100%; height: auto; background: #fff; }
.moving .controls { display: flex; flex-wrap: wrap; align-items: center; gap: 0.6rem 0.9rem;
  max-width: 46rem; margin-top: 0.5rem; font-family: system-ui, sans-serif; font-size: 0.9rem; }
.moving .controls button { min-width: 4.6rem; padding: 0.35rem 0.7rem; cursor: pointer;
  font: inherit; color: #1c2026; background: #fff; border: 1px solid #8a949e; border-radius: 5px; }
.moving .controls input { flex: 1 1 9rem; min-width: 0; max-width: 26rem; margin: 0;
  accent-color: #1b4f8f; }
.moving .controls output { min-width: 6rem; font-variant-numeric: tabular-nums; }
"""

# The controls are made by the script: where it does not run there are none, and the still stays.
_SCRIPT = """
(() => {
  const set = SETTINGS;
  // JupyterLab may hold an output twice, once hidden; each copy gets controls of its own.
  for (const box of document.querySelectorAll(`[id="${set.id}"]`)) {
    if (!box.moves) equip(box);
    box.moves = true;
  }
  function equip(box) {
    box.querySelector(".controls")?.remove();
    const image = box.querySelector("img");
    const make = (tag, values) => Object.assign(document.createElement(tag), values);
    const controls = make("div", { className: "controls" });
    const button = make("button", { type: "button" });
    const slider = make("input", { type: "range", min: 0, max: set.frames.length - 1, step: 1 });
    const words = make("output", { ariaLive: "off" }); // the slider says it already
    Object.assign(slider, { value: set.at, ariaLabel: "Frame of the moving picture" });
    // In JupyterLab the arrows would leave the cell.
    for (const part of [slider, button]) part.dataset.lmSuppressShortcuts = "true";
    controls.append(button, slider, words);
    box.append(controls);
    let timer, untouched = true;
    const show = () => {
      image.src = set.frames[slider.value];
      words.textContent = set.labels[slider.value];
      slider.ariaValueText = set.labels[slider.value];
    };
    const stop = () => {
      timer = clearInterval(timer);
      button.textContent = "Play";
    };
    const step = () => {
      if (!box.isConnected || +slider.value >= set.frames.length - 1) return stop();
      slider.value = +slider.value + 1;
      show();
    };
    const play = () => {
      if (untouched || +slider.value >= set.frames.length - 1) slider.value = 0;
      untouched = false;
      show();
      timer = setInterval(step, 220); // milliseconds a frame
      button.textContent = "Pause";
    };
    button.addEventListener("click", () => (timer ? stop() : play()));
    slider.addEventListener("input", () => { untouched = false; stop(); show(); });
    stop();
    show();
  }
})();
"""
