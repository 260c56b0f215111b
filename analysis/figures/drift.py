"""How far the field drifted while learning, and how much of the replay the weights left in use: all methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.curves import draw_curves
from analysis.figures.learning_curves import AXES, over_seeds
from analysis.figures.style import NARROW, Look, panels

PANELS = {"drift_tv": "drift of the mean action (total variation)", "ess": "effective sample size / n"}


def drift(
    journal: pd.DataFrame, weighted: Sequence[str], looks: Mapping[str, Look]
) -> tuple[list[Figure], pd.DataFrame]:
    """A figure for each of PANELS, and the table behind; effective sample sizes are those of methods in `weighted`."""
    figures, tables = [], []
    words, scale = AXES["env_steps"]
    for metric in [m for m in PANELS if m == "drift_tv" or weighted]:
        lines = journal if metric == "drift_tv" else journal[journal["method"].isin(weighted)]
        tables.append(over_seeds(lines, metric).assign(metric=metric))
        figure, (axis,) = panels(1, 1, width=NARROW, height=2.6)
        draw_curves(axis, tables[-1], looks, "env_steps", scale)
        axis.set_title(PANELS[metric], loc="left")
        axis.set_xlabel(words)
        axis.set_ylim(bottom=0)
        figures.append(figure)
    return figures, pd.concat(tables, ignore_index=True)
