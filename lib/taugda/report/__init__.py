"""The HTML pages made from the runs."""

from taugda.report.build import build
from taugda.report.errors import ReportError

__all__ = ["ReportError", "build"]
