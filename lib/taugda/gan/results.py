"""Many training runs together: experiments, tables, and tests of statements over seeds."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from taugda.gan import paper

LEVEL = 0.05  # of the tests
# The smallest tau is worse than every other; some tau between the extremes is better than both; the
# largest is worse than some smaller one.
STATEMENTS = {
    "slowest_worst": r"$\tau = 1$ is worst",
    "moderate_best": r"a moderate $\tau$ is best",
    "more_not_better": r"more is not always better",
}
NOT_RUN, HERE = "not run", "this machine"
# What may differ between two runs of one experiment: the varied settings, and those that say
# where and how a run is made and looked at rather than what it is.
_FREE = {"tau", "seed", "checkpoint_every", "data_path", "device", "download", "pictures_at",
         "precision", "side_by_side", "weights"}  # fmt: skip
# What may differ between those of one family besides; how often a run is looked at changes nothing.
_FREE_IN_FAMILY = {*_FREE, "mu", "evaluate_at", "evaluate_every"}
Scores = Mapping[float, Mapping[int, float]]  # a distance, smaller is better, by tau and seed


@dataclass(frozen=True)
class Finding:
    """What a test over seeds says: p-values of a statement and of its opposite."""

    p: float  # nan where there is nothing to test
    opposite: float
    seeds: int

    @property
    def holds(self) -> bool | None:
        """True: supported, False: contradicted, None: undecided."""
        return True if self.p < LEVEL else False if self.opposite < LEVEL else None

    @property
    def word(self) -> str:
        """What a table says of it."""
        return {True: "supported", False: "contradicted", None: "undecided"}[self.holds]


@dataclass
class Judged:
    """Rows of a table, and what to measure: values with uncertainties (or None) by metric."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    measured: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    complete: bool = True  # whether the runs are here


@dataclass(frozen=True)
class Experiment:
    """Finished training runs that differ in tau and seed alone, by tau and seed."""

    settings: dict[str, Any]
    runs: dict[tuple[float, int], Any]

    @property
    def taus(self) -> list[float]:
        """Timescale separations, increasing."""
        return sorted({tau for tau, _ in self.runs})

    @property
    def seeds(self) -> list[int]:
        """Seeds that every tau was run with."""
        each = [{s for t, s in self.runs if t == tau} for tau in self.taus]
        return sorted(set.intersection(*each)) if each else []

    @property
    def betas(self) -> list[str]:
        """Averages that were kept, as text."""
        return [f"{beta}" for beta in self.settings["averages"]]

    @property
    def scores(self) -> list[str]:
        """Names of the distances that were taken."""
        return sorted({s for run in self.runs.values() for s in run.metrics["history"]["scores"]})

    def along(self, score: str, beta: str) -> dict[float, dict[int, dict[int, float]]]:
        """Return a score of the runs that have it by tau, seed and updates done."""
        found: dict[float, dict[int, dict[int, float]]] = {}
        for (tau, seed), run in sorted(self.runs.items()):
            history = run.metrics["history"]
            values = history["scores"].get(score, {}).get(beta)
            if values is not None:
                found.setdefault(tau, {})[seed] = dict(zip(history["update"], values, strict=True))
        return found

    def at(self, update: int, score: str, beta: str) -> dict[float, dict[int, float]]:
        """Return a score after some updates by tau and seed, of the runs that have it."""
        found = {
            tau: {seed: values[update] for seed, values in by_seed.items() if update in values}
            for tau, by_seed in self.along(score, beta).items()
        }
        return {tau: values for tau, values in found.items() if values}

    def logs(self, score: str, updates: Iterable[int]) -> Scores:
        """Return the mean over some updates of a score's logarithm by tau and seed."""
        found: dict[float, dict[int, float]] = {}
        for tau, by_seed in self.along(score, self.betas[-1]).items():
            for seed, values in by_seed.items():
                each = [values.get(update) for update in updates]
                if None not in each:
                    found.setdefault(tau, {})[seed] = float(np.mean(np.log(each)))
        return found

    def panels(self, score: str, since: int = 0) -> list[tuple[str, dict[float, Any]]]:
        """Return curves along training for `plots.score_curves`, a panel for each average."""
        panels = []
        for beta in self.betas:
            curves = {}
            for tau, by_seed in self.along(score, beta).items():
                shared = set.intersection(*map(set, by_seed.values()))
                updates = sorted(update for update in shared if update >= since)
                rows = [[values[update] for update in updates] for values in by_seed.values()]
                curves[tau] = updates, np.array(rows)
            panels.append((rf"$\mu = {self.settings['mu']:g}$, $\beta = {beta}$", curves))
        return panels

    def layout(
        self, score: str, update: int | None = None, theirs: paper.Table | None = None
    ) -> list[dict[str, str]]:
        """Write rows in the paper's layout: mean ± standard error (seeds); the paper's below."""
        rows = []
        for beta in self.betas:
            row = {r"$\beta$": beta, "whose": "measured"} | {_column(tau): "" for tau in self.taus}
            scores = self.at(update or self.settings["updates"], score, beta)
            for tau, values in scores.items():
                mean, error, seeds = summary(values)
                spread = f" ± {error:.2f}" if seeds > 1 else ""
                row[_column(tau)] = f"{mean:.2f}{spread} ({seeds})"
            rows.append(row)
            if theirs and float(beta) in theirs:
                rows.append(_papers_row(float(beta), theirs))
        return rows

    def sheets(self) -> tuple[int | None, dict[float, NDArray[np.uint8]]]:
        """Return a seed that all have and, by tau, the figure of samples that its run left."""
        seed = self.seeds[0] if self.seeds else None
        runs = {tau: run for (tau, s), run in sorted(self.runs.items()) if s == seed}
        paths = {tau: run.folder / "figures" / "samples.png" for tau, run in runs.items()}
        return seed, {t: np.asarray(Image.open(p)) for t, p in paths.items() if p.is_file()}


class Family(dict[float, Experiment]):
    """Experiments that differ in mu alone, by mu, and what a page shows of them."""

    @property
    def floor(self) -> float | None:
        """Distance between two halves of the real pictures, below which nothing can be told."""
        runs = [run for experiment in self.values() for run in experiment.runs.values()]
        known = [run.metrics["score_provenance"].get("two_halves") for run in runs]
        return next((value for value in known if value is not None), None)

    def panels(self, score: str, since: int = 0) -> list[tuple[str, dict[float, Any]]]:
        """Return curves for `plots.score_curves`, a panel for each mu and average."""
        return [panel for e in self.values() for panel in e.panels(score, since)]

    def logs(self, score: str, updates: Sequence[int]) -> dict[float, Scores]:
        """Return the mean over some updates of a score's logarithm by mu, tau and seed."""
        return {mu: experiment.logs(score, updates) for mu, experiment in self.items()}

    def early(self, score: str, update: int) -> list[dict[str, Any]]:
        """Return rows that say whether the largest tau is worst so early."""
        rows = []
        for mu, experiment in self.items():
            scores = experiment.at(update, score, experiment.betas[-1])
            if len(scores) > 1:
                logs = experiment.logs(score, [update])
                finding = worse(logs, max(logs), min(logs))
                said = {"the largest is worse than the smallest": finding.word}
                rows.append({r"$\mu$": mu} | _means(scores) | said | {"p": _short(finding.p)})
        return rows


class Experiments(list[Experiment]):
    """All experiments."""

    def overview(self) -> list[dict[str, Any]]:
        """Return a row each, with where the runs come from."""
        shown = {"data": "dataset", r"$\mu$": "mu", r"$\gamma_1$": "gamma1", "updates": "updates"}
        return [
            {column: e.settings[name] for column, name in shown.items()}
            | {
                r"$\tau$": ", ".join(f"{tau:g}" for tau in e.taus),
                "seeds": ", ".join(map(str, e.seeds)),
                "from": ", ".join(sorted({r.collection or HERE for r in e.runs.values()})),
            }
            for e in self
        ]

    def family(self, settings: Mapping[str, Any], **changes: Any) -> Family:
        """Select those that differ in mu alone from a run's settings with some of them changed."""
        wanted = _without(_FREE_IN_FAMILY, {**settings, **changes})
        chosen = [e for e in self if _without(_FREE_IN_FAMILY, e.settings) == wanted]
        return Family(sorted((float(e.settings["mu"]), e) for e in chosen))

    def others(self) -> list[Experiment]:
        """Return those on neither the digits nor the paper's data sets."""
        known = {"digits", *(dataset for dataset, _ in paper.FID)}
        return [e for e in self if e.settings["dataset"] not in known]

    def beside_paper(self, settings: Mapping[str, Any]) -> Judged:
        """Set the runs of one of the paper's sweeps beside its table, as ``fid_{dataset}_mu{mu}``.

        Only runs of the sweep's own settings and of its three seeds count.
        """
        dataset, mu = settings["dataset"], float(settings["mu"])
        name, theirs = f"fid_{dataset}_mu{mu:g}", paper.FID[dataset, mu]
        mine = self.family(settings).get(mu)
        scores = [mine.at(paper.UPDATES, "FID", beta) for beta in mine.betas] if mine else []
        chosen = [
            {tau: {s: by_tau.get(tau, {}).get(s) for s in paper.SEEDS} for tau in paper.TAUS}
            for by_tau in scores
        ]
        values = [v for by_tau in chosen for by_seed in by_tau.values() for v in by_seed.values()]
        if mine is None or None in values:
            rows = [_papers_row(beta, theirs) for beta in paper.BETAS]
            none = {name: (NOT_RUN, None), f"{name}_gaps": (NOT_RUN, None)}
            return Judged(rows, none | _measured(name, {}), complete=False)
        cells = [summary(by_tau[tau])[:2] for by_tau in chosen for tau in paper.TAUS]
        printed = [cell for beta in paper.BETAS for cell in theirs[beta]]
        # In standard errors of the difference; both are those of a mean over three seeds.
        gaps = [
            (ours - paper_) / np.hypot(e, error)
            for (ours, e), (paper_, error) in zip(cells, printed, strict=True)
        ]
        rows = mine.layout("FID", paper.UPDATES, theirs)
        measured = {name: ([mean for mean, _ in cells], None), f"{name}_gaps": (gaps, None)}
        logs = {tau: _logarithms(by_seed) for tau, by_seed in chosen[-1].items()}
        return Judged(rows, measured | _measured(name, judge(logs)))


def experiments(runs: Iterable[Any]) -> Experiments:
    """Sort runs into experiments, by data set, updates, gamma1 and mu.

    Parameters
    ----------
    runs : iterable of Finished
        Training runs, as `taugda.record.finished` returns them.

    Returns
    -------
    Experiments
        A list of `Experiment`, with what compares them.
    """
    groups: dict[str, Experiment] = {}
    for run in runs:
        shared = _without(_FREE, run.parameters)
        group = groups.setdefault(repr(sorted(shared.items())), Experiment(shared, {}))
        group.runs[float(run.parameters["tau"]), int(run.parameters["seed"])] = run
    order = ("dataset", "updates", "gamma1", "mu")
    return Experiments(sorted(groups.values(), key=lambda e: [e.settings[name] for name in order]))


def study(path: Path) -> dict[float, Family]:
    """Read a part of the study on the digits that ``benchmarks/study.py`` left, by gamma1.

    Parameters
    ----------
    path : Path
        A file such as ``outputs/published/study/rates.json``.

    Returns
    -------
    dict of float to Family
        Empty where the file is not there.
    """
    if not path.is_file():
        return {}
    runs = []
    for entry in json.loads(path.read_text(encoding="utf-8"))["runs"]:
        parameters = {k: v for k, v in entry.items() if k not in ("update", "scores")}
        parameters |= {"dataset": "digits", "averages": [0.99]}
        scores = {name: {"0.99": values} for name, values in entry["scores"].items()}
        history = {"update": entry["update"], "scores": scores}
        runs.append(SimpleNamespace(parameters=parameters, metrics={"history": history}))
    found: dict[float, Family] = {}
    for experiment in experiments(runs):
        family = found.setdefault(experiment.settings["gamma1"], Family())
        family[float(experiment.settings["mu"])] = experiment
    return found


# Tests over seeds.  Runs of equal seed share their initial players, latent vectors and data, so
# differences are taken seed by seed, of logarithms, and tested with one-sided paired t-tests.  A
# statement about all of several comparisons takes the largest p-value (an intersection-union test);
# one about some of them the smallest, times their number (Bonferroni).


def judge(scores: Scores) -> dict[str, Finding]:
    """Test the paper's three statements about tau on one experiment, from logarithms."""
    taus = sorted(scores)
    low, inner, high = taus[0], taus[1:-1], taus[-1]
    worse = {(a, b): _worse(scores, a, b) for a in taus for b in taus if a != b}
    seeds = len(set.intersection(*(set(scores[tau]) for tau in taus)))
    # In each pair: p-value for the statement, p-value for its opposite.
    pairs = {
        "slowest_worst": (_all(worse[low, t] for t in taus[1:]),
                          _some(worse[t, low] for t in taus[1:])),
        "moderate_best": (_some(_all([worse[low, t], worse[high, t]]) for t in inner),
                          _some(_all(worse[t, end] for t in inner) for end in (low, high))),
        "more_not_better": (_some(worse[high, t] for t in taus[:-1]),
                            _all(worse[t, high] for t in taus[:-1])),
    }  # fmt: skip
    return {name: Finding(*pair, seeds) for name, pair in pairs.items()}


# The comparisons of the study on the digits: name, statement, at which mu, and which pairs of tau,
# the first of which is to be worse.  Fixed before its seeds were run; see notebook 10.
_SLOWEST = r"$\tau = 1$ is worse than each of 2, 4, 8"
COMPARISONS = (
    ("mu1_slowest_worst", _SLOWEST, 1.0, ((1, 2), (1, 4), (1, 8))),
    ("mu10_slowest_worst", _SLOWEST, 10.0, ((1, 2), (1, 4), (1, 8))),
    ("mu1_too_much", r"$\tau = 32$ is worse than 8", 1.0, ((32, 8),)),
    ("mu10_too_much", r"$\tau = 32$ is worse than 8", 10.0, ((32, 8),)),
    ("mu10_limit", r"$\tau = 16$ is worse than 8", 10.0, ((16, 8),)),
)  # fmt: skip
INTERPLAY = r"going from $\tau = 8$ to 16 costs more where $\mu$ is larger"
NAMES = (*(name for name, *_ in COMPARISONS), "interplay")
PAIRS = ((1, 2), (1, 4), (1, 8), (8, 4), (16, 8), (32, 8))  # whose ratios are shown


def compare(logs: Mapping[float, Scores]) -> dict[str, Finding]:
    """Test the comparisons of the study on the digits, with Holm's correction for their number.

    Parameters
    ----------
    logs : mapping of mu to tau to seed to float
        Mean logarithms of a distance, as `Family.logs` returns them.

    Returns
    -------
    dict of str to Finding
        By name; empty where some of the runs are not here.
    """
    needed = {float(tau) for *_, pairs in COMPARISONS for pair in pairs for tau in pair}
    if any(not needed <= set(logs.get(mu, {})) for mu in paper.MUS):
        return {}
    gaps = {
        name: [_gaps(logs[mu], a, b) for a, b in pairs] for name, _, mu, pairs in COMPARISONS
    }  # fmt: skip
    weak, strong = (_by_seed(logs[mu], 16, 8) for mu in sorted(paper.MUS))
    gaps["interplay"] = [np.array([strong[s] - weak[s] for s in strong if s in weak])]
    found = {
        name: Finding(_all(map(_p_positive, each)), _some(_p_positive(-gap) for gap in each),
                      min(map(len, each)))
        for name, each in gaps.items()
    }  # fmt: skip
    down = dict(zip(found, _holm([finding.opposite for finding in found.values()]), strict=True))
    up = dict(zip(found, _holm([finding.p for finding in found.values()]), strict=True))
    return {name: Finding(up[name], down[name], f.seeds) for name, f in found.items()}


def ratio(scores: Scores, a: float, b: float) -> tuple[float, float, float]:
    """Return the ratio of geometric means of the distance at two tau, with its 95 % interval.

    Parameters
    ----------
    scores : mapping of tau to seed to float
        Logarithms.
    a, b : float
        The two tau.

    Returns
    -------
    ratio, low, high : float
        From the seeds that both have; nan where they are fewer than two.
    """
    gaps = _gaps(scores, a, b)
    if len(gaps) < 2:
        return (np.nan,) * 3
    half = stats.t.ppf(0.975, len(gaps) - 1) * stats.sem(gaps)
    return tuple(float(np.exp(gaps.mean() + x)) for x in (0, -half, half))


def worse(scores: Scores, a: float, b: float) -> Finding | None:
    """Test whether the distance is larger at one tau than at another; None where a run is missing.

    Parameters
    ----------
    scores : mapping of tau to seed to float
        Logarithms.
    a, b : float
        The two tau.

    Returns
    -------
    Finding or None
    """
    if not {a, b} <= set(scores):
        return None
    return Finding(_worse(scores, a, b), _worse(scores, b, a), len(_gaps(scores, a, b)))


def rate_table(rates: Mapping[float, Family], score: str) -> dict[float, dict[Any, float]]:
    """Return geometric means over updates and seeds by mu, and by (gamma1, tau) in each.

    Parameters
    ----------
    rates : mapping of gamma1 to Family
        As `study` returns them.
    score : str
        Name of the distance.

    Returns
    -------
    dict
    """
    found: dict[float, dict[Any, float]] = {}
    for gamma1, family in rates.items():
        for mu, experiment in family.items():
            (run, *_) = experiment.runs.values()
            for tau, by in experiment.logs(score, run.metrics["history"]["update"]).items():
                mean = float(np.exp(np.mean(list(by.values()))))
                found.setdefault(mu, {})[gamma1, tau] = mean
    return found


def ratio_rows(logs: Mapping[float, Scores]) -> list[dict[str, Any]]:
    """Return a row for each mu with the ratios of `PAIRS` and their 95 % intervals, as text.

    Parameters
    ----------
    logs : mapping of mu to tau to seed to float
        Mean logarithms of a distance.

    Returns
    -------
    list of dict
    """
    return [
        {r"$\mu$": mu}
        | {
            f"$d({a})/d({b})$": "{:.2f} [{:.2f}, {:.2f}]".format(*ratio(scores, a, b))
            for a, b in PAIRS
            if {a, b} <= set(scores)
        }
        for mu, scores in logs.items()
    ]


def comparison_rows(findings: Mapping[str, Mapping[str, Finding]]) -> list[dict[str, Any]]:
    """Return a row for each comparison: Holm's p, or what else the runs say.

    Parameters
    ----------
    findings : mapping of str to findings
        What `compare` returned, by the heading of the columns.

    Returns
    -------
    list of dict
    """
    named = [(name, words, f"{mu:g}") for name, words, mu, _ in COMPARISONS]
    rows = []
    for name, words, mu in [*named, ("interplay", INTERPLAY, "1 and 10")]:
        row: dict[str, Any] = {"statement": words, r"$\mu$": mu}
        for heading, found in findings.items():
            if name in found:
                p, holds = f"{found[name].p:.1g}", found[name].holds
                row[heading] = p if holds else f"{found[name].word} ({p})"
        rows.append(row)
    return rows


def _holm(values: Sequence[float]) -> list[float]:
    order, corrected, largest = np.argsort(values), [np.nan] * len(values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, values[place] * (len(values) - rank)))
        corrected[place] = largest
    return corrected


def summary(values: Mapping[int, float]) -> tuple[float, float, int]:
    """Return mean, standard error (of the population, as the paper's) and number of seeds."""
    each = np.array(list(values.values()), dtype=float)
    return float(each.mean()), float(each.std() / np.sqrt(len(each))), len(each)


def _without(names: set[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key not in names}


def _column(tau: float) -> str:
    return rf"$\tau = {tau:g}$"


def _papers_row(beta: float, theirs: paper.Table) -> dict[str, str]:
    pairs = zip(paper.TAUS, theirs[beta], strict=True)
    texts = {_column(tau): f"{mean:.2f} ± {error:.3g}" for tau, (mean, error) in pairs}
    return {r"$\beta$": f"{beta}", "whose": "paper"} | texts


def _means(scores: Scores) -> dict[str, float | None]:
    return {_column(tau): _short(summary(values)[0], 3) for tau, values in scores.items()}


def _measured(name: str, findings: Mapping[str, Finding]) -> dict[str, tuple[Any, None]]:
    found = {s: findings[s].holds if findings else NOT_RUN for s in STATEMENTS}
    return {f"{name}_{statement}": (holds, None) for statement, holds in found.items()}


def _short(x: float, digits: int = 2) -> float | None:
    """Return a number with as many digits as three seeds can carry; None for nan."""
    return None if np.isnan(x) else float(f"{x:.{digits}g}")


def _logarithms(by_seed: Mapping[int, float]) -> dict[int, float]:
    return {seed: float(np.log(value)) for seed, value in by_seed.items()}


def _by_seed(scores: Scores, a: float, b: float) -> dict[int, float]:
    """How much larger the logarithm is at tau = a than at tau = b, of seeds that both have."""
    return {s: scores[a][s] - scores[b][s] for s in scores[a] if s in scores[b]}


def _gaps(scores: Scores, a: float, b: float) -> NDArray[np.float64]:
    return np.array(list(_by_seed(scores, a, b).values()))


def _worse(scores: Scores, a: float, b: float) -> float:
    """p-value for the distance being larger at tau = a than at tau = b."""
    return _p_positive(_gaps(scores, a, b))


def _p_positive(gaps: NDArray[np.float64]) -> float:
    if len(gaps) < 2 or np.ptp(gaps) == 0:
        return np.nan  # one seed, or no spread between them: copies of one run, say
    return float(stats.ttest_1samp(gaps, 0.0, alternative="greater").pvalue)


def _all(values: Iterable[float]) -> float:
    return float(np.max(list(values)))


def _some(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.minimum(1, np.min(found) * len(found)))
