"""A notebook for a run of which only results were published: its first words and its pictures."""

import base64
from pathlib import Path
from typing import Any

from taugda.record import tables
from taugda.runs.files import read_json
from taugda.runs.parameters import read_notebook


def stored(folder: Path) -> dict[str, dict[str, str]]:
    """Caption and text alternative of each figure in a run's folder, in the notebook's order."""
    named = (read_json(folder / "provenance.json") or {}).get("figures") or {}
    return {n: texts for n, texts in named.items() if (folder / "figures" / f"{n}.png").is_file()}


def lean_notebook(source: Path, folder: Path) -> dict[str, Any]:
    """Make a notebook of a source's first text and the figures and numbers in a run's folder."""
    from nbformat.v4 import new_code_cell, new_output

    outputs = []
    for name, texts in stored(folder).items():
        png = base64.b64encode((folder / "figures" / f"{name}.png").read_bytes()).decode()
        ours = {"figure": name, "caption": texts["caption"]}
        about = {"image/png": {"alt": texts["alt"]}, "taugda": ours}
        outputs.append(new_output("display_data", {"image/png": png}, metadata=about))
    metrics = read_json(folder / "metrics.json") or {}
    numbers = [
        {"quantity": name, "value": entry.get("value")}
        for name, entry in metrics.items()
        if isinstance(entry, dict) and isinstance(entry.get("value"), (bool, int, float, str))
    ]
    if numbers:
        table = tables.bundle(numbers, "What the run recorded.")
        outputs.append(new_output("display_data", table))
    content = read_notebook(source)
    first = [cell for cell in content["cells"] if cell["cell_type"] == "markdown"][:1]
    return {**content, "cells": [*first, new_code_cell(id="results", outputs=outputs)]}
