"""One self-contained HTML page over evaluated runs, and a CSV behind each figure and table."""

from analysis.report.caveats import caveats
from analysis.report.page import write_report

__all__ = ["caveats", "write_report"]
