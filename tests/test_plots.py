"""Every kind of picture draws, can be stored, and leaves nothing behind."""

import io
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import image as mpl_image
from matplotlib.figure import Figure

from taugda import games, plots
from taugda.dynamics import region_of_attraction, simulate
from taugda.equilibria import critical_points
from taugda.stability import spectrum, stability_intervals

TORUS, QUADRATIC = games.torus(), games.quadratic()
BOX = [(-np.pi, np.pi)] * 2
TAUS = [1.0, 5.0]
ORIGIN = QUADRATIC.blocks(np.zeros(4))


def torus_points():
    return critical_points(TORUS)


def torus_equilibria():
    return [p for p in torus_points() if p.classification.is_dse]


def torus_paths():
    return simulate(TORUS, [2.0, -1.0], TAUS, 0.05, 400)


def quadratic_paths():
    return simulate(QUADRATIC, [5, 4, 3, 2], TAUS, 1e-3, 200)


def decaying(rows):
    return 0.9 ** np.arange(30) * np.ones((rows, 1))


def draw_abscissae():
    followed = spectrum(ORIGIN, np.geomspace(0.1, 10, 50))
    return plots.abscissae([("origin", followed, stability_intervals(ORIGIN))], [{"t": 2.0}])


def draw_agreement():
    return plots.agreement([("a", "b", [1.0, 2.0], [1.0, 3.0])], bound=True)


def draw_benchmark():
    return plots.benchmark({"ours": ([1, 10], [0.1, 0.2])}, "n", "seconds")


def draw_curves():
    panels = [("d = 1", decaying(2), decaying(2) / 2)]
    return plots.curves(panels, ["1", "5"], ("gap", "size"), radii=[[0.9, 0.9]])


def draw_distances():
    return plots.distances(
        QUADRATIC, quadratic_paths(), ["1", "5"], np.zeros(4), radii=[1.001, 0.99]
    )


def draw_eigenvalue_planes():
    taus = np.geomspace(0.1, 10, 40)
    values = np.linalg.eigvals(ORIGIN.jacobian(taus))
    return plots.eigenvalue_planes(taus, [("one", values, [1.0, 2.0]), ("two", values, [3.0])])


def draw_rate_maps():
    values = np.geomspace(1e-9, 1, 20).reshape(4, 5)
    return plots.rate_maps(np.geomspace(1, 10, 5), np.geomspace(0.1, 1, 4), [("a", values)])


def draw_region_frames():
    equilibria = torus_equilibria()
    labels = np.zeros((2, 5, 5), dtype=int)
    return list(plots.region_frames(TORUS, labels, TAUS, BOX, equilibria))


def draw_regions():
    equilibria = torus_equilibria()
    labels = region_of_attraction(TORUS, [p.x for p in equilibria], TAUS, 0.04, 500, BOX, 9, 1e-2)
    return plots.regions(TORUS, labels, TAUS, BOX, equilibria)


def draw_sample_grids():
    pictures = np.random.default_rng(0).integers(0, 256, (9, 3, 8, 8), np.uint8)
    return plots.sample_grids([("a", plots.contact_sheet(pictures, columns=3))] * 2)


def draw_score_against_tau():
    lines = {"weak": {1.0: [3.0, 4.0], 4.0: [1.0, 2.0]}}
    return plots.score_against_tau([("digits", lines)], "distance", floor=0.5)


def draw_score_curves():
    runs = {tau: ([1, 10, 100], [[30.0, 3.0, 1.0], [40.0, 2.0, 1.5]]) for tau in (1.0, 4.0)}
    return plots.score_curves([("digits", runs)], "distance", floor=0.5)


def draw_spectra():
    followed = spectrum(ORIGIN, np.linspace(1, 10, 50))
    return plots.spectra(followed, {r"$\tau^*$": 2.0, "far": 99.0}, stability_intervals(ORIGIN))


def draw_spectrum_frames():
    followed = spectrum(ORIGIN, np.linspace(1, 10, 46))
    return list(plots.spectrum_frames(followed, [1.0, 2.0, 9.0], {r"$\tau^*$": 2.0}))


def draw_spectrum_panels():
    followed = spectrum(ORIGIN, np.linspace(1, 10, 50))
    return plots.spectrum_panels([("one", followed, {"t": 2.0}), ("two", followed, {})])


def draw_stability_map():
    rows = [(str(k), p.kind, stability_intervals(p.blocks)) for k, p in enumerate(torus_points())]
    return plots.stability_map(rows, 5.0, TAUS)


def draw_step_curves():
    steps = np.linspace(0.1, 1.5, 20)
    curve = ("tau", steps, 0.1 * steps * (1 - steps), 0.1 * steps * (1.2 - steps))
    runs = [[(0, 0.5, 0.025, False), (0, 0.5, 0.035, True), (0, 1.4, -0.1, False)]]
    return plots.step_curves([("mu", [curve])], runs)


def draw_surface():
    return plots.surface(TORUS, BOX, torus_points())


def draw_theory_and_practice():
    taus, mus = np.geomspace(1, 10, 5), np.geomspace(0.1, 1, 4)
    rates, ridge = np.outer(mus, taus), [2.0, 3.0, 4.0, np.nan]
    slices = {0.5: (taus, 0.5 * taus), 0.2: (taus, 0.2 * taus)}
    runs = [(0.5, 2.0, 1.0, 1.1), (0.2, 5.0, 1.0, 0.9)]
    return plots.theory_and_practice(taus, mus, rates, ridge, slices, runs)


def draw_training_losses():
    return plots.training_losses([1, 2, 3], {"one": [3.0, 2.0, 1.0], "two": [1.0, 2.0, 1.0]})


def draw_trajectories():
    return plots.trajectories(
        QUADRATIC, quadratic_paths(), ["1", "5"], [(0, 2), (1, 3)], [(np.zeros(4), "DSE")]
    )


def draw_vector_fields():
    points = [(p.x, p.kind) for p in torus_points()]
    return plots.vector_fields(TORUS, TAUS, BOX, [[path] for path in torus_paths()], points)


MOVING = ("region_frames", "spectrum_frames")
DRAWINGS = {
    name.removeprefix("draw_"): draw for name, draw in globals().items() if name.startswith("draw_")
}


def test_every_public_picture_is_drawn_here():
    assert set(DRAWINGS) | {"contact_sheet", "tau_colours"} == set(plots.__all__)


@pytest.mark.parametrize("name", DRAWINGS)
def test_picture_draws_and_can_be_stored(name):
    before = dict(mpl.rcParams)
    drawn = DRAWINGS[name]()
    figure = drawn[0] if name in MOVING else drawn
    assert isinstance(figure, Figure)
    assert dict(mpl.rcParams) == before  # the style stays inside
    for kind, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
        file = io.BytesIO()
        figure.savefig(file, format=kind)
        assert file.getvalue().startswith(start)
        if kind == "png":
            file.seek(0)
            pixels = mpl_image.imread(file)
            assert pixels.std() > 0.01  # something is on it
    for axes in figure.axes:
        assert axes.get_xlabel() or axes.get_ylabel() or axes.get_title() or axes.has_data()


@pytest.mark.parametrize("name", MOVING)
def test_frames_have_one_size_and_differ(name):
    pictures = []
    for figure in DRAWINGS[name]():
        file = io.BytesIO()
        figure.savefig(file, format="png")
        file.seek(0)
        pictures.append(mpl_image.imread(file))
    assert len(pictures) >= 2
    assert len({picture.shape for picture in pictures}) == 1
    assert all((a != b).any() for a, b in pairwise(pictures))


def test_the_frame_at_tau_star_says_that_it_is_on_the_axis():
    titles = [figure.axes[0].get_title(loc="left") for figure in draw_spectrum_frames()]
    assert [title.partition(": ")[2] for title in titles] == ["not stable", "on the axis", "stable"]


@pytest.mark.parametrize("name", DRAWINGS)
def test_picture_belongs_to_no_window(name):
    from matplotlib import pyplot

    DRAWINGS[name]()
    assert pyplot.get_fignums() == []


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_colours_of_tau_get_lighter(count):
    colours = plots.tau_colours(count)
    assert len(colours) == count
    lightness = [np.dot(c[:3], (0.2126, 0.7152, 0.0722)) for c in colours]
    assert lightness == sorted(lightness)
    assert len(set(colours)) == count


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.vector_fields(QUADRATIC, [1.0], BOX),
        lambda: plots.surface(QUADRATIC, BOX, []),
        lambda: next(plots.region_frames(QUADRATIC, np.zeros((1, 3, 3)), [1.0], BOX, [])),
        lambda: plots.regions(QUADRATIC, np.zeros((1, 3, 3)), [1.0], BOX, []),
    ],
)
def test_pictures_of_the_plane_refuse_other_games(draw):
    with pytest.raises(ValueError, match="game: expected a game with n1 = n2 = 1"):
        draw()
