"""The paper's figures and where each is made again, from ``figures.yaml``."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from taugda.report.check import ReportError
from taugda.runs.files import read_yaml
from taugda.runs.project import ParameterError, Project, ProjectError

_Text = Annotated[str, StringConstraints(strict=True, strip_whitespace=True, min_length=1)]


class PaperFigure(BaseModel):
    """What a figure of the paper shows, and which figure of which notebook makes it again."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    paper: _Text
    notebook: _Text
    figure: _Text


def read_figures(project: Project) -> list[PaperFigure]:
    """Read ``figures.yaml`` in its order; empty where there is no such file."""
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
    try:
        one = PaperFigure.model_validate(entry)
        return one.model_copy(update={"notebook": project.find_notebook(one.notebook)})
    except ProjectError as error:
        raise ReportError(f"figures.yaml: entry {number}: {error}") from error
    except ValidationError as error:
        keys, first = ", ".join(PaperFigure.model_fields), error.errors()[0]
        place = f"{first['loc'][0]!r}: " if first["loc"] else ""
        raise ReportError(
            f"figures.yaml: entry {number} must have a text for each of the keys {keys}; "
            f"{place}{first['msg']}, found {first['input']!r}"
        ) from error
