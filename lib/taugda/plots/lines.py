"""Pictures along an axis: distances over iterations, eigenvalues and stability over tau."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from taugda.games import Game
from taugda.plots.style import EIGENVALUES, GREY, INK, KINDS, PALE, figure_of, styled, tau_colours
from taugda.stability import Interval, Spectrum

__all__ = [
    "abscissae",
    "agreement",
    "benchmark",
    "curves",
    "distances",
    "spectra",
    "spectrum_panels",
    "stability_map",
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
def spectra(
    spectrum: Spectrum,
    marks: Mapping[str, float] | None = None,
    intervals: Sequence[Interval] = (),
) -> Figure:
    """Draw the eigenvalues of J_tau in the complex plane and along tau.

    Parameters
    ----------
    spectrum : Spectrum
    marks : mapping of str to float, optional
        Values of tau to mark by a vertical line, with their names.
    intervals : sequence of Interval
        Where the point is stable; shaded.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(3, 3.5)
    plane, real, imaginary = axes[0]
    taus = spectrum.taus
    styles = ("-", (0, (5, 1.2)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
    for i, values in enumerate(spectrum):
        look = {"color": EIGENVALUES[i % 4], "linestyle": styles[i % 4]}
        plane.plot(values.real, values.imag, **look)
        plane.plot(values.real[0], values.imag[0], "o", color=EIGENVALUES[i % 4], markersize=6)
        plane.plot(values.real[-1], values.imag[-1], "*", color=EIGENVALUES[i % 4], markersize=11)
        real.plot(taus, values.real, label=rf"$\lambda_{i + 1}$", **look)
        imaginary.plot(taus, values.imag, **look)
    plane.axvline(0, color=INK, lw=1)
    real.axhline(0, color=INK, lw=1)
    plane.set_xlabel(r"$\mathrm{Re}\,\lambda$")
    plane.set_ylabel(r"$\mathrm{Im}\,\lambda$")
    plane.set_title(r"spectrum of $J_\tau$")
    for axis, part in ((real, "Re"), (imaginary, "Im")):
        axis.set_xlabel(r"$\tau$")
        axis.set_title(rf"$\mathrm{{{part}}}\,\lambda(\tau)$")
        axis.set_xlim(taus[0], taus[-1])
        for interval in intervals:
            axis.axvspan(
                max(interval.lower, taus[0]), min(interval.upper, taus[-1]),
                color="#009e73", alpha=0.10, lw=0,
            )  # fmt: skip
        for text, tau in (marks or {}).items():
            if taus[0] <= tau <= taus[-1]:
                axis.axvline(tau, color=GREY, lw=1, linestyle=":")
                axis.annotate(
                    text, (tau, 1), xycoords=("data", "axes fraction"), xytext=(3, -2),
                    textcoords="offset points", va="top", fontsize=9, color=INK,
                )  # fmt: skip
    handles = real.get_legend_handles_labels()[0] + [
        Line2D([], [], linestyle="none", marker=m, color=INK, label=rf"$\tau = {t:g}$")
        for m, t in (("o", taus[0]), ("*", taus[-1]))
    ]
    if intervals:
        handles.append(Patch(color="#009e73", alpha=0.15, label="stable"))
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


@styled
def stability_map(
    rows: Sequence[tuple[str, str, Sequence[Interval]]], limit: float, taus: Sequence[float] = ()
) -> Figure:
    """Draw for each critical point the tau at which it is stable.

    Parameters
    ----------
    rows : sequence of (name, kind, intervals)
        One a critical point.
    limit : float
        The largest tau shown; an interval without end gets an arrow there.
    taus : sequence of float
        Values that the simulations use, drawn as vertical lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(1, 0.9 + 0.34 * len(rows))
    axis = axes[0, 0]
    for y, (_, kind, intervals) in enumerate(rows):
        colour = KINDS[kind][1] if kind != "neither" else GREY
        for interval in intervals:
            end = min(interval.upper, limit)
            axis.plot([interval.lower, end], [y, y], color=colour, lw=7, solid_capstyle="butt")
            if interval.upper > limit:
                arrow = {"color": colour, "arrowstyle": "-|>", "lw": 3}
                axis.annotate("", (limit * 1.04, y), (limit * 0.99, y), arrowprops=arrow)
        if not intervals:
            axis.text(
                limit * 0.005, y, "never stable", va="center", fontsize=8.5, color=GREY,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            )  # fmt: skip
    for tau in taus:
        axis.axvline(tau, color=INK, lw=0.9, linestyle=":")
    axis.set_yticks(range(len(rows)), [f"{name}  {kind}" for name, kind, _ in rows])
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(0, limit * 1.05)
    axis.set_xlabel(r"$\tau$ at which the point is stable (dotted: the simulated $\tau$)")
    axis.grid(axis="y", visible=False)
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
def abscissae(
    curves: Sequence[tuple[str, Spectrum, Sequence[Interval]]],
    marks: Sequence[Mapping[str, float]] = (),
) -> Figure:
    """Draw the spectral abscissa against tau, a panel a point, shaded where it is stable.

    Parameters
    ----------
    curves : sequence of (title, Spectrum, intervals)
    marks : sequence of mapping of str to float
        For each panel, values of tau to mark, with their names.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(curves), 3.3)
    for k, (axis, (title, spectrum, intervals)) in enumerate(zip(axes[0], curves, strict=True)):
        axis.plot(spectrum.taus, spectrum.abscissa, color=EIGENVALUES[0])
        axis.axhline(0, color=INK, lw=1)
        axis.set_xscale("log")
        axis.set_yscale("symlog", linthresh=1e-2)
        axis.set_xlim(spectrum.taus[0], spectrum.taus[-1])
        for interval in intervals:
            low, high = np.clip([interval.lower, interval.upper], *axis.get_xlim())
            axis.axvspan(low, high, color="#009e73", alpha=0.14, lw=0)
        for text, tau in (marks[k] if marks else {}).items():
            if not spectrum.taus[0] <= tau <= spectrum.taus[-1]:
                continue
            axis.axvline(tau, color=GREY, lw=1, linestyle=":")
            axis.annotate(
                text, (tau, 0.02), xycoords=("data", "axes fraction"), xytext=(3, 0),
                textcoords="offset points", fontsize=10, color=INK,
            )  # fmt: skip
        axis.set_title(title)
        axis.set_xlabel(r"$\tau$")
    axes[0, 0].set_ylabel(r"smallest $\mathrm{Re}\,\lambda$")
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


@styled
def spectrum_panels(
    panels: Sequence[tuple[str, Spectrum, Mapping[str, float]]],
) -> Figure:
    """Draw the eigenvalues of several J_tau, a column each: in the plane, and along tau.

    Parameters
    ----------
    panels : sequence of (title, Spectrum, marks)
        The marks are values of tau with their names.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 5.6, rows=2)
    styles = ("-", (0, (5, 1.2)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
    for k, (title, spectrum, marks) in enumerate(panels):
        plane, along = axes[0, k], axes[1, k]
        taus = spectrum.taus
        for i, values in enumerate(spectrum):
            colour = EIGENVALUES[i % 4]
            plane.plot(values.real, values.imag, color=colour, linestyle=styles[i % 4])
            plane.plot(values.real[0], values.imag[0], "o", color=colour, markersize=6)
            plane.plot(values.real[-1], values.imag[-1], "*", color=colour, markersize=11)
            along.plot(taus, values.real, color=colour)
            along.plot(taus, values.imag, color=colour, linestyle=(0, (3, 1.5)), lw=1.2)
        plane.axvline(0, color=INK, lw=1)
        along.axhline(0, color=INK, lw=1)
        along.set_xlim(taus[0], taus[-1])
        for text, tau in marks.items():
            if taus[0] <= tau <= taus[-1]:
                along.axvline(tau, color=GREY, lw=1, linestyle=":")
                along.annotate(
                    text, (tau, 1), xycoords=("data", "axes fraction"), xytext=(-3, -2),
                    textcoords="offset points", ha="right", va="top", fontsize=9, color=INK,
                )  # fmt: skip
        plane.set_title(title)
        plane.set_xlabel(r"$\mathrm{Re}\,\lambda$")
        along.set_xlabel(r"$\tau$")
    axes[0, 0].set_ylabel(r"$\mathrm{Im}\,\lambda$")
    axes[1, 0].set_ylabel(r"$\lambda(\tau)$")
    count = max(len(list(spectrum)) for _, spectrum, _ in panels)
    handles = [
        Line2D([], [], color=EIGENVALUES[i % 4], label=rf"$\lambda_{i + 1}$")
        for i in range(min(count, 4))
    ]
    handles += [
        Line2D([], [], color=INK, label=r"$\mathrm{Re}\,\lambda$ (below)"),
        Line2D([], [], color=INK, linestyle=(0, (3, 1.5)), label=r"$\mathrm{Im}\,\lambda$ (below)"),
        Line2D([], [], linestyle="none", marker="o", color=INK, label=r"least $\tau$"),
        Line2D([], [], linestyle="none", marker="*", color=INK, label=r"largest $\tau$"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
