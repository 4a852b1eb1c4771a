"""Many training runs together: experiments, tests over seeds, tables, and the paper's numbers."""

import itertools
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from taugda.gan import paper, results, seeds, studies

SETTINGS = {
    "dataset": "digits", "mu": 1.0, "gamma1": 1e-3, "updates": 20, "averages": [0.99],
    "distance": "digits",
}  # fmt: skip


def runs(by_tau, score="d", **settings):
    """One finished run a tau and seed, with the given distances at the end."""
    settings = SETTINGS | settings
    made = []
    for tau, values in by_tau.items():
        for seed, value in enumerate(values):
            by_beta = {f"{b}": [100.0, 10 * value, value] for b in settings["averages"]}
            history = {"update": [0, 10, settings["updates"]], "scores": {score: by_beta}}
            metrics = {"history": history, "score_provenance": {"two_halves": 0.5}}
            parameters = settings | {"tau": tau, "seed": seed, "device": "cpu"}
            run = {"parameters": parameters, "metrics": metrics, "collection": ""}
            made.append(SimpleNamespace(**run, folder=Path("nowhere")))
    return made


PAPERS_PATTERN = {
    1.0: [4.0, 4.2, 4.1], 2.0: [2.1, 2.2, 2.0], 4.0: [1.0, 1.1, 1.05], 8.0: [2.0, 2.2, 2.15],
}  # fmt: skip


def scores(by_tau):
    """Logarithms by tau and seed."""
    return {tau: dict(enumerate(np.log(values))) for tau, values in by_tau.items()}


# Experiments


def test_runs_that_differ_in_tau_and_seed_are_one_experiment():
    found = results.experiments([*runs(PAPERS_PATTERN, mu=10.0), *runs(PAPERS_PATTERN)])
    assert [e.settings["mu"] for e in found] == [1.0, 10.0]
    assert found[0].taus == [1.0, 2.0, 4.0, 8.0]
    assert found[0].seeds == [0, 1, 2] and found[0].scores == ["d"]
    assert found[0].at(20, "d", "0.99")[4.0] == {0: 1.0, 1: 1.1, 2: 1.05}
    assert found[0].at(15, "d", "0.99") == found[0].at(20, "other", "0.99") == {}
    ((_, curves),) = found[0].panels("d", since=10)
    updates, values = curves[4.0]
    assert updates == [10, 20]
    np.testing.assert_allclose(values, [[10, 1], [11, 1.1], [10.5, 1.05]])


def test_device_does_not_separate_runs_but_any_setting_does():
    one, moved = runs({1.0: [1.0]}), runs({1.0: [1.0]})
    moved[0].parameters |= {"device": "cuda", "seed": 9, "spectrum_at": [10]}
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
    assert list(found.family(SETTINGS | {"gamma1": 2e-3})) == [1.0]
    assert found.family(SETTINGS | {"updates": 99}) == {}


# Tests over seeds


NOISE = {1.0: [3.0, 1.0, 2.0], 2.0: [1.0, 3.0, 2.0], 4.0: [2.0, 3.1, 1.0], 8.0: [2.0, 1.0, 3.0]}


@pytest.mark.parametrize(
    ("by_tau", "holds"),
    [
        (PAPERS_PATTERN, [True, True, True]),
        # Upside down, tau = 8 loses to tau = 1.
        ({tau: [1 / v for v in by] for tau, by in PAPERS_PATTERN.items()}, [False, False, True]),
        (PAPERS_PATTERN | {8.0: [0.5, 0.6, 0.55]}, [True, False, False]),
        (NOISE, [None, None, None]),
        ({tau: by[:1] for tau, by in PAPERS_PATTERN.items()}, [None, None, None]),  # one seed
    ],
)
def test_patterns_support_or_contradict_the_papers_statements(by_tau, holds):
    found = seeds.judge(scores(by_tau)).values()
    assert [f.holds for f in found] == holds
    words = {True: "supported", False: "contradicted", None: "undecided"}
    assert [f.word for f in found] == [words[each] for each in holds]
    assert all((f.p < 0.05) == (each is True) for f, each in zip(found, holds, strict=True))
    assert {bool(np.isnan(f.p)) for f in found} == {len(by_tau[1.0]) == 1}


def test_chance_supports_a_true_nothing_in_at_most_one_of_twenty():
    """Under no effect at all, each statement is supported in about 5 % of experiments or fewer."""
    rng = np.random.default_rng(0)
    hits = []
    for values in np.exp(0.1 * rng.standard_normal((400, 4, 3))):
        found = seeds.judge(scores(dict(zip(paper.TAUS, values, strict=True))))
        hits.append([finding.holds is True for finding in found.values()])
    assert np.max(np.mean(hits, axis=0)) <= 0.06


TAUS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


def pattern(costs, seeds=8, noise=0.05, rng=0):
    """Logarithms by mu, tau and seed around given means, by mu and tau."""
    rng = np.random.default_rng(rng)
    return {
        mu: {tau: dict(enumerate(np.log(d) + noise * rng.standard_normal(seeds)))
             for tau, d in zip(TAUS, by_tau, strict=True)}
        for mu, by_tau in costs.items()
    }  # fmt: skip


SEEN = {1.0: (26, 22, 15, 12, 12, 35), 10.0: (21, 16, 14, 14, 23, 58)}
FLAT = pattern({mu: [10] * 6 for mu in SEEN}, rng=1)


def test_the_studys_comparisons_are_supported_where_they_hold():
    found = results.compare(pattern(SEEN))
    assert tuple(found) == results.NAMES and [f.holds for f in found.values()] == [True] * 6
    turned = {mu: [1 / d for d in by_tau] for mu, by_tau in SEEN.items()}
    assert [f.holds for f in results.compare(pattern(turned)).values()] == [False] * 6
    assert results.compare({1.0: pattern(SEEN)[1.0]}) == {}
    assert {f.holds for f in results.compare(FLAT).values()} == {None}


def test_the_p_values_are_scipys_with_holms_correction():
    logs = pattern(SEEN, noise=0.4, rng=2)  # in which a later p is smaller than one before it
    x = {mu: {tau: np.array([*by.values()]) for tau, by in e.items()} for mu, e in logs.items()}
    test = partial(stats.ttest_rel, alternative="greater")
    raw = {
        name: max(test(x[mu][a], x[mu][b]).pvalue for a, b in pairs)
        for name, _, mu, pairs in results.COMPARISONS
    }
    raw["interplay"] = test(x[10][16] - x[10][8], x[1][16] - x[1][8]).pvalue
    order, found = sorted(raw, key=raw.get), results.compare(logs)
    expected = [min(1, raw[name] * (6 - rank)) for rank, name in enumerate(order)]
    largest = np.maximum.accumulate(expected)
    assert [found[name].p for name in order] == pytest.approx(largest)
    assert (largest > expected).any() and max(largest) > 2 * max(raw[name] for name in order[:5])


def test_only_the_seeds_that_were_paired_count():
    one, other = pattern(SEEN)[1.0][8.0], pattern(SEEN, rng=1)[1.0][16.0]
    both = [{seed: logs[seed] for seed in range(1, 7)} for logs in (one, other)]
    del one[0], other[7]
    assert seeds.larger((other, one)) == seeds.larger((both[1], both[0]))


def test_a_ratio_and_its_interval_are_those_of_a_t_test():
    logs = scores({1.0: [4.0, 4.5, 4.2, 5.0], 8.0: [2.0, 2.1, 2.4, 2.2]})
    value, low, high = seeds.ratio(logs[1.0], logs[8.0])
    gaps = np.subtract(*(list(by.values()) for by in logs.values()))
    bounds = stats.ttest_1samp(gaps, 0).confidence_interval(0.95)
    assert value == pytest.approx(np.exp(gaps.mean()))
    assert (low, high) == pytest.approx(tuple(np.exp(bounds)))
    assert np.isnan(seeds.ratio({0: 4.0}, {0: 2.0, 1: 3.0})).all()


def test_rows_say_what_was_found():
    logs = pattern(SEEN)
    first, second = results.Logs(logs).ratio_rows()
    value, low, high = seeds.ratio(logs[1.0][32], logs[1.0][8])
    assert first["$d(32)/d(8)$"] == f"{value:.2f} [{low:.2f}, {high:.2f}]"
    assert second[r"$\mu$"] == 10
    rows = results.comparison_rows({"one": results.compare(logs), "none": {}})
    assert [row[r"$\mu$"] for row in rows] == ["1", "10", "1", "10", "10", "1 and 10"]
    assert all(float(row["one"]) < 0.05 and "none" not in row for row in rows)
    (row, *_) = results.comparison_rows({"one": results.compare(FLAT)})
    assert row["one"].startswith("undecided (")


def test_the_verdict_on_eight_and_four_needs_both_mu():
    def verdict(weak, strong):
        logs = results.Logs(pattern({1.0: (20, 15, *weak, 9, 9), 10.0: (20, 15, *strong, 9, 9)}))
        return logs, logs.within_the_papers_range()

    logs, found = verdict((5, 10), (5, 10))
    value, low, high = seeds.ratio(logs[10.0][1.0], logs[10.0][8.0])
    gains, sizes = found["gain"]
    assert gains[1] == value and sizes[1] == max(high - value, value - low)
    assert found["eight_worse_than_four"] == (True, None)
    assert verdict((10, 5), (5, 10))[1]["eight_worse_than_four"] == (False, None)
    del logs[1.0][8.0]
    assert set(logs.within_the_papers_range().values()) == {("not run", None)}
    assert results.Logs(FLAT).within_the_papers_range()["eight_worse_than_four"] == (None, None)


def study_file(
    path, distance, gammas, taus=(1.0, 8.0), updates=(20, 30), mus=(1.0, 10.0), seeds=(3, 4)
):
    """What the study leaves: a distance that depends on gamma1, mu, tau and seed."""
    own = {"update": list(updates), "updates": updates[-1]}
    entries = [
        own | {"gamma1": gamma1, "mu": mu, "tau": tau, "seed": seed,
               "scores": {"d": distance(gamma1, mu, tau, seed)}}
        for gamma1 in gammas for mu in mus for tau in taus for seed in seeds
    ]  # fmt: skip
    path.write_text(json.dumps({"provenance": {}, "runs": entries}))


def test_the_study_is_read_by_rate_and_mu(tmp_path):
    study_file(tmp_path / "rates.json", lambda _g, _mu, t, _s: [2 * t, 8 * t], (1e-3, 2e-3))
    found = studies.read(tmp_path).part("rates")
    assert list(found) == [1e-3, 2e-3] and list(found[1e-3]) == [1.0, 10.0]
    logs = found[2e-3].logs("d", [20, 30])
    assert logs[10.0][8.0] == {3: pytest.approx(np.log(32)), 4: pytest.approx(np.log(32))}
    assert found[2e-3].logs("d", [20, 31])[1.0] == {}
    gammas, taus, maps = found.maps("d")
    assert gammas == [1e-3, 2e-3] and taus == [1.0, 8.0] and list(maps) == [1.0, 10.0]
    np.testing.assert_allclose(maps[10.0], [[4, 32], [4, 32]])
    none = studies.read(tmp_path).part("none")
    assert none == {} and none.maps("d") == ([], [], {}) and none.equal_rate_rows("d", [20]) == []


def test_at_equal_gamma2_the_rates_stand_beside_the_default(tmp_path):
    def distance(gamma1, mu, tau, seed):
        return [tau * gamma1 * (2 if gamma1 == 4e-3 else 1)] * 2

    study_file(tmp_path / "rates.json", distance, (2.5e-4, 1e-3, 4e-3), TAUS, (40, 160))
    rows = studies.read(tmp_path).part("rates").equal_rate_rows("d", [40])
    assert len(rows) == 8 and rows[2] == {
        r"$\gamma_2$": 4e-3, r"$\mu$": 1.0, r"$\gamma_1$": 4e-3, r"$\tau$": 1.0, "updates": 40,
        "distance over that of the default": "2.00 [2.00, 2.00]",
    }  # fmt: skip
    assert rows[0]["updates"] == 160 and rows[0][r"$\tau$"] == 16.0
    assert rows[0]["distance over that of the default"] == "1.00 [1.00, 1.00]"
    assert [row[r"$\gamma_2$"] for row in rows] == [4e-3] * 4 + [8e-3] * 4


def test_variants_of_the_study_are_compared_where_they_are_there(tmp_path):
    def distance(gamma1, mu, tau, seed):
        return [999, SEEN[mu][int(np.log2(tau))] * (1 + 0.01 * tau * seed)]

    study_file(tmp_path / "rates.json", distance, (5e-4, 1e-3), TAUS)
    study_file(tmp_path / "seeds.json", distance, (1e-3,), TAUS[:3])
    found = studies.read(tmp_path).variants("d")
    assert list(found) == ["eight other seeds", r"half $\gamma_1$"]
    half = studies.read(tmp_path).part("rates")[5e-4]
    assert found[r"half $\gamma_1$"] == results.compare(half.logs("d", [20, 30]))
    assert tuple(found[r"half $\gamma_1$"]) == results.NAMES and found["eight other seeds"] == {}
    assert studies.read(tmp_path / "nowhere").variants("d") == {}


# What a page shows


@pytest.fixture
def both():
    """The paper's pattern at mu = 10, and at mu = 1 one in which the largest tau is best."""
    weak = PAPERS_PATTERN | {8.0: [0.5, 0.6, 0.55]}
    found = results.experiments([*runs(weak), *runs(PAPERS_PATTERN, mu=10.0)])
    return found.family(SETTINGS)


def test_a_family_gives_curves_and_what_is_early(both):
    assert both.floor == 0.5 and results.Family().floor is None
    (title, curves), _ = both.panels("d", since=10)
    assert title == r"$\mu = 1$, $\beta = 0.99$" and curves[2.0][0] == [10, 20]
    (early, other), logs = both.early("d", 10), np.log(list(PAPERS_PATTERN.values()))
    assert early["the largest is worse than the smallest"] == "contradicted"
    assert early[r"$\tau = 1$"] == 41.0 and both.early("d", 15) == []
    p = stats.ttest_rel(logs[-1], logs[0], alternative="greater").pvalue
    assert other["p"] == float(f"{p:.2g}")


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


PAPERS = {
    "dataset": "celeba", "mu": 10.0, "distance": "fid", "updates": 150_000, "width": 64,
    "gamma1": 1e-3, "averages": list(paper.BETAS),
}  # fmt: skip


def papers_runs(by_tau=PAPERS_PATTERN, **changes):
    return runs(by_tau, "FID", **{**PAPERS, **changes})


def test_runs_of_the_papers_experiments_stand_beside_its_table():
    rows, measured = results.experiments(papers_runs()).beside_paper(PAPERS)
    assert [row["whose"] for row in rows] == ["measured", "paper"] * 3
    assert rows[0][r"$\tau = 4$"] == "1.05 ± 0.02 (3)"
    assert rows[1] == {
        r"$\beta$": "0.99", "whose": "paper", r"$\tau = 1$": "7.42 ± 0.097",
        r"$\tau = 2$": "6.26 ± 0.064", r"$\tau = 4$": "6.34 ± 0.034", r"$\tau = 8$": "7.01 ± 0.089",
    }  # fmt: skip
    assert measured["fid_celeba_mu10"] == pytest.approx(
        [np.mean(v) for v in PAPERS_PATTERN.values()] * 3
    )
    gaps = measured["fid_celeba_mu10_gaps"]
    error = np.std(PAPERS_PATTERN[4.0]) / np.sqrt(3)
    assert gaps[2] == pytest.approx((1.05 - 6.34) / np.hypot(error, 0.034)) and len(gaps) == 12
    assert measured["fid_celeba_mu10_moderate_best"] is True


@pytest.mark.parametrize(
    "made",
    [
        [],
        papers_runs({tau: v for tau, v in PAPERS_PATTERN.items() if tau < 8}),
        papers_runs({tau: v[:1] for tau, v in PAPERS_PATTERN.items()}),
        papers_runs(width=8),
        papers_runs(gamma1=5e-5),
        papers_runs(updates=1000),
        runs(PAPERS_PATTERN),
    ],
)
def test_other_runs_decide_nothing_about_the_papers_table(made):
    rows, measured = results.experiments(made).beside_paper(PAPERS)
    assert set(measured.values()) == {"not run"} and len(measured) == 5
    assert [row["whose"] for row in rows] == ["paper"] * 3


def test_starts_of_rmsprop_are_set_side_by_side(tmp_path):
    """Three times as far at tau = 8 with the first, a tie with the others: noise alone."""

    def distance(_gamma1, _mu, tau, seed, far=1.0):
        near = (2 + seed / 10) * (1 + 0.02 * ((7 * tau + 3 * seed) % 5))
        return [99.0, near * (far if tau == 8 else 1)]

    for part, far in (("large", 3.0), ("large_corrected", 1.0), ("large_warm", 1.0)):
        study_file(tmp_path / f"{part}.json", partial(distance, far=far), (1e-3,),
                   paper.TAUS, (6, 9), (10.0,), range(5))  # fmt: skip
    found = studies.read(tmp_path)
    assert found.slower_by_start("d") == [True, False, False]
    rows = found.start_rows("d")
    assert [row["start of RMSprop"] for row in rows] == list(studies.STARTS)
    logs = np.log([distance(1e-3, 10.0, 2.0, seed)[1] for seed in range(5)])
    assert rows[2]["$d(2)$"] == f"{np.exp(logs.mean()):.3g}"
    none = studies.read(tmp_path / "nowhere")
    assert none.starts("d") == {} and none.slower_by_start("d") == "not run"


def test_spectra_are_summed_up_by_rate_and_by_order_of_steps(tmp_path):
    found = {"sharpness": 30.0, "factors": [0.5, 1.2, 1.2], "modes_imaginary": [0, 1, -1]}
    runs = [
        {"tau": 4.0, "mu": 1.0, "seed": seed, "gamma1": 1e-3, "update": [7], "scores": {}, **order,
         "spectra": {"5": found | {"edge": 1.0 + seed}}}
        for seed in range(3) for order in ({}, {"alternating": False})
    ]  # fmt: skip
    (tmp_path / "spectra.json").write_text(json.dumps({"runs": runs}))
    entries = studies.read(tmp_path).spectra()
    assert len(entries) == 6 and {e["update"] for e in entries} == {5}
    (row,) = entries.edge_rows()
    assert list(row.values()) == [0.004, 1.0, 6, "2 [1, 3]", "0.12 [0.12, 0.12]"]
    by_order = entries.rotations()
    assert {order: f.tolist() for order, f in by_order.items()} == {
        "alternating": [1.2] * 3, "simultaneous": [1.2] * 3
    }  # fmt: skip
    assert entries.rotation_rows()[0]["share beyond 1"] == "100%"
    assert studies.read(tmp_path / "nowhere").spectra() == []
