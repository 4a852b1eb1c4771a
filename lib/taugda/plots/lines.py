"""Pictures along an axis: distances over iterations, eigenvalues and stability over tau."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from taugda.games import Game
from taugda.plots.style import EIGENVALUES, GREY, INK, KINDS, figure_of, styled, tau_colours
from taugda.stability import Interval, Spectrum

__all__ = ["benchmark", "distances", "spectra", "stability_map"]


@styled
def distances(
    game: Game,
    paths: ArrayLike,
    labels: Sequence[str],
    target: ArrayLike,
    *,
    every: int = 1,
    radii: Sequence[float] | None = None,
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
    radii : sequence of float, optional
        Predicted factors an iteration; a dotted line of that slope is drawn through each
        trajectory's largest distance in its second half.
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
        if radii is not None:
            both = np.hypot(size1, size2)
            top = len(both) // 2 + int(np.argmax(both[len(both) // 2 :]))
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
            axis.text(limit * 0.005, y, "never stable", va="center", fontsize=8.5, color=GREY)
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
