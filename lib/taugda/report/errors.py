"""What the report refuses."""


class ReportError(ValueError):
    """A page that cannot be made, or must not be shown."""
