"""What a plan will cost, judged by runs that have ended and did comparable work; else unknown."""

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

UNKNOWN = "nothing comparable has run here"
# The time follows from these, or does not depend on them.
_SCALED = ("updates", "seed")
# A training run does this beside its updates, so that it changes nothing about their speed.
_BESIDE = (
    "data_path", "download", "distance", "weights", "real_pictures", "samples", "evaluate_every",
    "evaluate_at", "pictures_at", "checkpoint_every",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What one run will take.

    Parameters
    ----------
    seconds : float or None
        Wall time; None where no comparable run has ended.
    bytes : float or None
        Size on disk.
    source : str
        What the numbers come from.
    """

    seconds: float | None = None
    bytes: float | None = None
    source: str = UNKNOWN


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
        By label.  A run that has ended before takes as long again.  Otherwise only runs of the
        notebook count that are comparable with it: where they state their ``updates_per_second``
        the time follows from that and the parameter ``updates``, else from their own time.
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
    mine, pace = work(item.parameters), _pace(item.parameters)
    alike = [run for run in past if work(run.parameters) == mine]
    paced = [run for run in past if run.speed and pace and _pace(run.parameters) == pace]
    near = alike or paced
    size = statistics.mean(run.bytes for run in near) if near else None
    if item.duration:
        return Cost(item.duration, size, "its former run")
    if paced:
        speed = statistics.median(run.speed for run in paced if run.speed)
        seconds = item.parameters["updates"] / speed
        return Cost(seconds, size, f"updates per second of {_count(paced)}")
    if alike:
        times = [run.seconds * scale(item.parameters, run.parameters) for run in alike]
        return Cost(statistics.median(times), size, _count(alike))
    return Cost()


def _count(runs: Sequence[_Past]) -> str:
    return f"{len(runs)} finished run{'s' if len(runs) > 1 else ''}"


def work(parameters: Mapping[str, Any]) -> str:
    """Say what decides how much work a run is, but for the number of updates.

    Parameters
    ----------
    parameters : mapping
        All parameters of the run.

    Returns
    -------
    str
        Equal for runs of one notebook that are comparable: that agree in the kind of device, in
        names (the data set, the precision), counts (width, batch, resolution), switches and the
        lengths of lists.  The seed and the values of real numbers, such as rates and weights,
        may differ.
    """
    return _without(parameters, _SCALED)


def scale(planned: Mapping[str, Any], past: Mapping[str, Any]) -> float:
    """Say how many times as long a run takes as a comparable one.

    Parameters
    ----------
    planned, past : mapping
        All parameters of the two runs.

    Returns
    -------
    float
        The ratio of their ``updates``, where they have that parameter; otherwise 1.
    """
    mine, theirs = planned.get("updates"), past.get("updates")
    return mine / theirs if isinstance(mine, int) and isinstance(theirs, int) and theirs else 1.0


def _pace(parameters: Mapping[str, Any]) -> str:
    """Equal for runs whose updates take equally long; empty where no updates are counted."""
    counted = isinstance(parameters.get("updates"), int)
    return _without(parameters, (*_SCALED, *_BESIDE)) if counted else ""


def _without(parameters: Mapping[str, Any], names: Sequence[str]) -> str:
    found = {name: _shape(value) for name, value in parameters.items() if name not in names}
    # cuda:1 is as fast as cuda:0.
    if isinstance(found.get("device"), str):
        found["device"] = found["device"].partition(":")[0]
    return canonical(found)


def _shape(value: Any) -> Any:
    """Leave out the values of real numbers: they weigh the work, and do not make it more."""
    if isinstance(value, float):
        return "real"
    if isinstance(value, list):
        return [_shape(entry) for entry in value]
    if isinstance(value, Mapping):
        return {name: _shape(entry) for name, entry in value.items()}
    return value


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
            time = "no estimate" if seconds is None else f"about {show_seconds(seconds)}"
            line += f", would run, {time}"
        lines.append(f"{number:>4}  {line}" if numbered else line)
    count = f"{len(due)} of {len(items)} run{'s' if len(items) != 1 else ''} to execute"
    lines.append("; ".join([count, *_sums([expected[item.label] for item in due], jobs)]))
    return "\n".join(lines)


def _sums(expected: Sequence[Cost], jobs: int) -> list[str]:
    """Sum up, and say what part of the runs the sums cover."""
    timed = [cost for cost in expected if cost.seconds is not None]
    sized = [cost.bytes for cost in timed if cost.bytes is not None]
    rest = len(expected) - len(timed)
    if not timed:
        return [f"no estimate: {UNKNOWN}"] if rest else []
    total = show_seconds(makespan([cost.seconds for cost in timed if cost.seconds], jobs))
    parts = [f"{f'{len(timed)} of them: ' if rest else ''}about {total} with {jobs} at a time"]
    if sized:
        parts.append(f"{show_bytes(sum(sized))} on disk")
    sources = list(dict.fromkeys(cost.source for cost in timed))
    parts.append(f"from {', '.join(sources[:3])}")
    if rest:
        parts.append(f"no estimate for the other {rest if rest > 1 else 'one'}: {UNKNOWN}")
    return parts
