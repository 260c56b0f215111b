"""Mean return against NashConv, a mark per run, beside the exact equilibrium and the planner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import label, legend_above, palette, panels

WAYS = {"exact": ("D", "exact"), "learned": (">", "at least"), "bound": ("<", "at most")}
"""way -> its mark, which points to where NashConv lies, and its words"""
LINES = {"equilibrium": ("#000000", "-"), "planner": ("#009E73", "--")}


def value_and_gap(table: pd.DataFrame, lines: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """Draw runs (columns method, seed, value, value_low, value_high, nash_conv, low, high, by; in $ per agent) and
    the lines (columns name, value, nash_conv), which may be empty."""
    figure, (axis,) = panels(1, 1, height=3.4)
    colours = palette(methods)
    for method in methods:
        mine = table[table["method"] == method]
        x, y = mine["nash_conv"].to_numpy(float), mine["value"].to_numpy(float)
        across = np.vstack([x - mine["low"].to_numpy(float), mine["high"].to_numpy(float) - x]).clip(0)
        up = np.vstack([y - mine["value_low"].to_numpy(float), mine["value_high"].to_numpy(float) - y]).clip(0)
        for by, (shape, words) in WAYS.items():
            those = (mine["by"] == by).to_numpy()
            if those.any():
                axis.errorbar(
                    x[those], y[those], xerr=across[:, those], yerr=up[:, those], fmt=shape, color=colours[method],
                    label=f"{label(method)}, {words}", markersize=5, linewidth=1.2,
                )  # fmt: skip
    for _, line in lines.iterrows():
        colour, style = LINES.get(line["name"], ("#7A7A7A", ":"))
        axis.axhline(line["value"], color=colour, linestyle=style, linewidth=1.1, label=f"value of the {line['name']}")
        axis.plot(line["nash_conv"], line["value"], marker="s", color=colour, markersize=5)
    axis.set_xlabel("NashConv: mean gain of an agent that leaves the profile, $ an episode")
    axis.set_ylabel("mean return, $ an episode")
    axis.set_xlim(left=min(0.0, axis.get_xlim()[0]))
    legend_above(figure, axis, 4)
    return figure
