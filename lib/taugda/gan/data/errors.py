"""The error of data that are missing or damaged."""

__all__ = ["DataError"]


class DataError(RuntimeError):
    """Pictures are missing, cannot be fetched or cannot be read; the message says which."""
