"""How figures of runs are spread, by group: a violin each, and a dot for each run."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

ROOM = 0.8
"""Of a group, out of 1."""
LEAST = 3
"""Runs of a violin."""


def violins(axis: Axes, table: pd.DataFrame, x: str, y: str, colours: dict[str, str], hue: str) -> None:
    """Draw column `y` of `table` by the words in `x`, in the order in which they come, and side by side by `hue`.

    Groups of fewer than three runs, or whose runs are all alike, have dots alone. Violins end at the least and the
    greatest run.
    """
    groups, hues = list(dict.fromkeys(table[x])), list(colours)
    by_group = table.groupby([x, hue])[y]
    spread_out = table[(by_group.transform(np.ptp) > 1e-6) & (by_group.transform("size") >= LEAST)]
    if not spread_out.empty:
        with warnings.catch_warnings():
            # it warns of calls of its own in matplotlib
            warnings.simplefilter("ignore", PendingDeprecationWarning)
            sns.violinplot(
                spread_out, x=x, y=y, hue=hue, order=groups, hue_order=hues, palette=colours, ax=axis, width=ROOM,
                cut=0, bw_adjust=0.6, inner=None, density_norm="width", linewidth=0, alpha=0.35, legend=False,
            )  # fmt: skip
    width = ROOM / len(hues)
    for k, name in enumerate(hues):
        centre = (k - (len(hues) - 1) / 2) * width
        for i, group in enumerate(groups):
            values = table.loc[(table[x] == group) & (table[hue] == name), y]
            # beside each other, as runs that come to the same hide each other
            offsets = np.linspace(-0.18, 0.18, len(values)) * width if len(values) > 1 else np.zeros(1)
            axis.plot(
                i + centre + offsets, values, "o", color=colours[name], markersize=3, label=name if i == 0 else ""
            )
    axis.set_xticks(range(len(groups)), groups)
    axis.set_xlim(-0.5, len(groups) - 0.5)
    axis.set(xlabel="", ylabel="")
