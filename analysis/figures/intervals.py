"""Means with 95 % intervals over seeds: a panel per metric, a row per type, a mark per policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import label, legend_above, palette, panels

TITLES = {
    "profit": "profit, $ / period",
    "stock": "mean stock, u",
    "backlog": "mean backlog, u",
    "lost": "lost sales, u / period",
    "beta_fill": "fill rate",
    "alpha_service": "periods without a stock-out",
}


def intervals(table: pd.DataFrame, metrics: Sequence[str], policies: Sequence[str]) -> Figure:
    """Draw `table` (columns metric, type, policy, estimate, low, high); without an interval only the mean is shown."""
    rows = int(np.ceil(len(metrics) / 2))
    names = list(dict.fromkeys(table["type"]))
    figure, axes = panels(rows, 2, height=0.9 + max(0.42, 0.075 * len(policies)) * len(names))
    colours = palette(policies)
    offsets = np.linspace(-0.3, 0.3, len(policies))
    for axis, metric in zip(axes, metrics, strict=False):
        for offset, policy in zip(offsets, policies, strict=True):
            mine = table[(table["metric"] == metric) & (table["policy"] == policy)].set_index("type").reindex(names)
            y = np.arange(len(names)) + offset
            x = mine["estimate"].to_numpy(float)
            low, high = x - mine["low"].to_numpy(float), mine["high"].to_numpy(float) - x
            axis.errorbar(
                x,
                y,
                xerr=np.nan_to_num(np.vstack([low, high])).clip(0),
                fmt="o",
                markersize=4,
                color=colours[policy],
                label=label(policy),
                linewidth=1.4,
            )
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)
        axis.set_title(TITLES.get(metric, metric), loc="left")
        axis.margins(x=0.08)
    for axis in axes[len(metrics) :]:
        axis.set_visible(False)
    legend_above(figure, axes[0], 5)
    return figure
