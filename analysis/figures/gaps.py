"""Best-response gaps: a panel per method, a row per type, a mark for each way in which the gap was found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import label, legend_above, panels

MARKS = {"learned": ("o", "#0072B2"), "exact": ("D", "#000000"), "bound": ("<", "#D55E00")}
NAMES = {"learned": "learned: at least", "exact": "exact", "bound": "bound: at most"}


def gaps(table: pd.DataFrame, methods: Sequence[str]) -> Figure:
    """Draw `table` (columns method, type, by, gap, low, high, in $; several rows of a cell are several seeds)."""
    rows = list(dict.fromkeys(table["type"]))
    known = [by for by in MARKS if by in set(table["by"])]
    figure, axes = panels(len(methods), 1, height=0.8 + 0.42 * len(rows))
    offsets = dict(zip(known, np.linspace(-0.22, 0.22, len(known)) if len(known) > 1 else [0.0], strict=True))
    for axis, method in zip(axes, methods, strict=True):
        for by in known:
            mine = table[(table["method"] == method) & (table["by"] == by)]
            shape, colour = MARKS[by]
            for i, (_, of_seed) in enumerate(mine.groupby("seed")):
                y = np.array([rows.index(name) for name in of_seed["type"]]) + offsets[by] + 0.05 * i
                x = of_seed["gap"].to_numpy(float)
                bars = np.vstack([x - of_seed["low"].to_numpy(float), of_seed["high"].to_numpy(float) - x]).clip(0)
                axis.errorbar(
                    x, y, xerr=bars, fmt=shape, markersize=4.5, color=colour, linewidth=1.3,
                    label=NAMES[by] if i == 0 else None,
                )  # fmt: skip
        axis.axvline(0.0, color="#444444", linewidth=0.8)
        axis.set_yticks(range(len(rows)), rows)
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_title(label(method), loc="left")
        axis.margins(x=0.06)
    low, high = min(a.get_xlim()[0] for a in axes), max(a.get_xlim()[1] for a in axes)
    for axis in axes:
        axis.set_xlim(low, high)
    axes[-1].set_xlabel("gain of an agent that leaves the profile, $ an episode, discounted")
    legend_above(figure, max(axes, key=lambda axis: len(axis.get_legend_handles_labels()[0])), 3)
    return figure
