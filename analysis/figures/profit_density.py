"""Kernel density of per-agent episode profit of one type: a ridge per policy, over the reference method's outline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from analysis.figures.style import NARROW, Look, label, mark, panels

POINTS = 200
LEAST = 1e-3
"""Density, in units of the axis, below which a policy counts as beside it."""
MOST = 20_000
"""Episodes of agents that a density is taken from; of more, so many evenly spaced ones in the order of profit."""


def profit_density(
    episodes: pd.DataFrame, policies: Sequence[str], against: str, looks: Mapping[str, Look], title: str
) -> tuple[Figure, pd.DataFrame] | None:
    """The figure, and the density on its grid (columns policy, profit, density), which is one for all policies.

    Args:
        episodes: columns policy and profit, of one type.
        against: the policy whose outline lies behind every ridge.

    None where no policy's profit varies, so that there is no density.
    """
    profit = {str(policy): one["profit"].to_numpy(float) for policy, one in episodes.groupby("policy")}
    there = [p for p in policies if p in profit and profit[p].size >= 3 and np.ptp(profit[p]) > 0]
    if not there:
        return None
    # the spread of learned policies is what matters; random play may lie far to the left
    learned = np.concatenate([profit[p] for p in there if p != "random"] or [profit[p] for p in there])
    low, high = np.quantile(learned, [0.002, 0.998])
    grid = np.linspace(low - 0.15 * (high - low), high + 0.1 * (high - low), POINTS)
    density = {p: gaussian_kde(thinned(profit[p]))(grid) for p in there}
    # random play may have nothing on the axis, or next to nothing, which would be drawn as high as all others
    there = [p for p in there if density[p].max() * (grid[-1] - grid[0]) > LEAST]
    figure, (axis,) = panels(1, 1, width=NARROW, height=0.6 + 0.3 * len(there))
    for row, policy in enumerate(there):
        base = len(there) - 1 - row
        # a ridge is as high as its row, whatever its density: widths and places are what is compared
        height = 0.85 / density[policy].max()
        fill = axis.fill_between(
            grid, base, base + height * density[policy], color=looks[policy].colour, alpha=0.35, linewidth=0
        )
        line = axis.plot(grid, base + height * density[policy], color=looks[policy].colour, linewidth=1.4)
        middle = float(profit[policy].mean())
        mean = axis.plot([middle] * 2, [base, base + 0.85], color=looks[policy].colour, linewidth=1)
        behind = []
        if against in there and policy != against:
            height = 0.85 / density[against].max()
            behind = axis.plot(grid, base + height * density[against], color="#444444", linewidth=0.7, linestyle="--")
        mark([fill, *line, *mean, *behind], policy)
    axis.set_xlim(grid[0], grid[-1])
    axis.set_ylim(-0.1, len(there))
    axis.set_yticks(np.arange(len(there)) + 0.3, [label(p) for p in reversed(there)])
    for policy, tick in zip(reversed(there), axis.get_yticklabels(), strict=True):
        mark([tick], policy)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.set_title(title, loc="left")
    axis.set_xlabel("profit per period of one agent in one episode, $")
    tables = [pd.DataFrame({"policy": p, "profit": grid, "density": density[p]}) for p in there]
    return figure, pd.concat(tables, ignore_index=True)


def thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most MOST of the values, evenly spaced in their order, so that their distribution stays."""
    if values.size <= MOST:
        return values
    kept: NDArray[np.float64] = np.sort(values)[np.linspace(0, values.size - 1, MOST).round().astype(int)]
    return kept
