"""What a plan will cost, judged by the runs that have ended."""

import heapq
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taugda.runs.files import read_json
from taugda.runs.format import show_bytes, show_seconds
from taugda.runs.parameters import canonical
from taugda.runs.plan import Item
from taugda.runs.project import Project


@dataclass(frozen=True)
class Cost:
    """What one run will take.

    Parameters
    ----------
    seconds : float or None
        Wall time; None where no run of the notebook has ended.
    bytes : float or None
        Size on disk.
    source : str
        What the numbers come from.
    """

    seconds: float | None = None
    bytes: float | None = None
    source: str = "no run of this notebook has ended yet"


@dataclass(frozen=True)
class _Past:
    parameters: Mapping[str, Any]
    seconds: float
    bytes: int
    speed: float | None


def costs(project: Project, items: Iterable[Item]) -> dict[str, Cost]:
    """Estimate what each run will take.

    Parameters
    ----------
    project : Project
        Where the outputs are.
    items : iterable of Item
        The runs.

    Returns
    -------
    dict of str to Cost
        By label.  A run that has ended before takes as long again.  Otherwise those runs of the
        notebook count that share most parameters with it; where they state their
        ``updates_per_second`` and the notebook has a parameter ``updates``, the time follows
        from these.
    """
    past: dict[str, list[_Past]] = {}
    found = {}
    for item in items:
        if item.stem not in past:
            past[item.stem] = _past(project.runs / item.stem)
        found[item.label] = _cost(item, past[item.stem])
    return found


def _past(folder: Path) -> list[_Past]:
    found = []
    for path in sorted(folder.glob("*/done.json")):
        done, made = read_json(path), read_json(path.with_name("provenance.json"))
        metrics = read_json(path.with_name("metrics.json"))
        if path.parent.name.startswith(".") or not all(
            isinstance(part, dict) for part in (done, made, metrics)
        ):
            continue
        speed = (metrics.get("updates_per_second") or {}).get("value")
        size = sum(file.stat().st_size for file in path.parent.rglob("*") if file.is_file())
        found.append(
            _Past(
                made.get("parameters") or {},
                float(done.get("duration") or 0.0),
                size,
                float(speed) if isinstance(speed, (int, float)) and speed > 0 else None,
            )
        )
    return found


def _cost(item: Item, past: Sequence[_Past]) -> Cost:
    if not past:
        return Cost(item.duration, None) if item.duration else Cost()
    alike = [_alike(item.parameters, run.parameters) for run in past]
    nearest = [run for run, count in zip(past, alike, strict=True) if count == max(alike)]
    size = statistics.mean(run.bytes for run in nearest)
    if item.duration:
        return Cost(item.duration, size, "its former run")
    updates = item.parameters.get("updates")
    speeds = [run.speed for run in nearest if run.speed]
    runs = f"{len(nearest)} finished run{'s' if len(nearest) > 1 else ''}"
    if isinstance(updates, int) and speeds:
        return Cost(updates / statistics.median(speeds), size, f"updates per second of {runs}")
    return Cost(statistics.median(run.seconds for run in nearest), size, f"{runs}")


def _alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> int:
    return sum(name in other and canonical(one[name]) == canonical(other[name]) for name in one)


def makespan(seconds: Iterable[float], slots: int) -> float:
    """Time that runs take side by side, the longest first.

    Parameters
    ----------
    seconds : iterable of float
        What each takes.
    slots : int
        How many run at once.

    Returns
    -------
    float
        Seconds until the last has ended.
    """
    ends = [0.0] * slots
    for length in sorted(seconds, reverse=True):
        heapq.heapreplace(ends, ends[0] + length)
    return max(ends)


def preview(project: Project, items: Sequence[Item], jobs: int, numbered: bool = False) -> str:
    """Write a plan and what it will cost.

    Parameters
    ----------
    project : Project
        Where the outputs are.
    items : sequence of Item
        The plan.
    jobs : int
        How many run at once.
    numbered : bool
        Begin each line with the number that ``--index`` takes.

    Returns
    -------
    str
        One line a run, then the sums.
    """
    due = [item for item in items if item.due]
    expected = costs(project, due)
    lines = []
    for number, item in enumerate(items):
        reason = f" ({item.reason})" if item.reason else ""
        line = f"{item.label}: {item.state}{reason}"
        if item.due:
            seconds = expected[item.label].seconds
            line += ", would run" + (f", about {show_seconds(seconds)}" if seconds else "")
        lines.append(f"{number:>4}  {line}" if numbered else line)
    count = f"{len(due)} of {len(items)} run{'s' if len(items) != 1 else ''} to execute"
    lines.append("; ".join([count, *_sums([expected[item.label] for item in due], jobs)]))
    return "\n".join(lines)


def _sums(expected: Sequence[Cost], jobs: int) -> list[str]:
    if not expected:
        return []
    timed = [cost.seconds for cost in expected if cost.seconds is not None]
    sized = [cost.bytes for cost in expected if cost.bytes is not None]
    sources = list(dict.fromkeys(cost.source for cost in expected))
    rest = len(expected) - len(timed)
    if not timed:
        return [f"time and disk unknown: {sources[0]}"]
    shown = f"{'at least' if rest else 'about'} {show_seconds(makespan(timed, jobs))}"
    parts = [f"{shown} with {jobs} at a time"]
    if sized:
        parts.append(f"{show_bytes(sum(sized))} on disk")
    if rest:
        parts.append(f"{rest} of unknown length")
    return [*parts, f"from {', '.join(sources[:3])}"]
