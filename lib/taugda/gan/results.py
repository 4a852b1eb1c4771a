"""Many training runs together: experiments, tables, and tests of the paper's claims over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = [
    "Experiment",
    "Finding",
    "experiments",
    "family",
    "interplay",
    "judge",
    "larger_is_worse",
    "paper_layout",
    "summary",
]

LEVEL = 0.05  # of the tests
# What may differ between two runs of one experiment: the varied settings, and those that say
# where and how a run is made and looked at rather than what it is.
_VARIED = ("tau", "seed")
_INCIDENTAL = (
    "checkpoint_every", "data_path", "device", "download", "pictures_at", "precision", "weights",
)  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """Training runs that differ in tau and seed alone.

    Parameters
    ----------
    settings : dict
        The parameters that they share.
    runs : dict of (float, int) to dict
        The ``history`` of each run by its tau and seed: ``update`` and ``scores``.
    names : dict of (float, int) to str
        The runs' names.
    """

    settings: dict[str, Any]
    runs: dict[tuple[float, int], dict[str, Any]]
    names: dict[tuple[float, int], str]

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

    def at(self, update: int, score: str, beta: str) -> dict[float, dict[int, float]]:
        """Return a score after some updates.

        Parameters
        ----------
        update : int
            Updates done.
        score : str
            Name of the score.
        beta : str
            Which average.

        Returns
        -------
        dict of float to dict of int to float
            By tau and seed; runs that were not evaluated there are left out.
        """
        found: dict[float, dict[int, float]] = {tau: {} for tau in self.taus}
        for (tau, seed), history in sorted(self.runs.items()):
            values = history["scores"].get(score, {}).get(beta)
            if values is not None and update in history["update"]:
                found[tau][seed] = values[history["update"].index(update)]
        return {tau: values for tau, values in found.items() if values}

    def at_end(self, score: str) -> dict[float, dict[int, float]]:
        """Return a score of the longest average after the last update.

        Parameters
        ----------
        score : str
            Name of the score.

        Returns
        -------
        dict of float to dict of int to float
            By tau and seed.
        """
        return self.at(self.settings["updates"], score, self.betas[-1])

    def curves(
        self, score: str, beta: str, since: int = 0
    ) -> dict[float, tuple[list[int], NDArray[np.float64]]]:
        """Return a score along training.

        Parameters
        ----------
        score : str
            Name of the score.
        beta : str
            Which average.
        since : int
            First update to take.

        Returns
        -------
        dict of float to (list of int, ndarray of shape (seeds, evaluations))
            By tau, at the updates that all its seeds were evaluated at.
        """
        found = {}
        for tau in self.taus:
            mine = [h for (t, _), h in sorted(self.runs.items()) if t == tau]
            shared = set.intersection(*(set(history["update"]) for history in mine))
            updates = sorted(update for update in shared if update >= since)
            rows = [
                [h["scores"][score][beta][h["update"].index(update)] for update in updates]
                for h in mine
            ]
            found[tau] = (updates, np.array(rows))
        return found


def experiments(
    runs: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]],
) -> list[Experiment]:
    """Sort training runs into experiments.

    Parameters
    ----------
    runs : iterable of (str, mapping, mapping)
        Name, parameters and ``history`` of each.

    Returns
    -------
    list of Experiment
        Ordered by data set, then by mu, gamma1 and the number of updates.
    """
    groups: dict[str, Experiment] = {}
    for name, parameters, history in runs:
        shared = {
            key: value
            for key, value in parameters.items()
            if key not in _VARIED and key not in _INCIDENTAL
        }
        group = groups.setdefault(repr(sorted(shared.items())), Experiment(shared, {}, {}))
        key = float(parameters["tau"]), int(parameters["seed"])
        group.runs[key], group.names[key] = dict(history), name
    return sorted(
        groups.values(),
        key=lambda e: (
            e.settings["dataset"],
            *(e.settings[k] for k in ("updates", "gamma1", "mu")),
        ),
    )


# How often a run is looked at does not change it.
_LOOKS = ("evaluate_at", "evaluate_every")


def family(
    found: Sequence[Experiment], settings: Mapping[str, Any], **changes: Any
) -> dict[float, Experiment]:
    """Select the experiments that differ from given settings in mu alone.

    Parameters
    ----------
    found : sequence of Experiment
        All experiments.
    settings : mapping
        Parameters of a run; its tau, mu and seed do not count.
    **changes
        Settings to replace.

    Returns
    -------
    dict of float to Experiment
        By mu, increasing.
    """
    free = {*_VARIED, *_INCIDENTAL, *_LOOKS, "mu"}
    wanted = {key: value for key, value in {**settings, **changes}.items() if key not in free}
    chosen = {
        float(experiment.settings["mu"]): experiment
        for experiment in found
        if {k: v for k, v in experiment.settings.items() if k not in free} == wanted
    }
    return dict(sorted(chosen.items()))


@dataclass(frozen=True)
class Finding:
    """What a test over seeds says.

    Parameters
    ----------
    holds : bool or None
        True where the runs support the statement, False where they contradict it, None where
        they leave it open, both at the level of 5 %.
    p : float or None
        The p-value for the statement; None where it cannot be tested.
    seeds : int
        How many seeds the test rests on.
    """

    holds: bool | None
    p: float | None
    seeds: int

    @property
    def word(self) -> str:
        """What a table says of it."""
        return {True: "supported", False: "contradicted", None: "undecided"}[self.holds]


Scores = Mapping[float, Mapping[int, float]]


def judge(scores: Scores) -> dict[str, Finding]:
    """Test the paper's three statements about tau on one experiment.

    Parameters
    ----------
    scores : mapping of float to mapping of int to float
        A distance (smaller is better) by tau and seed.

    Returns
    -------
    dict of str to Finding
        ``slowest_worst``: the smallest tau is worse than every other; ``moderate_best``: some tau
        between the extremes is better than both; ``more_not_better``: the largest tau is worse
        than some smaller one.

    Notes
    -----
    Runs of equal seed share their initial players, latent vectors and data, so differences are
    taken seed by seed, of logarithms, and tested with one-sided paired t-tests.  A statement
    about all of several comparisons takes the largest p-value (an intersection-union test); one
    about some of them the smallest, times their number (Bonferroni).
    """
    taus = sorted(scores)
    low, inner, high = taus[0], taus[1:-1], taus[-1]
    worse = {(a, b): _worse(scores, a, b) for a in taus for b in taus if a != b}
    seeds = min((len(scores[tau]) for tau in taus), default=0)
    # In each pair: p-value for the statement, p-value for its opposite.
    pairs = {
        "slowest_worst": (
            _all(worse[low, tau] for tau in taus[1:]),
            _some([worse[tau, low] for tau in taus[1:]]),
        ),
        "moderate_best": (
            _some([_all([worse[low, tau], worse[high, tau]]) for tau in inner]),
            _some([_all(worse[tau, end] for tau in inner) for end in (low, high)]),
        ),
        "more_not_better": (
            _some([worse[high, tau] for tau in taus[:-1]]),
            _all(worse[tau, high] for tau in taus[:-1]),
        ),
    }
    return {name: _finding(*pair, seeds) for name, pair in pairs.items()}


def larger_is_worse(scores: Scores) -> Finding:
    """Test whether the largest tau is worse than the smallest.

    Parameters
    ----------
    scores : mapping of float to mapping of int to float
        A distance by tau and seed.

    Returns
    -------
    Finding
        As in `judge`.
    """
    low, high = min(scores), max(scores)
    seeds = min(len(scores[low]), len(scores[high]))
    return _finding(_worse(scores, high, low), _worse(scores, low, high), seeds)


def interplay(weak: Scores, strong: Scores) -> Finding:
    """Test whether a large tau costs more, against the smallest, where the penalty is stronger.

    Parameters
    ----------
    weak, strong : mapping of float to mapping of int to float
        A distance by tau and seed with a small and with a large mu.

    Returns
    -------
    Finding
        Of a paired t-test on the logarithm of d(largest tau) / d(smallest tau), as in `judge`.
    """
    change = []
    for scores in (weak, strong):
        low, high = scores[min(scores)], scores[max(scores)]
        change.append({s: np.log(high[s] / low[s]) for s in low.keys() & high.keys()})
    seeds = sorted(change[0].keys() & change[1].keys())
    gaps = np.array([change[1][s] - change[0][s] for s in seeds])
    return _finding(_p_positive(gaps), _p_positive(-gaps), len(seeds))


def summary(values: Mapping[int, float]) -> tuple[float, float, int]:
    """Return mean, standard error and number over seeds.

    Parameters
    ----------
    values : mapping of int to float
        One value a seed.

    Returns
    -------
    mean, error : float
        The error is the population standard deviation over the root of the number of seeds, as
        in the paper's tables.
    seeds : int
        How many there are.
    """
    each = np.array(list(values.values()), dtype=float)
    return float(each.mean()), float(each.std() / np.sqrt(len(each))), len(each)


def paper_layout(
    experiment: Experiment,
    update: int,
    score: str,
    paper: Mapping[float, Sequence[tuple[float, float]]] | None = None,
    taus: Sequence[float] = (),
) -> list[dict[str, Any]]:
    """Write the rows of a table in the paper's layout: a row an average, a column a tau.

    Parameters
    ----------
    experiment : Experiment
        The runs.
    update : int
        Updates done.
    score : str
        Name of the score.
    paper : mapping of float to sequence of (mean, error), optional
        The paper's values by beta, one a tau of ``taus``; they get a row of their own.
    taus : sequence of float, optional
        The columns of ``paper``.

    Returns
    -------
    list of dict
        Texts by column name.
    """
    rows = []
    for beta in experiment.betas:
        by_tau = experiment.at(update, score, beta)
        row = {r"$\beta$": beta, "whose": "measured"}
        for tau in experiment.taus:
            row[_column(tau)] = ""
            if tau in by_tau:
                mean, error, seeds = summary(by_tau[tau])
                spread = f" ± {error:.2f}" if seeds > 1 else ""
                row[_column(tau)] = f"{mean:.2f}{spread} ({seeds})"
        rows.append(row)
        if paper and float(beta) in paper:
            theirs = zip(taus, paper[float(beta)], strict=True)
            texts = {_column(tau): f"{mean:.2f} ± {error:.3g}" for tau, (mean, error) in theirs}
            rows.append({r"$\beta$": beta, "whose": "paper"} | texts)
    return rows


def _column(tau: float) -> str:
    return rf"$\tau = {tau:g}$"


def _worse(scores: Scores, a: float, b: float) -> float | None:
    """p-value for the distance being larger at tau = a than at tau = b."""
    seeds = sorted(scores[a].keys() & scores[b].keys())
    return _p_positive(np.array([np.log(scores[a][s] / scores[b][s]) for s in seeds]))


def _p_positive(gaps: NDArray[np.float64]) -> float | None:
    if len(gaps) < 2:
        return None
    if np.ptp(gaps) == 0:
        return None  # no spread between seeds: copies of one run, say
    return float(stats.ttest_1samp(gaps, 0.0, alternative="greater").pvalue)


def _all(values: Iterable[float | None]) -> float | None:
    found = list(values)
    return None if not found or None in found else max(found)


def _some(values: Sequence[float | None]) -> float | None:
    if not values or None in values:
        return None
    return min(1.0, min(values) * len(values))


def _finding(p: float | None, opposite: float | None, seeds: int) -> Finding:
    holds = True if p is not None and p < LEVEL else None
    if holds is None and opposite is not None and opposite < LEVEL:
        holds = False
    return Finding(holds, p, seeds)
