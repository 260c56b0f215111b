"""How far learners are from equilibrium against how often they asked the expert."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.curves import draw_curves
from analysis.figures.style import NARROW, WIDE, legend_above, looks, note_below, panels
from analysis.interval_words import intervals_told


def magail_interactive(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A panel for each game: NashConv, a line and a 95 % band for each way to ask; logarithmic where it is never 0.

    Args:
        tables: rows of method, queries, mean, low, high, n, interval.
    """
    columns = min(2, len(tables))
    width = NARROW if columns == 1 else WIDE
    figure, axes = panels(-(-len(tables) // columns), columns, width=width, height=2.6)
    methods = list(dict.fromkeys(method for table in tables.values() for method in table["method"]))
    for axis, (title, table) in zip(axes, tables.items(), strict=False):
        draw_curves(axis, table, looks(methods), "queries")
        axis.set(xlabel="answers of experts")
        if (table["mean"] > 0).all():
            axis.set(xscale="log", yscale="log")
            axis.set_ylim(table["mean"].min() / 2, None)
        else:
            axis.set_ylim(0, None)
        axis.set_title(title, loc="left")
    for axis in axes[len(tables) :]:
        axis.set_visible(False)
    for axis in axes[::columns]:
        axis.set_ylabel("NashConv (0: equilibrium)")
    legend_above(figure, axes[0], 2)
    note_below(figure, f"Means over seeds, {intervals_told(pd.concat(tables.values()))}.")
    return figure
