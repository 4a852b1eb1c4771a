"""What goes wrong before a run starts; each message names what was expected and found."""


class ProjectError(ValueError):
    """The project, or something named in it, was not found or cannot be used."""


class ParameterError(ValueError):
    """A parameter, a parameter file or a parameters cell that cannot be used."""


class BusyError(RuntimeError):
    """Another process is at work on the run."""


class EngineError(RuntimeError):
    """What executes the runs of a batch is gone."""
