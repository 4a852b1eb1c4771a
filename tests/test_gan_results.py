"""Many training runs together: experiments, tests over seeds, tables, and the paper's numbers."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from taugda.gan import paper, results

SETTINGS = {
    "dataset": "digits", "mu": 1.0, "gamma1": 1e-3, "updates": 20, "averages": [0.99],
    "distance": "digits",
}  # fmt: skip


@dataclass
class Run:
    """What is asked of a finished run."""

    parameters: dict
    metrics: dict
    folder: Path = Path("nowhere")
    name: str = "run"
    collection: str = ""


def runs(by_tau, **settings):
    """One run a tau and seed, with the given distances at the end."""
    settings = SETTINGS | settings
    made = []
    for tau, values in by_tau.items():
        for seed, value in enumerate(values):
            by_beta = {f"{b}": [100.0, 10 * value, value] for b in settings["averages"]}
            history = {"update": [0, 10, settings["updates"]], "scores": {"d": by_beta}}
            metrics = {"history": history, "score_provenance": {"two_halves": 0.5}}
            parameters = settings | {"tau": tau, "seed": seed, "device": "cpu"}
            made.append(Run(parameters, metrics))
    return made


PAPERS_PATTERN = {
    1.0: [4.0, 4.2, 4.1], 2.0: [2.1, 2.2, 2.0], 4.0: [1.0, 1.1, 1.05], 8.0: [2.0, 2.2, 2.15],
}  # fmt: skip


def scores(by_tau):
    return {tau: dict(enumerate(values)) for tau, values in by_tau.items()}


# Experiments


def test_runs_that_differ_in_tau_and_seed_are_one_experiment():
    found = results.experiments([*runs(PAPERS_PATTERN, mu=10.0), *runs(PAPERS_PATTERN)])
    assert [e.settings["mu"] for e in found] == [1.0, 10.0]
    assert found[0].taus == [1.0, 2.0, 4.0, 8.0]
    assert found[0].seeds == [0, 1, 2] and found[0].scores == ["d"]
    assert found[0].at(20, "d", "0.99")[4.0] == {0: 1.0, 1: 1.1, 2: 1.05}
    assert found[0].at(15, "d", "0.99") == found[0].at(20, "other", "0.99") == {}
    assert found[0].at_end("d") == found[0].at(20, "d", "0.99")
    ((_, curves),) = found[0].panels("d", since=10)
    updates, values = curves[4.0]
    assert updates == [10, 20]
    np.testing.assert_allclose(values, [[10, 1], [11, 1.1], [10.5, 1.05]])


def test_device_does_not_separate_runs_but_any_setting_does():
    one, moved = runs({1.0: [1.0]}), runs({1.0: [1.0]})
    moved[0].parameters |= {"device": "cuda", "seed": 9}
    moved[0].collection = "long"
    (found,) = results.experiments([*one, *moved])
    assert results.Experiments([found]).overview()[0] == {
        "data": "digits", r"$\mu$": 1.0, r"$\gamma_1$": 1e-3, "updates": 20, r"$\tau$": "1",
        "seeds": "0, 9", "from": "long, this machine",
    }  # fmt: skip
    two = results.experiments([*one, *runs({1.0: [1.0, 2.0], 2.0: [1.0]}, dataset="folder")])
    assert len(two) == 2 and two.others() == [two[1]]
    assert two[1].seeds == [0]  # those that every tau has


def test_a_family_differs_in_mu_alone():
    found = results.experiments(
        [*runs({1.0: [1.0]}, mu=10.0), *runs({1.0: [1.0]}), *runs({1.0: [1.0]}, gamma1=2e-3)]
    )
    assert list(found.family(SETTINGS | {"tau": 4.0, "seed": 0})) == [1.0, 10.0]
    assert list(found.family(SETTINGS, gamma1=2e-3)) == [1.0]
    assert found.family(SETTINGS, updates=99) == {}


# Tests over seeds


def test_the_papers_pattern_is_supported():
    found = results.judge(scores(PAPERS_PATTERN))
    assert [f.holds for f in found.values()] == [True, True, True]
    assert all(f.seeds == 3 and f.word == "supported" and f.p < 0.05 for f in found.values())


def test_other_patterns_contradict_the_statements():
    upside_down = {tau: [1 / v for v in values] for tau, values in PAPERS_PATTERN.items()}
    found = results.judge(scores(upside_down))
    # In the last, tau = 8 loses to tau = 1.
    assert [f.holds for f in found.values()] == [False, False, True]
    better = PAPERS_PATTERN | {8.0: [0.5, 0.6, 0.55]}
    assert [f.holds for f in results.judge(scores(better)).values()] == [True, False, False]


def test_noise_and_single_seeds_leave_everything_undecided():
    noise = {1.0: [3.0, 1.0, 2.0], 2.0: [1.0, 3.0, 2.0], 4.0: [2.0, 3.1, 1.0], 8.0: [2.0, 1.0, 3.0]}
    assert {f.holds for f in results.judge(scores(noise)).values()} == {None}
    single = results.judge(scores({tau: [v[0]] for tau, v in PAPERS_PATTERN.items()}))
    assert all(f.holds is None and np.isnan(f.p) and f.seeds == 1 for f in single.values())


def test_the_p_value_is_scipys_paired_test_of_logarithms():
    two = {1.0: PAPERS_PATTERN[1.0], 8.0: [4.3, 4.4, 4.0]}
    expected = stats.ttest_rel(np.log(two[8.0]), np.log(two[1.0]), alternative="greater").pvalue
    family = results.experiments(runs(two)).family(SETTINGS)
    (row,) = family.early("d", SETTINGS["updates"])
    assert row["p"] == float(f"{expected:.2g}")


def test_chance_supports_a_true_nothing_in_at_most_one_of_twenty():
    """Under no effect at all, each statement is supported in about 5 % of experiments or fewer."""
    rng = np.random.default_rng(0)
    hits = []
    for values in np.exp(0.1 * rng.standard_normal((400, 4, 3))):
        found = results.judge(scores(dict(zip(paper.TAUS, values, strict=True))))
        hits.append([finding.holds is True for finding in found.values()])
    assert np.max(np.mean(hits, axis=0)) <= 0.06


def test_interplay_compares_what_a_large_tau_costs():
    weak = {1.0: [4.0, 4.2, 4.1], 8.0: [2.0, 2.2, 2.1]}
    strong = {1.0: [2.0, 2.1, 2.2], 8.0: [4.0, 4.3, 4.5]}
    assert results.interplay(scores(weak), scores(strong)).holds is True
    assert results.interplay(scores(strong), scores(weak)).holds is False
    assert results.interplay(scores(weak), scores(weak)).holds is None


# What a page shows


@pytest.fixture
def both():
    """The paper's pattern at mu = 10, and at mu = 1 one in which the largest tau is best."""
    weak = PAPERS_PATTERN | {8.0: [0.5, 0.6, 0.55]}
    found = results.experiments([*runs(weak), *runs(PAPERS_PATTERN, mu=10.0)])
    return found.family(SETTINGS)


def test_statements_are_measured_and_told(both):
    judged = both.statements("d", "digits")
    told = {(row[r"$\mu$"], row["statement"]): row["the runs say"] for row in judged.rows}
    assert judged.measured == {
        f"digits_mu{mu}_{name}": (found, None)
        for mu, row in ((1, (True, False, False)), (10, (True, True, True)))
        for name, found in zip(results.STATEMENTS, row, strict=True)
    } | {"digits_interplay": (True, None)}
    assert told[10.0, r"a moderate $\tau$ is best"] == told["1 and 10", results.INTERPLAY]
    assert told[1.0, r"a moderate $\tau$ is best"] == "contradicted" and len(told) == 7
    exact = results.judge(both[10.0].at_end("d"))["slowest_worst"].p
    assert judged.rows[3]["p"] == float(f"{exact:.2g}") and judged.rows[3]["seeds"] == 3


def test_statements_about_runs_that_are_not_here_are_not_run(both):
    none = results.Family().statements("d", "digits")
    assert none.rows == [] and len(none.measured) == 7
    assert set(none.measured.values()) == {("not run", None)}
    del both[1.0]
    measured = both.statements("d", "digits").measured
    assert measured["digits_interplay"] == measured["digits_mu1_slowest_worst"] == ("not run", None)
    assert measured["digits_mu10_slowest_worst"] == (True, None)


def test_a_family_gives_curves_ends_and_means(both):
    assert both.floor == 0.5 and results.Family().floor is None
    (title, curves), _ = both.panels("d", since=10)
    assert title == r"$\mu = 1$, $\beta = 0.99$" and curves[2.0][0] == [10, 20]
    assert both.ends("d")[r"$\mu = 10$"] == PAPERS_PATTERN
    first, second = both.means("d")
    assert first[r"$\tau = 8$"] == 0.55 and second[r"$\tau = 8$"] == 2.12
    early, _ = both.early("d", 10)
    assert early["the largest is worse than the smallest"] == "contradicted"
    assert early[r"$\tau = 1$"] == 41.0 and both.early("d", 15) == []


def test_pictures_are_taken_from_the_runs_of_one_seed(tmp_path):
    made = runs({1.0: [1.0], 2.0: [2.0]})
    for run in made:
        run.folder = tmp_path / f"{run.parameters['tau']}"
    (made[0].folder / "figures").mkdir(parents=True)
    Image.new("L", (3, 2), 7).save(made[0].folder / "figures" / "samples.png")
    (found,) = results.experiments(made)
    seed, sheets = found.sheets()
    assert seed == 0 and list(sheets) == [1.0]
    assert np.array_equal(sheets[1.0], np.full((2, 3), 7))


# Tables


def test_the_papers_table_is_whole_and_carries_its_pattern():
    assert set(paper.FID) == set(itertools.product(("cifar10", "celeba"), paper.MUS))
    for values in paper.FID.values():
        assert tuple(values) == paper.BETAS
        for row in values.values():
            means = dict(zip(paper.TAUS, (mean for mean, _ in row), strict=True))
            assert max(means, key=means.get) == 1.0
            assert min(means, key=means.get) in (2.0, 4.0)
            assert means[8.0] > means[4.0]


def test_runs_of_the_papers_experiments_stand_beside_its_table():
    changes = {
        "dataset": "celeba", "mu": 10.0, "distance": "fid", "updates": 150_000,
        "averages": list(paper.BETAS),
    }  # fmt: skip
    made = runs(PAPERS_PATTERN, **changes)
    for run in made:
        run.metrics["history"]["scores"] = {"FID": run.metrics["history"]["scores"]["d"]}
    judged = results.experiments(made).beside_paper("celeba", 10.0)
    assert judged.complete and [row["whose"] for row in judged.rows] == ["measured", "paper"] * 3
    assert judged.rows[0][r"$\tau = 4$"] == "1.05 ± 0.02 (3)"
    assert judged.rows[1] == {
        r"$\beta$": "0.99", "whose": "paper", r"$\tau = 1$": "7.42 ± 0.097",
        r"$\tau = 2$": "6.26 ± 0.064", r"$\tau = 4$": "6.34 ± 0.034", r"$\tau = 8$": "7.01 ± 0.089",
    }  # fmt: skip
    means, errors = judged.measured["fid_celeba_mu10"]
    assert means == pytest.approx([np.mean(v) for v in PAPERS_PATTERN.values()] * 3)
    assert len(errors) == 12
    assert judged.measured["fid_celeba_mu10_moderate_best"] == (True, None)
    fewer = [run for run in made if run.parameters["tau"] < 8]
    for there in ([], fewer, runs(PAPERS_PATTERN)):
        judged = results.experiments(there).beside_paper("celeba", 10.0)
        assert not judged.complete and set(judged.measured.values()) == {("not run", None)}
        assert [row["whose"] for row in judged.rows] == ["paper"] * 3 and len(judged.measured) == 4
