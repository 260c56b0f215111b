"""What types order: a panel a type, the share of each action, a bar a method, with seeds as dots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import label, legend_above, looks, panels

WIDTH = 0.8
"""Of the bars of one action together; actions are 1 apart."""


def order_shares(table: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """Draw `table` (columns method, seed, type, action, share): means over seeds."""
    types = list(dict.fromkeys(table["type"]))
    figure, axes = panels(len(types), 1, height=1.7)
    of, each = looks(methods), WIDTH / len(methods)
    for axis, name in zip(axes, types, strict=True):
        for i, method in enumerate(methods):
            mine = table[(table["type"] == name) & (table["method"] == method)]
            means = mine.groupby("action")["share"].mean()
            away = (i - (len(methods) - 1) / 2) * each
            axis.bar(means.index + away, means, each, color=of[method].colour, label=label(method))
            axis.plot(mine["action"] + away, mine["share"], ".", color="#333333", markersize=2)
        axis.set_title(name, loc="left")
        axis.set_ylabel("share")
        axis.set_xticks(np.unique(table["action"]))
        axis.grid(axis="x", visible=False)
    axes[-1].set_xlabel("action, from no order to the largest")
    legend_above(figure, axes[0], len(methods))
    return figure
