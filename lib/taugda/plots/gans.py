"""Pictures of GAN training: samples, distances along training, distances against tau."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from taugda.plots import style

_FLOOR = {"color": style.GREY, "lw": 1, "linestyle": ":"}


@style.styled
def sample_grids(sheets: Sequence[tuple[str, ArrayLike]], across: float = 1.97) -> Figure:
    """Draw generated pictures side by side, at most four a row, every pixel as it is.

    Parameters
    ----------
    sheets : sequence of (title, pictures)
        Pictures of shape (n, 1 or 3, h, w) and type uint8, laid out eight a row; or one picture
        of shape (height, width) or (height, width, 3).
    across : float
        Inches that each is wide.
    """
    columns = min(4, len(sheets))
    title = 0.25 if any(name for name, _ in sheets) else 0.0
    figure, axes = style.panels(len(sheets), across + title, columns, width=columns * across)
    for axis, (name, pictures) in zip(axes, sheets, strict=True):
        sheet = np.asarray(pictures)
        sheet = _lay_out(sheet) if sheet.ndim == 4 else sheet
        axis.set_axis_off()
        axis.imshow(sheet, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(name)
    return figure


def _lay_out(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay pictures out in rows of eight, a white pixel apart; white where there is none."""
    white = [(0, -len(pictures) % 8), (0, 0), (0, 1), (0, 1)]
    tiles = np.pad(pictures, white, constant_values=255)
    n, channels, h, w = tiles.shape
    rows = tiles.reshape(n // 8, 8, channels, h, w).transpose(0, 3, 1, 4, 2)
    return rows.reshape(n // 8 * h, 8 * w, channels)[:-1, :-1].squeeze()


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
    figure, axes = style.panels(len(losses), 2.5)
    for axis, (name, values) in zip(axes, losses.items(), strict=True):
        axis.plot(updates, values, color=style.INK, lw=1.3)
        axis.set(title=name, xlabel="update")
    return figure


@style.styled
def scores(
    panels: Sequence[tuple[str, Mapping[Any, tuple[ArrayLike, ArrayLike]]]],
    label: str,
    *,
    floor: float | None = None,
    against_tau: bool = False,
    shaded: tuple[float, float] | None = None,
    printed: Sequence[Mapping[Any, tuple[float, float]]] = (),
    at: float = 0.0,
    columns: int | None = None,
) -> Figure:
    """Draw a distance along training, or against tau: mean over seeds, standard error as a band.

    Parameters
    ----------
    panels : sequence of (title, mapping of tau or a name to (updates, values))
        Values of shape (seeds, updates).
    label : str
        Name of the distance, with its unit.
    floor : float, optional
        Distance of two halves of the real pictures, drawn as a line.
    against_tau : bool
        Whether the curves run along tau, given as mappings of tau to the seeds' values; every
        seed is a dot.
    shaded : (float, float), optional
        Range that is shaded, such as the paper's tau.
    printed : sequence of mapping of tau or a name to (mean, standard error)
        For each panel what the paper prints, put into the frame after ``at`` updates.
    at : float
    columns : int, optional
        Panels a row; by default all.
    """
    height = 3.2 if columns is None else 2.1
    figure, axes = style.panels(len(panels), height, columns, sharey="row", sharex=True)
    names = sorted({name for both in ([c for _, c in panels], printed) for c in both for name in c})
    looks = dict(zip(names, style.looks(len(names)), strict=True))
    for k, (axis, (title, runs)) in enumerate(zip(axes, panels, strict=True)):
        axis.set(title=title, yscale="log", xlabel=r"$\tau$" if against_tau else "update")
        for name, run in runs.items():
            x, values = run if not against_tau else (list(run), [*zip_longest(*run.values())])
            _band(axis, x, np.asarray(values, dtype=float), against_tau, looks[name])
        if against_tau:
            axis.set_xscale("log", base=2)
            axis.set_xticks(x, [f"{tau:g}" for tau in x])
        if shaded is not None:
            axis.axvspan(*shaded, color=style.GREY, alpha=0.15, lw=0)
        if floor is not None:
            axis.axhline(floor, **_FLOOR)
        if printed:
            _print(axis, printed[k], at, looks, bool(runs))
    for axis in axes[:: columns or len(axes)]:
        axis.set_ylabel(label)
    texts = [name if isinstance(name, str) else rf"$\tau = {name:g}$" for name in names]
    half = [] if floor is None else [style.key("two halves of the real data", **_FLOOR)]
    style.legend(figure, [*style.order_keys(texts), *half])
    return figure


def _band(axis: Axes, x: ArrayLike, values: NDArray, dots: bool, look: dict[str, Any]) -> None:
    """Draw the mean over the seeds (rows) that have a number, with a band, and each as dots."""
    mean = np.nanmean(values, axis=0)
    # As in the paper's tables: the population standard deviation over the root of the number.
    error = np.nanstd(values, axis=0) / np.sqrt(np.isfinite(values).sum(axis=0))
    axis.plot(x, mean, lw=1.4, markersize=5, markevery=max(1, len(x) // 8), **look)
    low = np.maximum(mean - error, mean * 0.05)
    axis.fill_between(x, low, mean + error, color=look["color"], alpha=0.18, lw=0)
    for each in values if dots else []:
        axis.plot(x, each, linestyle="none", alpha=0.35, markersize=3.5, **look)


def _print(axis: Axes, numbers: Mapping, at: float, looks: Mapping, filled: bool) -> None:
    """Put printed numbers into a frame: as marks where they belong, and as text."""
    for name, (mean, error) in numbers.items():
        axis.errorbar(at, mean, error, markersize=5, capsize=2, **looks[name])
    means = [mean for mean, _ in numbers.values()]
    axis.set(xlim=(0, 1.06 * at), ylim=(0.8 * min(means), 2.4 * max(means)))
    digits = 2 if all(round(error, 2) == error for _, error in numbers.values()) else 3
    texts = {name: f"{mean:.2f} ± {error:.{digits}f}" for name, (mean, error) in numbers.items()}
    lines = [rf"$\tau = {name:g}$:  {text}" for name, text in texts.items()]
    axis.text(0.96, 0.97, "\n".join(lines), transform=axis.transAxes, ha="right", va="top")
    if not filled:
        axis.text(0.05, 0.08, "not run here", transform=axis.transAxes, color=style.GREY)


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
    figure, axes = style.panels(len(panels), 3.3, sharey=True)
    shown = [np.asarray(values, dtype=float) for _, values in panels]
    norm = LogNorm(min(map(np.nanmin, shown)), max(map(np.nanmax, shown)))
    for axis, (title, _), values in zip(axes, panels, shown, strict=True):
        mesh = axis.pcolormesh(values, norm=norm, cmap="cividis_r")
        for row, column in np.argwhere(np.isfinite(values)):
            value = values[row, column]
            text = f"{value:.2g}" if value < 10 else f"{value:.0f}"
            colour = "white" if norm(value) > 0.55 else "black"
            axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour)
        for k in range(len(taus) + len(gammas)):
            axis.plot([k, k - len(gammas)], [0, len(gammas)], color=style.INK, lw=0.6, alpha=0.5)
        best = np.nanargmin(values, axis=1)
        axis.plot(best + 0.5, np.arange(len(gammas)) + 0.82, "*", color=style.INK, markersize=7)
        axis.set(title=title, xlabel=r"$\tau$", xlim=(0, len(taus)), ylim=(0, len(gammas)))
        axis.set_xticks(np.arange(len(taus)) + 0.5, [f"{tau:g}" for tau in taus])
        axis.set_yticks(np.arange(len(gammas)) + 0.5, [f"{1e3 * gamma:g}" for gamma in gammas])
        axis.grid(visible=False)
    axes[0].set_ylabel(r"$10^3\,\gamma_1$")
    figure.colorbar(mesh, ax=axes, label=label)
    return figure


@style.styled
def judged(
    panels: Sequence[tuple[str, ArrayLike, ArrayLike]],
    real: ArrayLike, weights: ArrayLike, x: ArrayLike,
) -> Figure:  # fmt: skip
    """Draw what a discriminator of numbers thinks of the real and of the generated ones.

    Parameters
    ----------
    panels : sequence of (title, made, D)
        Generated numbers, shape (n,), and the discriminator's values at ``x``.
    real, weights : array_like, shape (n,)
        The real numbers, and the probability of each, generated alike.
    x : array_like, shape (m,)
        Where the discriminator is drawn.
    """
    figure, axes = style.panels(len(panels), 2.6, sharey=True)
    sizes = 400 * np.asarray(weights)
    for axis, (title, made, values) in zip(axes, panels, strict=True):
        axis.axhline(0, color=style.GREY, lw=0.8)
        axis.plot(x, values, color=style.INK, lw=1.3)
        axis.scatter(real, np.zeros_like(sizes), sizes, color=style.GREY)
        axis.scatter(made, np.zeros_like(sizes), sizes, facecolors="none", edgecolors=style.INK)
        axis.set(title=title, xlabel="$x$")
    axes[0].set_ylabel(r"$D_\omega(x)$")
    real_key = style.key("real", marker="o", color=style.GREY)
    made_key = style.key("generated", marker="o", mfc="none")
    style.legend(figure, [style.key(r"$D_\omega$"), real_key, made_key])
    return figure
