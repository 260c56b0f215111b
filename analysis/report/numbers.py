"""Numbers as the page writes them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.report.parts import Cell
from analysis.statistics import MIN_RUNS


def number(value: float) -> str:
    """Four digits, or whole from 1000 on."""
    if value != value:
        return "missing"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def estimate(row: Any) -> Cell:
    """An estimate over its interval, or over what says why there is none (columns of an interval table)."""
    if pd.notna(row["low"]):
        if row["interval"] == "constant":
            return Cell(number(row["estimate"]), f"all {row['n']} equal")
        return Cell(number(row["estimate"]), f"{number(row['low'])} to {number(row['high'])}")
    few = 0 < row["n"] < MIN_RUNS
    return Cell(number(row["estimate"]), counted(int(row["n"]), "seed") if few else str(row["note"]))


def gap(test: Any) -> Cell:
    """A paired difference over its interval (columns estimate, low, high, interval, n)."""
    sure = test["interval"] == "constant"
    return Cell(
        f"{test['estimate']:+.4g}",
        f"all {test['n']} equal" if sure else f"{number(test['low'])} to {number(test['high'])}",
    )


def p_value(value: float) -> str:
    """Three digits; a dash where there was no test."""
    return "–" if pd.isna(value) else f"{value:.3g}" if value >= 0.001 else "< .001"


def listed(names: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def counted(count: int, noun: str) -> str:
    """1 run, 2 runs."""
    return f"{count} {noun}{'s' * (count != 1)}"
