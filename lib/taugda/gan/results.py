"""Many training runs together: experiments, tables, and tests of the paper's claims over seeds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
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
INTERPLAY = r"a large $\tau$ costs more where $\mu$ is larger"
NOT_RUN, HERE = "not run", "this machine"
# What may differ between two runs of one experiment: the varied settings, and those that say
# where and how a run is made and looked at rather than what it is.
_FREE = {"tau", "seed", "checkpoint_every", "data_path", "device", "download", "pictures_at",
         "precision", "weights"}  # fmt: skip
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

    def at_end(self, score: str) -> dict[float, dict[int, float]]:
        """Return a score of the longest average after the last update, by tau and seed."""
        return self.at(self.settings["updates"], score, self.betas[-1])

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

    def ends(self, score: str) -> dict[str, dict[float, list[float]]]:
        """Return scores at the end by mu and tau for `plots.score_against_tau`, one a seed."""
        found = {rf"$\mu = {mu:g}$": e.at_end(score) for mu, e in self.items()}
        return {m: {t: list(v.values()) for t, v in each.items()} for m, each in found.items()}

    def means(self, *scores: str) -> list[dict[str, Any]]:
        """Return rows with the mean of each score after the last update."""
        pairs = [(mu, e, score) for mu, e in self.items() for score in scores]
        return [{r"$\mu$": mu, "distance": s} | _means(e.at_end(s)) for mu, e, s in pairs]

    def early(self, score: str, update: int) -> list[dict[str, Any]]:
        """Return rows that say whether the largest tau is worst so early."""
        rows = []
        for mu, experiment in self.items():
            scores = experiment.at(update, score, experiment.betas[-1])
            if len(scores) > 1:
                low, high = min(scores), max(scores)
                seeds = min(len(scores[low]), len(scores[high]))
                finding = Finding(_worse(scores, high, low), _worse(scores, low, high), seeds)
                said = {"the largest is worse than the smallest": finding.word}
                rows.append({r"$\mu$": mu} | _means(scores) | said | {"p": _short(finding.p)})
        return rows

    def statements(self, score: str, name: str) -> Judged:
        """Test the paper's statements on a score: ``{name}_mu{mu}_{statement}``, the interplay."""
        judged = Judged()
        ends = {mu: experiment.at_end(score) for mu, experiment in self.items()}
        for mu in sorted({*ends, *paper.MUS}):
            scores = ends.get(mu, {})
            findings = judge(scores) if len(scores) > 2 else {}
            judged.rows += [_row(STATEMENTS[k], mu, finding) for k, finding in findings.items()]
            judged.measured |= _measured(f"{name}_mu{mu:g}", findings)
        low, high = sorted(paper.MUS)
        judged.measured[f"{name}_interplay"] = (NOT_RUN, None)
        if ends.get(low) and ends.get(high):
            mixed = interplay(ends[low], ends[high])
            judged.rows.append(_row(INTERPLAY, f"{low:g} and {high:g}", mixed))
            judged.measured[f"{name}_interplay"] = (mixed.holds, None)
        return judged


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

    def beside_paper(self, dataset: str, mu: float) -> Judged:
        """Set runs of the paper's experiment beside its table, as ``fid_{dataset}_mu{mu}``."""
        name, theirs = f"fid_{dataset}_mu{mu:g}", paper.FID[dataset, mu]
        wanted = {"dataset": dataset, "mu": mu, "distance": "fid", "averages": list(paper.BETAS)}
        for e in self:
            mine = {key: e.settings[key] for key in wanted} == wanted
            scores = [e.at(paper.UPDATES, "FID", beta) for beta in e.betas] if mine else []
            if mine and all(set(by_tau) == set(paper.TAUS) for by_tau in scores):
                values = [summary(by_tau[tau])[:2] for by_tau in scores for tau in paper.TAUS]
                measured = {name: tuple(map(list, zip(*values, strict=True)))}
                rows = e.layout("FID", paper.UPDATES, theirs)
                return Judged(rows, measured | _measured(name, judge(scores[-1])))
        rows = [_papers_row(beta, theirs) for beta in paper.BETAS]
        return Judged(rows, {name: (NOT_RUN, None)} | _measured(name, {}), complete=False)


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


# Tests over seeds.  Runs of equal seed share their initial players, latent vectors and data, so
# differences are taken seed by seed, of logarithms, and tested with one-sided paired t-tests.  A
# statement about all of several comparisons takes the largest p-value (an intersection-union test);
# one about some of them the smallest, times their number (Bonferroni).


def judge(scores: Scores) -> dict[str, Finding]:
    """Test the paper's three statements about tau on one experiment."""
    taus = sorted(scores)
    low, inner, high = taus[0], taus[1:-1], taus[-1]
    worse = {(a, b): _worse(scores, a, b) for a in taus for b in taus if a != b}
    seeds = min(len(scores[tau]) for tau in taus)
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


def interplay(weak: Scores, strong: Scores) -> Finding:
    """Test whether log d(largest tau) / d(smallest tau) is larger under the stronger penalty."""
    less, more = (_ratios(scores, max(scores), min(scores)) for scores in (weak, strong))
    gaps = np.array([more[seed] - less[seed] for seed in more if seed in less])
    return Finding(_p_positive(gaps), _p_positive(-gaps), len(gaps))


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


def _row(statement: str, mu: float | str, finding: Finding) -> dict[str, Any]:
    said = {"the runs say": finding.word, "p": _short(finding.p), "seeds": finding.seeds}
    return {"statement": statement, r"$\mu$": mu} | said


def _measured(name: str, findings: Mapping[str, Finding]) -> dict[str, tuple[Any, None]]:
    found = {s: findings[s].holds if findings else NOT_RUN for s in STATEMENTS}
    return {f"{name}_{statement}": (holds, None) for statement, holds in found.items()}


def _short(x: float, digits: int = 2) -> float | None:
    """Return a number with as many digits as three seeds can carry; None for nan."""
    return None if np.isnan(x) else float(f"{x:.{digits}g}")


def _ratios(scores: Scores, a: float, b: float) -> dict[int, float]:
    """Logarithm of the distance at tau = a over that at tau = b, by seed."""
    return {s: np.log(scores[a][s] / scores[b][s]) for s in scores[a] if s in scores[b]}


def _worse(scores: Scores, a: float, b: float) -> float:
    """p-value for the distance being larger at tau = a than at tau = b."""
    return _p_positive(np.array(list(_ratios(scores, a, b).values())))


def _p_positive(gaps: NDArray[np.float64]) -> float:
    if len(gaps) < 2 or np.ptp(gaps) == 0:
        return np.nan  # one seed, or no spread between them: copies of one run, say
    return float(stats.ttest_1samp(gaps, 0.0, alternative="greater").pvalue)


def _all(values: Iterable[float]) -> float:
    return float(np.max(list(values)))


def _some(values: Iterable[float]) -> float:
    found = list(values)
    return float(np.minimum(1, np.min(found) * len(found)))
