"""Pictures of the spectrum of J_tau and of stability along tau."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from taugda.plots import style

# Pictures are drawn from what they are given; loading the mathematics here takes a second.
if TYPE_CHECKING:
    from taugda.stability import Interval, Spectrum

_STYLES = ("-", (0, (5, 1.2)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
_RE, _IM = r"$\mathrm{Re}\,\lambda$", r"$\mathrm{Im}\,\lambda$"


def _look(i: int) -> dict[str, object]:
    """Return how the i-th eigenvalue is drawn wherever it is followed along tau."""
    return {"color": style.EIGENVALUES[i % 4], "linestyle": _STYLES[i % 4]}


def _plane(axis: Axes, spectrum: Spectrum) -> None:
    """Draw the eigenvalues' ways through the complex plane, from a dot to a star."""
    for i, values in enumerate(spectrum):
        axis.plot(values.real, values.imag, **_look(i))
        for end, marker, size in ((0, "o", 6), (-1, "*", 11)):
            axis.plot(values.real[end], values.imag[end], marker, color=style.EIGENVALUES[i % 4],
                      markersize=size)  # fmt: skip
    axis.axvline(0, color=style.INK, lw=1)
    axis.set_xlabel(_RE)


@style.styled
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
    """
    figure, axes = style.figure_of(3, 3.5)
    plane, real, imaginary = axes[0]
    taus = spectrum.taus
    _plane(plane, spectrum)
    plane.set(ylabel=_IM, title=r"spectrum of $J_\tau$")
    for i, values in enumerate(spectrum):
        real.plot(taus, values.real, label=rf"$\lambda_{i + 1}$", **_look(i))
        imaginary.plot(taus, values.imag, **_look(i))
    real.axhline(0, color=style.INK, lw=1)
    for axis, part in ((real, "Re"), (imaginary, "Im")):
        axis.set(xlabel=r"$\tau$", title=rf"$\mathrm{{{part}}}\,\lambda(\tau)$")
        axis.set_xlim(taus[0], taus[-1])
        _shade(axis, intervals)
        style.name_taus(axis, marks or {}, taus)
    keys = [style.key(rf"$\tau = {t:g}$", marker=m) for m, t in (("o", taus[0]), ("*", taus[-1]))]
    stable = [Patch(color=style.STABLE, alpha=0.15, label="stable")] if intervals else []
    style.legend(figure, [*real.get_legend_handles_labels()[0], *keys, *stable])
    return figure


def _shade(axis: Axes, intervals: Sequence[Interval]) -> None:
    """Shade the tau at which a point is stable, in the range that the axis shows."""
    for interval in intervals:
        low, high = np.clip([interval.lower, interval.upper], *axis.get_xlim())
        axis.axvspan(low, high, color=style.STABLE, alpha=0.12, lw=0)


def spectrum_frames(
    spectrum: Spectrum, taus: Sequence[float], marks: Mapping[str, float] | None = None
) -> Iterator[Figure]:
    """Draw where the eigenvalues of J_tau are, a frame a tau, on the ways that they take.

    Parameters
    ----------
    spectrum : Spectrum
        Along the whole range of tau; its curves are the ways.
    taus : sequence of float
        Each frame's tau; the nearest one of the spectrum is taken.
    marks : mapping of str to float, optional
        Values of tau to mark by a vertical line, with their names.
    """
    for tau in taus:
        at = int(np.abs(spectrum.taus - tau).argmin())
        yield _spectrum_frame(spectrum, at, dict(marks or {}))


@style.styled
def _spectrum_frame(spectrum: Spectrum, at: int, marks: Mapping[str, float]) -> Figure:
    figure, axes = style.figure_of(2, 3.4, width=7.4)
    plane, real = axes[0]
    taus, values = spectrum.taus, spectrum.eigenvalues
    left, right, height = 1.06 * np.abs([values.real.min(), values.real.max(), values.imag.max()])
    plane.axvspan(0, right, color=style.STABLE, alpha=0.10, lw=0)
    plane.axvline(0, color=style.INK, lw=1)
    real.axhspan(0, right, color=style.STABLE, alpha=0.10, lw=0)
    real.axhline(0, color=style.INK, lw=1)
    for i, way in enumerate(values.T):
        colour = style.EIGENVALUES[i % 4]
        dot = {"color": colour, "markersize": 8, "markeredgecolor": style.INK, "zorder": 5}
        plane.plot(way.real, way.imag, color=colour, lw=1, alpha=0.35)
        plane.plot(way[at].real, way[at].imag, "o", clip_on=False, **dot)
        real.plot(taus, way.real, color=colour, lw=1, alpha=0.35)
        real.plot(taus[: at + 1], way[: at + 1].real, color=colour)
        real.plot(taus[at], way[at].real, "o", clip_on=False, **dot)
    style.name_taus(real, marks, taus)
    height = max(height, 1e-9)
    plane.set(xlim=(-left, right), ylim=(-height, height), xlabel=_RE, ylabel=_IM)
    real.set(xlim=(taus[0], taus[-1]), ylim=(-left, right), xlabel=r"$\tau$", ylabel=_RE)
    slowest = spectrum.abscissa[at] / np.abs(values[at]).max()
    verdict = "on the axis" if abs(slowest) < 1e-9 else "stable" if slowest > 0 else "not stable"
    plane.set_title(rf"$\tau = {taus[at]:.2f}$: {verdict}", loc="left")
    real.set_title("shaded: the stable side", loc="left")
    return figure


@style.styled
def spectrum_panels(panels: Sequence[tuple[str, Spectrum, Mapping[str, float]]]) -> Figure:
    """Draw the eigenvalues of several J_tau, a column each: in the plane, and along tau.

    Parameters
    ----------
    panels : sequence of (title, Spectrum, marks)
        The marks are values of tau with their names.
    """
    figure, axes = style.figure_of(len(panels), 5.6, rows=2)
    for k, (title, spectrum, marks) in enumerate(panels):
        plane, along = axes[:, k]
        taus = spectrum.taus
        _plane(plane, spectrum)
        plane.set_title(title)
        for i, values in enumerate(spectrum):
            along.plot(taus, values.real, color=style.EIGENVALUES[i % 4])
            look = {"color": style.EIGENVALUES[i % 4], "linestyle": style.DASHES, "lw": 1.2}
            along.plot(taus, values.imag, **look)
        along.axhline(0, color=style.INK, lw=1)
        along.set(xlim=(taus[0], taus[-1]), xlabel=r"$\tau$")
        style.name_taus(along, marks, taus, side=-1)
    axes[0, 0].set_ylabel(_IM)
    axes[1, 0].set_ylabel(r"$\lambda(\tau)$")
    count = min(max(len(list(spectrum)) for _, spectrum, _ in panels), 4)
    keys = [style.key(rf"$\lambda_{i + 1}$", color=style.EIGENVALUES[i]) for i in range(count)]
    keys += [style.key(f"{_RE} (below)"), style.key(f"{_IM} (below)", linestyle=style.DASHES)]
    keys += [style.key(r"least $\tau$", marker="o"), style.key(r"largest $\tau$", marker="*")]
    style.legend(figure, keys)
    return figure


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
    figure, axes = style.figure_of(1, 0.9 + 0.34 * len(rows))
    axis = axes[0, 0]
    for y, (_, kind, intervals) in enumerate(rows):
        colour = style.KINDS[kind][1] if kind != "neither" else style.GREY
        for interval in intervals:
            end = min(interval.upper, limit)
            axis.plot([interval.lower, end], [y, y], color=colour, lw=7, solid_capstyle="butt")
            if interval.upper > limit:
                arrow = {"color": colour, "arrowstyle": "-|>", "lw": 3}
                axis.annotate("", (limit * 1.04, y), (limit * 0.99, y), arrowprops=arrow)
        if not intervals:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            look = {"fontsize": 8.5, "color": style.GREY, "bbox": box}
            axis.text(limit * 0.005, y, "never stable", va="center", **look)
    for tau in taus:
        axis.axvline(tau, color=style.INK, lw=0.9, linestyle=":")
    axis.set_yticks(range(len(rows)), [f"{name}  {kind}" for name, kind, _ in rows])
    axis.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, limit * 1.05))
    axis.set_xlabel(r"$\tau$ at which the point is stable (dotted: the simulated $\tau$)")
    axis.grid(axis="y", visible=False)
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
    figure, axes = style.figure_of(len(curves), 3.3)
    for k, (axis, (title, spectrum, intervals)) in enumerate(zip(axes[0], curves, strict=True)):
        axis.plot(spectrum.taus, spectrum.abscissa, color=style.EIGENVALUES[0])
        axis.axhline(0, color=style.INK, lw=1)
        axis.set_yscale("symlog", linthresh=1e-2)
        axis.set(xscale="log", xlim=(spectrum.taus[0], spectrum.taus[-1]))
        _shade(axis, intervals)
        style.name_taus(axis, marks[k] if marks else {}, spectrum.taus, height=0.02)
        axis.set(title=title, xlabel=r"$\tau$")
    axes[0, 0].set_ylabel(r"smallest $\mathrm{Re}\,\lambda$")
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
    figure, axes = style.figure_of(3, 3.7)
    threshold, plane, along = axes[0]
    for (label, mus, taus), marker in zip(families, "osD^v" * len(families), strict=False):
        threshold.loglog(mus, taus, marker=marker, color=style.GREY, markersize=5, label=label)
    threshold.loglog(*chosen, "*", color=style.EIGENVALUES[1], markersize=13, zorder=5)
    threshold.set(xlabel=r"$\mu$", title=r"$\tau^*$")
    threshold.legend()
    colours = style.tau_colours(len(spectra))
    for (tau, values), size, colour in zip(spectra, runs[1], colours, strict=True):
        values = np.asarray(values)
        plane.plot(values.real, values.imag, ".", color=colour, markersize=5)
        along.semilogy(runs[0], size, color=colour, lw=1)
        threshold.axhline(tau, color=colour, lw=0.9, linestyle=":")
    plane.axvline(0, color=style.INK, lw=1)
    plane.set(xlabel=_RE, ylabel=_IM)
    lowest = max(-min(float(np.asarray(values).real.min()) for _, values in spectra), 0.0)
    if lowest > 1e-6:  # near the axis, where the pairs cross it
        plane.set(xlim=(-3 * lowest, 7 * lowest), ylim=(-8 * lowest, 8 * lowest))
    plane.set_title(rf"spectrum, $\mu = {chosen[0]:g}$, $\tau^* = {chosen[1]:.4g}$")
    along.set(xlabel="iteration", title=r"runs from nearby: $|g|$")
    along.locator_params(axis="x", nbins=4)
    style.legend(figure, style.tau_keys([rf"$\tau = {tau:g}$" for tau, _ in spectra]))
    return figure
