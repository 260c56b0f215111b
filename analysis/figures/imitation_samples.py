"""The Nash imitation gap of learners against the number of trajectories they saw."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from analysis.figures.curves import draw_curves
from analysis.figures.imitation_gap import NIG
from analysis.figures.style import NARROW, WIDE, legend_above, looks, note_below, panels
from analysis.imitation_gap import gap_intervals
from analysis.interval_words import intervals_told


def imitation_samples(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """A panel for each game of `tables` (rows of `nig_against_samples`): mean NIG with 95 % t band over seeds.

    Both axes are logarithmic; a band that comes to 0 is cut where the panel ends.
    """
    columns = 2 if len(tables) == 4 else min(3, len(tables))
    width = NARROW if columns == 1 else WIDE
    figure, axes = panels(-(-len(tables) // columns), columns, width=width, height=2.8)
    found = {title: gap_intervals(table).rename(columns={"learner": "method"}) for title, table in tables.items()}
    for axis, (title, table) in zip(axes, tables.items(), strict=False):
        bands = found[title]
        # what is exactly the expert has no place on a logarithmic axis; the table has it
        seen = bands[bands["mean"] > 0]
        draw_curves(axis, seen, looks(list(dict.fromkeys(table["learner"]))), "samples")
        axis.set(xscale="log", yscale="log", xlabel="sampled trajectories M")
        numbers = sorted(int(number) for number in table["samples"].unique())
        axis.set_xticks(numbers, [f"{number:,}" for number in numbers])
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_ylim(seen["mean"].min() / 2, seen[["mean", "high"]].max().max() * 1.5)
        axis.set_title(title, loc="left")
    for axis in axes[len(tables) :]:
        axis.set_visible(False)
    for axis in axes[::columns]:
        axis.set_ylabel(NIG)
    # a panel in which all learners have a line
    legend_above(figure, max(axes, key=lambda axis: len(axis.get_legend_handles_labels()[0])), 3)
    note_below(figure, f"Means over seeds, {intervals_told(pd.concat(found.values()))}.")
    return figure
