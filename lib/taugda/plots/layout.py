"""A finished figure laid out again: for a narrow page, or as a small picture of a few panels."""

from collections.abc import Sequence
from typing import Any

from matplotlib import style as settings
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from taugda.plots import style

NARROW = 3.5  # inches: with its margin what a phone of 390 pixels has between its own margins
_SMALL = (2.4, 1.28)  # of a small picture


def narrow(figure: Figure) -> bool:
    """Stack a figure's panels for a narrow page, two beside each other if they are small.

    False, and nothing is changed, where it is narrow already or not drawn by this library.
    """
    panels = _panels(figure)
    if not panels or figure.get_figwidth() <= NARROW:
        return False
    grid = panels[0].get_subplotspec().get_gridspec()
    columns = 2 if grid.ncols > 3 or (grid.ncols == 2 and grid.nrows > 1) else 1
    titles = max(panel.title.get_window_extent().width for panel in panels)
    columns = columns if titles < NARROW / columns * figure.dpi else 1
    width, height = figure.get_figwidth() / grid.ncols, figure.get_figheight() / grid.nrows
    tall = height if len(panels) == 1 else min(max(height * NARROW / columns / width, 1.8), 2.6)
    with settings.context(style.LOOK):
        _place(panels, columns)
        figure.set_size_inches(NARROW, tall * -(-len(panels) // columns))
        if figure.legends:
            figure.set_figheight(figure.get_figheight() + 0.2 * len(figure.keys) / 2)
            style.legend(figure, figure.keys)
    return True


def small(figure: Figure, chosen: Sequence[int]) -> bool:
    """Leave the chosen panels only, side by side and without any text; False as for `narrow`."""
    panels = _panels(figure)
    kept = [panels[k] for k in chosen if k < len(panels)] or panels[:1]  # a run may have fewer
    if not kept:
        return False
    scales = [c.colorbar for panel in panels for c in panel.collections if c.colorbar]
    for other in [*figure.legends, *scales, *(panel for panel in panels if panel not in kept)]:
        other.remove()
    _place(kept, len(kept))
    for panel in kept:
        panel.set(title="", xlabel="", ylabel="")
        panel.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
        for text in [*panel.texts, *filter(None, [panel.get_legend()])]:
            text.remove()
    figure.set_size_inches(*_SMALL)
    return True


def _panels(figure: Any) -> list[Axes]:
    """Return the panels in their order; none of a figure that this library did not draw."""
    axes = figure.axes if getattr(figure, "ours", False) else []
    return [panel for panel in axes if panel.get_subplotspec() is not None]


def _place(panels: Sequence[Axes], columns: int) -> None:
    """Put panels into a new grid; the first of a row gets the name and numbers that it shared."""
    leader = panels[0]
    grid = GridSpec(-(-len(panels) // columns), columns, figure=leader.figure)
    for k, panel in enumerate(panels):
        if panel.get_subplotspec().is_first_col():
            leader = panel
        if panel.get_shared_y_axes().joined(panel, leader):
            panel.set_ylabel("" if k % columns else leader.get_ylabel())
            panel.yaxis.set_tick_params(labelleft=k % columns == 0)
        panel.set_subplotspec(grid[k])
        panel.xaxis.set_tick_params(labelbottom=True)
    for scale in leader.figure.axes:
        if scale.get_subplotspec() is None:  # where it was, it would crowd out the panels
            scale.set_position([0.9, 0.1, 0.02, 0.3])
            scale.set_in_layout(True)
    leader.figure.set_layout_engine("constrained", h_pad=0.08)
