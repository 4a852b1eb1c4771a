"""Every kind of picture draws what it was given, can be stored, and leaves nothing behind."""

import inspect
import io
import sys
from itertools import combinations, pairwise, product

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from taugda import games, plots
from taugda.dynamics import region_of_attraction, simulate
from taugda.equilibria import critical_points
from taugda.plots import layout
from taugda.plots.style import KINDS
from taugda.stability import spectrum, stability_intervals

TORUS, QUADRATIC = games.torus(), games.quadratic()
BOX = [(-np.pi, np.pi)] * 2
TAUS = [1.0, 5.0]
ORIGIN = QUADRATIC.blocks(np.zeros(4))
POINTS = critical_points(TORUS)
EQUILIBRIA = [p for p in POINTS if p.classification.is_dse]
TORUS_PATHS = simulate(TORUS, [3.0, -3.0], TAUS, 0.05, 400)
PATHS = simulate(QUADRATIC, [5, 4, 3, 2], TAUS, 1e-3, 200)
RADII = [1.001, 0.99]
BASINS = region_of_attraction(TORUS, [p.x for p in EQUILIBRIA], TAUS, 0.04, 500, BOX, 9, 1e-2)
FOLLOWED = spectrum(ORIGIN, np.linspace(1, 10, 46))
FALLING = 0.9 ** np.arange(30) * np.ones((2, 1))
GRID = (np.geomspace(1, 10, 5), np.geomspace(0.1, 1, 4))
RUNS = {tau: ([1, 10, 100], [[30.0, 3.0, 1.0], [40.0, 2.0, 1.5]]) for tau in (1.0, 4.0)}
PRINTED = [{1.0: (2.5, 0.5), 4.0: (2.0, 0.25)}] * 4
SCORES = [[4.0, 2.0, 3.0], [np.nan, 5.0, 1.0]]
STEPS = np.linspace(0.1, 1.5, 20)
CONTRACTIONS = ("tau", STEPS, 0.1 * STEPS * (1 - STEPS), 0.1 * STEPS * (1.2 - STEPS))
EIGENVALUES = [(tau, np.linalg.eigvals(ORIGIN.jacobian(tau))) for tau in TAUS]
PICTURES = np.random.default_rng(0).integers(0, 256, (9, 3, 8, 8), np.uint8)
MAP = [(str(k), p.kind, stability_intervals(p.blocks)) for k, p in enumerate(POINTS)]
ORIGIN_ROW = ("", FOLLOWED, {r"$\tau^*$": 2.0, "far": 99.0}, stability_intervals(ORIGIN))

# Every picture; a list is a moving one.
DRAWINGS = {
    "abscissae": lambda: plots.abscissae([("a", FOLLOWED, ORIGIN_ROW[3])], [{"t": 2.0}]),
    "agreement": lambda: plots.agreement([("a", "b", [1.0, 2.0], [1.0, 3.0])], bound=True),
    "costs": lambda: plots.trajectories(TORUS, TORUS_PATHS, ["1", "5"], [(0, 1)], cost=True),
    "curves": lambda: plots.curves(
        [("a long name", FALLING, FALLING / 2)], ["1", "5"], ("gap", "size"), radii=[[0.9, 0.8]]
    ),
    "distances": lambda: plots.distances(QUADRATIC, PATHS, ["1", "5"], np.zeros(4), radii=RADII),
    "eigenvalue_planes": lambda: plots.eigenvalue_planes(
        FOLLOWED.taus, [("a", FOLLOWED.eigenvalues, [1.0, 2.0]), ("b", FOLLOWED.eigenvalues, [3.0])]
    ),
    "flows": lambda: plots.flows(TORUS, TAUS, BOX, POINTS, paths=[[p, -p] for p in TORUS_PATHS]),
    "printed_scores": lambda: plots.scores(
        [("a", {1.0: RUNS[1.0]}), ("b", {}), ("c", {}), ("d", {})],
        "FID", printed=PRINTED, at=100, columns=2,
    ),
    "rate_maps": lambda: plots.rate_maps(
        *GRID, [(name, np.geomspace(1e-9, 1, 20).reshape(4, 5)) for name in "ab"]
    ),
    "region_frames": lambda: [
        plots.flows(TORUS, [t], BOX, EQUILIBRIA, basins=np.zeros((1, 5, 5)), arrows=True)
        for t in TAUS
    ],
    "regions": lambda: plots.flows(TORUS, TAUS, BOX, EQUILIBRIA, basins=BASINS),
    "sample_grids": lambda: plots.sample_grids([("a", PICTURES)] * 2),
    "judged": lambda: plots.judged(
        [("before", [0, 1], [0, 0, 0]), ("after", [2, 3], [1, 2, 4])],
        [2, 3], [0.25, 0.75], [1, 2, 3],
    ),
    "score_maps": lambda: plots.score_maps(
        [("a", SCORES), ("b", SCORES)], [1, 2, 4], [1e-3, 2e-3], "distance"
    ),
    "scores": lambda: plots.scores([("digits", RUNS)], "distance", floor=0.5),
    "scores_against_tau": lambda: plots.scores(
        [("digits", {"weak": {1.0: [3.0, 4.0], 4.0: [1.0, 2.0]}})],
        "distance", floor=0.5, against_tau=True,
    ),
    "spectra": lambda: plots.spectra([ORIGIN_ROW]),
    "spectrum_frames": lambda: [plots.spectra([ORIGIN_ROW], at=tau) for tau in (1.0, 2.0, 9.0)],
    "stability_map": lambda: plots.stability_map(MAP, 5.0, TAUS),
    "step_curves": lambda: plots.step_curves(
        [("mu", [CONTRACTIONS])],
        [[(0, 0.5, 0.025, False), (0, 0.5, 0.035, True), (0, 1.4, -0.1, False)]],
    ),
    "surface": lambda: plots.surface(TORUS, BOX, POINTS),
    "theory_and_practice": lambda: plots.theory_and_practice(
        *GRID, np.outer(*GRID[::-1]), [2.0, 3.0, 4.0, np.nan],
        {mu: (GRID[0], mu * GRID[0]) for mu in (0.5, 0.2)},
        [(0.5, 2.0, 1.0, 1.1), (0.2, 5.0, 1.0, 0.9)],
    ),
    "threshold_and_runs": lambda: plots.threshold_and_runs(
        [("seed 0", [0.1, 1.0], [5.0, 0.5]), ("seed 1", [0.1, 1.0], [9.0, 0.7])],
        EIGENVALUES, (np.arange(30), FALLING), (0.1, 5.0),
    ),
    "training_losses": lambda: plots.training_losses(
        [1, 2, 3], {"one": [3.0, 2.0, 1.0], "two": [1.0, 2.0, 1.0]}
    ),
    "trajectories": lambda: plots.trajectories(
        QUADRATIC, PATHS, ["1", "5"], [(0, 2), (1, 3)], critical_points(QUADRATIC)
    ),
}  # fmt: skip
MOVING = ("region_frames", "spectrum_frames")


def pixels_of(figure, **options):
    """The picture that a figure makes as PNG."""
    file = io.BytesIO()
    figure.savefig(file, format="png", **options)
    file.seek(0)
    return pyplot.imread(file)


def test_every_public_picture_is_drawn_here():
    source = inspect.getsource(sys.modules[__name__])
    assert all(f"plots.{name}(" in source for name in plots.__all__)


@pytest.mark.filterwarnings("error::UserWarning")  # a layout that was not found
@pytest.mark.parametrize("name", DRAWINGS)
def test_pictures_can_be_stored_and_fit_the_text_and_a_phone(name):
    before = dict(mpl.rcParams)
    drawn = DRAWINGS[name]()
    assert pyplot.get_fignums() == []  # it belongs to no window
    assert dict(mpl.rcParams) == before  # the style stays inside
    figure = drawn[0] if name in MOVING else drawn
    figure.savefig(io.BytesIO(), format="pdf")
    for axes in figure.axes:
        assert axes.get_xlabel() or axes.get_ylabel() or axes.get_title() or axes.has_data()
    for width in (8.15, 3.73):  # inches at 96 pixels: the text column, a phone of 390 pixels
        pixels = pixels_of(figure, dpi=96, bbox_inches="tight")
        assert pixels.shape[1] <= 96 * width and pixels.std() > 0.01  # something is on it
        texts = [text for text in figure.findobj(Text) if text.get_text().strip()]
        assert min(text.get_fontsize() for text in texts) * 96 / 72 >= 9  # pixels
        titles = [a.title.get_window_extent() for a in figure.axes if a.get_title()]
        assert not any(one.overlaps(other) for one, other in combinations(titles, 2))
        layout.narrow(figure)


@pytest.mark.parametrize("name", MOVING)
def test_frames_have_one_size_and_differ(name):
    pictures = [pixels_of(figure) for figure in DRAWINGS[name]()]
    assert len(pictures) >= 2
    assert len({picture.shape for picture in pictures}) == 1
    assert all((a != b).any() for a, b in pairwise(pictures))


def test_the_frame_at_tau_star_says_that_it_is_on_the_axis():
    titles = [figure.axes[0].get_title() for figure in DRAWINGS["spectrum_frames"]()]
    assert [title.partition(": ")[2] for title in titles] == ["not stable", "on the axis", "stable"]


@pytest.mark.parametrize("count", [0, 1, 7])
def test_colours_of_tau_get_lighter(count):
    colours = plots.tau_colours(count)
    lightness = [np.dot(c[:3], (0.2126, 0.7152, 0.0722)) for c in colours]
    assert lightness == sorted(lightness)
    assert len(set(colours)) == len(colours) == count


def test_pictures_of_the_plane_refuse_other_games():
    for draw in (
        lambda: plots.flows(QUADRATIC, [1.0], BOX),
        lambda: plots.surface(QUADRATIC, BOX, []),
        lambda: plots.trajectories(QUADRATIC, PATHS, ["", ""], [(0, 2)], cost=True),
    ):
        with pytest.raises(ValueError, match="game: expected a game with n1 = n2 = 1"):
            draw()


# What is drawn is what was given.


def curves_of(axes, style=None):
    """The curves on axes that have more than two points, as (x, y, colour), of one line style."""
    drawn = [line for line in axes.lines if style in (None, line.get_linestyle())]
    return [(*line.get_data(), line.get_color()) for line in drawn if len(line.get_xdata()) > 2]


def markers_of(axes, marker):
    """Places and colours of the single points that are drawn with a marker."""
    drawn = [line for line in axes.lines if line.get_marker() == marker]
    singles = [(line.get_xydata(), to_rgba(line.get_color())) for line in drawn]
    return [(*place[0], colour) for place, colour in singles if len(place) == 1]


def test_distances_show_each_player_and_the_predicted_slope():
    figure = DRAWINGS["distances"]()
    for axes, part in zip(figure.axes, (PATHS[..., :2], PATHS[..., 2:]), strict=True):
        drawn, predicted = curves_of(axes, "-"), curves_of(axes, ":")
        assert np.allclose([y for _, y, _ in drawn], np.linalg.norm(part, axis=-1))
        for (_, y, colour), radius, (*_, other) in zip(predicted, RADII, drawn, strict=True):
            assert np.allclose(y[1:] / y[:-1], radius) and colour == other
        assert [colour for *_, colour in drawn] == plots.tau_colours(2)
        assert len({line.get_marker() for line in axes.lines[:2]}) == 2  # told apart in grey
        figure.draw_without_rendering()
        ends = {text.get_text(): text.xyann[1] for text in axes.texts}
        last = np.linalg.norm(part[:, -1], axis=-1)
        assert (ends["1"] > ends["5"]) == (last[0] > last[1])  # each label at its curve's end


def test_distances_that_are_stored_now_and_then_keep_their_iterations():
    axes = plots.distances(
        QUADRATIC, PATHS[:, ::50], ["1", "5"], np.zeros(4), every=50, radii=[None, 0.9]
    ).axes[0]
    ((x, y, _),) = curves_of(axes, ":")
    assert np.array_equal(x, [0, 50, 100, 150, 200])
    assert np.allclose(y[1:] / y[:-1], 0.9**50)


def test_runs_that_diverge_or_arrive_are_drawn_as_far_as_they_go():
    paths = np.geomspace(1, 1e150, 50)[None, :, None] * np.ones((1, 1, 4))
    paths = np.concatenate([paths, np.full((1, 50, 4), np.nan), paths[:, ::-1], 0 * paths])
    axes = plots.distances(QUADRATIC, paths, list("abcd"), np.zeros(4), radii=[0.9] * 4).axes[0]
    low, high = axes.get_ylim()
    assert 1e-3 < low < high < np.inf
    assert {text.get_text() for text in axes.texts} == set("abcd")
    # A run that leaves at once, too, has its place in the plane.
    gone = paths[[0, 1, 3]]
    gone[1, 0] = 1.0
    drawn = plots.trajectories(QUADRATIC, gone, list("abc"), [(0, 2)]).axes[0].lines
    assert [len(line.get_markevery()) > 0 for line in drawn[:3]] == [True, False, False]


def test_curves_show_both_sizes():
    for axes, size in zip(DRAWINGS["curves"]().axes, (FALLING, FALLING / 2), strict=True):
        assert np.allclose([y for _, y, _ in curves_of(axes, "-")], size)
        assert np.allclose([y[1] / y[0] for _, y, _ in curves_of(axes, ":")], [0.9, 0.8])


def test_spectra_show_the_eigenvalues_along_tau_and_shade_where_they_are_stable():
    plane, real, imaginary = DRAWINGS["spectra"]().axes
    for k, values in enumerate(FOLLOWED.eigenvalues.T):
        assert np.array_equal(curves_of(plane)[k][:2], [values.real, values.imag])
        assert np.array_equal(curves_of(real)[k][1], values.real)
        assert np.array_equal(curves_of(imaginary)[k][1], values.imag)
    shaded = real.patches[0].get_extents().transformed(real.transData.inverted())
    assert np.allclose(shaded.intervalx, [2.0, 10.0])  # tau* = 2


def test_a_pair_keeps_its_names_from_row_to_row():
    # The pair meets at different tau; where it parts, either may be followed on either way.
    games_ = [games.dirac_gan(mu) for mu in (0.3, 0.5, 1.0)]
    followed = [spectrum(g.blocks([0, 0]), np.linspace(0.1, 20, 301)) for g in games_]
    figure = plots.spectra([(str(k), each, {}, []) for k, each in enumerate(followed)])
    for k, each in enumerate(followed):
        (_, first, *_), (_, second, *_) = curves_of(figure.axes[3 * k + 1])[:2]
        (_, above, *_), (_, below, *_) = curves_of(figure.axes[3 * k + 2])[:2]
        assert (first >= second - 1e-9).all() and (above >= below - 1e-9).all()
        assert np.allclose(
            np.sort([first, second], axis=0), np.sort(each.eigenvalues.real.T, axis=0)
        )


def test_trajectories_show_the_pair_of_coordinates_that_was_asked_for():
    for axes, pair in zip(DRAWINGS["trajectories"]().axes, ([0, 2], [1, 3]), strict=True):
        for k, (x, y, colour) in enumerate(curves_of(axes)):
            assert np.array_equal(np.stack([x, y], axis=-1), PATHS[k][:, pair])
            assert colour == plots.tau_colours(2)[k]
        assert np.array_equal(markers_of(axes, "o")[0][:2], PATHS[0, 0, pair])


def test_costs_are_drawn_below_with_their_scale():
    figure = DRAWINGS["costs"]()
    axes, scale = figure.axes
    levels = next(c for c in axes.collections if hasattr(c, "levels")).levels
    low, high = scale.get_ylim()
    assert levels[0] <= low < high <= levels[-1] and scale.get_ylabel() == "$f$"


def test_flows_show_the_flow_and_mark_every_kind_in_its_own_way():
    figure = DRAWINGS["flows"]()
    seen = {}
    for point in POINTS:
        marker, colour = KINDS[point.kind]
        drawn = markers_of(figure.axes[0], marker)
        edges = [[x, -x] if np.isclose(abs(x), np.pi) else [x] for x in point.x]
        for copy in product(*edges):  # on every edge and corner where it appears
            places = [m for m in drawn if np.allclose(m[:2], copy)]
            assert places and places[0][2] == to_rgba(colour)
        seen[point.kind] = to_rgba(colour)
    assert len(set(seen.values())) == len(seen) >= 2
    ((x, y, _),) = curves_of(figure.axes[1], "-")
    assert len(curves_of(figure.axes[1], "--")) == 1  # told apart by more than opacity
    assert np.allclose(np.stack([x, y], axis=-1)[~np.isnan(x)], TORUS.wrap(TORUS_PATHS[1]))
    (end, *_) = [line for line in figure.axes[1].lines if line.get_marker() == "s"]
    assert end.get_markerfacecolor() == "none" and end.get_zorder() < 6  # the star stays in sight
    for tau, axes in zip(TAUS, figure.axes, strict=True):  # the flow turns with tau
        ways = axes.collections[0].get_segments()
        middle = np.concatenate([(way[:-1] + way[1:]) / 2 for way in ways])
        step = np.concatenate([np.diff(way, axis=0) for way in ways])
        flow = -TORUS.gradient(middle) * [1.0, tau]
        sizes = np.linalg.norm(flow, axis=1) * np.linalg.norm(step, axis=1)
        assert np.median((flow * step).sum(axis=1) / np.maximum(sizes, 1e-12)) > 0.99


def test_regions_show_each_label_in_its_colour_beside_its_point():
    labels = np.tile(np.arange(-1, len(EQUILIBRIA))[:, None], len(EQUILIBRIA) + 1)
    figure = plots.flows(TORUS, [1.0], BOX, EQUILIBRIA, basins=[labels])
    (mesh,) = (c for c in figure.axes[0].collections if isinstance(c, QuadMesh))
    figure.draw_without_rendering()
    colours = mesh.to_rgba(labels)[:, 0]
    assert tuple(colours[0]) == (1, 1, 1, 1)  # reaches none
    for k, point in enumerate(EQUILIBRIA):
        drawn = [m for m in markers_of(figure.axes[0], "*") if np.allclose(m[:2], point.x)]
        assert drawn and np.allclose(drawn[0][2], colours[k + 1])
        entry = figure.legends[0].get_patches()[k]
        assert np.allclose(entry.get_facecolor(), colours[k + 1])
    many = plots.flows(TORUS, [1.0], BOX, EQUILIBRIA * 5, basins=[labels])  # than colours
    assert len(many.legends[0].get_patches()) == 5 * len(EQUILIBRIA) + 1


def test_stability_map_shows_the_intervals():
    lines = DRAWINGS["stability_map"]().axes[0].lines
    bars = [bar.get_xydata().tolist() for bar in lines if bar.get_linewidth() == 7]
    expected = [(int(row), i) for row, _, intervals in MAP for i in intervals]
    assert bars == [[[i.lower, row], [min(i.upper, 5.0), row]] for row, i in expected]


def test_scores_show_mean_error_and_seeds():
    curve = curves_of(DRAWINGS["scores"]().axes[0])
    assert np.allclose([y for _, y, *_ in curve], [[35.0, 2.5, 1.25]] * 2)
    axes = DRAWINGS["scores_against_tau"]().axes[0]
    assert np.allclose(axes.lines[0].get_ydata(), [3.5, 1.5])
    (band,) = axes.collections
    heights = np.ptp(np.unique(band.get_paths()[0].vertices.round(9), axis=0)[:, 1])
    assert np.isclose(heights, 3.5 - 1.5 + 2 * 0.5 / np.sqrt(2))
    seeds = [line.get_ydata() for line in axes.lines if line.get_alpha() == 0.35]
    assert np.array_equal(seeds, [[3.0, 1.0], [4.0, 2.0]])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4"]


def test_printed_scores_stand_in_frames_that_runs_fill():
    figure = DRAWINGS["printed_scores"]()
    for number, axes in enumerate(figure.axes):
        said = [text.get_text() for text in axes.texts]
        assert r"$\tau = 4$:  2.00 ± 0.25" in said[0] and ("not run here" in said) == (number > 0)
        marks = [bars.lines[0].get_xydata().tolist() for bars in axes.containers]
        assert marks == [[[100, 2.5]], [[100, 2.0]]]
    assert np.allclose(curves_of(figure.axes[0])[0][1], [35.0, 2.5, 1.25])


def test_pictures_are_laid_out_with_every_pixel_in_order():
    pictures = np.arange(9 * 4, dtype=np.uint8).reshape(9, 1, 2, 2)
    sheet = plots.sample_grids([("", pictures)]).axes[0].images[0].get_array()
    assert sheet.shape == (5, 23)
    for k, (y, x) in enumerate([(0, 3 * i) for i in range(8)] + [(3, 0)]):
        assert np.array_equal(sheet[y : y + 2, x : x + 2], pictures[k, 0])
    assert (sheet[3:, 3:] == 255).all() and (sheet[2] == 255).all()
    coloured = plots.sample_grids([("", np.repeat(pictures, 3, axis=1))]).axes[0].images[0]
    assert np.array_equal(coloured.get_array()[..., 2], sheet)


def test_a_map_of_scores_says_its_numbers_and_marks_the_best_of_each_row():
    axis = DRAWINGS["score_maps"]().axes[0]
    assert [text.get_text() for text in axis.texts] == list("42351")
    (stars,) = (line for line in axis.lines if line.get_marker() == "*")
    assert np.floor(stars.get_xdata()).tolist() == [1, 2]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["1", "2"]
    # Equal gamma2: one step to the left for one step up.
    slopes = {tuple(np.diff(line.get_xydata(), axis=0)[0]) for line in axis.lines if line != stars}
    assert slopes == {(-2.0, 2.0)}


def test_judged_numbers_lie_where_they_are_each_as_large_as_it_is_likely():
    for axis, made, values in zip(
        DRAWINGS["judged"]().axes, ([0, 1], [2, 3]), ([0, 0, 0], [1, 2, 4]), strict=True
    ):
        real, generated = axis.collections
        assert real.get_offsets().tolist() == [[2, 0], [3, 0]]
        assert generated.get_offsets().tolist() == [[x, 0] for x in made]
        for points in (real, generated):
            assert points.get_sizes()[1] == 3 * points.get_sizes()[0]
        assert len(real.get_facecolors()) and not len(generated.get_facecolors())
        assert axis.lines[1].get_ydata().tolist() == values


def test_thresholds_spectra_and_runs_are_drawn_as_given():
    left, plane, right = DRAWINGS["threshold_and_runs"]().axes
    first, second, star = left.get_lines()[:3]
    assert (first.get_ydata().tolist(), second.get_ydata().tolist()) == ([5, 0.5], [9, 0.7])
    assert (star.get_xdata().tolist(), star.get_ydata().tolist()) == ([0.1], [5.0])
    assert [line.get_ydata()[0] for line in left.get_lines()[3:]] == TAUS
    dots = [line for line in plane.get_lines() if line.get_linestyle() == "None"]
    for line, (_, values) in zip(dots, EIGENVALUES, strict=True):
        assert np.array_equal(line.get_data(), [values.real, values.imag])
    assert np.array_equal(right.get_lines()[1].get_ydata(), FALLING[0])
    colours = [line.get_color() for line in right.get_lines()]
    assert colours == [line.get_color() for line in dots] == plots.tau_colours(2)


# The same figure on a narrow page, and small.


def test_narrow_figures_have_all_panels_with_their_names():
    figure = DRAWINGS["flows"]()
    assert layout.narrow(figure) and not layout.narrow(figure)
    left, right = figure.axes
    figure.draw_without_rendering()
    assert left.get_position().y0 > right.get_position().y1  # one above the other
    assert right.get_ylabel() == left.get_ylabel() == "$x_{2}$"
    assert [t.get_text() for t in right.get_yticklabels()] == [r"$-\pi$", "0", r"$\pi$"]
    assert {t.get_text() for t in figure.legends[0].get_texts()} >= {"start", "end", "DSE"}
    own = Figure(layout="constrained")  # a reader's figure is left as it is
    own.subplots(1, 2)
    assert not layout.narrow(own) and not layout.small(own, [0]) and len(own.axes) == 2


def test_small_figures_show_the_chosen_panels_without_any_text():
    figure = DRAWINGS["regions"]()
    chosen = figure.axes[1]
    assert layout.small(figure, [1]) and figure.axes == [chosen]
    figure.draw_without_rendering()
    assert not [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]


def test_points_are_written_for_readers():
    assert plots.place([-11.0333, 0.0]) == "(−11.03, 0)"
    assert plots.place([np.pi, -np.pi]) == r"($\pi$, $-\pi$)"
    assert plots.place([0.5, 1e-3]) == "(0.5, 0.001)"


def test_ticks_of_log_axes_are_numbers_near_one_and_powers_far_from_it():
    for ends, expected in (([0.3, 4.0], {"1"}), ([1e-9, 1e3], {r"$\mathdefault{10^{-6}}$"})):
        axis = plots.agreement([("a", "b", ends, ends)]).axes[0]
        axis.figure.draw_without_rendering()
        assert expected <= {label.get_text() for label in axis.get_xticklabels()}
