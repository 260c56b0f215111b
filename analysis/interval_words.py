"""What stands with every interval that is shown: over how many runs it is, and how it was found."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from analysis.statistics import MIN_RUNS


def intervals_told(table: pd.DataFrame) -> str:
    """Of a table's intervals (columns n, interval) how many seeds and how, or why there are none."""
    sizes, ways = table.loc[table["n"] > 0, "n"].astype(int), sorted({str(way) for way in table["interval"].dropna()})
    few = bool((sizes < MIN_RUNS).any())
    if not ways:
        return f"no intervals{f' (n = {spanned(sizes)}; {MIN_RUNS} seeds give one)' * few}"
    return f"95 % intervals (n = {spanned(sizes)}; {', '.join(ways)}{f'; below {MIN_RUNS} seeds none' * few})"


def spanned(numbers: Iterable[int]) -> str:
    """3, or 3 to 10."""
    known = sorted(numbers)
    return str(known[0]) if known[0] == known[-1] else f"{known[0]} to {known[-1]}"
