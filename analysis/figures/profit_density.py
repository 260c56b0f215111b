"""Kernel density of per-agent episode profit, by policy, a panel per type."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from analysis.figures.style import label, legend_above, palette, panels


def profit_density(
    episodes: pd.DataFrame, policies: Sequence[str], type_names: Sequence[str]
) -> tuple[Figure, pd.DataFrame]:
    """The figure, and the density on its grid (columns type, policy, profit, density)."""
    figure, axes = panels(len(type_names), 1, height=2.0)
    tables, colours = [], palette(policies)
    for axis, name in zip(axes, type_names, strict=True):
        mine = episodes[episodes["type"] == name]
        for policy in policies:
            values = mine.loc[mine["policy"] == policy, "profit"].to_numpy()
            if values.size < 3 or np.ptp(values) == 0:
                continue
            sns.kdeplot(
                x=values, ax=axis, color=colours[policy], label=label(policy), linewidth=1.6, fill=True, alpha=0.12
            )
            sns.kdeplot(x=values, ax=axis, color=colours[policy], linewidth=1.6)
            line = axis.lines[-1].get_xydata()
            tables.append(
                pd.DataFrame({"type": name, "policy": policy, "profit": line[:, 0], "density": line[:, 1]})  # type: ignore[index]
            )
        # the spread of learned policies is what matters; random play may lie far to the left
        learned = mine.loc[mine["policy"] != "random", "profit"]
        low, high = np.quantile(learned, [0.002, 0.998])
        axis.set_xlim(low - 0.15 * (high - low), high + 0.1 * (high - low))
        axis.set_title(name, loc="left")
        axis.set_ylabel("density")
        axis.set_yticks([])
        axis.set_xlabel("")
    axes[-1].set_xlabel("profit per period of one agent in one episode, $")
    legend_above(figure, axes[0], 5)
    return figure, pd.concat(tables, ignore_index=True)
