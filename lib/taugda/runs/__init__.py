"""Running notebooks: their parameters, the record of a run, batches and sweeps."""

from taugda.runs.errors import ParameterError, ProjectError
from taugda.runs.project import Project
from taugda.runs.record import Run

__all__ = ["ParameterError", "Project", "ProjectError", "Run"]
