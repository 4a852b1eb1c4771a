"""What finished runs of a notebook left, for a notebook that looks at many runs."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taugda.runs.files import read_json
from taugda.runs.parameters import read_file
from taugda.runs.project import ParameterError, Project
from taugda.runs.state import finished_runs


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
    notebook : str
        With or without number.

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
    found: dict[str, Finished] = {}
    for folder in finished_runs(project, project.find_notebook(notebook)):
        name, owner = folder.name, folder.parents[1]
        metrics, made = read_json(folder / "metrics.json"), read_json(folder / "provenance.json")
        with contextlib.suppress(ParameterError, AttributeError):  # files that are not whole
            parameters = read_file(folder / "parameters.yaml")
            values = {key: entry.get("value") for key, entry in metrics.items()}
            if isinstance(made, dict):
                collection = "" if owner == project.runs else owner.name
                found.setdefault(name, Finished(name, folder, collection, parameters, values, made))
    return [found[name] for name in sorted(found)]
