"""The paper's figures and where each is made again, from ``figures.yaml``."""

from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from taugda.report.check import ReportError
from taugda.runs.files import read_yaml
from taugda.runs.project import Project, ProjectError

_Text = Annotated[str, Field(min_length=1)]


class PaperFigure(BaseModel, extra="forbid", strict=True, str_strip_whitespace=True):
    """What a figure of the paper shows, and which figure of which notebook makes it again."""

    paper: _Text
    notebook: _Text
    figure: _Text


def read_figures(project: Project) -> list[PaperFigure]:
    """Read ``figures.yaml`` in its order; empty where there is no such file."""
    content = read_yaml(project.figures) if project.figures.is_file() else []
    if not isinstance(content, list):
        raise ReportError(f"figures.yaml: expected a list, found {type(content).__name__}")
    found = []
    for number, entry in enumerate(content, start=1):
        try:
            one = PaperFigure.model_validate(entry)
            stem = project.find_notebook(one.notebook)
        except ProjectError as error:
            raise ReportError(f"figures.yaml: entry {number}: {error}") from error
        except ValidationError as error:
            keys, first = ", ".join(PaperFigure.model_fields), error.errors()[0]
            place = f"{first['loc'][0]!r}: " if first["loc"] else ""
            raise ReportError(
                f"figures.yaml: entry {number} must have a text for each of the keys {keys}; "
                f"{place}{first['msg']}, found {first['input']!r}"
            ) from error
        found.append(one.model_copy(update={"notebook": stem}))
    return found
