"""Pictures in the plane of the coordinates: trajectories, flows, basins, the cost's surface."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from taugda.checks import Array
from taugda.plots import style

if TYPE_CHECKING:
    import sympy as sp

    from taugda.equilibria import CriticalPoint
    from taugda.games import Game

# Fills of basins: hues whose lightness differs too, so that they differ in grey.
_BASINS = "#5b93c7 #f4b56a #f3d9ea #b9dcc9 #2f5d62 #e07a5f #fff3b0 #8d6a9f".split()
_SPEED = LinearSegmentedColormap.from_list("speed", ["#cfcfcf", "#1b1b1b"])
_COST = LinearSegmentedColormap.from_list("cost", ["#a9b8c9", "#f6f8fa"])  # below other lines
_START = {"marker": "o", "color": style.PALE, "markeredgecolor": style.INK}
_END = {"marker": "s", "markersize": 11, "markerfacecolor": "none", "markeredgewidth": 1.4}


@style.styled
def trajectories(
    game: Game,
    paths: ArrayLike,
    labels: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    points: Sequence[CriticalPoint] = (),
    titles: Sequence[str] | None = None,
    cost: bool = False,
) -> Figure:
    """Draw trajectories in planes of two coordinates.

    Parameters
    ----------
    game : Game
    paths : array_like, shape (k, iterations + 1, n1 + n2)
        From :func:`taugda.dynamics.simulate`, in the order of ``labels``.  With one axis more
        in front, every panel shows runs of its own.
    labels, titles : sequence of str
        One a trajectory, and one a panel.
    pairs : sequence of (int, int)
        The coordinates of each panel, horizontal first.
    points : sequence of CriticalPoint
        Points to mark.
    cost : bool
        Whether the level sets of f are drawn below, with their scale; for n1 = n2 = 1.
    """
    paths = np.asarray(paths)
    shown = paths if paths.ndim == 4 else [paths] * len(pairs)
    width = style.WIDTH if len(pairs) > 1 else 0.8 * style.WIDTH
    figure, axes = style.panels(len(pairs), 3.6, width=width)
    for panel, (axis, pair) in enumerate(zip(axes, map(list, pairs), strict=True)):
        runs = shown[panel][..., pair]
        for run, look in zip(runs, style.looks(len(labels)), strict=True):
            axis.plot(*run.T, markersize=4.5, markevery=_apart(run), **look)
        axis.plot(*runs[0, 0], "o", color=style.INK, markersize=7, zorder=5)
        for point in points:
            style.mark(axis, *np.asarray(point.x)[pair], point.kind)
        x, y = (_coordinate(game.variables[i]) for i in pair)
        axis.set(xlabel=x, ylabel=y, title="" if titles is None else titles[panel])
        if cost:
            grid, f = _cost(game, [axis.get_xlim(), axis.get_ylim()])
            _levels(axis, *grid, f, "$f$", cmap=_COST, zorder=0)
    kinds = style.kind_keys(["start", *(point.kind for point in points)])
    style.legend(figure, [*style.order_keys(labels), *kinds])
    return figure


def _apart(run: Array) -> list[int]:
    """Return where a trajectory gets its markers: apart from each other, and not on every turn."""
    run = run[(np.abs(run) < 1e100).all(axis=1)]  # the beginning of one that diverges
    steps = np.linalg.norm(np.diff(run, axis=0) / np.ptp(run, axis=0).clip(1e-300), axis=1)
    way = np.cumsum(np.append(0.0, steps))
    return np.unique(np.searchsorted(way, np.arange(0.3, min(way[-1], 4.0), 0.55))).tolist()


def _cost(game: Game, bounds: ArrayLike) -> tuple[Array, Array]:
    """Return the grid x, y of a box, and the cost on it."""
    grid = np.stack(np.meshgrid(*np.linspace(*_plane(game, bounds).T, 121).T))
    return grid, game.f(np.moveaxis(grid, 0, -1))


def _levels(axis: Axes, x: Array, y: Array, f: Array, name: str, **look: object) -> None:
    """Draw level sets with a scale."""
    shades = axis.contourf(x, y, f, levels=14, **look)
    axis.figure.colorbar(shades, ax=axis, shrink=0.8, label=name)
    axis.grid(False)


def _coordinate(symbol: sp.Symbol) -> str:
    """Return a coordinate's name as math text."""
    from sympy import latex

    return f"${latex(symbol)}$"


def _plane(game: Game, bounds: ArrayLike) -> Array:
    if (game.n1, game.n2) != (1, 1):
        raise ValueError(f"game: expected a game with n1 = n2 = 1, got {game!r}")
    return np.asarray(bounds, dtype=np.float64)


@style.styled
def flows(
    game: Game,
    taus: Sequence[float],
    bounds: ArrayLike,
    points: Sequence[CriticalPoint] = (),
    *,
    paths: Sequence[ArrayLike] = (),
    basins: ArrayLike | None = None,
    titles: Sequence[str] | None = None,
    games: Sequence[Game] | None = None,
    arrows: bool = False,
) -> Figure:
    """Draw the flow of -Lambda_tau g, a panel a tau, with trajectories or regions of attraction.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1.
    taus : sequence of float
    bounds : array_like, shape (2, 2)
        ((low, high) of x1, (low, high) of x2).
    points : sequence of CriticalPoint
        Marked with their periodic copies, those inside; with basins, the attractors.
    paths : sequence of array_like, shape (m, iterations + 1, 2) each
        For each tau the trajectories to draw over the flow, the first solid, others dashed.
    basins : array_like of int, shape (len(taus), k, k), optional
        For each tau which of the points each start of a grid reaches, -1 for none, as
        :func:`taugda.dynamics.region_of_attraction` tells it.
    titles, games : sequence of str or Game, optional
        One a panel; tau = ... and the same game if left out.
    arrows : bool
        Arrows of one length in place of streamlines, which jump from frame to frame.
    """
    box = _plane(game, bounds)
    colours = [_BASINS[k % len(_BASINS)] for k in range(len(points))]
    fill = {"cmap": ListedColormap(["#ffffff", *colours]), "rasterized": True, "zorder": 0}
    across = min(style.WIDTH, 3.6 * len(taus))
    figure, axes = style.panels(len(taus), across / len(taus) + 0.7, width=across, sharey=True)
    for k, (axis, tau) in enumerate(zip(axes, taus, strict=True)):
        played = games[k] if games else game
        _flow(axis, played, tau, box, arrows, basins is None)
        if basins is not None:
            x, y = np.linspace(*box.T, len(basins[k])).T
            axis.pcolormesh(x, y, basins[k], vmin=-1.5, vmax=len(colours) - 0.5, **fill)
        for m, path in enumerate(paths[k] if len(paths) else []):
            _run(axis, played, path, style.tau_colours(len(taus))[k], m)
        for point, colour in zip(points, colours, strict=True):
            look = {} if basins is None else {"color": colour, "markeredgewidth": 1.4}
            for copy in _copies(game, point.x, box):
                style.mark(axis, *copy, point.kind, **look)
        _frame(axis, played, box, titles[k] if titles else rf"$\tau = {tau:g}$")
    axes[0].set_ylabel(_coordinate(game.variables[1]))
    keys = style.kind_keys([point.kind for point in points if _copies(game, point.x, box)])
    if len(paths):
        keys += [style.key("start", **_START), style.key("end", **_END)]
    if any(len(runs) > 1 for runs in paths):
        keys += [style.key("first run"), style.key("second run", linestyle=style.DASHES)]
    if basins is not None:
        named = [f"{style.kind_name(p.kind)} {style.place(p.x)}" for p in points]
        pairs = [*zip(colours, named, strict=True), ("#ffffff", "reaches none of them")]
        keys = [Patch(fc=colour, ec=style.INK, label=text) for colour, text in pairs]
    style.legend(figure, keys)
    return figure


def _flow(axis: Axes, game: Game, tau: float, box: Array, arrows: bool, by_speed: bool) -> None:
    """Draw streamlines, darker where the flow is faster if asked, or arrows."""
    x, y = np.linspace(*box.T, 19 if arrows else 60).T
    g = game.gradient(np.stack(np.meshgrid(x, y), axis=-1))
    u, v = -g[..., 0], -tau * g[..., 1]
    speed = np.hypot(u, v)
    if arrows:
        unit = [(part / np.maximum(speed, 1e-12))[1:-1, 1:-1] for part in (u, v)]
        look = {"scale": 32, "width": 0.003, "headwidth": 4, "color": "#3c3c3c"}
        axis.quiver(x[1:-1], y[1:-1], *unit, pivot="mid", **look)
    elif by_speed:
        shade = np.sqrt(speed / speed.max())
        axis.streamplot(x, y, u, v, color=shade, cmap=_SPEED, linewidth=0.8, arrowsize=0.7)
    else:
        axis.streamplot(x, y, u, v, color=style.INK, density=0.9, linewidth=0.6, arrowsize=0.6)


def _run(axis: Axes, game: Game, path: ArrayLike, colour: Any, number: int) -> None:
    """Draw a trajectory, cut at periodic seams, from its dot to a frame that hides nothing."""
    path = np.asarray(path, dtype=np.float64)
    thin = np.append(path[: -1 : max(1, len(path) // 20_000)], path[-1:], axis=0)
    line = game.wrap(thin)
    jumps = np.abs(np.diff(line - thin, axis=0)).max(axis=1) > 1e-6
    line = np.insert(line, np.flatnonzero(jumps) + 1, np.nan, axis=0)
    look = {"color": colour, "lw": 2.4, "markeredgecolor": style.INK, "zorder": 5}
    axis.plot(*line.T, linestyle=style.DASHES if number else "-", color=colour, lw=2.4)
    axis.plot(*line[0], "o", markersize=6, **look)
    axis.plot(*line[-1], **{**look, **_END})


def _frame(axis: Axes, game: Game, box: Array, title: str) -> None:
    aspect = "equal" if np.isclose(*np.ptp(box, axis=1)) else "auto"
    axis.set(xlim=box[0], ylim=box[1], aspect=aspect, title=title)
    axis.set_xlabel(_coordinate(game.variables[0]))
    axis.grid(False)
    for k, set_ticks in ((0, axis.set_xticks), (1, axis.set_yticks)):
        if game.periods[k] is not None and np.allclose(box[k], (-np.pi, np.pi)):
            set_ticks([-np.pi, 0, np.pi], [r"$-\pi$", "0", r"$\pi$"])


def _copies(game: Game, x: Array, box: Array) -> list[Array]:
    """Return a point and its periodic copies inside the box, the seam included."""
    moves = [(0.0,) if p is None else (0.0, -float(p), float(p)) for p in game.periods]
    copies = [x + move for move in product(*moves)]
    low, high = box[:, 0] - 1e-9, box[:, 1] + 1e-9
    return [copy for copy in copies if ((low <= copy) & (copy <= high)).all()]


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
    grid, f = _cost(game, bounds)
    height, name = (-f, "$-f$") if f.max() <= 0 else (f, "$f$")
    figure = Figure(figsize=(style.WIDTH, 4.2), layout="constrained")
    solid = figure.add_subplot(1, 2, 1, projection="3d")
    level = figure.add_subplot(1, 2, 2)
    look = {"rstride": 4, "cstride": 4, "linewidth": 0.2, "edgecolor": "#ffffff40"}
    solid.plot_surface(*grid, height, cmap="cividis", rasterized=True, **look)
    solid.set_zlabel(name)
    solid.view_init(elev=32, azim=-125)
    solid.set_box_aspect(None, zoom=0.85)  # its labels reach beyond its panel
    _levels(level, *grid, height, name, cmap="cividis")
    for point in points:
        style.mark(level, *point.x, point.kind)
    x, y = map(_coordinate, game.variables)
    for axis in (solid, level):
        axis.set(xlabel=x, ylabel=y)
    level.set_aspect("equal")
    style.legend(figure, style.kind_keys([p.kind for p in points]))
    return figure
