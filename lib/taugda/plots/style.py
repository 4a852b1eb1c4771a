"""What all pictures share: style, panels, legends, looks of an order and of kinds of points."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import cycle
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterSciNotation

P = ParamSpec("P")

WIDTH = 7.9  # inches of a full-width figure: with its margin as wide as the pages' text
INK, GREY, PALE, STABLE = "#1b1b1b", "#6b6b6b", "#d9d9d9", "#009e73"
DASHES = (0, (3, 1.5))  # the second of two
# Okabe and Ito's palette: hues that differ for every common colour vision.
EIGENVALUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
KINDS = {
    "DNE": ("D", "#009e73"),
    "DSE": ("*", "#e69f00"),
    "neither": ("X", "#ffffff"),
    "degenerate": ("P", "#56b4e9"),
    "start": ("o", INK),
}
LOOK = ["default", str(Path(__file__).with_name("taugda.mplstyle"))]
_MARKS = "os^v<>ph"


class _Plain(LogFormatterSciNotation):
    """Ticks of a log axis as 0.6 and 2 where it stays near 1, as powers of ten elsewhere."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = super().__call__(x, pos)
        low, high = sorted(self.axis.get_view_interval())
        return f"{x:g}" if text and low > 5e-4 and high < 2e4 else text


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the project's style, whatever the user's own settings are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style.context(LOOK):
            figure = draw(*args, **kwargs)
        figure.ours = True  # it may be laid out again
        for axis in [axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)]:
            former = axis.get_major_formatter()
            if isinstance(former, LogFormatterSciNotation):
                axis.set_major_formatter(_Plain(labelOnlyBase=former.labelOnlyBase))
                axis.set_minor_formatter(_Plain())
        return figure

    return styled


def tau_colours(count: int) -> list[tuple[float, ...]]:
    """Return colours for an increasing sequence, dark for the smallest and none too light."""
    return [mpl.colormaps["plasma"](x) for x in np.linspace(0, 0.82, max(count, 2))[:count]]


def looks(count: int) -> list[dict[str, Any]]:
    """Return colours and markers for an increasing sequence; without colour the markers differ."""
    return [{"color": c, "marker": m} for c, m in zip(tau_colours(count), cycle(_MARKS))]


def panels(
    count: int, height: float, columns: int | None = None, width: float = WIDTH, **options: Any
) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many panels, and these row by row; inches a row, and in all."""
    columns = min(count, columns or count)
    rows = -(-count // columns)
    figure = Figure(figsize=(width, rows * height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for axis in axes[count:]:
        axis.remove()
    return figure, axes[:count]


def key(label: str, **look: Any) -> Line2D:
    """Return a legend entry that looks like this; one with a marker has no line unless asked."""
    line = "none" if "marker" in look else "-"
    return Line2D([], [], label=label, **{"color": INK, "linestyle": line, **look})


def order_keys(labels: Sequence[str]) -> list[Line2D]:
    """Return legend entries for an increasing sequence."""
    pairs = zip(labels, looks(len(labels)), strict=True)
    return [key(label, linestyle="-", markersize=4.5, **look) for label, look in pairs]


def legend(figure: Figure, keys: Sequence[Any]) -> None:
    """Put a legend above the panels, in place of a former one, in as many columns as fit."""
    for columns in range(len(keys), 0, -1):
        for former in figure.legends[:]:
            former.remove()
        made = figure.legend(handles=keys, loc="outside upper center", ncols=columns)
        if made.get_window_extent().width < figure.bbox.width:
            break
    figure.keys = [*keys]  # for a narrow page


def name_taus(
    axis: Axes, marks: Mapping[str, float], taus: Sequence[float], height: float = 1
) -> None:
    """Mark named values of tau that lie in a range, their names right of the line."""
    for text, tau in marks.items():
        if taus[0] <= tau <= taus[-1]:
            axis.axvline(tau, color=GREY, lw=1, linestyle=":")
            axis.annotate(
                text, (tau, height), xycoords=("data", "axes fraction"), xytext=(3, -2),
                textcoords="offset points", va="top" if height > 0.5 else "bottom", color=INK,
            )  # fmt: skip


def mark(axes: Axes, x: float, y: float, kind: str, **look: Any) -> None:
    """Draw a critical point of a kind; one on the frame is drawn whole."""
    marker, colour = KINDS[kind]
    size = {"*": 13.5, "D": 6.75}.get(marker, 9.0)
    look = {"color": colour, "markeredgecolor": INK, "markeredgewidth": 0.9, **look}
    axes.plot(x, y, marker, markersize=size, zorder=6, clip_on=False, **look)


def kind_keys(kinds: Sequence[str]) -> list[Line2D]:
    """Return legend entries for kinds of critical points, each once."""
    return [
        key(kind_name(kind), color=colour, marker=marker, markeredgecolor=INK, markersize=9)
        for kind, (marker, colour) in {kind: KINDS[kind] for kind in kinds}.items()
    ]


def kind_name(kind: str) -> str:
    """Return what a legend calls a kind of critical point."""
    return "no equilibrium" if kind == "neither" else kind


def place(x: Sequence[float]) -> str:
    """Write a point as readers see it: two decimals, multiples of pi by name, true minus signs.

    Parameters
    ----------
    x : sequence of float

    Returns
    -------
    str
        Such as ``(−11.03, 0)``.
    """
    named = {np.pi: r"$\pi$", -np.pi: r"$-\pi$", 0.0: "0"}
    texts = []
    for value in map(float, x):
        near = [text for special, text in named.items() if np.isclose(value, special)]
        number = f"{round(value, 2):.7g}" if abs(value) >= 0.1 else f"{value:.2g}"
        texts.append(near[0] if near else number.replace("-", "−"))
    return f"({', '.join(texts)})"
