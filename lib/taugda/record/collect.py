"""What finished runs of a notebook left, for a notebook that looks at many runs."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taugda.runs.files import read_json
from taugda.runs.parameters import read_file
from taugda.runs.project import ParameterError, Project


@dataclass(frozen=True)
class Finished:
    """One finished run; `collection` is empty for a run of this checkout, not a published one."""

    name: str
    folder: Path
    collection: str
    parameters: dict[str, Any]
    metrics: dict[str, Any]
    provenance: dict[str, Any]


def finished(project: Project, notebook: str) -> list[Finished]:
    """Collect the finished runs of a notebook, those of this checkout before published ones.

    Parameters
    ----------
    project : Project
        Where the runs are.
    notebook : str
        The notebook, with or without number.

    Returns
    -------
    list of Finished
        Sorted by name, with ``name``, ``folder``, ``collection`` (of published runs),
        ``parameters``, ``metrics`` (values by name) and ``provenance``; a published run of which
        this checkout has its own is left out, and so is a run whose files are not whole.

    Raises
    ------
    ProjectError
        If the notebook is unknown.
    """
    stem = project.find_notebook(notebook)
    found: dict[str, Finished] = {}
    for done in [
        *sorted((project.runs / stem).glob("[!.]*/done.json")),
        *sorted(project.published.glob(f"*/{stem}/[!.]*/done.json")),
    ]:
        folder = done.parent
        if folder.name.endswith(".failed") or folder.name in found:
            continue
        collection = "" if folder.parents[1] == project.runs else folder.parents[1].name
        metrics, made = read_json(folder / "metrics.json"), read_json(folder / "provenance.json")
        with contextlib.suppress(ParameterError, AttributeError):  # files that are not whole
            parameters = read_file(folder / "parameters.yaml")
            values = {name: entry.get("value") for name, entry in metrics.items()}
            if isinstance(made, dict):
                name = folder.name
                found[name] = Finished(name, folder, collection, parameters, values, made)
    return [found[name] for name in sorted(found)]
