"""How far values among N agents are from their limit: a panel a run, both axes logarithmic, with the fitted rates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import label, legend_above, panels

LINES = {"C/N": ("#0072B2", "-"), "C/sqrt(N)": ("#D55E00", "--")}
MARKS = {"below the limit": ("o", -1.0), "above the limit": ("^", 1.0)}
NORMAL = 1.96
"""Half-width of a 95 % interval in standard errors."""


def finite_agents(table: pd.DataFrame, rates: pd.DataFrame, runs: Sequence[tuple[str, int]]) -> Figure:
    """Draw `table` (columns method, seed, num_agents, error, gap; $) and the lines of `rates` (columns method, seed,
    rate, power, constant) for each (method, seed) of `runs`."""
    columns = min(2, len(runs))
    figure, axes = panels(-(-len(runs) // columns), columns, height=2.8)
    for axis, (method, seed) in zip(axes, runs, strict=False):
        mine = table[(table["method"] == method) & (table["seed"] == seed)]
        fits = rates[(rates["method"] == method) & (rates["seed"] == seed)]
        _draw(axis, mine, fits)
        axis.set_title(f"{label(method)}, seed {seed}", loc="left")
    for axis in axes[len(runs) :]:
        axis.set_visible(False)
    # an axis of the lowest row that is there carries the label of its column
    for axis in axes[max(0, len(runs) - columns) : len(runs)]:
        axis.set_xlabel("number of agents N")
    for axis in axes[::columns]:
        axis.set_ylabel("|value − limit|, $ an episode")
    # the panel of most kinds of marks names them all
    legend_above(figure, max(axes, key=lambda axis: len(axis.get_legend_handles_labels()[0])), 4)
    return figure


def _draw(axis: Axes, table: pd.DataFrame, rates: pd.DataFrame) -> None:
    n, gap = table["num_agents"].to_numpy(float), table["gap"].to_numpy(float)
    half = NORMAL * table["error"].to_numpy(float)
    # a bar that comes to 0 goes to the bottom of the axis, and so does a gap far below its error
    bottom = max(half.min() / 10, min(abs(gap).min(), half.min()) / 1.5)
    low, high = (abs(gap) - half).clip(bottom), abs(gap) + half
    axis.set_xscale("log")
    axis.set_yscale("log")
    for name, (shape, sign) in MARKS.items():
        there = np.sign(gap) == sign
        if there.any():
            y = abs(gap[there]).clip(bottom)
            bars = np.vstack([y - low[there], high[there] - y]).clip(0)
            axis.errorbar(
                n[there], y, yerr=bars, fmt=shape, color="#000000", markersize=4.5, linewidth=1.2, capsize=2.5,
                label=name, clip_on=False,
            )  # fmt: skip
    across = np.geomspace(n.min() / 1.3, n.max() * 1.3, 50)
    for _, rate in rates[rates["rate"].isin(LINES)].iterrows():
        colour, style = LINES[rate["rate"]]
        drawn = abs(rate["constant"]) * across ** rate["power"]
        axis.plot(across, drawn, color=colour, linestyle=style, linewidth=1.4, label=f"fitted {rate['rate']}", zorder=1)
    for scale in (axis.xaxis, axis.yaxis):
        # 0.1, 1,000 in place of powers of ten
        scale.set_major_formatter(lambda number, _: f"{number:,.6g}")
    axis.set_xlim(across[0], across[-1])
    axis.set_ylim(bottom, 2 * high.max())
