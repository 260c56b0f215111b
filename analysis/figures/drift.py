"""What drift did to the weights while learning: effective sample size, mean and largest weight, drift of the field."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.learning_curves import over_seeds
from analysis.figures.style import colour, label, legend_above, panels

PANELS = {
    "ess": "effective sample size / n",
    "weight_mean": "mean weight",
    "weight_max": "largest weight",
    "drift_tv": "drift of the mean action (total variation)",
}


def drift(journal: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """The figure, and the table behind it."""
    known = [m for m in PANELS if m in journal]
    tables = [over_seeds(journal, metric).assign(metric=metric) for metric in known]
    table = pd.concat(tables, ignore_index=True)
    figure, axes = panels(2, 2, height=2.2)
    for axis, metric in zip(axes, known, strict=False):
        for method, lines in table[table["metric"] == metric].groupby("method"):
            x = lines["env_steps"] / 1e3
            axis.plot(x, lines["mean"], color=colour(str(method)), label=label(str(method)), linewidth=1.4)
            axis.fill_between(x, lines["low"], lines["high"], color=colour(str(method)), alpha=0.2, linewidth=0)
        axis.set_title(PANELS[metric], loc="left")
    for axis in axes[2:]:
        axis.set_xlabel("environment steps (thousands)")
    for axis in axes[len(known) :]:
        axis.set_visible(False)
    legend_above(figure, axes[0], 4)
    return figure, table
