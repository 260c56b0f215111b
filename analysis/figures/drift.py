"""How far the field drifted while learning, and how much of the replay the weights left in use: all methods."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.learning_curves import draw_over_seeds, over_seeds
from analysis.figures.style import legend_above, palette, panels

PANELS = {"drift_tv": "drift of the mean action (total variation)", "ess": "effective sample size / n"}


def drift(journal: pd.DataFrame, weighted: Sequence[str]) -> tuple[Figure, pd.DataFrame]:
    """The figure, and the table behind it; effective sample sizes are those of the methods in `weighted`."""
    colours = palette(sorted(journal["method"].unique()))
    shown = [m for m in PANELS if m == "drift_tv" or weighted]
    figure, axes = panels(1, len(shown), height=2.6)
    tables = []
    for axis, metric in zip(axes, shown, strict=True):
        lines = journal if metric == "drift_tv" else journal[journal["method"].isin(weighted)]
        tables.append(over_seeds(lines, metric).assign(metric=metric))
        draw_over_seeds(axis, tables[-1], colours)
        axis.set_title(PANELS[metric], loc="left")
        axis.set_ylim(bottom=0)
    legend_above(figure, axes[0], 4)
    return figure, pd.concat(tables, ignore_index=True)
