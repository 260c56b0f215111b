"""Finite-sample bounds of drift corrections beside simulated errors: `mfmarl bounds`."""

from analysis.bounds.table import show, write
from analysis.bounds.tabulate import Bounds, Settings, tabulate

__all__ = ["Bounds", "Settings", "show", "tabulate", "write"]
