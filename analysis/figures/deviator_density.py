"""Kernel density of the return of agents that stay, against that of learned deviators: a row per type, a column per
method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from analysis.figures.style import label, legend_above, panels

COLOURS = {"stays": "#7A7A7A", "learned deviator": "#0072B2"}


def deviator_density(table: pd.DataFrame, methods: Sequence[str], types: Sequence[str]) -> Figure | None:
    """Draw `table` (columns method, type, who, return): one row an episode; types and methods that it has none of are
    left out. None where no return varies, so that there is no density.
    """
    returns = {
        (name, method): {who: one["return"].to_numpy() for who, one in mine.groupby("who") if _varies(one["return"])}
        for (name, method), mine in table.groupby(["type", "method"])
    }
    there = [key for key, values in returns.items() if values]
    if not there:
        return None
    types = [name for name in types if any(name == key[0] for key in there)]
    methods = [method for method in methods if any(method == key[1] for key in there)]
    figure, axes = panels(len(types), len(methods), height=1.9)
    lowest = {method: [name for name in types if (name, method) in there][-1] for method in methods}
    for place, axis in enumerate(axes):
        name, method = types[place // len(methods)], methods[place % len(methods)]
        if (name, method) not in there:
            axis.set_visible(False)
            continue
        for who, colour in COLOURS.items():
            if who not in returns[name, method]:
                continue
            values = returns[name, method][who]
            sns.kdeplot(x=values, ax=axis, color=colour, label=who, linewidth=1.6, fill=True, alpha=0.15)
            axis.axvline(float(values.mean()), color=colour, linewidth=1.0, linestyle="--")
        axis.set_title(f"{name}, {label(method)}", loc="left")
        axis.set(xlabel="", ylabel="density" if place % len(methods) == 0 else "")
        axis.set_yticks([])
        if name == lowest[method]:
            axis.set_xlabel("return of one agent, $ an episode")
    legend_above(figure, max(axes, key=lambda axis: len(axis.get_legend_handles_labels()[0])), 2)
    return figure


def _varies(values: pd.Series) -> bool:
    return len(values) >= 3 and bool(np.ptp(values.to_numpy()) > 0)
