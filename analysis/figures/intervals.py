"""Means with 95 % intervals over seeds: a figure per metric, a row per type, a mark per policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import NARROW, Look, mark, panels

TITLES = {
    "profit": "profit, $ / period",
    "stock": "mean stock, u",
    "backlog": "mean backlog, u",
    "lost": "lost sales, u / period",
    "beta_fill": "fill rate",
    "alpha_service": "periods without a stock-out",
}


def intervals(table: pd.DataFrame, metric: str, policies: Sequence[str], looks: Mapping[str, Look]) -> Figure:
    """Draw `table` (columns metric, type, policy, estimate, low, high); means without an interval are hollow marks."""
    names = list(dict.fromkeys(table["type"]))
    figure, (axis,) = panels(1, 1, width=NARROW, height=0.6 + max(0.5, 0.095 * len(policies)) * len(names))
    for offset, policy in zip(np.linspace(-0.36, 0.36, len(policies)), policies, strict=True):
        mine = table[(table["metric"] == metric) & (table["policy"] == policy)].set_index("type").reindex(names)
        y, look = np.arange(len(names)) + offset, looks[policy]
        x = mine["estimate"].to_numpy(float)
        low, high = x - mine["low"].to_numpy(float), mine["high"].to_numpy(float) - x
        # where all seeds are equal nothing is known of the spread
        known = np.isfinite(low) & np.isfinite(high) & (low + high > 0)
        for mine, face in ((known, look.colour), (~known, "white")):
            drawn = axis.errorbar(
                x[mine], y[mine], xerr=np.vstack([low, high])[:, mine].clip(0) if face != "white" else None,
                fmt=look.marker, markersize=3.6, color=look.colour, markerfacecolor=face, linewidth=1.3,
            )  # fmt: skip
            mark(drawn.get_children(), policy)
    for between in range(1, len(names)):
        axis.axhline(between - 0.5, color="#d0d0d0", linewidth=0.8)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.5)
    axis.set_title(TITLES.get(metric, metric), loc="left")
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.margins(x=0.08)
    return figure
