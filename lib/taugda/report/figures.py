"""The paper's figures and where each is made again, from ``figures.yaml``."""

from dataclasses import dataclass
from typing import Any

from taugda.report.errors import ReportError
from taugda.runs.errors import ParameterError, ProjectError
from taugda.runs.files import read_yaml
from taugda.runs.project import Project

_KEYS = ("paper", "notebook", "figure")


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper.

    Parameters
    ----------
    paper : str
        What the paper's figure shows; may hold TeX between dollar signs.
    notebook : str
        Full name of the notebook that makes it again.
    figure : str
        The figure's name in that notebook.
    """

    paper: str
    notebook: str
    figure: str


def read_figures(project: Project) -> list[PaperFigure]:
    """Read ``figures.yaml``.

    Parameters
    ----------
    project : Project
        Where the file and the notebooks are.

    Returns
    -------
    list of PaperFigure
        In the order of the file; empty where there is no file.

    Raises
    ------
    ReportError
        If an entry lacks a key, has another one, or names an unknown notebook.
    """
    if not project.figures.is_file():
        return []
    try:
        content = read_yaml(project.figures)
    except ParameterError as error:
        raise ReportError(str(error)) from error
    if not isinstance(content, list):
        raise ReportError(f"figures.yaml: expected a list, found {type(content).__name__}")
    return [_parse(project, number, entry) for number, entry in enumerate(content, start=1)]


def _parse(project: Project, number: int, entry: Any) -> PaperFigure:
    if not isinstance(entry, dict) or set(entry) != set(_KEYS):
        raise ReportError(
            f"figures.yaml: entry {number} must have the keys {', '.join(_KEYS)}, found {entry!r}"
        )
    for key in _KEYS:
        if not isinstance(entry[key], str) or not entry[key].strip():
            raise ReportError(
                f"figures.yaml: entry {number}: {key!r} must be a text, found {entry[key]!r}"
            )
    try:
        notebook = project.find_notebook(entry["notebook"])
    except ProjectError as error:
        raise ReportError(f"figures.yaml: entry {number}: {error}") from error
    return PaperFigure(entry["paper"].strip(), notebook, entry["figure"].strip())
