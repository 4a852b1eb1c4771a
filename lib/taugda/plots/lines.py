"""Pictures of numbers: distances over iterations, values against values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from taugda.checks import Array
from taugda.plots import style

if TYPE_CHECKING:
    from taugda.games import Game

_MOST = 4000  # points of a curve; more than the picture has columns only make the file larger
_DOTTED = {"linestyle": ":", "lw": 1.8}  # the predicted rates


@style.styled
def distances(
    game: Game,
    paths: ArrayLike,
    labels: Sequence[str],
    target: ArrayLike,
    *,
    every: int = 1,
    radii: Sequence[float | None] = (),
    names: tuple[str, str] = (r"$\|x_1 - x_1^*\|$", r"$\|x_2 - x_2^*\|$"),
) -> Figure:
    """Draw the players' distances to a point along the iterations, a panel a player, on log axes.

    Parameters
    ----------
    game : Game
    paths : array_like, shape (k, stored + 1, n1 + n2)
    labels : sequence of str
        One a trajectory; they stand at the ends of the curves.
    target : array_like, shape (n1 + n2,)
        The critical point.
    every : int
        How many iterations lie between two stored states.
    radii : sequence of (float or None)
        Predicted factors an iteration; a dotted line of that slope is drawn through each
        trajectory's largest distance in the second half of its way down to rounding, none
        where the factor is None.
    names : (str, str)
        What the two players' distances are called.
    """
    gap = game.displacement(np.asarray(paths), target)
    sizes = [np.linalg.norm(part, axis=-1) for part in (gap[..., : game.n1], gap[..., game.n1 :])]
    floor = 1e-12 * max(1.0, float(np.abs(target).max()))
    figure, axes = style.panels(2, 3.4, sharey=True)
    for axis, size, name in zip(axes, sizes, names, strict=True):
        _falling(axis, size, np.hypot(*sizes), every, radii, floor)
        axis.set_title(name)
    _end_above(axes[0], sizes)
    for axis in axes:
        _label_ends(axis, labels)
    axes[0].set_ylabel("distance")
    if radii:
        style.legend(figure, [style.key("predicted rate", color=style.GREY, **_DOTTED)])
    return figure


@style.styled
def curves(
    panels: Sequence[tuple[str, ArrayLike, ArrayLike]],
    labels: Sequence[str],
    names: tuple[str, str],
    *,
    every: int = 1,
    radii: Sequence[Sequence[float]] = (),
) -> Figure:
    """Draw two sizes along the iterations of several runs, a row a game, on log axes.

    Parameters
    ----------
    panels : sequence of (title, left, right)
        The sizes are of shape (k, stored + 1), one row a run.
    names : (str, str)
        What is drawn left and right.
    labels, every, radii
        As for :func:`distances`, the radii for each game.
    """
    figure, axes = style.panels(2 * len(panels), 2.3, columns=2, sharey=True, sharex=True)
    sizes = [np.asarray(size, dtype=float) for _, *both in panels for size in both]
    for k, (axis, size) in enumerate(zip(axes, sizes, strict=True)):
        both = np.maximum(*sizes[k // 2 * 2 : k // 2 * 2 + 2])
        _falling(axis, size, both, every, radii[k // 2] if radii else (), 0.0)
        axis.set_title(f"{panels[k // 2][0]}: {names[k % 2]}")
    _end_above(axes[0], sizes)
    predicted = [style.key("predicted rate", color=style.GREY, **_DOTTED)] if radii else []
    style.legend(figure, [*style.order_keys(labels), *predicted])
    return figure


def _falling(
    axis: Axes, sizes: Array, both: Array, every: int, radii: Sequence[float | None], floor: float
) -> None:
    """Draw sizes of shape (k, stored + 1), and lines of the predicted slopes through ``both``."""
    steps = np.arange(sizes.shape[1]) * every
    thin = slice(None, None, max(1, len(steps) // _MOST))
    apart = max(1, len(steps[thin]) // 6)  # of the markers, which are staggered
    looks = style.looks(len(sizes))
    for k, (size, look) in enumerate(zip(sizes, looks, strict=True)):
        marks = {"markersize": 4.5, "markevery": ((k + 1) * apart // (len(sizes) + 1), apart)}
        axis.semilogy(steps[thin], np.where(size > 0, size, np.nan)[thin], lw=1.3, **marks, **look)
    for size, radius, look in zip(both, radii, looks, strict=bool(radii)):
        end = int(np.flatnonzero(size > floor).max(initial=0)) if floor else len(size)
        top = end // 2 + int(np.argmax(size[end // 2 :]))
        if radius is not None and 0 < size[top] < np.inf:
            line = np.log10(size[top]) + (steps - steps[top]) * np.log10(radius)
            axis.semilogy(steps, 10.0**line, color=look["color"], **_DOTTED)
    axis.set_xlabel("iteration")
    axis.locator_params(axis="x", nbins=4)


def _end_above(axis: Axes, sizes: Sequence[Array]) -> None:
    """End pictures below the lowest curve's last hundredth; oscillations dip to 0 before."""
    last = np.concatenate([size[:, -max(1, size.shape[1] // 100) :].max(axis=1) for size in sizes])
    lowest = float(np.min(last, where=np.isfinite(last) & (last > 0), initial=np.inf))
    if np.isfinite(lowest):
        axis.set_ylim(bottom=max(lowest, 1e-30) / 30)


def _label_ends(axis: Axes, labels: Sequence[str]) -> None:
    """Write each label beside the end of its curve, moved apart from the others."""
    low, high = np.log10(axis.get_ylim())
    ends = []
    for line, label in zip(axis.lines, labels, strict=False):
        y = np.asarray(line.get_ydata())
        y = y[np.isfinite(y)]
        level = np.log10(y[-max(1, len(y) // 10) :].max()) if y.size else high
        ends.append([(np.clip(level, low, high) - low) / (high - low), label, line.get_color()])
    ends.sort(key=lambda end: end[0])
    apart = 0.075 * np.arange(len(ends))
    places = np.maximum.accumulate([end[0] for end in ends] - apart) + apart
    places -= max(places[-1] - 1.0, 0.0)
    for (level, label, colour), y in zip(ends, places, strict=True):
        axis.annotate(
            label, (1.0, level), xycoords="axes fraction", xytext=(1.05, y), va="center",
            arrowprops={"arrowstyle": "-", "color": colour, "lw": 1.5, "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip


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
    figure, axes = style.panels(len(panels), 3.2, width=min(style.WIDTH, 3.4 * len(panels)))
    for axis, (x_label, y_label, x, y) in zip(axes, panels, strict=True):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        ends = [min(x.min(), y.min()) * 0.7, max(x.max(), y.max()) * 1.4]
        axis.loglog(x, y, ".", color=style.EIGENVALUES[0], markersize=4, alpha=0.5, rasterized=True)
        axis.loglog(ends, ends, color=style.INK, lw=1)
        if bound:
            axis.fill_between(ends, ends, [ends[0]] * 2, color=style.PALE, alpha=0.5, lw=0)
        axis.set(xlim=ends, ylim=ends, xlabel=x_label, ylabel=y_label, aspect="equal")
    return figure
