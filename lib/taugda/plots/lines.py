"""Pictures of numbers: distances over iterations, values against values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from taugda.plots.style import EIGENVALUES, INK, PALE, figure_of, styled, tau_colours

# Pictures are drawn from what they are given; loading the mathematics here takes a second.
if TYPE_CHECKING:
    from taugda.games import Game

__all__ = [
    "agreement",
    "benchmark",
    "curves",
    "distances",
]


@styled
def distances(
    game: Game,
    paths: ArrayLike,
    labels: Sequence[str],
    target: ArrayLike,
    *,
    every: int = 1,
    radii: Sequence[float | None] | None = None,
    names: tuple[str, str] | None = None,
) -> Figure:
    """Draw the players' distances to a point along the iterations, on a log axis.

    Parameters
    ----------
    game : Game
    paths : array_like, shape (k, stored + 1, n1 + n2)
    labels : sequence of str
        One a trajectory.
    target : array_like, shape (n1 + n2,)
        The critical point.
    every : int
        How many iterations lie between two stored states.
    radii : sequence of (float or None), optional
        Predicted factors an iteration; a dotted line of that slope is drawn through each
        trajectory's largest distance in the second half of its way down to rounding, none
        where the factor is None.
    names : (str, str), optional
        What the two players' distances are called, for the legend.

    Returns
    -------
    matplotlib.figure.Figure
    """
    paths = np.asarray(paths)
    gap = game.displacement(paths, target)
    figure, axes = figure_of(1, 3.7)
    axis = axes[0, 0]
    steps = np.arange(paths.shape[1]) * every
    # More points than the picture has columns only make the file larger.
    thin = max(1, len(steps) // 4000)
    for k, colour in enumerate(tau_colours(len(paths))):
        size1 = np.linalg.norm(gap[k, :, : game.n1], axis=-1)
        size2 = np.linalg.norm(gap[k, :, game.n1 :], axis=-1)
        for size, line in ((size1, "-"), (size2, (0, (3, 1.5)))):
            shown = np.where(size > 0, size, np.nan)
            axis.semilogy(steps[::thin], shown[::thin], linestyle=line, color=colour, lw=1.3)
        if radii is not None and radii[k] is not None:
            both = np.hypot(size1, size2)
            floor = 1e-12 * max(1.0, float(np.abs(target).max()))
            half = int(np.flatnonzero(both > floor).max(initial=0)) // 2
            top = half + int(np.argmax(both[half:]))
            if both[top] > 0:
                line = np.log10(both[top]) + (steps - steps[top]) * np.log10(radii[k])
                axis.semilogy(steps, 10.0**line, ":", color=colour, lw=2.2)
    # The dips of an oscillation go to zero: the picture ends a little below the last hundredth
    # of the lowest curve.
    last = np.linalg.norm(gap[:, -max(1, len(steps) // 100) :], axis=-1).max(axis=1)
    axis.set_ylim(bottom=max(float(last.min()), 1e-30) / 30)
    axis.set_xlabel("iteration")
    axis.set_ylabel("distance")
    n1, n2 = names or (r"$\|x_1 - x_1^*\|$", r"$\|x_2 - x_2^*\|$")
    handles = [
        Line2D([], [], color=c, label=text)
        for c, text in zip(tau_colours(len(paths)), labels, strict=True)
    ]
    handles += [
        Line2D([], [], color=INK, label=n1),
        Line2D([], [], color=INK, linestyle=(0, (3, 1.5)), label=n2),
    ]
    if radii is not None:
        handles.append(Line2D([], [], color=INK, linestyle=":", lw=2.2, label="predicted rate"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 5))
    return figure


@styled
def benchmark(rows: Mapping[str, tuple[ArrayLike, ArrayLike]], x: str, y: str) -> Figure:
    """Draw measured times (or sizes) against problem size on log axes.

    Parameters
    ----------
    rows : mapping of str to (sizes, values)
        One line each.
    x, y : str
        Axis labels with units.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(1, 3.6)
    axis = axes[0, 0]
    for (name, (sizes, values)), marker in zip(rows.items(), "os^DvP", strict=False):
        axis.loglog(sizes, values, marker=marker, label=name)
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.legend()
    return figure


@styled
def agreement(
    panels: Sequence[tuple[str, str, ArrayLike, ArrayLike]], bound: bool = False
) -> Figure:
    """Draw pairs of positive numbers against each other on log axes, with the diagonal.

    Parameters
    ----------
    panels : sequence of (x label, y label, x, y)
        One a panel.
    bound : bool
        Whether y is an upper bound of x, so that points belong on or above the diagonal.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.7)
    for axis, (x_label, y_label, x, y) in zip(axes[0], panels, strict=True):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        ends = [min(x.min(), y.min()) * 0.7, max(x.max(), y.max()) * 1.4]
        axis.loglog(x, y, ".", color=EIGENVALUES[0], markersize=4, alpha=0.5, rasterized=True)
        axis.loglog(ends, ends, color=INK, lw=1)
        if bound:
            axis.fill_between(ends, ends, [ends[0]] * 2, color=PALE, alpha=0.5, lw=0)
        axis.set_xlim(*ends)
        axis.set_ylim(*ends)
        axis.set_xlabel(x_label)
        axis.set_ylabel(y_label)
        axis.set_aspect("equal")
    return figure


@styled
def curves(
    panels: Sequence[tuple[str, ArrayLike, ArrayLike]],
    labels: Sequence[str],
    names: tuple[str, str],
    *,
    every: int = 1,
    radii: Sequence[Sequence[float]] | None = None,
) -> Figure:
    """Draw two sizes along the iterations of several runs, on a log axis, a panel a game.

    Parameters
    ----------
    panels : sequence of (title, solid, dashed)
        The sizes are of shape (k, stored + 1), one row a run.
    labels : sequence of str
        One a run, the same in all panels.
    names : (str, str)
        What the solid and the dashed lines show.
    every : int
        How many iterations lie between two stored states.
    radii : sequence of sequence of float, optional
        For each panel and run the predicted factor an iteration; a dotted line of that slope
        is drawn through the largest size in the run's second half.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.7)
    dashes = (0, (3, 1.5))
    colours = tau_colours(len(labels))
    for k, (axis, (title, solid, dashed)) in enumerate(zip(axes[0], panels, strict=True)):
        both = [np.asarray(solid, dtype=float), np.asarray(dashed, dtype=float)]
        steps = np.arange(both[0].shape[1]) * every
        thin = max(1, len(steps) // 4000)
        for sizes, line in zip(both, ("-", dashes), strict=True):
            for size, colour in zip(sizes, colours, strict=True):
                shown = np.where(size > 0, size, np.nan)[::thin]
                axis.semilogy(steps[::thin], shown, linestyle=line, color=colour, lw=1.3)
        largest = np.maximum(*both)
        if radii is not None:
            for size, radius, colour in zip(largest, radii[k], colours, strict=True):
                top = len(size) // 2 + int(np.argmax(size[len(size) // 2 :]))
                if size[top] > 0:
                    line = np.log10(size[top]) + (steps - steps[top]) * np.log10(radius)
                    axis.semilogy(steps, 10.0**line, ":", color=colour, lw=2.2)
        # As in `distances`: the dips of an oscillation do not set the range.
        last = largest[:, -max(1, len(steps) // 100) :].max(axis=1)
        axis.set_ylim(bottom=max(float(last.min()), 1e-30) / 30)
        axis.set_title(title)
        axis.set_xlabel("iteration")
    handles = [Line2D([], [], color=c, label=t) for c, t in zip(colours, labels, strict=True)]
    handles += [
        Line2D([], [], color=INK, label=names[0]),
        Line2D([], [], color=INK, linestyle=dashes, label=names[1]),
    ]
    if radii is not None:
        handles.append(Line2D([], [], color=INK, linestyle=":", lw=2.2, label="predicted rate"))
    figure.legend(handles=handles, loc="outside upper center", ncols=min(len(handles), 6))
    return figure
