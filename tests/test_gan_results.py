"""Many training runs together: experiments, tests over seeds, tables, and the paper's numbers."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from taugda import plots
from taugda.claims import NOT_RUN, ClaimError, read_claims, verdict, verdicts
from taugda.gan import paper, results
from taugda.plots.gans import mean_and_error
from taugda.runs.collect import finished

SETTINGS = {"dataset": "digits", "mu": 1.0, "gamma1": 1e-3, "updates": 20, "averages": [0.99]}


def history(values):
    return {"update": [0, 10, 20], "scores": {"d": {"0.99": list(values)}}}


def runs(by_tau, mu=1.0, **settings):
    """One run a tau and seed, with the given distances at the end."""
    return [
        (
            f"{mu}-{tau}-{seed}-{settings}",
            {**SETTINGS, "mu": mu, "tau": tau, "seed": seed, "device": "cpu", **settings},
            history([100.0, 10 * value, value]),
        )
        for tau, values in by_tau.items()
        for seed, value in enumerate(values)
    ]


PAPERS_PATTERN = {
    1.0: [4.0, 4.2, 4.1],
    2.0: [2.1, 2.2, 2.0],
    4.0: [1.0, 1.1, 1.05],
    8.0: [2.0, 2.2, 2.15],
}


def scores(by_tau):
    return {tau: dict(enumerate(values)) for tau, values in by_tau.items()}


# Experiments


def test_runs_that_differ_in_tau_and_seed_are_one_experiment():
    found = results.experiments([*runs(PAPERS_PATTERN), *runs(PAPERS_PATTERN, mu=10.0)])
    assert [e.settings["mu"] for e in found] == [1.0, 10.0]
    assert found[0].taus == [1.0, 2.0, 4.0, 8.0]
    assert found[0].seeds == [0, 1, 2]
    assert found[0].at(20, "d", "0.99")[4.0] == {0: 1.0, 1: 1.1, 2: 1.05}
    assert found[0].at(15, "d", "0.99") == {}
    assert found[0].at_end("d") == found[0].at(20, "d", "0.99")
    updates, values = found[0].curves("d", "0.99", since=10)[4.0]
    assert updates == [10, 20]
    np.testing.assert_allclose(values, [[10, 1], [11, 1.1], [10.5, 1.05]])


def test_device_does_not_separate_runs_but_any_setting_does():
    moved = [(n + "x", {**p, "device": "cuda", "seed": 9}, h) for n, p, h in runs({1.0: [1.0]})]
    assert len(results.experiments([*runs({1.0: [1.0]}), *moved])) == 1
    assert len(results.experiments([*runs({1.0: [1.0]}), *runs({1.0: [1.0]}, nu=0.1)])) == 2


def test_only_seeds_that_every_tau_has_count():
    (found,) = results.experiments(runs({1.0: [1.0, 2.0, 3.0], 2.0: [1.0, 2.0]}))
    assert found.seeds == [0, 1]


def test_a_family_differs_in_mu_alone():
    found = results.experiments(
        [*runs({1.0: [1.0]}), *runs({1.0: [1.0]}, mu=10.0), *runs({1.0: [1.0]}, gamma1=2e-3)]
    )
    assert list(results.family(found, SETTINGS | {"tau": 4.0, "seed": 0})) == [1.0, 10.0]
    assert list(results.family(found, SETTINGS, gamma1=2e-3)) == [1.0]
    assert results.family(found, SETTINGS, updates=99) == {}


# Tests over seeds


def test_the_papers_pattern_is_supported():
    found = results.judge(scores(PAPERS_PATTERN))
    assert [f.holds for f in found.values()] == [True, True, True]
    assert all(f.seeds == 3 and f.word == "supported" and f.p < 0.05 for f in found.values())


def test_the_opposite_pattern_is_contradicted():
    upside_down = {tau: [1 / v for v in values] for tau, values in PAPERS_PATTERN.items()}
    found = results.judge(scores(upside_down))
    assert found["slowest_worst"].holds is False
    assert found["moderate_best"].holds is False
    assert found["more_not_better"].holds is True  # tau = 8 loses to tau = 1


def test_more_is_better_contradicts_that_it_is_not():
    better = {
        1.0: [8.0, 8.1, 8.3],
        2.0: [4.0, 4.1, 4.05],
        4.0: [2.0, 2.1, 2.2],
        8.0: [1, 1.1, 1.05],
    }
    found = results.judge(scores(better))
    assert found["slowest_worst"].holds is True
    assert found["moderate_best"].holds is False
    assert found["more_not_better"].holds is False


def test_noise_and_single_seeds_leave_everything_undecided():
    noise = {1.0: [3.0, 1.0, 2.0], 2.0: [1.0, 3.0, 2.0], 4.0: [2.0, 3.1, 1.0], 8.0: [2.0, 1.0, 3.0]}
    assert {f.holds for f in results.judge(scores(noise)).values()} == {None}
    single = results.judge(scores({tau: [v[0]] for tau, v in PAPERS_PATTERN.items()}))
    assert {(f.holds, f.p, f.seeds) for f in single.values()} == {(None, None, 1)}


def test_the_p_value_is_scipys_paired_test_of_logarithms():
    two = {1.0: PAPERS_PATTERN[1.0], 8.0: [4.3, 4.4, 4.0]}
    expected = stats.ttest_rel(np.log(two[8.0]), np.log(two[1.0]), alternative="greater").pvalue
    assert results.larger_is_worse(scores(two)).p == pytest.approx(expected)


def test_chance_supports_a_true_nothing_in_at_most_one_of_twenty():
    """Under no effect at all, each statement is supported in about 5 % of experiments or fewer."""
    rng = np.random.default_rng(0)
    draws = 400
    hits = dict.fromkeys(("slowest_worst", "moderate_best", "more_not_better"), 0)
    for _ in range(draws):
        values = np.exp(0.1 * rng.standard_normal((4, 3)))
        found = results.judge(scores(dict(zip((1.0, 2.0, 4.0, 8.0), values, strict=True))))
        for name, finding in found.items():
            hits[name] += finding.holds is True
    assert all(count <= 0.06 * draws for count in hits.values())


def test_interplay_compares_what_a_large_tau_costs():
    weak = {1.0: [4.0, 4.2, 4.1], 8.0: [2.0, 2.2, 2.1]}
    strong = {1.0: [2.0, 2.1, 2.2], 8.0: [4.0, 4.3, 4.5]}
    assert results.interplay(scores(weak), scores(strong)).holds is True
    assert results.interplay(scores(strong), scores(weak)).holds is False
    assert results.interplay(scores(weak), scores(weak)).holds is None


# Tables


def test_standard_error_is_the_papers():
    mean, error, seeds = results.summary({0: 1.0, 1: 2.0, 2: 6.0})
    assert (mean, seeds) == (3.0, 3)
    assert error == pytest.approx(np.std([1, 2, 6]) / np.sqrt(3))
    means, errors = mean_and_error([[1.0, 5.0], [2.0, 5.0], [6.0, 5.0]])
    np.testing.assert_allclose([means[0], errors[0], errors[1]], [mean, error, 0])


def test_table_in_the_papers_layout():
    (found,) = results.experiments(runs(PAPERS_PATTERN))
    theirs = {0.99: ((9.0, 0.1), (8.0, 0.002))}
    measured, printed = results.paper_layout(found, 20, "d", theirs, (1.0, 2.0))
    assert measured[r"$\tau = 4$"].startswith("1.05 ± 0.0")
    assert measured[r"$\tau = 4$"].endswith("(3)")
    assert printed == {
        r"$\beta$": "0.99", "whose": "paper",
        r"$\tau = 1$": "9.00 ± 0.1", r"$\tau = 2$": "8.00 ± 0.002",
    }  # fmt: skip


def test_the_papers_table_is_whole_and_carries_its_pattern():
    assert set(paper.FID) == set(itertools.product(("cifar10", "celeba"), (10.0, 1.0)))
    for values in paper.FID.values():
        assert tuple(values) == paper.BETAS
        for row in values.values():
            means = dict(zip(paper.TAUS, (mean for mean, _ in row), strict=True))
            assert max(means, key=means.get) == 1.0
            assert min(means, key=means.get) in (2.0, 4.0)
            assert means[8.0] > means[4.0]


# Collected runs


def leave(folder, parameters, metrics, done=True):
    folder.mkdir(parents=True)
    lines = "".join(f"{key}: {value}\n" for key, value in parameters.items())
    (folder / "parameters.yaml").write_text(lines)
    (folder / "provenance.json").write_text("{}")
    (folder / "metrics.json").write_text(json.dumps({k: {"value": v} for k, v in metrics.items()}))
    if done:
        (folder / "done.json").write_text("{}")


def test_finished_runs_are_collected_from_outputs_then_from_published(toy):
    toy.notebook("01_toy")
    project = toy.project
    leave(project.run("01_toy", "n=1"), {"n": 1}, {"x": 10})
    leave(project.run("01_toy", "n=2.failed"), {"n": 2}, {"x": 20})
    leave(project.run("01_toy", "n=5"), {"n": 5}, {"x": 50}, done=False)
    leave(project.published / "long" / "01_toy" / "n=1", {"n": 1}, {"x": 11})
    leave(project.published / "long" / "01_toy" / "n=3", {"n": 3}, {"x": 30})
    found = finished(project, "toy")
    assert [(r.name, r.collection, r.metrics, r.parameters) for r in found] == [
        ("n=1", "", {"x": 10}, {"n": 1}),
        ("n=3", "long", {"x": 30}, {"n": 3}),
    ]


def test_a_run_whose_files_are_broken_is_left_out(toy):
    toy.notebook("01_toy")
    leave(toy.run("01_toy"), {"n": 1}, {"x": 10})
    (toy.run("01_toy") / "metrics.json").write_text("{")
    assert finished(toy.project, "toy") == []


# Claims about runs that are not here


CLAIM = """
- id: far
  statement: It is so.
  where: Table
  paper: true
  notebook: 01_toy
  metric: holds
  sweep: sweeps/far.yaml
"""


def test_a_claim_whose_runs_are_not_here_says_how_to_make_them(toy):
    toy.notebook("01_toy")
    toy.write("sweeps/far.yaml", "notebook: toy\ngrid: {n: [1]}\n")
    toy.write("claims.yaml", CLAIM)
    (claim,) = read_claims(toy.project)
    found = verdict(claim, {"holds": {"value": "not run"}}, "default")
    assert found.verdict == NOT_RUN
    assert found.note == "run it with: python -m taugda run sweeps/far.yaml toy"
    assert verdicts(toy.project)[0].verdict == NOT_RUN
    assert verdict(claim, {"holds": {"value": True}}).verdict == "reproduced"
    assert verdict(claim, {"holds": {"value": None}}).verdict == "undecided"


def test_a_claim_with_an_unknown_sweep_is_refused(toy):
    toy.notebook("01_toy")
    toy.write("claims.yaml", CLAIM)
    with pytest.raises(ClaimError, match="'sweep' must name a file of the project"):
        read_claims(toy.project)


# Pictures


def test_contact_sheet_puts_every_picture_in_its_place():
    pictures = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((1, 1, 2, 3), np.uint8)
    sheet = plots.contact_sheet(pictures, columns=3)
    assert sheet.shape == (5, 11)
    assert (sheet[:2, :3], sheet[3:, 4:7]) == pytest.approx((0, 4))
    assert (sheet[2] == 255).all() and (sheet[3:, 8:] == 255).all()
    assert plots.contact_sheet(np.zeros((1, 3, 4, 4), np.uint8)).shape == (4, 4 * 8 + 7, 3)


@pytest.mark.parametrize("pictures", [np.zeros((1, 1, 2, 2)), np.zeros((1, 2, 2, 2), np.uint8)])
def test_contact_sheet_refuses_other_pictures(pictures):
    with pytest.raises(ValueError, match="pictures: expected uint8 of shape"):
        plots.contact_sheet(pictures)


def test_curves_show_every_tau_and_the_floor():
    (found,) = results.experiments(runs(PAPERS_PATTERN))
    figure = plots.score_curves([("a", found.curves("d", "0.99"))], "distance", floor=0.5)
    (axes,) = figure.axes
    assert len(axes.lines) == len(found.taus) + 1
    drawn = axes.lines[0].get_ydata()
    np.testing.assert_allclose(drawn[-1], np.mean(PAPERS_PATTERN[1.0]))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [r"$\tau = 1$", r"$\tau = 2$", r"$\tau = 4$", r"$\tau = 8$",
                     "two halves of the real data"]  # fmt: skip


def test_score_against_tau_shows_every_seed():
    lines = {"weak": PAPERS_PATTERN, "strong": PAPERS_PATTERN}
    (axes,) = plots.score_against_tau([("digits", lines)], "distance").axes
    dots = [x for line in axes.lines if line.get_alpha() for x in line.get_ydata()]
    assert sorted(dots) == sorted(v for values in PAPERS_PATTERN.values() for v in values * 2)
