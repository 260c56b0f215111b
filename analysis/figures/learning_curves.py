"""Return of the played episodes while learning: mean over seeds, with a 95 % t band."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from analysis.figures.style import colour, label, legend_above, panels


def over_seeds(journal: pd.DataFrame, metric: str, bins: int = 60) -> pd.DataFrame:
    """Mean and 95 % t interval over seeds of `metric` on a grid of environment steps, per method.

    Returns columns method, env_steps, mean, low, high, n; low and high are NaN below 3 seeds.
    """
    rows = []
    for method, lines in journal.dropna(subset=[metric]).groupby("method"):
        steps = np.linspace(lines["env_steps"].min(), lines["env_steps"].max(), bins)
        curves = []
        for _, one in lines.groupby("seed"):
            ordered = one.sort_values("env_steps")
            # a point is the mean of what was journalled since the last one
            index = np.searchsorted(steps, ordered["env_steps"], side="left").clip(0, bins - 1)
            mean = ordered.groupby(index)[metric].mean()
            curves.append(mean.reindex(range(bins)).interpolate(limit_direction="both").to_numpy())
        stacked = np.array(curves)
        n = stacked.shape[0]
        mean = stacked.mean(0)
        half = stats.t.ppf(0.975, n - 1) * stacked.std(0, ddof=1) / np.sqrt(n) if n >= 3 else np.full(bins, np.nan)
        rows.append(
            pd.DataFrame(
                {"method": method, "env_steps": steps, "mean": mean, "low": mean - half, "high": mean + half, "n": n}
            )
        )
    return pd.concat(rows, ignore_index=True)


def learning_curves(journal: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """The figure, and the table behind it."""
    table = over_seeds(journal, "return_mean")
    figure, (axis,) = panels(1, 1, height=3.2)
    for method, lines in table.groupby("method"):
        axis.plot(lines["env_steps"] / 1e3, lines["mean"], color=colour(str(method)), label=label(str(method)))
        axis.fill_between(
            lines["env_steps"] / 1e3, lines["low"], lines["high"], color=colour(str(method)), alpha=0.2, linewidth=0
        )
    axis.set_xlabel("environment steps (thousands)")
    axis.set_ylabel("discounted return per agent, $")
    # the first, random episodes would flatten all that follows
    low = float(table.loc[table["env_steps"] > table["env_steps"].max() * 0.1, "mean"].min())
    high = float(table[["mean", "high"]].max().max())
    if high > low:
        axis.set_ylim(low - 0.15 * (high - low), high + 0.05 * (high - low))
    legend_above(figure, axis, 4)
    return figure, table
