"""Pictures of the spectrum of J_tau and of stability along tau."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from taugda.plots.style import EIGENVALUES, GREY, INK, KINDS, figure_of, styled

# Pictures are drawn from what they are given; loading the mathematics here takes a second.
if TYPE_CHECKING:
    from taugda.stability import Interval, Spectrum

__all__ = [
    "abscissae",
    "spectra",
    "spectrum_frames",
    "spectrum_panels",
    "stability_map",
]


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

    Yields
    ------
    matplotlib.figure.Figure
    """
    for tau in taus:
        at = int(np.abs(spectrum.taus - tau).argmin())
        yield _spectrum_frame(spectrum, at, dict(marks or {}))


@styled
def _spectrum_frame(spectrum: Spectrum, at: int, marks: Mapping[str, float]) -> Figure:
    figure, axes = figure_of(2, 3.4, width=7.4)
    plane, real = axes[0]
    taus, values = spectrum.taus, spectrum.eigenvalues
    reach = 1.06 * np.abs([values.real.min(), values.real.max(), values.imag.max()])
    plane.set_xlim(-reach[0], reach[1])
    plane.set_ylim(-max(reach[2], 1e-9), max(reach[2], 1e-9))
    plane.axvspan(0, reach[1], color="#009e73", alpha=0.10, lw=0)
    plane.axvline(0, color=INK, lw=1)
    real.axhspan(0, reach[1], color="#009e73", alpha=0.10, lw=0)
    real.axhline(0, color=INK, lw=1)
    for i in range(values.shape[1]):
        colour = EIGENVALUES[i % 4]
        plane.plot(values[:, i].real, values[:, i].imag, color=colour, lw=1, alpha=0.35)
        real.plot(taus, values[:, i].real, color=colour, lw=1, alpha=0.35)
        real.plot(taus[: at + 1], values[: at + 1, i].real, color=colour)
        for axis, x, y in (
            (plane, values[at, i].real, values[at, i].imag),
            (real, taus[at], values[at, i].real),
        ):
            axis.plot(
                x, y, "o", color=colour, markersize=8, markeredgecolor=INK, zorder=5, clip_on=False
            )
    for text, tau in marks.items():
        real.axvline(tau, color=GREY, lw=1, linestyle=":")
        real.annotate(
            text, (tau, 1), xycoords=("data", "axes fraction"), xytext=(3, -2),
            textcoords="offset points", va="top", fontsize=10, color=INK,
        )  # fmt: skip
    real.set_xlim(taus[0], taus[-1])
    real.set_ylim(-reach[0], reach[1])
    plane.set_xlabel(r"$\mathrm{Re}\,\lambda$")
    plane.set_ylabel(r"$\mathrm{Im}\,\lambda$")
    real.set_xlabel(r"$\tau$")
    real.set_ylabel(r"$\mathrm{Re}\,\lambda$")
    slowest = spectrum.abscissa[at] / np.abs(values[at]).max()
    verdict = "on the axis" if abs(slowest) < 1e-9 else "stable" if slowest > 0 else "not stable"
    plane.set_title(rf"$\tau = {taus[at]:.2f}$: {verdict}", loc="left")
    real.set_title("shaded: the stable side", loc="left")
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
