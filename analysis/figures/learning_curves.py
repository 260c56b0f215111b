"""Return of the played episodes while learning: mean over seeds, with a 95 % t band."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from analysis.figures.style import label, legend_above, palette, panels


def over_seeds(
    journal: pd.DataFrame, metric: str, bins: int = 60, along: Literal["env_steps", "iteration"] = "env_steps"
) -> pd.DataFrame:
    """Mean and 95 % t interval over seeds of `metric` on a grid of environment steps or iterations, per method.

    Returns columns method, `along`, mean, low, high, n; low and high are NaN below 3 seeds.
    """
    rows = []
    for method, lines in journal.dropna(subset=[metric]).groupby("method"):
        steps = np.linspace(lines[along].min(), lines[along].max(), bins)
        curves = []
        for _, one in lines.groupby("seed"):
            ordered = one.sort_values(along)
            # a point is the mean of what was journalled since the last one
            index = np.searchsorted(steps, ordered[along], side="left").clip(0, bins - 1)
            mean = ordered.groupby(index)[metric].mean()
            curves.append(mean.reindex(range(bins)).interpolate(limit_direction="both").to_numpy())
        stacked = np.array(curves)
        n = stacked.shape[0]
        mean = stacked.mean(0)
        half = stats.t.ppf(0.975, n - 1) * stacked.std(0, ddof=1) / np.sqrt(n) if n >= 3 else np.full(bins, np.nan)
        band = {"mean": mean, "low": mean - half, "high": mean + half, "n": n}
        rows.append(pd.DataFrame({"method": method, along: steps} | band))
    return pd.concat(rows, ignore_index=True)


def draw_over_seeds(axis: Axes, table: pd.DataFrame, colours: Mapping[str, str]) -> None:
    """The lines and bands of `over_seeds` over thousands of environment steps, a colour a method."""
    for method, lines in table.groupby("method"):
        x, colour = lines["env_steps"] / 1e3, colours[str(method)]
        axis.plot(x, lines["mean"], color=colour, label=label(str(method)), linewidth=1.5)
        axis.fill_between(x, lines["low"], lines["high"], color=colour, alpha=0.2, linewidth=0)
    axis.set_xlabel("environment steps (thousands)")


def learning_curves(journal: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """The figure, and the table behind it."""
    table = over_seeds(journal, "return_mean")
    figure, (axis,) = panels(1, 1, height=3.2)
    draw_over_seeds(axis, table, palette(sorted(journal["method"].unique())))
    axis.set_ylabel("discounted return per agent, $")
    # the first, random episodes would flatten all that follows
    low = float(table.loc[table["env_steps"] > table["env_steps"].max() * 0.1, "mean"].min())
    high = float(table[["mean", "high"]].max().max())
    if high > low:
        axis.set_ylim(low - 0.15 * (high - low), high + 0.05 * (high - low))
    legend_above(figure, axis, 4)
    return figure, table
