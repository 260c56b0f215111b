"""One self-contained HTML page over evaluated runs, and a CSV behind each figure and table."""

from analysis.report.caveats import caveats
from analysis.report.page import write_report
from analysis.report.study_page import write_study

__all__ = ["caveats", "write_report", "write_study"]
