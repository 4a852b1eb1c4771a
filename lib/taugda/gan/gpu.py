"""What ``benchmarks/gpu.py`` measured on a GPU, set out as tables."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from taugda.gan import paper


def read(path: Path) -> dict[str, Any]:
    """Read the script's ``results.json``; empty where it is not there."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def device(found: Mapping[str, Any]) -> str:
    """Return on what it was measured."""
    machine = found["about"]["machine"]
    return machine.get("gpu") or machine["system"]


def tables(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Set out as tables what the script measured.

    Parameters
    ----------
    path : Path
        A file such as ``outputs/published/gpu/results.json``.

    Returns
    -------
    dict of str to list of dict
        Rows of the tables that there are: ``cost``, what an update, a run of the paper's and a
        sweep's cost, a row a way to compute; ``right``, how far ten updates are from the CPU's in
        float64, a row a precision.
    """
    found = read(path)
    times = found.get("fast", {}).get("milliseconds an update", {})
    hours, runs = paper.UPDATES / 3.6e6, len(paper.TAUS) * len(paper.SEEDS)
    cost = [
        {"device": device(found), "way": way, "milliseconds an update": each,
         f"hours for {paper.UPDATES:,}": hours * each,
         f"hours for a sweep's {runs} runs": runs * hours * each}
        for way, each in times.items() if way != "data"
    ]  # fmt: skip
    gaps = {p: gap for p, gap in found.get("right", {}).items() if p in ("float32", "tf32")}
    right = [{"precision": precision, **gap} for precision, gap in gaps.items()]
    return {name: rows for name, rows in {"cost": cost, "right": right}.items() if rows}
