"""Running notebooks: their parameters, sweeps, what is up to date, one execution and many."""

from taugda.runs.project import ParameterError, Project, ProjectError

__all__ = ["ParameterError", "Project", "ProjectError"]
