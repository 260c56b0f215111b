"""How far MAGAIL's joint law is from the expert's while it trains: agents alone, and agents with a shared signal."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.curves import draw_curves
from analysis.figures.style import NARROW, WIDE, legend_above, looks, note_below, panels
from analysis.interval_words import intervals_told

LEVEL = "#7A7A7A"


def magail_mixture(table: pd.DataFrame, limits: Mapping[str, float], near: float) -> Figure:
    """A panel for each expert: the JS distance, a mean with its 95 % band for each method.

    Args:
        table: rows of expert, method, epoch, mean, low, high, n, interval.
        limits: of each expert, the least distance that independent agents come to.
        near: drawn as a level too.
    """
    experts = list(dict.fromkeys(table["expert"]))
    width = NARROW if len(experts) == 1 else WIDE
    figure, axes = panels(1, len(experts), width=width, height=3.2)
    top = max(float(table["high"].max()), float(table["mean"].max()), *limits.values())
    for axis, expert in zip(axes, experts, strict=True):
        of_expert = table[table["expert"] == expert]
        draw_curves(axis, of_expert, looks(list(dict.fromkeys(table["method"]))), "epoch")
        axis.axhline(limits[expert], color=LEVEL, linestyle="dashed", linewidth=1, label="limit of independent agents")
        axis.axhline(near, color=LEVEL, linestyle="dotted", linewidth=1, label=f"{near:g}")
        axis.set(xlabel="epoch", xlim=(0, None), ylim=(0, 1.05 * top))
        axis.set_title(expert, loc="left")
        axis.tick_params(labelleft=axis is axes[0])
        axis.locator_params(axis="x", nbins=4)
    axes[0].set_ylabel("JS distance from the expert")
    legend_above(figure, axes[0], 3)
    note_below(figure, f"Means over seeds, {intervals_told(table)}.")
    return figure
