"""Many training runs together: experiments, tables, and what the study on the digits asks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from taugda.gan import paper
from taugda.gan.seeds import STATEMENTS, Finding, gaps, holm, judge, larger, ratio

NOT_RUN = "not run"
GPU = "gpu"  # collection of what benchmarks/gpu.py left
# What may differ between two runs of one experiment: the varied settings, and those that say
# where and how a run is made and looked at rather than what it is.
_FREE = {"tau", "seed", "checkpoint_every", "data_path", "device", "download", "pictures_at",
         "precision", "side_by_side", "spectrum_at", "weights"}  # fmt: skip
# What may differ between those of one family besides; how often a run is looked at changes nothing.
_FREE_IN_FAMILY = {*_FREE, "mu", "evaluate_at", "evaluate_every"}
Scores = dict[float, dict[int, float]]  # a distance, smaller is better, by tau and seed


class Experiment:
    """Finished training runs that differ in tau and seed alone, by tau and seed."""

    def __init__(self, settings: Mapping[str, Any], runs: Mapping[tuple[float, int], Any]) -> None:
        self.settings, self.runs = settings, dict(sorted(runs.items()))
        histories = [run.metrics["history"] for run in runs.values()]
        self.taus = sorted({tau for tau, _ in runs})
        # Of seeds and updates, those that every tau and run has.
        by_tau = ({s for t, s in runs if t == tau} for tau in self.taus)
        self.seeds = sorted(set.intersection(*by_tau))
        self.updates = sorted(set.intersection(*(set(each["update"]) for each in histories)))
        self.betas = [f"{beta}" for beta in settings["averages"]]
        self.scores = sorted({score for history in histories for score in history["scores"]})
        self.collections = sorted({run.collection or "this machine" for run in runs.values()})

    def at(self, update: int, score: str, beta: str | None = None) -> Scores:
        """Return a score after an update, of the last average if none is named, of those there."""
        found: Scores = {}
        for (tau, seed), run in self.runs.items():
            history = run.metrics["history"]
            values = history["scores"].get(score, {}).get(beta or self.betas[-1])
            if values is not None and update in history["update"]:
                found.setdefault(tau, {})[seed] = values[history["update"].index(update)]
        return found

    def logs(self, score: str, updates: Iterable[int]) -> Scores:
        """Return the mean over some updates of a score's logarithm, of the runs that have it."""
        each = [self.at(update, score) for update in updates]
        found: Scores = {}
        for tau, seed in self.runs:
            values = [at.get(tau, {}).get(seed) for at in each]
            if None not in values:
                found.setdefault(tau, {})[seed] = float(np.mean(np.log(values)))
        return found

    def panels(self, score: str, since: int = 0) -> list[tuple[str, dict[float, Any]]]:
        """Return curves along training for `plots.scores`, a panel for each average."""
        panels, updates = [], [update for update in self.updates if update >= since]
        for beta in self.betas:
            each = [self.at(update, score, beta) for update in updates]
            curves = {
                tau: (updates, np.stack([list(at[tau].values()) for at in each], axis=1))
                for tau in (each[0] if each else ())
            }
            panels.append((rf"$\mu = {self.settings['mu']:g}$, $\beta = {beta}$", curves))
        return panels

    def sheets(self) -> tuple[int | None, dict[float, NDArray[np.uint8]]]:
        """Return a seed that all have and, by tau, the figure of samples that its run left."""
        seed = self.seeds[0] if self.seeds else None
        runs = {tau: run for (tau, s), run in self.runs.items() if s == seed}
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
        """Return curves for `plots.scores`, a panel for each mu and average."""
        return [panel for e in self.values() for panel in e.panels(score, since)]

    def logs(self, score: str, updates: Sequence[int]) -> "Logs":
        """Return the mean over some updates of a score's logarithm by mu, tau and seed."""
        return Logs({mu: experiment.logs(score, updates) for mu, experiment in self.items()})

    def early(self, score: str, update: int) -> list[dict[str, Any]]:
        """Return rows that say whether the largest tau is worst so early."""
        rows = []
        for mu, experiment in self.items():
            scores, logs = experiment.at(update, score), experiment.logs(score, [update])
            if len(scores) > 1:
                means = {_tau(tau): np.mean(list(by.values())) for tau, by in scores.items()}
                found = larger((logs[max(logs)], logs[min(logs)]))
                # As many digits as a few seeds can carry.
                row = {tau: float(f"{mean:.3g}") for tau, mean in means.items()}
                rows.append({
                    r"$\mu$": mu, **row, "the largest is worse than the smallest": found.word,
                    "p": None if np.isnan(found.p) else float(f"{found.p:.2g}"),
                })  # fmt: skip
        return rows


class Experiments(list[Experiment]):
    """All experiments."""

    def overview(self) -> list[dict[str, Any]]:
        """Return a row each, with where the runs come from."""
        shown = {"data": "dataset", r"$\mu$": "mu", r"$\gamma_1$": "gamma1", "updates": "updates"}
        return [
            {column: e.settings[name] for column, name in shown.items()}
            | {r"$\tau$": ", ".join(f"{tau:g}" for tau in e.taus),
               "seeds": ", ".join(map(str, e.seeds)), "from": ", ".join(e.collections)}
            for e in self
        ]  # fmt: skip

    def family(self, settings: Mapping[str, Any]) -> Family:
        """Select those that differ in mu alone from a run's settings."""
        wanted = without(_FREE_IN_FAMILY, settings)
        chosen = [e for e in self if without(_FREE_IN_FAMILY, e.settings) == wanted]
        return Family(sorted((float(e.settings["mu"]), e) for e in chosen))

    def others(self, by_script: bool = False) -> list[Experiment]:
        """Return those on neither the digits nor the paper's data: yours, or the GPU script's."""
        known = {"digits", *(dataset for dataset, _ in paper.FID)}
        others = [e for e in self if e.settings["dataset"] not in known]
        return [e for e in others if (GPU in e.collections) == by_script]

    def beside_paper(self, settings: Mapping[str, Any]) -> tuple[list[dict[str, str]], dict]:
        """Return rows of the paper's table for a sweep, and what to measure, ``fid_DATA_muMU``.

        Only runs of the sweep's own settings and of its three seeds count.
        """
        dataset, mu = settings["dataset"], float(settings["mu"])
        name, printed = f"fid_{dataset}_mu{mu:g}", paper.FID[dataset, mu]
        mine = self.family(settings).get(mu)
        found = [mine.at(paper.UPDATES, "FID", f"{beta}") if mine else {} for beta in printed]
        ours = np.array([
            [[at.get(tau, {}).get(seed, np.nan) for seed in paper.SEEDS] for tau in paper.TAUS]
            for at in found
        ])  # fmt: skip
        complete = not np.isnan(ours).any()
        # As the paper's, errors are of the population, over the root of the number of seeds.
        n = len(paper.SEEDS)
        means, errors = ours.mean(axis=2), ours.std(axis=2) / np.sqrt(n)
        theirs, their_errors = np.moveaxis(np.array(list(printed.values())), 2, 0)
        rows = []
        for k, (beta, row) in enumerate(printed.items()):
            digits = 2 if all(round(e, 2) == e for _, e in row) else 3
            texts = {"paper": [f"{m:.2f} ± {e:.{digits}f}" for m, e in row]}
            if complete:
                each = zip(means[k], errors[k], strict=True)
                texts = {"measured": [f"{m:.2f} ± {e:.2f} ({n})" for m, e in each], **texts}
            for whose, cells in texts.items():
                by_tau = dict(zip(map(_tau, paper.TAUS), cells, strict=True))
                rows.append({r"$\beta$": f"{beta}", "whose": whose, **by_tau})
        measured = dict.fromkeys(["", "_gaps", *(f"_{s}" for s in STATEMENTS)], NOT_RUN)
        if complete:
            # In standard errors of the difference.
            away = (means - theirs) / np.hypot(errors, their_errors)
            measured |= {"": means.ravel().tolist(), "_gaps": away.ravel().tolist()}
            last = dict(zip(paper.TAUS, map(dict, map(enumerate, np.log(ours[-1]))), strict=True))
            measured |= {f"_{statement}": found.holds for statement, found in judge(last).items()}
        return rows, {f"{name}{what}": value for what, value in measured.items()}


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
    groups: dict[str, tuple[dict[str, Any], dict]] = {}
    for run in runs:
        shared = without(_FREE, run.parameters)
        _, group = groups.setdefault(repr(sorted(shared.items())), (shared, {}))
        group[float(run.parameters["tau"]), int(run.parameters["seed"])] = run
    order = ("dataset", "updates", "gamma1", "mu")
    found = [Experiment(settings, group) for settings, group in groups.values()]
    return Experiments(sorted(found, key=lambda e: [e.settings[name] for name in order]))


# The comparisons of the study on the digits: name, statement, at which mu, and which pairs of tau,
# the first of which is to be worse.  Fixed before its seeds were run; see notebook 10.
_SLOWEST = r"$\tau = 1$ is worse than each of 2, 4, 8"
COMPARISONS = (
    ("mu1_slowest_worst", _SLOWEST, 1.0, ((1, 2), (1, 4), (1, 8))),
    ("mu10_slowest_worst", _SLOWEST, 10.0, ((1, 2), (1, 4), (1, 8))),
    ("mu1_too_much", r"$\tau = 32$ is worse than 8", 1.0, ((32, 8),)),
    ("mu10_too_much", r"$\tau = 32$ is worse than 8", 10.0, ((32, 8),)),
    ("mu10_limit", r"$\tau = 16$ is worse than 8", 10.0, ((16, 8),)),
)
INTERPLAY = r"going from $\tau = 8$ to 16 costs more where $\mu$ is larger"
NAMES = (*(name for name, *_ in COMPARISONS), "interplay")
PAIRS = ((1, 2), (1, 4), (1, 8), (8, 4), (16, 8), (32, 8))  # whose ratios are shown


class Logs(dict[float, Scores]):
    """Mean logarithms of a distance by mu, tau and seed, and what the study asks of them."""

    def ratio_rows(self) -> list[dict[str, Any]]:
        """Return a row for each mu with the ratios of `PAIRS` and their 95 % intervals."""
        return [
            {r"$\mu$": mu}
            | {f"$d({a})/d({b})$": f"{ratio(by[a], by[b])}" for a, b in PAIRS if {a, b} <= set(by)}
            for mu, by in self.items()
        ]

    def within_the_papers_range(self) -> dict[str, tuple[Any, Any]]:
        """Return d(1)/d(8) by mu and whether 8 is worse than 4 at all mu; with uncertainties."""
        scores = [self.get(mu, {}) for mu in sorted(paper.MUS)]
        if not all({1, 4, 8} <= set(by) for by in scores):
            return dict.fromkeys(("gain", "eight_worse_than_four"), (NOT_RUN, None))
        gains = [ratio(by[1], by[8]) for by in scores]
        sizes = [max(gain.high - gain.value, gain.value - gain.low) for gain in gains]
        holds = [larger((by[8], by[4])).holds for by in scores]
        worse = False if False in holds else None if None in holds else True
        gain = [gain.value for gain in gains], sizes
        return {"gain": gain, "eight_worse_than_four": (worse, None)}


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
    found = {
        name: larger(*((logs[mu][a], logs[mu][b]) for a, b in pairs))
        for name, _, mu, pairs in COMPARISONS
    }
    weak, strong = (gaps(logs[mu][16], logs[mu][8]) for mu in sorted(paper.MUS))
    found["interplay"] = larger((strong, weak))
    p, opposite = (holm([getattr(f, name) for f in found.values()]) for name in ("p", "opposite"))
    return dict(zip(found, map(Finding, p, opposite), strict=True))


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
                p = f"{found[name].p:.1g}"
                row[heading] = p if found[name].holds else f"{found[name].word} ({p})"
        rows.append(row)
    return rows


def without(names: set[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Leave some settings out."""
    return {key: value for key, value in settings.items() if key not in names}


def _tau(tau: float) -> str:
    return rf"$\tau = {tau:g}$"
