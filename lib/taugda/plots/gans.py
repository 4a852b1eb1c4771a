"""Pictures of GAN training: samples, distances along training, distances against tau."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from taugda.plots import style

_MARKS = "os^DvP"
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


@style.styled
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
    """
    columns = min(columns, len(sheets))
    rows = -(-len(sheets) // columns)
    title = 0.25 if any(name for name, _ in sheets) else 0.0
    figure, axes = style.figure_of(columns, rows * (across + title), rows, width=columns * across)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (name, sheet) in zip(axes.flat, sheets, strict=False):
        axis.imshow(np.asarray(sheet), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(name)
    return figure


@style.styled
def training_losses(updates: ArrayLike, losses: Mapping[str, ArrayLike]) -> Figure:
    """Draw mean losses along one training run, a panel each.

    Parameters
    ----------
    updates : array_like, shape (k,)
        Updates done at the end of each span that a mean was taken over.
    losses : mapping of str to array_like, shape (k,)
        Panel title and values.
    """
    figure, axes = style.figure_of(len(losses), 2.6)
    for axis, (name, values) in zip(axes[0], losses.items(), strict=True):
        axis.plot(updates, values, color=style.INK, lw=1.3)
        axis.set(title=name, xlabel="update")
    return figure


@style.styled
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
    """
    figure, axes = style.figure_of(len(panels), 3.7, sharey=True)
    taus = sorted({tau for _, runs in panels for tau in runs})
    pairs = zip(style.tau_colours(len(taus)), cycle(_MARKS))
    looks = [{"color": c, "marker": m, "markersize": 4} for c, m in pairs]
    for axis, (title, runs) in zip(axes[0], panels, strict=True):
        for tau, (updates, values) in sorted(runs.items()):
            look = looks[taus.index(tau)]
            mean, error = mean_and_error(values)
            axis.semilogy(updates, mean, lw=1.4, markevery=max(1, len(mean) // 8), **look)
            low = np.maximum(mean - error, mean * 0.05)
            axis.fill_between(updates, low, mean + error, color=look["color"], alpha=0.18, lw=0)
        axis.set(title=title, xlabel="update")
    keys = [
        style.key(rf"$\tau = {tau:g}$", linestyle="-", **look)
        for tau, look in zip(taus, looks, strict=True)
    ]
    _finish(figure, axes[0], label, floor, keys)
    return figure


def _finish(
    figure: Figure, axes: NDArray, label: str, floor: float | None, keys: Sequence[Artist]
) -> None:
    """Name the distance, draw its floor where there is one, add the legend."""
    axes[0].set_ylabel(label)
    if floor is not None:
        look = {"color": style.GREY, "lw": 1, "linestyle": ":"}
        for axis in axes:
            axis.axhline(floor, **look)
        keys = [*keys, style.key("two halves of the real data", **look)]
    style.legend(figure, keys)


@style.styled
def score_against_tau(
    panels: Sequence[tuple[str, Mapping[str, Mapping[float, ArrayLike]]]],
    label: str,
    floor: float | None = None,
    shaded: tuple[float, float] | None = None,
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
    shaded : (float, float), optional
        Range of tau that is shaded, such as the paper's.
    """
    figure, axes = style.figure_of(len(panels), 3.4, sharey=True)
    for axis, (title, lines) in zip(axes[0], panels, strict=True):
        colours = style.tau_colours(len(lines) + 1)
        for (name, runs), mark, colour in zip(lines.items(), _MARKS, colours, strict=False):
            taus = sorted(runs)
            values = [np.asarray(runs[tau], dtype=float) for tau in taus]
            stats = [mean_and_error(v[:, None]) for v in values]
            mean, error = (np.array([s[i].item() for s in stats]) for i in (0, 1))
            look = {"color": colour, "marker": mark, "markersize": 6, "lw": 1.4, "capsize": 3}
            axis.errorbar(taus, mean, error, label=name, **look)
            for tau, each in zip(taus, values, strict=True):
                axis.plot([tau] * len(each), each, mark, color=colour, alpha=0.35, markersize=4)
        if shaded is not None:
            axis.axvspan(*shaded, color=style.GREY, alpha=0.15, lw=0)
        axis.set_xscale("log", base=2)
        axis.set_xticks(taus, [f"{tau:g}" for tau in taus])
        axis.set(yscale="log", xlabel=r"$\tau$", title=title)
    _finish(figure, axes[0], label, floor, axes[0, 0].get_legend_handles_labels()[0])
    return figure


@style.styled
def score_maps(
    panels: Sequence[tuple[str, ArrayLike]], taus: ArrayLike, gammas: ArrayLike, label: str
) -> Figure:
    """Draw a distance over tau and gamma1, with lines of equal gamma2 = tau gamma1.

    Parameters
    ----------
    panels : sequence of (title, values)
        Values of shape (gammas, taus); nan where there is none.
    taus, gammas : array_like
        Timescale separations and the generator's rates, each a power of two times the one before.
    label : str
        Name of the distance, with its unit.
    """
    taus, gammas = np.asarray(taus, dtype=float), np.asarray(gammas, dtype=float)
    figure, axes = style.figure_of(len(panels), 3.6, sharey=True)
    shown = [np.asarray(values, dtype=float) for _, values in panels]
    norm = LogNorm(min(map(np.nanmin, shown)), max(map(np.nanmax, shown)))
    for axis, (title, _), values in zip(axes[0], panels, shown, strict=True):
        mesh = axis.pcolormesh(values, norm=norm, cmap="cividis_r")
        for row, column in np.argwhere(np.isfinite(values)):
            value = values[row, column]
            dark = norm(value) > 0.55
            text = f"{value:.2g}" if value < 10 else f"{value:.0f}"
            where = {"ha": "center", "va": "center", "color": "white" if dark else "black"}
            axis.text(column + 0.5, row + 0.5, text, **where)
        for k in range(len(taus) + len(gammas)):
            axis.plot([k, k - len(gammas)], [0, len(gammas)], color=style.INK, lw=0.6, alpha=0.5)
        best = np.nanargmin(values, axis=1)
        axis.plot(best + 0.5, np.arange(len(gammas)) + 0.82, "*", color=style.INK, markersize=7)
        axis.set(title=title, xlabel=r"$\tau$", xlim=(0, len(taus)), ylim=(0, len(gammas)))
        axis.set_xticks(np.arange(len(taus)) + 0.5, [f"{tau:g}" for tau in taus])
        axis.set_yticks(np.arange(len(gammas)) + 0.5, [f"{1e3 * gamma:g}" for gamma in gammas])
        axis.grid(visible=False)
    axes[0, 0].set_ylabel(r"$10^3\,\gamma_1$")
    figure.colorbar(mesh, ax=list(axes[0]), label=label)
    return figure


def mean_and_error(values: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean over the rows (seeds) and its standard error."""
    values = np.asarray(values, dtype=float)
    # As in the paper's tables: the population standard deviation over the root of the number.
    return values.mean(axis=0), values.std(axis=0) / np.sqrt(len(values))
