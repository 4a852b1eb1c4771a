"""Pictures of tau and a second parameter at once: maps of rates, paths, steps."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogFormatterSciNotation, LogLocator
from numpy.typing import ArrayLike

from taugda.plots.style import GREY, INK, figure_of, styled, tau_colours

__all__ = ["eigenvalue_planes", "rate_maps", "step_curves", "theory_and_practice"]

_DECADES = 3.5  # a map's colours end so far below its largest value


def _map(figure: Figure, axis: Axes, taus: ArrayLike, mus: ArrayLike, values: ArrayLike) -> None:
    values = np.asarray(values, dtype=float)
    top = float(np.nanmax(values))
    low = max(float(np.nanmin(values)), top * 10**-_DECADES)
    norm = LogNorm(low, top)
    shown = np.clip(values, low, None)
    mesh = axis.pcolormesh(
        taus, mus, shown, cmap="viridis", norm=norm, shading="gouraud", rasterized=True
    )
    levels = LogLocator(subs=(1, 3)).tick_values(low, top)
    levels = levels[(levels > low) & (levels < top)]
    axis.contour(taus, mus, shown, levels=levels, colors="white", linewidths=0.6, alpha=0.7)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlim(np.min(taus), np.max(taus))
    axis.set_ylim(np.min(mus), np.max(mus))
    axis.set_xlabel(r"$\tau$")
    axis.grid(False)
    bar = figure.colorbar(mesh, ax=axis, pad=0.02)
    bar.ax.yaxis.set_major_locator(LogLocator())
    bar.ax.yaxis.set_major_formatter(LogFormatterSciNotation(labelOnlyBase=True))
    bar.outline.set_visible(False)


@styled
def rate_maps(
    taus: ArrayLike,
    mus: ArrayLike,
    panels: Sequence[tuple[str, ArrayLike]],
) -> Figure:
    """Draw positive numbers over the plane of tau and mu, on log axes, a panel each.

    Parameters
    ----------
    taus, mus : array_like, shape (m,) and (k,)
        The grid.
    panels : sequence of (title, values of shape (k, m))

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.5, sharey=True)
    for axis, (title, values) in zip(axes[0], panels, strict=True):
        _map(figure, axis, taus, mus, values)
        axis.set_title(title)
    axes[0, 0].set_ylabel(r"$\mu$")
    return figure


@styled
def theory_and_practice(
    taus: ArrayLike,
    mus: ArrayLike,
    rates: ArrayLike,
    ridge: ArrayLike,
    slices: Mapping[float, tuple[ArrayLike, ArrayLike]],
    runs: Sequence[tuple[float, float, float, float]],
) -> Figure:
    """Draw predicted rates over tau and mu, and measured ones beside them.

    Parameters
    ----------
    taus, mus : array_like, shape (m,) and (k,)
        The grid of the map.
    rates : array_like, shape (k, m)
        The predicted rate, in units of the flow's time.
    ridge : array_like, shape (k,)
        The best tau for each mu, nan where it lies outside the map.
    slices : mapping of mu to (taus, rates)
        Predicted rates along tau at the mu of the runs.
    runs : sequence of (mu, tau, predicted rate, measured rate)
        Of trajectories, in the same units.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(3, 3.7, width=10.5)
    plane, along, diagonal = axes[0]
    _map(figure, plane, taus, mus, rates)
    for colour, width in (("white", 4), (INK, 2)):
        plane.plot(ridge, mus, color=colour, lw=width, solid_capstyle="butt")
    plane.set_ylabel(r"$\mu$")
    plane.set_title(r"smallest $\mathrm{Re}\,\lambda$ of $J_{(\tau, \mu)}$")
    colours = dict(zip(sorted(slices), tau_colours(len(slices)), strict=True))
    for mu, (at, predicted) in slices.items():
        along.loglog(at, predicted, color=colours[mu])
    look: dict[str, Any] = {"markeredgecolor": "white", "markeredgewidth": 0.6, "markersize": 6}
    for mu, tau, predicted, measured in runs:
        plane.plot(tau, mu, "o", color=colours[mu], **look)
        along.plot(tau, measured, "o", color=colours[mu], **look)
        diagonal.plot(predicted, measured, "o", color=colours[mu], **look)
    along.set_xlabel(r"$\tau$")
    along.set_title(r"rate along $\tau$")
    both = np.array([run[2:] for run in runs])
    ends = [both.min() * 0.6, both.max() * 1.6]
    diagonal.loglog(ends, ends, color=INK, lw=1, zorder=0)
    diagonal.set_xlim(*ends)
    diagonal.set_ylim(*ends)
    diagonal.set_aspect("equal")
    diagonal.set_xlabel("predicted")
    diagonal.set_ylabel("measured")
    diagonal.set_title(r"rate of each run")
    handles = [Line2D([], [], color=INK, lw=2, label=r"best $\tau$ for each $\mu$")]
    handles += [
        Line2D([], [], color=c, marker="o", label=rf"$\mu = {mu:g}$", **look)
        for mu, c in colours.items()
    ]
    handles.append(
        Line2D([], [], linestyle="none", marker="o", color=GREY, label="measured", **look)
    )
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


@styled
def eigenvalue_planes(
    taus: ArrayLike, panels: Sequence[tuple[str, ArrayLike, ArrayLike]]
) -> Figure:
    """Draw the slow eigenvalues of J_tau in the complex plane as tau grows, a panel each.

    Parameters
    ----------
    taus : array_like, shape (m,)
        Increasing; an eigenvalue's path gets lighter as tau grows.
    panels : sequence of (title, eigenvalues of shape (m, n), limits)
        The limits are the positive numbers that some of the eigenvalues tend to; they are
        marked, and eigenvalues three times as large as the largest of them leave the picture.
        The upper half plane is shown, of which the lower is the mirror image.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.3)
    taus = np.asarray(taus, dtype=float)
    for axis, (title, eigenvalues, limits) in zip(axes[0], panels, strict=True):
        limits = np.asarray(limits, dtype=float)
        values = np.asarray(eigenvalues)
        order = np.broadcast_to(taus[:, None], values.shape)
        seen = (values.imag >= -1e-12) & (values.real < 3 * limits.max())
        points = axis.scatter(
            values[seen].real, values[seen].imag, c=order[seen], norm=LogNorm(taus[0], taus[-1]),
            cmap="plasma", s=8, lw=0, rasterized=True, clip_on=False, zorder=3,
        )  # fmt: skip
        axis.plot(limits, 0 * limits, "D", color="white", markeredgecolor=INK, markersize=6,
                  clip_on=False, zorder=4)  # fmt: skip
        axis.set_xlim(0, 3 * limits.max())
        axis.set_ylim(bottom=0)
        axis.set_title(title)
        axis.set_xlabel(r"$\mathrm{Re}\,\lambda$")
    axes[0, 0].set_ylabel(r"$\mathrm{Im}\,\lambda$")
    figure.colorbar(points, ax=list(axes[0]), label=r"$\tau$", pad=0.01).outline.set_visible(False)
    mark = Line2D([], [], linestyle="none", marker="D", color="white", markeredgecolor=INK,
                  label=r"limits as $\tau \to \infty$")  # fmt: skip
    figure.legend(handles=[mark], loc="outside upper center")
    return figure


@styled
def step_curves(
    panels: Sequence[tuple[str, Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]]]],
    runs: Sequence[Sequence[tuple[int, float, float, bool]]],
) -> Figure:
    """Draw how fast simultaneous and alternating steps contract against their length.

    Parameters
    ----------
    panels : sequence of (title, curves)
        A curve is (label, steps in units of the bound for simultaneous ones, 1 - rho of
        simultaneous steps, 1 - rho of alternating ones); the same labels in all panels.  A curve
        falls out of the picture where it is no longer positive.
    runs : sequence of sequence of (curve, step, 1 - rho, alternating)
        For each panel what was measured, with the number of the curve that it belongs to.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.6, sharex=True, sharey=True)
    labels = [label for label, *_ in panels[0][1]]
    colours, dashes = tau_colours(len(labels)), (0, (3, 1.5))
    top = max(np.max(values) for _, curves in panels for _, _, *both in curves for values in both)
    for axis, (title, curves), measured in zip(axes[0], panels, runs, strict=True):
        for (_, steps, *both), colour in zip(curves, colours, strict=True):
            for values, line in zip(both, ("-", dashes), strict=True):
                shown = np.maximum(np.asarray(values, dtype=float), top * 1e-9)
                shown[1:][(shown[1:] == shown.min()) & (shown[:-1] == shown.min())] = np.nan
                axis.semilogy(steps, shown, color=colour, linestyle=line)
        for k, step, contraction, alternating in measured:
            if contraction > 0:
                axis.plot(step, contraction, "s" if alternating else "o", color=colours[k],
                          markerfacecolor="none" if alternating else colours[k],
                          markersize=8 if alternating else 4.5)  # fmt: skip
        axis.axvline(1, color=GREY, lw=1, linestyle=":")
        axis.set_ylim(top / 300, top * 1.5)
        axis.set_xlim(left=0)
        axis.set_title(title)
        axis.set_xlabel(r"$\gamma_1 / \gamma$")
    axes[0, 0].set_ylabel(r"$1 - \rho$")
    handles = [Line2D([], [], color=c, label=t) for c, t in zip(colours, labels, strict=True)]
    handles += [
        Line2D([], [], color=INK, marker="o", markersize=4.5, label="simultaneous"),
        Line2D([], [], color=INK, linestyle=dashes, marker="s", markersize=8,
               markerfacecolor="none", label="alternating"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
