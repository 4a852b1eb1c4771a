"""Pictures of tau and a second parameter at once: maps of rates, paths, steps."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from numpy.typing import ArrayLike

from taugda.plots import style

_DECADES = 3.5  # a map's colours end so far below its largest value
_STEPS = (
    {"label": "simultaneous", "linestyle": "-", "marker": "o", "ms": 4.5},
    {"label": "alternating", "linestyle": style.DASHES, "marker": "s", "ms": 8, "mfc": "none"},
)


def _map(axis: Axes, taus: ArrayLike, mus: ArrayLike, values: ArrayLike, title: str) -> None:
    top = float(np.nanmax(values))
    low = max(float(np.nanmin(values)), top * 10**-_DECADES)
    shown = np.clip(values, low, None)
    look = {"cmap": "viridis", "norm": LogNorm(low, top), "shading": "gouraud"}
    mesh = axis.pcolormesh(taus, mus, shown, rasterized=True, **look)
    lines = {"colors": "white", "linewidths": 0.6, "alpha": 0.7}
    axis.contour(taus, mus, shown, locator=LogLocator(subs=(1, 3)), **lines)
    ends = {"xlim": (np.min(taus), np.max(taus)), "ylim": (np.min(mus), np.max(mus))}
    axis.set(xscale="log", yscale="log", xlabel=r"$\tau$", ylabel=r"$\mu$", title=title, **ends)
    axis.grid(False)
    axis.figure.colorbar(mesh, ax=axis, pad=0.02).outline.set_visible(False)


@style.styled
def rate_maps(taus: ArrayLike, mus: ArrayLike, panels: Sequence[tuple[str, ArrayLike]]) -> Figure:
    """Draw positive numbers over the plane of tau and mu, on log axes, a panel each.

    Parameters
    ----------
    taus, mus : array_like, shape (m,) and (k,)
        The grid.
    panels : sequence of (title, values of shape (k, m))
    """
    figure, axes = style.panels(len(panels), 3.2)
    for axis, (title, values) in zip(axes, panels, strict=True):
        _map(axis, taus, mus, values, title)
    return figure


@style.styled
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
    """
    figure, (plane, along, diagonal) = style.panels(3, 3.3)
    _map(plane, taus, mus, rates, r"smallest $\mathrm{Re}\,\lambda$ of $J_{(\tau, \mu)}$")
    for colour, width in (("white", 4), (style.INK, 2)):
        plane.plot(ridge, mus, color=colour, lw=width, solid_capstyle="butt")
    looks = dict(zip(sorted(slices), style.looks(len(slices)), strict=True))
    for mu, (at, predicted) in slices.items():
        along.loglog(at, predicted, color=looks[mu]["color"])
    edge = {"linestyle": "none", "markeredgecolor": "white", "markeredgewidth": 0.6}
    for mu, tau, predicted, measured in runs:
        plane.plot(tau, mu, **looks[mu], **edge)
        along.plot(tau, measured, **looks[mu], **edge)
        diagonal.plot(predicted, measured, **looks[mu], **edge)
    along.set(xlabel=r"$\tau$", title=r"rate along $\tau$")
    both = np.array([run[2:] for run in runs])
    ends = [both.min() * 0.6, both.max() * 1.6]
    diagonal.loglog(ends, ends, color=style.INK, lw=1, zorder=0)
    names = {"xlabel": "predicted", "ylabel": "measured", "title": "rate of each run"}
    diagonal.set(xlim=ends, ylim=ends, **names)
    best = style.key(r"best $\tau$ for each $\mu$", lw=2)
    style.legend(figure, [best, *style.order_keys([rf"$\mu = {mu:g}$" for mu in looks])])
    return figure


@style.styled
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
    """
    figure, axes = style.panels(len(panels), 3.1)
    taus = np.asarray(taus, dtype=float)
    look = {"marker": "D", "color": "white", "markeredgecolor": style.INK, "markersize": 6}
    for axis, (title, eigenvalues, limits) in zip(axes, panels, strict=True):
        values, right = np.asarray(eigenvalues), 3 * np.max(limits)
        seen = (values.imag >= -1e-12) & (values.real < right)
        points = axis.scatter(
            values[seen].real, values[seen].imag, rasterized=True, clip_on=False, zorder=3,
            c=np.broadcast_to(taus[:, None], values.shape)[seen], norm=LogNorm(taus[0], taus[-1]),
            cmap="plasma", s=8, lw=0,
        )  # fmt: skip
        axis.plot(limits, np.zeros(len(limits)), linestyle="none", clip_on=False, zorder=4, **look)
        axis.set(xlim=(0, right), title=title, xlabel=r"$\mathrm{Re}\,\lambda$")
        axis.set_ylim(bottom=0)
    axes[0].set_ylabel(r"$\mathrm{Im}\,\lambda$")
    figure.colorbar(points, ax=axes, label=r"$\tau$", pad=0.01).outline.set_visible(False)
    style.legend(figure, [style.key(r"limits as $\tau \to \infty$", **look)])
    return figure


@style.styled
def step_curves(
    panels: Sequence[tuple[str, Sequence[tuple[str, ArrayLike, ArrayLike, ArrayLike]]]],
    runs: Sequence[Sequence[tuple[int, float, float, bool]]],
) -> Figure:
    """Draw how much simultaneous and alternating steps contract against their length.

    Parameters
    ----------
    panels : sequence of (title, curves)
        A curve is (label, steps in units of the bound for simultaneous ones, 1 - rho of
        simultaneous steps, 1 - rho of alternating ones); the same labels in all panels.  A curve
        falls out of the picture where it is no longer positive.
    runs : sequence of sequence of (curve, step, 1 - rho, alternating)
        For each panel what was measured, with the number of the curve that it belongs to.
    """
    figure, axes = style.panels(len(panels), 3.4, sharex=True, sharey=True)
    labels = [label for label, *_ in panels[0][1]]
    colours = style.tau_colours(len(labels))
    looks = [{"color": colour, "lw": 1.2 + 0.7 * k} for k, colour in enumerate(colours)]
    top = max(np.max(values) for _, curves in panels for _, _, *both in curves for values in both)
    for axis, (title, curves), measured in zip(axes, panels, runs, strict=True):
        for (_, steps, *both), look in zip(curves, looks, strict=True):
            for values, kind in zip(both, _STEPS, strict=True):
                shown = np.maximum(np.asarray(values, dtype=float), top * 1e-9)
                shown[1:][(shown[1:] == shown.min()) & (shown[:-1] == shown.min())] = np.nan
                axis.semilogy(steps, shown, linestyle=kind["linestyle"], **look)
        for k, step, contraction, alternating in measured:
            if contraction > 0:
                axis.plot(step, contraction, color=looks[k]["color"], **_STEPS[alternating])
        axis.axvline(1, color=style.GREY, lw=1, linestyle=":")
        axis.set(ylim=(top / 300, top * 1.7), title=title, xlabel=r"$\gamma_1 / \gamma$")
        axis.set_xlim(left=0)
    axes[0].set_ylabel(r"$1 - \rho$")
    keys = [style.key(label, **look) for label, look in zip(labels, looks, strict=True)]
    style.legend(figure, [*keys, *(style.key(**kind) for kind in _STEPS)])
    return figure
