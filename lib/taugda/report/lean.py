"""A notebook for a run of which only results were published: its first words and its pictures."""

import base64
from pathlib import Path

import nbformat

from taugda.runs import tables
from taugda.runs.files import read_json


def lean_notebook(source: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Make a notebook that shows what was published of a run.

    Parameters
    ----------
    source : nbformat.NotebookNode
        The notebook that the run executed.
    folder : Path
        The published run's folder.

    Returns
    -------
    nbformat.NotebookNode
        Title and claim, the published figures, and the numbers of the run.
    """
    cells = [cell for cell in source.cells if cell.cell_type == "markdown"][:1]
    outputs = []
    for name, texts in (read_json(folder / "provenance.json") or {}).get("figures", {}).items():
        path = folder / "figures" / f"{name}.png"
        if path.is_file():
            outputs.append(
                nbformat.v4.new_output(
                    "display_data",
                    {"image/png": base64.b64encode(path.read_bytes()).decode()},
                    metadata={
                        "image/png": {"alt": texts["alt"]},
                        "taugda": {"figure": name, "caption": texts["caption"]},
                    },
                )
            )
    metrics = read_json(folder / "metrics.json") or {}
    numbers = [
        {"quantity": name, "value": entry.get("value")}
        for name, entry in metrics.items()
        if isinstance(entry, dict) and isinstance(entry.get("value"), (bool, int, float, str))
    ]
    if numbers:
        outputs.append(
            nbformat.v4.new_output("display_data", tables.bundle(numbers, "What the run recorded."))
        )
    cells.append(nbformat.v4.new_code_cell(source="", outputs=outputs))
    return nbformat.v4.new_notebook(cells=cells, metadata=source.metadata)
