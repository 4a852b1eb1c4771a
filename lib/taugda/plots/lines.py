"""Pictures of numbers: distances over iterations, values against values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from taugda.plots import style

# Pictures are drawn from what they are given; loading the mathematics here takes a second.
if TYPE_CHECKING:
    from taugda.games import Game

_MOST = 4000  # points of a curve; more than the picture has columns only make the file larger


@style.styled
def distances(
    game: Game,
    paths: ArrayLike,
    labels: Sequence[str],
    target: ArrayLike,
    *,
    every: int = 1,
    radii: Sequence[float | None] | None = None,
    names: tuple[str, str] = (r"$\|x_1 - x_1^*\|$", r"$\|x_2 - x_2^*\|$"),
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
    names : (str, str)
        What the two players' distances are called, for the style.legend.
    """
    gap = game.displacement(np.asarray(paths), target)
    sizes = [np.linalg.norm(part, axis=-1) for part in (gap[..., : game.n1], gap[..., game.n1 :])]
    figure, axes = style.figure_of(1, 3.7)
    floor = 1e-12 * max(1.0, float(np.abs(target).max()))
    _falling(axes[0, 0], *sizes, np.hypot(*sizes), every, radii, floor)
    axes[0, 0].set_ylabel("distance")
    style.legend(figure, _falling_keys(labels, names, radii is not None), 5)
    return figure


@style.styled
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
    """
    figure, axes = style.figure_of(len(panels), 3.7)
    for k, (axis, (title, *both)) in enumerate(zip(axes[0], panels, strict=True)):
        sizes = [np.asarray(size, dtype=float) for size in both]
        _falling(axis, *sizes, np.maximum(*sizes), every, radii and radii[k], 0.0)
        axis.set_title(title)
    style.legend(figure, _falling_keys(labels, names, radii is not None), 6)
    return figure


def _falling(
    axis: Axes,
    solid: NDArray[np.float64],
    dashed: NDArray[np.float64],
    both: NDArray[np.float64],
    every: int,
    radii: Sequence[float | None] | None,
    floor: float,
) -> None:
    """Draw sizes of shape (k, stored + 1) and lines of the predicted slopes through ``both``."""
    steps = np.arange(both.shape[1]) * every
    thin = max(1, len(steps) // _MOST)
    colours = style.tau_colours(len(both))
    for sizes, line in ((solid, "-"), (dashed, style.DASHES)):
        for size, colour in zip(sizes, colours, strict=True):
            shown = np.where(size > 0, size, np.nan)[::thin]
            axis.semilogy(steps[::thin], shown, linestyle=line, color=colour, lw=1.3)
    for size, radius, colour in zip(both, radii or [], colours, strict=bool(radii)):
        end = int(np.flatnonzero(size > floor).max(initial=0)) if floor else len(size)
        top = end // 2 + int(np.argmax(size[end // 2 :]))
        if radius is not None and 0 < size[top] < np.inf:
            line = np.log10(size[top]) + (steps - steps[top]) * np.log10(radius)
            axis.semilogy(steps, 10.0**line, ":", color=colour, lw=2.2)
    # The dips of an oscillation go to zero, runs that diverge to no number: the picture ends a
    # little below the last hundredth of the lowest curve.
    last = both[:, -max(1, len(steps) // 100) :].max(axis=1)
    lowest = float(np.min(last, where=np.isfinite(last), initial=np.inf))
    if np.isfinite(lowest):
        axis.set_ylim(bottom=max(lowest, 1e-30) / 30)
    axis.set_xlabel("iteration")


def _falling_keys(labels: Sequence[str], names: tuple[str, str], predicted: bool) -> list:
    keys = [
        *style.tau_keys(labels),
        style.key(names[0]),
        style.key(names[1], linestyle=style.DASHES),
    ]
    return [*keys, style.key("predicted rate", linestyle=":", lw=2.2)] if predicted else keys


@style.styled
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
    """
    figure, axes = style.figure_of(len(panels), 3.7)
    for axis, (x_label, y_label, x, y) in zip(axes[0], panels, strict=True):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        ends = [min(x.min(), y.min()) * 0.7, max(x.max(), y.max()) * 1.4]
        axis.loglog(x, y, ".", color=style.EIGENVALUES[0], markersize=4, alpha=0.5, rasterized=True)
        axis.loglog(ends, ends, color=style.INK, lw=1)
        if bound:
            axis.fill_between(ends, ends, [ends[0]] * 2, color=style.PALE, alpha=0.5, lw=0)
        axis.set(xlim=ends, ylim=ends, xlabel=x_label, ylabel=y_label, aspect="equal")
    return figure
