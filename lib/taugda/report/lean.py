"""A notebook for a run of which only results were published: its first words and its pictures."""

import base64
from pathlib import Path
from typing import Any

from taugda.record import tables
from taugda.runs.files import read_json


def lean_notebook(source: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make a notebook of a source's first text and what lies in a run's folder."""
    first = [cell for cell in source["cells"] if cell["cell_type"] == "markdown"][:1]
    return {**source, "cells": [*first, results(folder)]}


def stored(folder: Path) -> dict[str, dict[str, str]]:
    """Caption and text alternative of each figure in a run's folder, in the notebook's order."""
    named = (read_json(folder / "provenance.json") or {}).get("figures") or {}
    return {n: texts for n, texts in named.items() if (folder / "figures" / f"{n}.png").is_file()}


def results(folder: Path) -> dict[str, Any]:
    """Make a cell that shows the figures and numbers in a run's folder."""
    outputs = []
    for name, texts in stored(folder).items():
        png = base64.b64encode((folder / "figures" / f"{name}.png").read_bytes()).decode()
        marks = {"image/png": {"alt": texts["alt"]}}
        ours = {"figure": name, "caption": texts["caption"]}
        outputs.append(_output({"image/png": png}, {**marks, "taugda": ours}))
    metrics = read_json(folder / "metrics.json") or {}
    numbers = [
        {"quantity": name, "value": entry.get("value")}
        for name, entry in metrics.items()
        if isinstance(entry, dict) and isinstance(entry.get("value"), (bool, int, float, str))
    ]
    if numbers:
        outputs.append(_output(tables.bundle(numbers, "What the run recorded."), {}))
    shown = {"id": "results", "cell_type": "code", "metadata": {}, "source": "", "outputs": outputs}
    return {**shown, "execution_count": None}


def _output(data: dict[str, str], metadata: dict[str, Any]) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": metadata}
