"""Lines of several policies over one axis, each with a band: learning curves, drift, performance profiles."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.style import Look, label, mark

FAINT_FROM = 5
"""Lines from which bands are drawn faintly, so that lines stay seen."""


def draw_curves(
    axis: Axes, table: pd.DataFrame, looks: Mapping[str, Look], along: str, scale: float = 1.0, *, step: bool = False
) -> None:
    """Draw `table` (columns method, `along`, mean, low, high), the axis in units of `scale`."""
    methods = [method for method in looks if method in set(table["method"])]
    alpha = 0.2 if len(methods) < FAINT_FROM else 0.05
    for method in methods:
        lines, look = table[table["method"] == method], looks[method]
        x = lines[along].to_numpy(float) / scale
        style = "steps-post" if step else "default"
        # a line of one point is none
        marker = look.marker if len(lines) == 1 else ""
        drawn = axis.plot(
            x, lines["mean"], color=look.colour, label=label(method), linewidth=1.6, linestyle=look.line,
            drawstyle=style, marker=marker,
        )  # fmt: skip
        band = axis.fill_between(
            x, lines["low"].to_numpy(float), lines["high"].to_numpy(float), color=look.colour, alpha=alpha,
            linewidth=0, step="post" if step else None,
        )  # fmt: skip
        mark([*drawn, band], method)
