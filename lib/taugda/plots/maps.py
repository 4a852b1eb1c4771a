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

from taugda.plots.style import GREY, INK, PALE, figure_of, styled, tau_colours
from taugda.stability import Spectrum

__all__ = ["eigenvalue_planes", "rate_maps", "step_curves", "theory_and_practice"]

_DECADES = 3.5  # a map's colours end so far below its largest value


def _map(
    figure: Figure,
    axis: Axes,
    taus: ArrayLike,
    mus: ArrayLike,
    values: ArrayLike,
    ridge: ArrayLike | None,
) -> None:
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
    if ridge is not None:
        axis.plot(ridge, mus, color="white", lw=4, solid_capstyle="butt")
        axis.plot(ridge, mus, color=INK, lw=2, solid_capstyle="butt")
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
    panels: Sequence[tuple[str, ArrayLike, ArrayLike | None]],
) -> Figure:
    """Draw positive numbers over the plane of tau and mu, on log axes, a panel each.

    Parameters
    ----------
    taus, mus : array_like, shape (m,) and (k,)
        The grid.
    panels : sequence of (title, values of shape (k, m), ridge of shape (k,) or None)
        The ridge is a tau for each mu, drawn as a black line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.5, sharey=True)
    for axis, (title, values, ridge) in zip(axes[0], panels, strict=True):
        _map(figure, axis, taus, mus, values, ridge)
        axis.set_title(title)
    axes[0, 0].set_ylabel(r"$\mu$")
    if any(ridge is not None for *_, ridge in panels):
        line = Line2D([], [], color=INK, lw=2, label=r"the best $\tau$ for each $\mu$")
        figure.legend(handles=[line], loc="outside upper center")
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
        The best tau for each mu.
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
    _map(figure, plane, taus, mus, rates, ridge)
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
def eigenvalue_planes(panels: Sequence[tuple[str, Spectrum, ArrayLike]]) -> Figure:
    """Draw the paths of eigenvalues with positive real parts as tau grows, a panel each.

    Parameters
    ----------
    panels : sequence of (title, Spectrum, limits)
        Each eigenvalue's path gets lighter as tau grows; the upper half plane is shown, of which
        the lower is the mirror image.  The limits are real numbers that some of the eigenvalues
        tend to, marked on the axis.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.4, sharex=True)
    for axis, (title, spectrum, limits) in zip(axes[0], panels, strict=True):
        values = spectrum.eigenvalues
        thin = max(1, len(values) // 400)
        values, taus = values[::thin], spectrum.taus[::thin]
        for path in values.T:
            seen = path.imag >= -1e-12
            points = axis.scatter(
                path.real[seen], path.imag[seen], c=taus[seen], norm=LogNorm(taus[0], taus[-1]),
                cmap="plasma", s=7, lw=0, rasterized=True,
            )  # fmt: skip
        for limit in np.asarray(limits, dtype=float):
            axis.plot(limit, 0, "D", color="white", markeredgecolor=INK, markersize=7, zorder=4)
        axis.axhline(0, color=PALE, lw=1, zorder=0)
        axis.set_xscale("log")
        axis.set_title(title)
        axis.set_xlabel(r"$\mathrm{Re}\,\lambda$")
    axes[0, 0].set_ylabel(r"$\mathrm{Im}\,\lambda$")
    figure.colorbar(points, ax=list(axes[0]), label=r"$\tau$", pad=0.01).outline.set_visible(False)
    mark = Line2D([], [], linestyle="none", marker="D", color="white", markeredgecolor=INK,
                  label=r"limits of the slow eigenvalues as $\tau \to \infty$")  # fmt: skip
    figure.legend(handles=[mark], loc="outside upper center")
    return figure


@styled
def step_curves(
    panels: Sequence[tuple[str, Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]]]],
    runs: Sequence[Sequence[tuple[int, float, float, bool]]],
) -> Figure:
    """Draw how fast simultaneous and alternating steps contract against the step gamma1.

    Parameters
    ----------
    panels : sequence of (title, curves)
        A curve is (label, steps, contraction of simultaneous steps, of alternating steps), the
        contraction 1 - rho; the same labels in all panels.  Where it is not positive the curve
        ends.
    runs : sequence of sequence of (curve, step, contraction, alternating)
        For each panel the measured contractions, with the number of the curve they belong to.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = figure_of(len(panels), 3.6, sharey=True)
    labels = [label for label, *_ in panels[0][1]]
    colours, dashes = tau_colours(len(labels)), (0, (3, 1.5))
    for axis, (title, curves), measured in zip(axes[0], panels, runs, strict=True):
        for (_, steps, together, by_turns), colour in zip(curves, colours, strict=True):
            for values, line in ((together, "-"), (by_turns, dashes)):
                values = np.asarray(values, dtype=float)
                shown = np.where(values > 0, values, np.nan)
                axis.loglog(steps, shown, color=colour, linestyle=line)
        for k, step, contraction, alternating in measured:
            face = "white" if alternating else colours[k]
            axis.plot(step, contraction, "s" if alternating else "o", markerfacecolor=face,
                      markeredgecolor=colours[k], markersize=6 if alternating else 5)  # fmt: skip
        axis.set_title(title)
        axis.set_xlabel(r"step $\gamma_1$")
    axes[0, 0].set_ylabel(r"$1 - \rho$")
    handles = [Line2D([], [], color=c, label=t) for c, t in zip(colours, labels, strict=True)]
    handles += [
        Line2D([], [], color=INK, marker="o", markersize=5, label="simultaneous, measured"),
        Line2D([], [], color=INK, linestyle=dashes, marker="s", markerfacecolor="white",
               label="alternating, measured"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure
