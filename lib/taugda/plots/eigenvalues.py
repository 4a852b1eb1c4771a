"""Pictures of the spectrum of J_tau and of stability along tau."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from taugda.plots import style

if TYPE_CHECKING:
    from taugda.stability import Interval, Spectrum

_LINES = ("-", (0, (5, 1.2)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
_RE, _IM = r"$\mathrm{Re}\,\lambda$", r"$\mathrm{Im}\,\lambda$"
_PARTS = r"$\mathrm{Re}\,\lambda(\tau)$", r"$\mathrm{Im}\,\lambda(\tau)$"


def _named(spectrum: Spectrum) -> NDArray[np.complex128]:
    """Return the eigenvalues, one a row; of two the first is above, or right of the second.

    Where a pair becomes real, either may be followed on either way: one rule serves all pictures.
    """
    values = spectrum.eigenvalues.T
    if len(values) != 2:
        return values
    gap = values[1] - values[0]
    by_real = np.abs(gap.real) > 1e-9 * np.abs(values).max()
    return np.where(np.where(by_real, gap.real, gap.imag) > 0, values[::-1], values)


@style.styled
def spectra(
    rows: Sequence[tuple[str, Spectrum, Mapping[str, float], Sequence[Interval]]],
    at: float | None = None,
) -> Figure:
    """Draw the eigenvalues of J_tau in the complex plane, and their parts along tau.

    Parameters
    ----------
    rows : sequence of (title, Spectrum, marks, intervals)
        A row of three panels each.  The marks are values of tau, by the names that they get on
        the picture; the intervals are where the point is stable, which is shaded.
    at : float, optional
        For a frame of a moving picture: the tau, to the nearest of the spectrum, at which dots
        show where the eigenvalues are; the stable side is shaded, and the third panel left out.
    """
    across = 3 if at is None else 2
    figure, axes = style.panels(across * len(rows), 2.9 if len(rows) == 1 else 2.3, columns=across)
    for k, (title, spectrum, marks, intervals) in enumerate(rows):
        plane, *along = three = axes[across * k : across * (k + 1)]
        taus, values = spectrum.taus, _named(spectrum)
        for i, way in enumerate(values):
            plane.plot(way.real, way.imag, **_look(i))
            for axis, part in zip(along, (way.real, way.imag), strict=False):
                axis.plot(taus, part, **_look(i))
            for end, marker in ((0, "o"), (-1, "s")) if at is None else ():
                plane.plot(way.real[end], way.imag[end], marker, color=style.EIGENVALUES[i % 4])
        plane.axvline(0, color=style.INK, lw=1)
        plane.set(xlabel=_RE, ylabel=_IM)
        along[0].axhline(0, color=style.INK, lw=1)
        for axis in along:
            axis.set(xlabel=r"$\tau$", xlim=(taus[0], taus[-1]))
            _shade(axis, intervals)
            style.name_taus(axis, marks, taus)
        for axis, name in zip(three, (r"spectrum of $J_\tau$", *_PARTS), strict=False):
            axis.set_title(f"{title}: {name}" if title else name)
        if at is not None:
            _show_at(plane, along[0], taus, values, int(np.abs(taus - at).argmin()))
    count = min(max(len(row[1].eigenvalues.T) for row in rows), 4)
    keys: list[Any] = [style.key(rf"$\lambda_{i + 1}$", **_look(i)) for i in range(count)]
    if at is None:
        ends = [rf"$\tau = {taus[0]:g}$", rf"$\tau = {taus[-1]:g}$"]
        ends = ends if len(rows) == 1 else [r"least $\tau$", r"largest $\tau$"]
        keys += [style.key(text, marker=m) for text, m in zip(ends, "os", strict=True)]
    if at is not None or any(intervals for *_, intervals in rows):
        keys.append(Patch(color=style.STABLE, alpha=0.15, label="stable"))
    style.legend(figure, keys)
    return figure


def _look(i: int) -> dict[str, Any]:
    """Return how the i-th eigenvalue is drawn wherever it is followed along tau."""
    return {"color": style.EIGENVALUES[i % 4], "linestyle": _LINES[i % 4]}


def _show_at(plane: Axes, real: Axes, taus: NDArray, values: NDArray, at: int) -> None:
    """Put dots at the eigenvalues of one tau, shade the stable side and say on which they are."""
    for i, way in enumerate(values):
        dot = {"color": style.EIGENVALUES[i % 4], "markersize": 8, "markeredgecolor": style.INK}
        plane.plot(way[at].real, way[at].imag, "o", clip_on=False, zorder=5, **dot)
        real.plot(taus[at], way[at].real, "o", clip_on=False, zorder=5, **dot)
    plane.axvspan(0, plane.get_xlim()[1], color=style.STABLE, alpha=0.10, lw=0)
    real.axhspan(0, real.get_ylim()[1], color=style.STABLE, alpha=0.10, lw=0)
    slowest = values[:, at].real.min() / np.abs(values[:, at]).max()
    verdict = "on the axis" if abs(slowest) < 1e-9 else "stable" if slowest > 0 else "not stable"
    plane.set_title(rf"$\tau = {taus[at]:.2f}$: {verdict}")


def _shade(axis: Axes, intervals: Sequence[Interval]) -> None:
    """Shade the tau at which a point is stable, in the range that the axis shows."""
    for interval in intervals:
        low, high = np.clip([interval.lower, interval.upper], *axis.get_xlim())
        axis.axvspan(low, high, color=style.STABLE, alpha=0.12, lw=0)


@style.styled
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
    """
    figure, (axis,) = style.panels(1, 0.7 + 0.42 * len(rows))
    for y, (name, kind, intervals) in enumerate(rows):
        colour = style.KINDS[kind][1] if kind != "neither" else style.GREY
        for interval in intervals:
            low, high = float(interval.lower), float(interval.upper)
            ends = [low, min(high, limit)]
            axis.plot(ends, [y, y], color=colour, lw=7, solid_capstyle="butt")
            if high > limit:
                arrow = {"color": colour, "arrowstyle": "-|>", "lw": 3}
                axis.annotate("", (limit * 1.04, y), (limit * 0.99, y), arrowprops=arrow)
        said = f"{name} {style.kind_name(kind)}" + ("" if intervals else ": never stable")
        axis.text(limit * 0.005, y - 0.2, said, va="bottom")
    for tau in taus:
        axis.axvline(tau, color=style.INK, lw=0.9, linestyle=":", zorder=0)
    axis.set(ylim=(len(rows) - 0.6, -0.9), xlim=(0, limit * 1.05), yticks=[])
    axis.set_xlabel(r"$\tau$ (dotted: the simulated ones)" if len(taus) else r"$\tau$")
    axis.spines["left"].set_visible(False)
    return figure


@style.styled
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
    """
    figure, axes = style.panels(len(curves), 3.0)
    for k, (axis, (title, spectrum, intervals)) in enumerate(zip(axes, curves, strict=True)):
        axis.plot(spectrum.taus, spectrum.abscissa, color=style.EIGENVALUES[0])
        axis.axhline(0, color=style.INK, lw=1)
        axis.set_yscale("symlog", linthresh=1e-2)
        axis.set(xscale="log", xlim=(spectrum.taus[0], spectrum.taus[-1]))
        _shade(axis, intervals)
        style.name_taus(axis, marks[k] if marks else {}, spectrum.taus, height=0.02)
        axis.set(title=title, xlabel=r"$\tau$", ylabel=r"smallest $\mathrm{Re}\,\lambda$")
    return figure


@style.styled
def threshold_and_runs(
    families: Sequence[tuple[str, ArrayLike, ArrayLike]],
    spectra: Sequence[tuple[float, ArrayLike]],
    runs: tuple[ArrayLike, ArrayLike],
    chosen: tuple[float, float],
) -> Figure:
    """Draw tau* against mu, the spectrum at one mu for several tau, and runs with these tau.

    Parameters
    ----------
    families : sequence of (label, mus, tau*)
    spectra : sequence of (tau, eigenvalues of J_tau)
    runs : (iterations, sizes)
        The sizes of shape (len(spectra), stored + 1), on a log axis.
    chosen : (mu, tau*)
        The point of the two panels on the right.
    """
    figure, (threshold, plane, along) = style.panels(3, 3.2)
    for (label, mus, taus), marker in zip(families, "osD^v" * len(families), strict=False):
        threshold.loglog(mus, taus, marker=marker, color=style.GREY, markersize=5, label=label)
    threshold.loglog(*chosen, "*", color=style.EIGENVALUES[1], markersize=13, zorder=5)
    threshold.set(xlabel=r"$\mu$", title=r"$\tau^*$")
    threshold.legend()
    looks = style.looks(len(spectra))
    for (tau, values), size, look in zip(spectra, runs[1], looks, strict=True):
        values = np.asarray(values)
        plane.plot(values.real, values.imag, linestyle="none", markersize=3.5, **look)
        along.semilogy(runs[0], size, lw=1, markersize=4.5, markevery=len(size) // 6 or 1, **look)
        threshold.axhline(tau, color=look["color"], lw=0.9, linestyle=":")
    plane.axvline(0, color=style.INK, lw=1)
    plane.set(xlabel=_RE, ylabel=_IM)
    lowest = max(-min(float(np.asarray(values).real.min()) for _, values in spectra), 0.0)
    if lowest > 1e-6:  # near the axis, where the pairs cross it
        plane.set(xlim=(-3 * lowest, 7 * lowest), ylim=(-8 * lowest, 8 * lowest))
    plane.set_title(rf"spectrum, $\mu = {chosen[0]:g}$, $\tau^* = {chosen[1]:.4g}$")
    along.set(xlabel="iteration", title=r"runs from nearby: $|g|$")
    along.locator_params(axis="x", nbins=4)
    style.legend(figure, style.order_keys([rf"$\tau = {tau:g}$" for tau, _ in spectra]))
    return figure
