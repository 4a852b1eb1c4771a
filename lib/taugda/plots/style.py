"""What all pictures share: style, colours, marks of the kinds of critical points."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

P = ParamSpec("P")

WIDTH = 9.0  # inches, of a full-width figure
INK, GREY, PALE = "#1b1b1b", "#6b6b6b", "#d9d9d9"
# Okabe and Ito's palette: hues that differ for every common colour vision.
EIGENVALUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
KINDS = {
    "DNE": ("D", "#009e73"),
    "DSE": ("*", "#e69f00"),
    "neither": ("X", "#ffffff"),
    "degenerate": ("P", "#56b4e9"),
}
# Fills of basins: three hues whose lightness differs too, so that they differ in grey.
BASINS = ("#5b93c7", "#f4b56a", "#f3d9ea", "#b9dcc9")
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "mathtext.fontset": "dejavuserif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.labelsize": 11,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
    "axes.grid": True,
    "grid.color": "#e9e9e9",
    "grid.linewidth": 0.6,
    "pdf.fonttype": 42,
}
_ORDER = LinearSegmentedColormap.from_list(
    "order", [mpl.colormaps["plasma"](x) for x in np.linspace(0.0, 0.82, 64)]
)


def tau_colours(count: int) -> list[tuple[float, ...]]:
    """Return colours for an increasing sequence, dark for the smallest.

    Parameters
    ----------
    count : int
        How many.

    Returns
    -------
    list of RGBA tuples
    """
    return [_ORDER(x) for x in np.linspace(0, 1, max(count, 2))[:count]]


def figure_of(
    columns: int, height: float, rows: int = 1, width: float = WIDTH, **options: Any
) -> tuple[Figure, Any]:
    """Return a figure of a height and width in inches, and its grid of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in this module's style, whatever the user's own settings are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


def mark(axes: Axes, x: float, y: float, kind: str, size: float = 9.0) -> None:
    """Draw a critical point of a kind; one on the frame is drawn whole."""
    marker, colour = KINDS.get(kind, ("o", INK))
    size *= 1.5 if marker == "*" else 0.75 if marker == "D" else 1.0
    axes.plot(
        x, y, marker, color=colour, markersize=size, markeredgecolor=INK, markeredgewidth=0.9,
        zorder=5, clip_on=False,
    )  # fmt: skip


def kind_handles(kinds: Sequence[str]) -> list[Line2D]:
    """Return legend entries for kinds of critical points, each once."""
    names = {"neither": "no equilibrium", "start": "start"}
    handles = []
    for kind in dict.fromkeys(kinds):
        marker, colour = KINDS.get(kind, ("o", INK))
        handles.append(
            Line2D([], [], linestyle="none", marker=marker, color=colour, markeredgecolor=INK,
                   markersize=9, label=names.get(kind, kind))
        )  # fmt: skip
    return handles
