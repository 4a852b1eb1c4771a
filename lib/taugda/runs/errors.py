"""For the modules that move: goes with them."""

from taugda.runs.lock import BusyError
from taugda.runs.project import ParameterError, ProjectError

__all__ = ["BusyError", "EngineError", "ParameterError", "ProjectError"]


class EngineError(RuntimeError):
    """What executes the runs of a batch is gone."""
