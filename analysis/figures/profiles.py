"""Performance profiles: the share of runs above each score."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.curves import draw_curves
from analysis.figures.style import Look, panels


def profiles(table: pd.DataFrame, looks: Mapping[str, Look]) -> Figure:
    """Draw `table` (columns method, threshold, mean, low, high)."""
    figure, (axis,) = panels(1, 1, height=3.4)
    draw_curves(axis, table, looks, "threshold", step=True)
    axis.set_ylim(-0.02, 1.02)
    axis.set_xlim(float(table["threshold"].min()), float(table["threshold"].max()))
    axis.set_xlabel("normalised score")
    axis.set_ylabel("share of runs above it")
    return figure
