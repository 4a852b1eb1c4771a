"""Pictures in the plane of the coordinates: trajectories, flows, basins, the cost's surface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from taugda.plots import style

# Pictures are drawn from what they are given; loading the mathematics here takes a second.
if TYPE_CHECKING:
    import sympy as sp

    from taugda.equilibria import CriticalPoint
    from taugda.games import Game

Array = NDArray[np.float64]

# Fills of basins: hues whose lightness differs too, so that they differ in grey.
_BASINS = (
    "#5b93c7", "#f4b56a", "#f3d9ea", "#b9dcc9",
    "#2f5d62", "#e07a5f", "#fff3b0", "#8d6a9f",
)  # fmt: skip
_SPEED = LinearSegmentedColormap.from_list("speed", ["#cfcfcf", "#1b1b1b"])


@style.styled
def trajectories(
    game: Game,
    paths: ArrayLike,
    labels: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    points: Sequence[tuple[ArrayLike, str]] = (),
    titles: Sequence[str] | None = None,
) -> Figure:
    """Draw trajectories in planes of two coordinates.

    Parameters
    ----------
    game : Game
    paths : array_like, shape (k, iterations + 1, n1 + n2)
        From :func:`taugda.dynamics.simulate`, in the order of ``labels``.  With one axis more
        in front, every panel shows runs of its own.
    labels : sequence of str
        One a trajectory.
    pairs : sequence of (int, int)
        The coordinates of each panel, horizontal first.
    points : sequence of (array_like, kind)
        Points to mark, with their kind ("DNE", "DSE", "neither", ...).
    titles : sequence of str, optional
        One a panel.
    """
    paths = np.asarray(paths)
    panels = paths if paths.ndim == 4 else [paths] * len(pairs)
    width = style.WIDTH if len(pairs) > 1 else 0.65 * style.WIDTH
    figure, axes = style.figure_of(len(pairs), 3.6, width=width)
    for panel, (axis, pair) in enumerate(zip(axes[0], map(list, pairs), strict=True)):
        runs = panels[panel][..., pair]
        for run, colour in zip(runs, style.tau_colours(len(labels)), strict=True):
            axis.plot(*run.T, color=colour)
        axis.plot(*runs[0, 0], "o", color=style.INK, markersize=6, zorder=5)
        for point, kind in points:
            style.mark(axis, *np.asarray(point)[pair], kind)
        x, y = (_coordinate(game.variables[i]) for i in pair)
        axis.set(xlabel=x, ylabel=y, title="" if titles is None else titles[panel])
    keys = [*style.tau_keys(labels), *style.kind_keys(["start", *(kind for _, kind in points)])]
    style.legend(figure, keys, 8 if len(pairs) > 1 else 4)
    return figure


def _field(game: Game, tau: float, box: Array, density: int = 60) -> tuple[Array, ...]:
    x, y = (np.linspace(*side, density) for side in box)
    g = game.gradient(np.stack(np.meshgrid(x, y), axis=-1))
    return x, y, -g[..., 0], -tau * g[..., 1]


def _coordinate(symbol: sp.Symbol) -> str:
    """Return a coordinate's name as math text."""
    from sympy import latex

    return f"${latex(symbol)}$"


def _plane(game: Game, bounds: ArrayLike) -> Array:
    if (game.n1, game.n2) != (1, 1):
        raise ValueError(f"game: expected a game with n1 = n2 = 1, got {game!r}")
    return np.asarray(bounds, dtype=np.float64)


@style.styled
def vector_fields(
    game: Game,
    taus: Sequence[float],
    bounds: ArrayLike,
    paths: Sequence[ArrayLike] | None = None,
    points: Sequence[tuple[ArrayLike, str]] = (),
    titles: Sequence[str] | None = None,
    games: Sequence[Game] | None = None,
) -> Figure:
    """Draw the flow of -Lambda_tau g, a panel a tau, darker where it is faster.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1.
    taus : sequence of float
    bounds : array_like, shape (2, 2)
        ((low, high) of x1, (low, high) of x2).
    paths : sequence of array_like, shape (m, iterations + 1, 2) each, optional
        For each tau the trajectories to draw over its field.
    points : sequence of (array_like, kind)
        Points to mark in every panel.
    titles : sequence of str, optional
        One a panel; tau = ... if left out.
    games : sequence of Game, optional
        One a panel, where the panels differ in a parameter of the game.
    """
    box = _plane(game, bounds)
    figure, axes = style.figure_of(len(taus), style.WIDTH / len(taus) + 0.8, sharey=True)
    panels = zip(axes[0], games or [game] * len(taus), style.tau_colours(len(taus)), strict=True)
    for k, (axis, played, colour) in enumerate(panels):
        x, y, u, v = _field(played, taus[k], box)
        speed = np.hypot(u, v)
        shade = np.sqrt(speed / speed.max())
        axis.streamplot(x, y, u, v, color=shade, cmap=_SPEED, linewidth=0.8, arrowsize=0.7)
        look = {"color": colour, "markeredgecolor": style.INK, "zorder": 6}
        for m, path in enumerate([] if paths is None else np.asarray(paths[k])):
            line = _wrapped(played, path)
            axis.plot(*line.T, color=colour, lw=2.6, alpha=1.0 if m == 0 else 0.55)
            axis.plot(*line[0], "o", markersize=6, **look)
            axis.plot(*line[-1], "s", markersize=5.5, **look)
        for point, kind in points:
            style.mark(axis, *np.asarray(point), kind)
        _frame(axis, played, box, titles[k] if titles else rf"$\tau = {taus[k]:g}$")
    axes[0, 0].set_ylabel(_coordinate(game.variables[1]))
    keys = style.kind_keys([kind for _, kind in points])
    if paths is not None:
        look = {"color": style.PALE, "markeredgecolor": style.INK}
        keys += [style.key("start", marker="o", **look), style.key("end", marker="s", **look)]
    if keys:
        style.legend(figure, keys)
    return figure


def _wrapped(game: Game, path: ArrayLike) -> Array:
    """Wrap a path and cut it where it crosses a periodic seam."""
    path = np.asarray(path, dtype=np.float64)
    thin = np.append(path[: -1 : max(1, len(path) // 20_000)], path[-1:], axis=0)
    line = game.wrap(thin)
    jumps = np.abs(np.diff(line - thin, axis=0)).max(axis=1) > 1e-6
    return np.insert(line, np.flatnonzero(jumps) + 1, np.nan, axis=0)


def _frame(axis: Axes, game: Game, box: Array, title: str) -> None:
    aspect = "equal" if np.isclose(*np.ptp(box, axis=1)) else "auto"
    axis.set(xlim=box[0], ylim=box[1], aspect=aspect, title=title)
    axis.set_xlabel(_coordinate(game.variables[0]))
    axis.grid(False)
    for k, set_ticks in ((0, axis.set_xticks), (1, axis.set_yticks)):
        if game.periods[k] is not None and np.allclose(box[k], (-np.pi, np.pi)):
            set_ticks([-np.pi, 0, np.pi], [r"$-\pi$", "0", r"$\pi$"])


@style.styled
def regions(
    game: Game,
    labels: ArrayLike,
    taus: Sequence[float],
    bounds: ArrayLike,
    attractors: Sequence[CriticalPoint],
    titles: Sequence[str] | None = None,
) -> Figure:
    """Draw regions of attraction, a panel a tau, over the flow.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1.
    labels : array_like of int, shape (len(taus), points, points)
        From :func:`taugda.dynamics.region_of_attraction`.
    taus : sequence of float
    bounds : array_like, shape (2, 2)
    attractors : sequence of CriticalPoint
        In the order of the labels.
    titles : sequence of str, optional
        One a panel; tau = ... if left out.
    """
    box = _plane(game, bounds)
    figure, axes = style.figure_of(len(taus), min(style.WIDTH / len(taus) + 0.8, 4.2), sharey=True)
    for k, (axis, tau, image) in enumerate(zip(axes[0], taus, np.asarray(labels), strict=True)):
        flow = _field(game, tau, box)
        axis.streamplot(*flow, color=style.INK, density=0.9, linewidth=0.6, arrowsize=0.6)
        title = titles[k] if titles else rf"$\tau = {tau:g}$"
        _basins(axis, game, image, box, attractors, title)
    axes[0, 0].set_ylabel(_coordinate(game.variables[1]))
    style.legend(figure, _basin_keys(attractors), 5)
    return figure


def region_frames(
    game: Game,
    labels: ArrayLike,
    taus: Sequence[float],
    bounds: ArrayLike,
    attractors: Sequence[CriticalPoint],
) -> Iterator[Figure]:
    """Draw regions of attraction, a frame a tau, with arrows along the flow.

    Parameters
    ----------
    game, labels, taus, bounds, attractors
        As for :func:`regions`.
    """
    box = _plane(game, bounds)
    for tau, image in zip(taus, np.asarray(labels), strict=True):
        yield _region_frame(game, image, tau, box, attractors)


@style.styled
def _region_frame(
    game: Game, image: Array, tau: float, box: Array, attractors: Sequence[CriticalPoint]
) -> Figure:
    figure, axes = style.figure_of(1, 4.9, width=5.4)
    axis = axes[0, 0]
    x, y, u, v = _field(game, tau, box, density=19)
    length = np.maximum(np.hypot(u, v), 1e-12)
    arrows = [part[1:-1, 1:-1] for part in (u / length, v / length)]
    look = {"scale": 32, "width": 0.003, "headwidth": 4, "color": "#3c3c3c"}
    axis.quiver(x[1:-1], y[1:-1], *arrows, pivot="mid", **look)
    _basins(axis, game, image, box, attractors, rf"$\tau = {tau:.2f}$")
    axis.set_ylabel(_coordinate(game.variables[1]))
    figure.legend(handles=_basin_keys(attractors), loc="outside lower center", ncols=2)
    return figure


def _basin_colours(count: int) -> list[str]:
    return [_BASINS[k % len(_BASINS)] for k in range(count)]


def _basins(
    axis: Axes, game: Game, image: Array, box: Array, points: Sequence[CriticalPoint], title: str
) -> None:
    """Draw basins below what is there, and the points that attract."""
    colours = _basin_colours(len(points))
    x, y = (np.linspace(*side, n) for side, n in zip(box, image.shape[::-1], strict=True))
    axis.pcolormesh(
        x, y, image, cmap=ListedColormap(["#ffffff", *colours]), vmin=-1.5,
        vmax=len(colours) - 0.5, rasterized=True, zorder=0,
    )  # fmt: skip
    for point, colour in zip(points, colours, strict=True):
        marker = style.KINDS[point.kind][0]
        look = {"markeredgecolor": style.INK, "markeredgewidth": 1.4, "zorder": 5}
        for copy in _copies(game, point.x, box):
            size = 15 if marker == "*" else 9
            axis.plot(*copy, marker, color=colour, markersize=size, clip_on=False, **look)
    _frame(axis, game, box, title)


def _basin_keys(attractors: Sequence[CriticalPoint]) -> list[Patch]:
    pairs = zip(attractors, _basin_colours(len(attractors)), strict=True)
    named = [(colour, f"{style.kind_name(p.kind)} {_place(p.x)}") for p, colour in pairs]
    named.append(("#ffffff", "reaches none of them"))
    return [Patch(facecolor=colour, edgecolor=style.INK, label=text) for colour, text in named]


def _place(x: Array) -> str:
    special = {r"$\pi$": np.pi, r"$-\pi$": -np.pi}
    names = [next((n for n, v in special.items() if np.isclose(c, v)), f"{c:.4g}") for c in x]
    return f"({', '.join(names)})"


def _copies(game: Game, x: Array, box: Array) -> list[Array]:
    """Return a point and its periodic copies inside the box, the seam included."""
    found = [x]
    for i, period in enumerate(game.periods):
        if period is not None:
            move = np.eye(len(x))[i] * float(period)
            found += [y + s * move for y in found for s in (-1, 1)]
    slack = 1e-9
    return [y for y in found if (y >= box[:, 0] - slack).all() and (y <= box[:, 1] + slack).all()]


@style.styled
def surface(game: Game, bounds: ArrayLike, points: Sequence[CriticalPoint]) -> Figure:
    """Draw the cost as a surface over its level sets, with the critical points.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1 and a cost f; -f is drawn upward where f is nowhere positive.
    bounds : array_like, shape (2, 2)
    points : sequence of CriticalPoint
    """
    box = _plane(game, bounds)
    grid = np.meshgrid(*(np.linspace(*side, 121) for side in box))
    cost = game.f(np.stack(grid, axis=-1))
    sign, name = (-1.0, "$-f$") if cost.max() <= 0 else (1.0, "$f$")
    figure = Figure(figsize=(style.WIDTH, 4.6), layout="constrained")
    solid = figure.add_subplot(1, 2, 1, projection="3d")
    level = figure.add_subplot(1, 2, 2)
    look = {"rstride": 4, "cstride": 4, "linewidth": 0.2, "edgecolor": "#ffffff40"}
    solid.plot_surface(*grid, sign * cost, cmap="cividis", rasterized=True, **look)
    solid.set_zlabel(name)
    solid.view_init(elev=32, azim=-125)
    shades = level.contourf(*grid, sign * cost, levels=14, cmap="cividis")
    figure.colorbar(shades, ax=level, shrink=0.8, label=name)
    for point in points:
        style.mark(level, *point.x, point.kind)
    x, y = map(_coordinate, game.variables)
    for axis in (solid, level):
        axis.set(xlabel=x, ylabel=y)
    level.set_aspect("equal")
    level.grid(False)
    style.legend(figure, style.kind_keys([p.kind for p in points]), 4)
    return figure
