"""The HTML pages made from finished runs, the verdicts on the claims, and what is published."""

from taugda.report.build import build
from taugda.report.check import ReportError

__all__ = ["ReportError", "build"]
