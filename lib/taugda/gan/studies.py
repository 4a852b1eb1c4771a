"""What ``benchmarks/study.py`` left of the study on the digits: other rates, seeds, sums, rules."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from taugda.gan import paper
from taugda.gan.results import NOT_RUN, Family, Scores, compare, experiments, without
from taugda.gan.seeds import Finding, ratio

_GAMMA1 = 1e-3  # the default's
# (gamma1, tau) that are set beside the default gamma1 at equal gamma2.
_BESIDE = ((2.5e-4, 16.0), (4e-3, 1.0), (2.5e-4, 32.0), (4e-3, 2.0))
# What is changed of the default, one thing at a time: the study's part, gamma1.
VARIANTS = {
    "eight other seeds": ("seeds", _GAMMA1), "stacks of six": ("order", _GAMMA1),
    r"half $\gamma_1$": ("rates", _GAMMA1 / 2), "bias corrected": ("corrected", _GAMMA1),
    "simultaneous": ("simultaneous", _GAMMA1), "two threads": ("threads", _GAMMA1),
    "channels first": ("channels_first", _GAMMA1),
}  # fmt: skip
# Starts of RMSprop at the former default's sizes (width 16, batch 64), at mu = 10.
STARTS = {
    "as released": ("large", _GAMMA1), "bias corrected": ("large_corrected", _GAMMA1),
    "100 updates of warm-up": ("large_warm", _GAMMA1),
}  # fmt: skip


class Rates(dict[float, Family]):
    """Families of the study on the digits by gamma1."""

    def maps(self, score: str) -> tuple[list[float], list[float], dict[float, NDArray[np.float64]]]:
        """Return gamma1, tau, and by mu geometric means over updates and seeds, nan of no run."""
        cells = {
            (mu, gamma1, tau): float(np.exp(np.mean(list(by_seed.values()))))
            for gamma1, family in self.items()
            for mu, experiment in family.items()
            for tau, by_seed in experiment.logs(score, experiment.updates).items()
        }
        mus, gammas, taus = (sorted({key[k] for key in cells}) for k in range(3))
        return gammas, taus, {
            mu: np.array([[cells.get((mu, g, t), np.nan) for t in taus] for g in gammas])
            for mu in mus
        }  # fmt: skip

    def equal_rate_rows(self, score: str, updates: Sequence[int]) -> list[dict[str, Any]]:
        """Return the ratio to the default gamma1's distance at equal gamma2, a row each.

        Below the default gamma1 runs are longer in proportion, and so are the updates.
        """
        if not {_GAMMA1, *(gamma1 for gamma1, _ in _BESIDE)} <= set(self):
            return []
        ends = {g: [round(update * max(1.0, _GAMMA1 / g)) for update in updates] for g in self}
        at = {g: family.logs(score, ends[g]) for g, family in self.items()}
        return [
            {
                r"$\gamma_2$": g * tau, r"$\mu$": mu, r"$\gamma_1$": g, r"$\tau$": tau,
                "updates": ends[g][-1], "distance over that of the default":
                f"{ratio(at[g][mu][tau], at[_GAMMA1][mu][g * tau / _GAMMA1])}",
            }
            for g, tau in _BESIDE for mu in sorted(paper.MUS)
        ]  # fmt: skip


def read(folder: Path) -> "Study":
    """Read what the study left.

    Parameters
    ----------
    folder : Path
        Such as ``outputs/published/study``, a file a part.

    Returns
    -------
    Study
        What is not there gives empty answers.
    """
    return Study(folder)


class Study:
    """The parts of the study in a folder, and what a page shows of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _runs(self, part: str) -> list[dict[str, Any]]:
        path = self._folder / f"{part}.json"
        return json.loads(path.read_text(encoding="utf-8"))["runs"] if path.is_file() else []

    def part(self, name: str) -> Rates:
        """Return a part's families by gamma1."""
        runs = []
        for entry in self._runs(name):
            parameters = without({"update", "scores", "spectra"}, entry)
            parameters |= {"dataset": "digits", "averages": [0.99]}
            scores = {name: {"0.99": values} for name, values in entry["scores"].items()}
            metrics = {"history": {"update": entry["update"], "scores": scores}}
            runs.append(SimpleNamespace(parameters=parameters, metrics=metrics, collection=""))
        found = Rates()
        for experiment in experiments(runs):
            family = found.setdefault(experiment.settings["gamma1"], Family())
            family[float(experiment.settings["mu"])] = experiment
        return found

    def _there(self, named: Mapping[str, tuple[str, float]]) -> dict[str, Family]:
        """Return the families that are there, by what is changed in them."""
        found = {what: self.part(part).get(gamma1) for what, (part, gamma1) in named.items()}
        return {what: family for what, family in found.items() if family}

    def variants(self, score: str) -> dict[str, dict[str, Finding]]:
        """Compare those `VARIANTS` that are there, after their last updates, by what is changed."""
        return {
            what: compare(family.logs(score, next(iter(family.values())).updates))
            for what, family in self._there(VARIANTS).items()
        }

    def starts(self, score: str) -> dict[str, Scores]:
        """Return logarithms after the last update, by those `STARTS` that are there."""
        return {
            what: family.logs(score, family[10.0].updates[-1:])[10.0]
            for what, family in self._there(STARTS).items()
        }

    def start_rows(self, score: str) -> list[dict[str, Any]]:
        """Return geometric means over seeds by tau, and ratios with intervals, a row a start."""
        return [
            {"start of RMSprop": what}
            | {f"$d({t:g})$": f"{np.exp(np.mean(list(by[t].values()))):.3g}" for t in sorted(by)}
            | {"$d(8)/d(4)$": f"{ratio(by[8], by[4])}", "$d(1)/d(8)$": f"{ratio(by[1], by[8])}"}
            for what, by in self.starts(score).items()
        ]

    def slower_by_start(self, score: str) -> list[bool] | str:
        """Say of each start whether d(8)/d(4) lies above 1 with its interval; or `NOT_RUN`."""
        found = self.starts(score)
        if len(found) < len(STARTS):
            return NOT_RUN
        return [ratio(by[8], by[4]).low > 1 for by in found.values()]

    def spectra(self) -> "Spectra":
        """Return the spectra that were taken, one a moment: settings, update, what was found."""
        return Spectra(
            {"alternating": True, **without({"scores", "spectra"}, e), **found, "update": int(at)}
            for e in self._runs("spectra")
            for at, found in e["spectra"].items()
        )


class Spectra(list[dict[str, Any]]):
    """Spectra of training runs, and what tables show of them."""

    def where(self, wanted: Callable[[Mapping[str, Any]], bool]) -> "Spectra":
        """Select some."""
        return Spectra(filter(wanted, self))

    def edge_rows(self) -> list[dict[str, Any]]:
        """Return how near the discriminator is to its edge of stability, with P and without.

        A row for each gamma2 and mu: the median, and between what 80 % of the values lie.
        """
        groups: dict[tuple[float, float], list[Mapping[str, Any]]] = {}
        for entry in self:
            groups.setdefault((entry["tau"] * entry["gamma1"], entry["mu"]), []).append(entry)
        edge = r"$\gamma_2\lambda_{\max}(P^{-1/2} A_{22} P^{-1/2})$"
        bare = r"$\gamma_2\lambda_{\max}(A_{22})$"
        return [
            {
                r"$\gamma_2$": rate, r"$\mu$": mu, "spectra": len(group),
                edge: _spread([e["edge"] for e in group]),
                bare: _spread([rate * e["sharpness"] for e in group]),
            }
            for (rate, mu), group in sorted(groups.items())
        ]  # fmt: skip

    def rotations(self) -> dict[str, NDArray[np.float64]]:
        """Return |1 - l| of the leading complex pairs l of gamma1 P^-1 J_tau, by order of steps."""
        found: dict[str, list[float]] = {"alternating": [], "simultaneous": []}
        for entry in self:
            order = "alternating" if entry["alternating"] else "simultaneous"
            pairs = zip(entry["factors"], entry["modes_imaginary"], strict=True)
            found[order] += [factor for factor, imaginary in pairs if imaginary > 0]
        return {order: np.array(factors) for order, factors in found.items() if factors}

    def rotation_rows(self) -> list[dict[str, Any]]:
        """Return the spread of the rotations, a row an order of steps."""
        return [
            {"steps": order, "complex pairs": len(f), r"$|1 - \lambda|$": _spread(f),
             "share beyond 1": f"{np.mean(f > 1):.0%}"}
            for order, f in self.rotations().items()
        ]  # fmt: skip


def _spread(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Write the median and between what 80 % of the values lie."""
    return "{1:.3g} [{0:.3g}, {2:.3g}]".format(*np.quantile(values, [0.1, 0.5, 0.9]))
