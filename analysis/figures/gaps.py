"""Best-response gaps: a panel per method, a row per type and seed, a mark for each way in which the gap was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.style import label, legend_above, panels

MARKS = {"learned": ("o", "#0072B2"), "exact": ("D", "#000000"), "bound": ("<", "#D55E00")}
NAMES = {"learned": "learned: at least", "exact": "exact", "bound": "bound: at most"}
SPREAD = 0.22
"""Rows from the middle of one to its outer marks."""


def gaps(table: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """Draw `table` (columns method, seed, type, by, gap, low, high; $), which has a row at least: types in its order,
    and of each method those that it has a gap of."""
    types = list(dict.fromkeys(table["type"]))
    of_method = {method: table[table["method"] == method] for method in methods}
    shown = {method: mine for method, mine in of_method.items() if len(mine)}
    rows = {
        method: sorted(set(zip(mine["type"], mine["seed"], strict=True)), key=lambda row: (types.index(row[0]), row[1]))
        for method, mine in shown.items()
    }
    known = [by for by in MARKS if by in set(table["by"])]
    figure, axes = panels(len(shown), 1, height=[0.8 + 0.42 * len(of) for of in rows.values()])
    for axis, (method, mine) in zip(axes, shown.items(), strict=True):
        _draw(axis, mine, rows[method], known, several=table["seed"].nunique() > 1)
        axis.set_title(label(method), loc="left")
    low, high = min(a.get_xlim()[0] for a in axes), max(a.get_xlim()[1] for a in axes)
    for axis in axes:
        axis.set_xlim(low, high)
    axes[-1].set_xlabel("gain of an agent that leaves the profile, $ an episode, discounted")
    legend_above(figure, max(axes, key=lambda axis: len(axis.get_legend_handles_labels()[0])), 3)
    return figure


def _draw(axis: Axes, table: pd.DataFrame, rows: list[tuple[str, int]], known: Sequence[str], *, several: bool) -> None:
    offsets = np.linspace(-SPREAD, SPREAD, len(known)) if len(known) > 1 else [0.0]
    for by, offset in zip(known, offsets, strict=True):
        mine = table[table["by"] == by]
        if mine.empty:
            continue
        shape, colour = MARKS[by]
        y = np.array([rows.index(row) for row in zip(mine["type"], mine["seed"], strict=True)]) + offset
        x = mine["gap"].to_numpy(float)
        bars = np.vstack([x - mine["low"].to_numpy(float), mine["high"].to_numpy(float) - x]).clip(0)
        axis.errorbar(x, y, xerr=bars, fmt=shape, markersize=4.5, color=colour, linewidth=1.3, label=NAMES[by])
    names = []
    for i, (name, seed) in enumerate(rows):
        first = i == 0 or rows[i - 1][0] != name
        names.append((f"{name}, seed {seed}" if first else f"seed {seed}") if several else name)
        if several and first and i > 0:
            axis.axhline(i - 0.5, color="#c8c8c8", linewidth=0.8)
    axis.axvline(0.0, color="#444444", linewidth=0.8)
    axis.set_yticks(range(len(rows)), names)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.margins(x=0.06)
