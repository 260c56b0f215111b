"""Return of the played episodes while learning: mean over seeds, with a 95 % t band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from analysis.figures.curves import draw_curves
from analysis.figures.style import NARROW, Look, panels
from analysis.statistics import MIN_RUNS

Along = Literal["env_steps", "agent_steps", "time_s", "iteration"]
AXES: dict[Along, tuple[str, float]] = {
    "env_steps": ("environment steps, thousands", 1e3),
    "agent_steps": ("agent steps, millions", 1e6),
    "time_s": ("training time, s", 1.0),
}
"""Along what curves are drawn -> its words, and their unit."""


def over_seeds(journal: pd.DataFrame, metric: str, bins: int = 60, along: str = "env_steps") -> pd.DataFrame:
    """Mean and 95 % t interval over seeds of `metric` on a grid of `along`, per method.

    Grids begin where the last seed does and end where the first one ends, so that all count at every point, and none is
    drawn on as a flat line: seeds take unequal time. Seeds with one point in common have that row alone, those without
    any have none.

    Returns columns method, `along`, mean, low, high, n, interval: t; constant where all seeds are equal; NaN, as low
    and high, below 3 seeds.
    """
    rows = []
    for method, lines in journal.dropna(subset=[metric]).groupby("method"):
        spans = lines.groupby("seed")[along]
        first, last = spans.min().max(), spans.max().min()
        if first > last:
            continue
        steps = np.linspace(first, last, bins) if first < last else np.array([first])
        curves = []
        for _, one in lines.groupby("seed"):
            ordered = one.sort_values(along)
            ordered = ordered[(ordered[along] >= steps[0]) & (ordered[along] <= steps[-1])]
            # a point is the mean of what was journalled since the last one
            index = np.searchsorted(steps, ordered[along], side="left").clip(0, steps.size - 1)
            mean = ordered.groupby(index)[metric].mean()
            curves.append(mean.reindex(range(steps.size)).interpolate(limit_direction="both").to_numpy())
        stacked = np.array(curves)
        n = stacked.shape[0]
        mean = stacked.mean(0)
        half, way = np.full(steps.size, np.nan), None
        if n >= MIN_RUNS:
            half = stats.t.ppf(0.975, n - 1) * stacked.std(0, ddof=1) / np.sqrt(n)
            way = "t" if np.ptp(stacked, 0).any() else "constant"
        band = {"mean": mean, "low": mean - half, "high": mean + half, "n": n, "interval": way}
        rows.append(pd.DataFrame({"method": method, along: steps} | band))
    columns = ["method", along, "mean", "low", "high", "n", "interval"]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns)


def learning_curves(journal: pd.DataFrame, looks: Mapping[str, Look]) -> tuple[list[Figure], pd.DataFrame]:
    """A figure for each of AXES, and the table behind them (columns along, x, method, mean, low, high, n,
    interval)."""
    figures, tables = [], []
    for along, (words, scale) in AXES.items():
        table = over_seeds(journal, "return_mean", along=along)
        tables.append(table.rename(columns={along: "x"}).assign(along=along))
        figure, (axis,) = panels(1, 1, width=NARROW, height=2.9)
        draw_curves(axis, table, looks, along, scale)
        axis.set_xlabel(words)
        axis.set_ylabel("discounted return per agent, $")
        # the first, random episodes would flatten all that follows
        low = float(table.loc[table[along] > table[along].max() * 0.1, "mean"].min())
        high = float(table[["mean", "high"]].max().max())
        if high > low:
            axis.set_ylim(low - 0.15 * (high - low), high + 0.05 * (high - low))
        figures.append(figure)
    columns = ["along", "x", "method", "mean", "low", "high", "n", "interval"]
    return figures, pd.concat(tables, ignore_index=True)[columns]
