"""Tests of statements and ratios over seeds, of logarithms of a distance.

Runs of equal seed share their initial players, latent vectors and data, so differences are taken
seed by seed and tested with one-sided paired t-tests.  A statement about all of several
comparisons takes the largest p-value (an intersection-union test); one about some of them the
smallest, times their number (Bonferroni).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.05  # of the tests
STATEMENTS = "slowest_worst", "moderate_best", "more_not_better"  # the paper's, see `judge`
BySeed = Mapping[int, float]


@dataclass(frozen=True)
class Finding:
    """What a test over seeds says: p-values of a statement and of its opposite."""

    p: float  # nan where there is nothing to test
    opposite: float

    @property
    def holds(self) -> bool | None:
        """True: supported, False: contradicted, None: undecided."""
        return True if self.p < LEVEL else False if self.opposite < LEVEL else None

    @property
    def word(self) -> str:
        """What a table says of it."""
        return {True: "supported", False: "contradicted", None: "undecided"}[self.holds]


def larger(*pairs: tuple[BySeed, BySeed]) -> Finding:
    """Test whether the first is larger in each pair of logarithms; else it is smaller in some."""
    p = np.array([[_p(first, second), _p(second, first)] for first, second in pairs])
    return Finding(p[:, 0].max(), _some(p[:, 1]))


def judge(scores: Mapping[float, BySeed]) -> dict[str, Finding]:
    """Test the paper's three statements about tau on one experiment, from logarithms.

    The smallest tau is worse than every other; some tau between the extremes is better than both;
    the largest is worse than some smaller one.
    """
    taus = sorted(scores)
    p = np.array([[_p(scores[a], scores[b]) for b in taus] for a in taus])  # a is worse than b
    low, inner, high = p[0], p[1:-1], p[-1]
    best = _some(np.maximum(low, high)[1:-1]), _some(inner[:, [0, -1]].max(axis=0))
    return {
        "slowest_worst": Finding(low[1:].max(), _some(p[1:, 0])),
        "moderate_best": Finding(*best),
        "more_not_better": Finding(_some(high[:-1]), p[:-1, -1].max()),
    }


class Ratio(NamedTuple):
    """A ratio of geometric means with its 95 % interval, nan of fewer than two seeds; as text."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def ratio(first: BySeed, second: BySeed) -> Ratio:
    """Return the ratio of geometric means of a distance, with its 95 % interval.

    Parameters
    ----------
    first, second : mapping of seed to float
        Logarithms; the seeds that both have count.

    Returns
    -------
    Ratio
        ``value``, ``low`` and ``high``, whose text is what tables show.
    """
    each = np.array(list(gaps(first, second).values()))
    if len(each) < 2:
        return Ratio(np.nan, np.nan, np.nan)
    half = stats.t.ppf(0.975, len(each) - 1) * stats.sem(each)
    return Ratio(*(float(np.exp(each.mean() + x)) for x in (0, -half, half)))


def gaps(first: BySeed, second: BySeed) -> dict[int, float]:
    """Return how much larger the first is, by seed, of the seeds that both have."""
    return {seed: first[seed] - second[seed] for seed in first if seed in second}


def _p(first: BySeed, second: BySeed) -> float:
    """p-value for the first being larger."""
    each = np.array(list(gaps(first, second).values()))
    if len(each) < 2 or np.ptp(each) == 0:
        return np.nan  # one seed, or no spread between them: copies of one run, say
    return float(stats.ttest_1samp(each, 0.0, alternative="greater").pvalue)


def _some(p: NDArray[np.float64]) -> float:
    return float(np.minimum(1, p.min() * len(p)))


def holm(p: Sequence[float]) -> NDArray[np.float64]:
    """Return p-values with Holm's correction for their number."""
    order, corrected = np.argsort(p), np.empty(len(p))
    steps = np.fmin(1, np.sort(p) * np.arange(len(p), 0, -1))  # 1 of what cannot be tested
    corrected[order] = np.maximum.accumulate(steps)
    return corrected
