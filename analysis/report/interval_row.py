"""An estimate with its interval, or with the reason why it has none, as the columns that the report's tables share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.statistics import MIN_RUNS, STATISTICS, Interval, Statistic, interval

COLUMNS = ["estimate", "low", "high", "n", "interval", "note"]


def interval_row(
    scores: NDArray[np.float64],
    statistic: Statistic = "mean",
    missing: str = "no values",
    within: tuple[float, float] = (-np.inf, np.inf),
) -> dict[str, object]:
    """COLUMNS of the scores of single runs.

    Args:
        missing: says why there may be none.
        within: least and most that a score can be, which the interval is cut to.
    """
    if scores.size == 0:
        return {"estimate": np.nan, "n": 0, "note": f"missing: {missing}"}
    if scores.size < MIN_RUNS:
        note = f"no interval: {scores.size} of at least {MIN_RUNS} seeds"
        return {"estimate": float(STATISTICS[statistic](scores)), "n": scores.size, "note": note}
    return row_of(interval(scores, statistic=statistic).within(within))


def row_of(found: Interval) -> dict[str, object]:
    """COLUMNS of an interval."""
    note = "" if np.isfinite(found.low) else f"no interval: {found.method}"
    row = {"estimate": found.estimate, "low": found.low, "high": found.high, "n": found.n}
    return row | {"interval": found.method, "note": note}
