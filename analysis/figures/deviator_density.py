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


def deviator_density(table: pd.DataFrame, methods: Sequence[str], types: Sequence[str]) -> Figure:
    """Draw `table` (columns method, type, who, return): one row an episode."""
    figure, axes = panels(len(types), len(methods), height=1.9)
    for place, axis in enumerate(axes):
        name, method = types[place // len(methods)], methods[place % len(methods)]
        mine = table[(table["type"] == name) & (table["method"] == method)]
        for who, colour in COLOURS.items():
            values = mine.loc[mine["who"] == who, "return"].to_numpy()
            if values.size < 3 or np.ptp(values) == 0:
                continue
            sns.kdeplot(x=values, ax=axis, color=colour, label=who, linewidth=1.6, fill=True, alpha=0.15)
            axis.axvline(float(values.mean()), color=colour, linewidth=1.0, linestyle="--")
        axis.set_title(f"{name}, {label(method)}", loc="left")
        axis.set(xlabel="", ylabel="density" if place % len(methods) == 0 else "")
        axis.set_yticks([])
    for axis in axes[-len(methods) :]:
        axis.set_xlabel("return of one agent, $ an episode")
    legend_above(figure, next((a for a in axes if a.get_legend_handles_labels()[0]), axes[0]), 2)
    return figure
