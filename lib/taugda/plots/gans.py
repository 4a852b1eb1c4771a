"""Pictures of GAN training: samples, distances along training, distances against tau."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from taugda.plots.style import GREY, INK, figure_of, styled, tau_colours

__all__ = ["contact_sheet", "sample_grids", "score_against_tau", "score_curves", "training_losses"]

_MARKS = "os^DvP"
_FLOOR = "two halves of the real data"
_GAP = 1  # pixels between two tiles


def contact_sheet(pictures: ArrayLike, columns: int = 8) -> NDArray[np.uint8]:
    """Lay pictures out in rows.

    Parameters
    ----------
    pictures : array_like of uint8, shape (n, channels, h, w)
        One or three channels.
    columns : int
        Pictures a row.

    Returns
    -------
    ndarray of uint8, shape (height, width) or (height, width, 3)
        White where there is no picture.

    Raises
    ------
    ValueError
        If the shape does not fit or the type is not uint8.
    """
    tiles = np.asarray(pictures)
    if tiles.dtype != np.uint8 or tiles.ndim != 4 or tiles.shape[1] not in (1, 3):
        raise ValueError(
            "pictures: expected uint8 of shape (n, 1 or 3, h, w), "
            f"got {tiles.dtype} of shape {tiles.shape}"
        )
    n, channels, h, w = tiles.shape
    rows = -(-n // columns)
    sheet = np.full((rows * (h + _GAP) - _GAP, columns * (w + _GAP) - _GAP, channels), 255, "uint8")
    for k, tile in enumerate(tiles):
        y, x = (k // columns) * (h + _GAP), (k % columns) * (w + _GAP)
        sheet[y : y + h, x : x + w] = tile.transpose(1, 2, 0)
    return sheet[..., 0] if channels == 1 else sheet


@styled
def sample_grids(
    sheets: Sequence[tuple[str, ArrayLike]], columns: int = 4, across: float = 2.2
) -> Figure:
    """Draw contact sheets side by side, every pixel as it is.

    Parameters
    ----------
    sheets : sequence of (title, picture)
        Pictures of shape (height, width) or (height, width, 3), as `contact_sheet` makes them.
    columns : int
        Sheets a row, at the most.
    across : float
        Inches that each is wide.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(columns, len(sheets))
    rows = -(-len(sheets) // columns)
    title = 0.25 if any(name for name, _ in sheets) else 0.0
    figure, axes = figure_of(columns, rows * (across + title), rows, width=columns * across)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (name, sheet) in zip(axes.flat, sheets, strict=False):
        axis.imshow(np.asarray(sheet), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(name)
    return figure


@styled
def training_losses(updates: ArrayLike, losses: Mapping[str, ArrayLike]) -> Figure:
    """Draw mean losses along one training run, a panel each.

    Parameters
    ----------
    updates : array_like, shape (k,)
        Updates done at the end of each span that a mean was taken over.
    losses : mapping of str to array_like, shape (k,)
        Panel title and values.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(losses), 2.6)
    for axis, (name, values) in zip(axes[0], losses.items(), strict=True):
        axis.plot(updates, values, color=INK, lw=1.3)
        axis.set_title(name)
        axis.set_xlabel("update")
    return figure


@styled
def score_curves(
    panels: Sequence[tuple[str, Mapping[float, tuple[ArrayLike, ArrayLike]]]],
    label: str,
    floor: float | None = None,
) -> Figure:
    """Draw a distance along training for each tau: mean over seeds, standard error as a band.

    Parameters
    ----------
    panels : sequence of (title, mapping of tau to (updates, values))
        Values of shape (seeds, evaluations).
    label : str
        Name of the distance, with its unit.
    floor : float, optional
        Distance of two halves of the real pictures, drawn as a line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.7, sharey=True)
    taus = sorted({tau for _, runs in panels for tau in runs})
    colours = dict(zip(taus, tau_colours(len(taus)), strict=True))
    marks = dict(zip(taus, _MARKS, strict=False))
    for axis, (title, runs) in zip(axes[0], panels, strict=True):
        for tau, (updates, values) in sorted(runs.items()):
            mean, error = mean_and_error(values)
            axis.semilogy(
                updates, mean, color=colours[tau], marker=marks.get(tau), markersize=4, lw=1.4,
                markevery=max(1, len(mean) // 8),
            )  # fmt: skip
            low = np.maximum(mean - error, mean * 0.05)
            axis.fill_between(updates, low, mean + error, color=colours[tau], alpha=0.18, lw=0)
        if floor is not None:
            axis.axhline(floor, color=GREY, lw=1, ls=":")
        axis.set_title(title)
        axis.set_xlabel("update")
    axes[0, 0].set_ylabel(label)
    handles = [
        Line2D(
            [], [], color=colours[t], marker=marks.get(t), markersize=4, label=rf"$\tau = {t:g}$"
        )
        for t in taus
    ]
    if floor is not None:
        handles.append(
            Line2D([], [], color=GREY, lw=1, ls=":", label="two halves of the real data")
        )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


@styled
def score_against_tau(
    panels: Sequence[tuple[str, Mapping[str, Mapping[float, ArrayLike]]]],
    label: str,
    floor: float | None = None,
) -> Figure:
    """Draw a distance against tau, every seed as a dot, mean and standard error as a line.

    Parameters
    ----------
    panels : sequence of (title, mapping of line's name to mapping of tau to values)
        Values of shape (seeds,).
    label : str
        Name of the distance, with its unit.
    floor : float, optional
        Distance of two halves of the real pictures, drawn as a line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.4, sharey=True)
    for axis, (title, lines) in zip(axes[0], panels, strict=True):
        colours = tau_colours(len(lines) + 1)
        for (name, runs), mark, colour in zip(lines.items(), _MARKS, colours, strict=False):
            taus = sorted(runs)
            values = [np.asarray(runs[tau], dtype=float) for tau in taus]
            stats = [mean_and_error(v[:, None]) for v in values]
            mean, error = (np.array([s[i].item() for s in stats]) for i in (0, 1))
            axis.errorbar(
                taus, mean, error, color=colour, marker=mark, markersize=6, lw=1.4, capsize=3,
                label=name,
            )  # fmt: skip
            for tau, each in zip(taus, values, strict=True):
                axis.plot([tau] * len(each), each, mark, color=colour, alpha=0.35, markersize=4)
        if floor is not None:
            axis.axhline(floor, color=GREY, lw=1, ls=":", label=_FLOOR)
        axis.set_xscale("log", base=2)
        axis.set_xticks(taus, [f"{tau:g}" for tau in taus])
        axis.set_yscale("log")
        axis.set_xlabel(r"$\tau$")
        axis.set_title(title)
    axes[0, 0].set_ylabel(label)
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def mean_and_error(values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean over seeds and its standard error.

    Parameters
    ----------
    values : array_like, shape (seeds, ...)
        One row a seed.

    Returns
    -------
    mean, error : ndarray, shape (...)
        The standard error is, as in the paper's tables, the population standard deviation over
        the root of the number of seeds; 0 for a single seed.
    """
    values = np.asarray(values, dtype=float)
    return values.mean(axis=0), values.std(axis=0) / np.sqrt(len(values))
