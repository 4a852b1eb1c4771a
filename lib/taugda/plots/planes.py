"""Pictures in the plane of the coordinates: trajectories, flows, basins, the cost's surface."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from taugda.plots.style import (
    BASINS,
    INK,
    KINDS,
    PALE,
    WIDTH,
    figure_of,
    kind_handles,
    mark,
    styled,
    tau_colours,
)

# Pictures are drawn from what they are given; loading the mathematics here takes a second.
if TYPE_CHECKING:
    import sympy as sp

    from taugda.equilibria import CriticalPoint
    from taugda.games import Game

__all__ = ["region_frames", "regions", "surface", "trajectories", "vector_fields"]

Array = NDArray[np.float64]


@styled
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

    Returns
    -------
    matplotlib.figure.Figure
    """
    paths = np.asarray(paths)
    panels = paths if paths.ndim == 4 else np.broadcast_to(paths, (len(pairs), *paths.shape))
    paths = panels[0]
    width = WIDTH if len(pairs) > 1 else 0.65 * WIDTH
    figure, axes = figure_of(len(pairs), 3.6, width=width)
    for panel, (axis, (i, j)) in enumerate(zip(axes[0], pairs, strict=True)):
        for path, colour in zip(panels[panel], tau_colours(len(paths)), strict=True):
            axis.plot(path[:, i], path[:, j], color=colour)
        start = panels[panel, 0, 0]
        axis.plot(start[i], start[j], "o", color=INK, markersize=6, zorder=5)
        if titles is not None:
            axis.set_title(titles[panel])
        for point, kind in points:
            mark(axis, np.asarray(point)[i], np.asarray(point)[j], kind)
        axis.set_xlabel(_coordinate(game.variables[i]))
        axis.set_ylabel(_coordinate(game.variables[j]))
    handles = [
        Line2D([], [], color=c, label=text)
        for c, text in zip(tau_colours(len(paths)), labels, strict=True)
    ]
    handles += kind_handles(["start", *(kind for _, kind in points)])
    columns = min(len(handles), 8 if len(pairs) > 1 else 4)
    figure.legend(handles=handles, loc="outside upper center", ncols=columns)
    return figure


def _field(game: Game, tau: float, box: Array, density: int = 60) -> tuple[Array, ...]:
    x = np.linspace(*box[0], density)
    y = np.linspace(*box[1], density)
    g = game.gradient(np.stack(np.meshgrid(x, y), axis=-1))
    return x, y, -g[..., 0], -tau * g[..., 1]


def _coordinate(symbol: sp.Symbol) -> str:
    """Return a coordinate's name as math text."""
    from sympy import latex

    return f"${latex(symbol)}$"


def _plane(game: Game, name: str, bounds: ArrayLike) -> Array:
    if (game.n1, game.n2) != (1, 1):
        raise ValueError(f"{name}: expected a game with n1 = n2 = 1, got {game!r}")
    return np.asarray(bounds, dtype=np.float64)


@styled
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

    Returns
    -------
    matplotlib.figure.Figure
    """
    box = _plane(game, "game", bounds)
    figure, axes = figure_of(len(taus), WIDTH / len(taus) + 0.8, sharey=True)
    colours = tau_colours(len(taus))
    for k, (axis, tau) in enumerate(zip(axes[0], taus, strict=True)):
        panel_game = game if games is None else games[k]
        x, y, u, v = _field(panel_game, tau, box)
        speed = np.hypot(u, v)
        shade = np.sqrt(speed / speed.max())
        axis.streamplot(
            x, y, u, v, color=shade, cmap=_greys(), density=1.0, linewidth=0.8, arrowsize=0.7
        )
        for m, path in enumerate([] if paths is None else np.asarray(paths[k])):
            line = _wrapped(panel_game, path)
            axis.plot(*line.T, color=colours[k], lw=2.6, alpha=1.0 if m == 0 else 0.55)
            start, end = panel_game.wrap(path[0]), panel_game.wrap(path[-1])
            axis.plot(*start, "o", color=colours[k], markeredgecolor=INK, markersize=6, zorder=6)
            axis.plot(*end, "s", color=colours[k], markeredgecolor=INK, markersize=5.5, zorder=6)
        for point, kind in points:
            mark(axis, *np.asarray(point), kind)
        _frame(axis, panel_game, box, rf"$\tau = {tau:g}$" if titles is None else titles[k])
    axes[0, 0].set_ylabel(_coordinate(game.variables[1]))
    handles = kind_handles([kind for _, kind in points])
    if paths is not None:
        handles += [
            Line2D([], [], linestyle="none", marker=m, color=PALE, markeredgecolor=INK, label=text)
            for m, text in (("o", "start"), ("s", "end"))
        ]
    if handles:
        figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
    return figure


def _greys() -> LinearSegmentedColormap:
    return LinearSegmentedColormap.from_list("speed", ["#cfcfcf", "#1b1b1b"])


def _wrapped(game: Game, path: ArrayLike) -> Array:
    """Wrap a path and cut it where it crosses a periodic seam."""
    path = np.asarray(path, dtype=np.float64)
    thin = path[:: max(1, len(path) // 20_000)]
    line = game.wrap(thin)
    jumps = np.abs(np.diff(line - thin, axis=0)).max(axis=1) > 1e-6
    return np.insert(line, np.flatnonzero(jumps) + 1, np.nan, axis=0)


def _frame(axis: Axes, game: Game, box: Array, title: str) -> None:
    axis.set_xlim(*box[0])
    axis.set_ylim(*box[1])
    axis.set_aspect("equal" if np.isclose(*np.ptp(box, axis=1)) else "auto")
    axis.set_title(title)
    axis.set_xlabel(_coordinate(game.variables[0]))
    axis.grid(False)
    for k, set_ticks in ((0, axis.set_xticks), (1, axis.set_yticks)):
        if game.periods[k] is not None and np.allclose(box[k], (-np.pi, np.pi)):
            set_ticks([-np.pi, 0, np.pi], [r"$-\pi$", "0", r"$\pi$"])


@styled
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

    Returns
    -------
    matplotlib.figure.Figure
    """
    box = _plane(game, "game", bounds)
    figure, axes = figure_of(len(taus), min(WIDTH / len(taus) + 0.8, 4.2), sharey=True)
    colours = _basin_colours(len(attractors))
    images = np.asarray(labels)
    for panel, (axis, tau, image) in enumerate(zip(axes[0], taus, images, strict=True)):
        _basins(axis, image, box, colours)
        axis.streamplot(
            *_field(game, tau, box), color=INK, density=0.9, linewidth=0.6, arrowsize=0.6
        )
        _attractors(axis, game, attractors, box)
        _frame(axis, game, box, rf"$\tau = {tau:g}$" if titles is None else titles[panel])
    axes[0, 0].set_ylabel(_coordinate(game.variables[1]))
    handles = _basin_handles(attractors)
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))
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
    game : Game
        With n1 = n2 = 1.
    labels : array_like of int, shape (len(taus), points, points)
        From :func:`taugda.dynamics.region_of_attraction`.
    taus : sequence of float
    bounds : array_like, shape (2, 2)
    attractors : sequence of CriticalPoint
        In the order of the labels.

    Yields
    ------
    matplotlib.figure.Figure
    """
    box = _plane(game, "game", bounds)
    for tau, image in zip(taus, np.asarray(labels), strict=True):
        yield _region_frame(game, image, tau, box, attractors)


@styled
def _region_frame(
    game: Game, image: Array, tau: float, box: Array, attractors: Sequence[CriticalPoint]
) -> Figure:
    figure, axes = figure_of(1, 4.9, width=5.4)
    axis = axes[0, 0]
    _basins(axis, image, box, _basin_colours(len(attractors)))
    x, y, u, v = _field(game, tau, box, density=19)
    length = np.maximum(np.hypot(u, v), 1e-12)
    axis.quiver(
        x[1:-1], y[1:-1], (u / length)[1:-1, 1:-1], (v / length)[1:-1, 1:-1],
        pivot="mid", color="#3c3c3c", scale=32, width=0.003, headwidth=4,
    )  # fmt: skip
    _attractors(axis, game, attractors, box)
    _frame(axis, game, box, rf"$\tau = {tau:.2f}$")
    axis.set_ylabel(_coordinate(game.variables[1]))
    handles = _basin_handles(attractors)
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _basin_colours(count: int) -> ListedColormap:
    return ListedColormap(["#ffffff", *BASINS[:count]])


def _basins(axis: Axes, image: Array, box: Array, colours: ListedColormap) -> None:
    x, y = (np.linspace(*side, n) for side, n in zip(box, image.shape[::-1], strict=True))
    axis.pcolormesh(x, y, image, cmap=colours, vmin=-1.5, vmax=colours.N - 1.5, rasterized=True)


def _attractors(axis: Axes, game: Game, attractors: Sequence[CriticalPoint], box: Array) -> None:
    for k, attractor in enumerate(attractors):
        marker = KINDS[attractor.kind][0]
        for copy in _copies(game, attractor.x, box):
            axis.plot(
                *copy, marker, color=BASINS[k], markeredgecolor=INK, markeredgewidth=1.4,
                markersize=15 if marker == "*" else 9, zorder=5, clip_on=False,
            )  # fmt: skip


def _basin_handles(attractors: Sequence[CriticalPoint]) -> list[Any]:
    names = {"neither": "no equilibrium"}
    handles: list[Any] = [
        Patch(
            facecolor=BASINS[k],
            edgecolor=INK,
            label=f"{names.get(p.kind, p.kind)} {_place(p.x)}",
        )
        for k, p in enumerate(attractors)
    ]
    return [*handles, Patch(facecolor="#ffffff", edgecolor=INK, label="reaches none of them")]


def _place(x: Array) -> str:
    names = [
        r"$\pi$" if np.isclose(c, np.pi) else r"$-\pi$" if np.isclose(c, -np.pi) else f"{c:.4g}"
        for c in x
    ]
    return "(" + ", ".join(names) + ")"


def _copies(game: Game, x: Array, box: Array) -> list[Array]:
    """Return a point and its periodic copies inside the box, the seam included."""
    found = [x]
    for i, period in enumerate(game.periods):
        if period is not None:
            move = np.eye(len(x))[i] * float(period)
            found += [y + s * move for y in found for s in (-1, 1)]
    slack = 1e-9
    return [y for y in found if (y >= box[:, 0] - slack).all() and (y <= box[:, 1] + slack).all()]


@styled
def surface(game: Game, bounds: ArrayLike, points: Sequence[CriticalPoint]) -> Figure:
    """Draw the cost as a surface over its level sets, with the critical points.

    Parameters
    ----------
    game : Game
        With n1 = n2 = 1 and a cost f; -f is drawn upward where f is nowhere positive.
    bounds : array_like, shape (2, 2)
    points : sequence of CriticalPoint

    Returns
    -------
    matplotlib.figure.Figure
    """
    box = _plane(game, "game", bounds)
    x, y = (np.linspace(*side, 121) for side in box)
    cost = game.f(np.stack(np.meshgrid(x, y), axis=-1))
    sign, name = (-1.0, "$-f$") if cost.max() <= 0 else (1.0, "$f$")
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    solid = figure.add_subplot(1, 2, 1, projection="3d")
    level = figure.add_subplot(1, 2, 2)
    grid = np.meshgrid(x, y)
    solid.plot_surface(
        *grid, sign * cost, cmap="cividis", rstride=4, cstride=4, linewidth=0.2,
        edgecolor="#ffffff40", rasterized=True,
    )  # fmt: skip
    solid.set_zlabel(name)
    solid.view_init(elev=32, azim=-125)
    shades = level.contourf(x, y, sign * cost, levels=14, cmap="cividis")
    figure.colorbar(shades, ax=level, shrink=0.8, label=name)
    for point in points:
        mark(level, *point.x, point.kind)
    for axis in (solid, level):
        axis.set_xlabel(_coordinate(game.variables[0]))
        axis.set_ylabel(_coordinate(game.variables[1]))
    level.set_aspect("equal")
    level.grid(False)
    figure.legend(
        handles=kind_handles([p.kind for p in points]), loc="outside upper center", ncols=4
    )
    return figure
