"""What all pictures share: style, colours, legends, marks of the kinds of critical points."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

P = ParamSpec("P")

WIDTH = 9.0  # inches, of a full-width figure
INK, GREY, PALE, STABLE = "#1b1b1b", "#6b6b6b", "#d9d9d9", "#009e73"
DASHES = (0, (3, 1.5))  # player 2
# Okabe and Ito's palette: hues that differ for every common colour vision.
EIGENVALUES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
KINDS = {
    "DNE": ("D", "#009e73"),
    "DSE": ("*", "#e69f00"),
    "neither": ("X", "#ffffff"),
    "degenerate": ("P", "#56b4e9"),
}
_STYLE = str(Path(__file__).with_name("taugda.mplstyle"))
_ORDER = LinearSegmentedColormap.from_list(
    "order", [mpl.colormaps["plasma"](x) for x in np.linspace(0.0, 0.82, 64)]
)


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw in the project's style, whatever the user's own settings are."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style.context(["default", _STYLE]):
            return draw(*args, **kwargs)

    return styled


def tau_colours(count: int) -> list[tuple[float, ...]]:
    """Return colours for an increasing sequence, dark for the smallest."""
    return [_ORDER(x) for x in np.linspace(0, 1, max(count, 2))[:count]]


def figure_of(
    columns: int, height: float, rows: int = 1, width: float = WIDTH, **options: Any
) -> tuple[Figure, Any]:
    """Return a figure of a height and width in inches, and its grid of axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def key(label: str, **look: Any) -> Line2D:
    """Return a legend entry that looks like this; one with a marker has no line unless asked."""
    line = "none" if "marker" in look else "-"
    return Line2D([], [], label=label, **{"color": INK, "linestyle": line, **look})


def tau_keys(labels: Sequence[str], **look: Any) -> list[Line2D]:
    """Return legend entries in the colours of an increasing sequence."""
    pairs = zip(labels, tau_colours(len(labels)), strict=True)
    return [key(label, color=colour, linestyle="-", **look) for label, colour in pairs]


def legend(figure: Figure, handles: Sequence[Any], columns: int | None = None) -> None:
    """Put a legend above the panels."""
    columns = min(len(handles), columns or len(handles))
    figure.legend(handles=handles, loc="outside upper center", ncols=columns)


def name_taus(
    axis: Axes, marks: Mapping[str, float], taus: Sequence[float], height: float = 1, side: int = 1
) -> None:
    """Mark named values of tau that lie in a range, their names right or left (-1) of the line."""
    for text, tau in marks.items():
        if taus[0] <= tau <= taus[-1]:
            axis.axvline(tau, color=GREY, lw=1, linestyle=":")
            axis.annotate(
                text, (tau, height), xycoords=("data", "axes fraction"), xytext=(3 * side, -2),
                textcoords="offset points", ha="left" if side > 0 else "right",
                va="top" if height > 0.5 else "bottom", fontsize=9.5, color=INK,
            )  # fmt: skip


def mark(axes: Axes, x: float, y: float, kind: str, size: float = 9.0) -> None:
    """Draw a critical point of a kind; one on the frame is drawn whole."""
    marker, colour = KINDS.get(kind, ("o", INK))
    size *= {"*": 1.5, "D": 0.75}.get(marker, 1.0)
    look = {"markersize": size, "markeredgecolor": INK, "markeredgewidth": 0.9}
    axes.plot(x, y, marker, color=colour, zorder=5, clip_on=False, **look)


def kind_keys(kinds: Sequence[str]) -> list[Line2D]:
    """Return legend entries for kinds of critical points, each once."""
    looks = {kind: KINDS.get(kind, ("o", INK)) for kind in kinds}
    return [
        key(kind_name(kind), color=colour, marker=marker, markeredgecolor=INK, markersize=9)
        for kind, (marker, colour) in looks.items()
    ]


def kind_name(kind: str) -> str:
    """Return what a legend calls a kind of critical point."""
    return "no equilibrium" if kind == "neither" else kind
