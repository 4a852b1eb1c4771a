"""The HTML pages made from the runs."""

from taugda.report.build import ReportError, build

__all__ = ["ReportError", "build"]
