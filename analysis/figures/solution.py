"""How a solver came to its policy."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import NARROW, panels

COLOUR = "#0072B2"
FEW = 30
"""Iterations up to which each is marked."""


LABELS = {
    "exploitability": "exploitability (0 is an equilibrium)",
    "gap": "first-order gap (0 is an optimum, or stationary)",
}


def convergence(history: pd.DataFrame, tol: float, title: str, measure: str = "exploitability") -> Figure:
    """A measure over iterations (columns iteration and one of LABELS), the lowest so far, and the tolerance."""
    figure, (axis,) = panels(1, 1, width=NARROW, height=2.9)
    iteration, gap = history["iteration"], history[measure]
    # a line has no single points
    dots = "o" if len(gap) <= FEW else ""
    axis.plot(iteration, gap, color=COLOUR, linewidth=1.0, alpha=0.6, marker=dots, markersize=4, label="iterate")
    axis.plot(iteration, gap.cummin(), color=COLOUR, linewidth=1.8, label="lowest so far")
    if tol > 0:
        axis.axhline(tol, color="0.4", linewidth=0.9, linestyle="--", label="tolerance")
    if (gap > 0).any():
        axis.set_yscale("log", nonpositive="mask")
        zero = iteration[gap <= 0]
        if len(zero):
            foot = axis.get_xaxis_transform()
            axis.plot(
                zero, np.zeros(len(zero)), "v", color=COLOUR, transform=foot, clip_on=False, label="0, below the scale"
            )
    axis.set(xlabel="iteration", ylabel=LABELS[measure])
    axis.set_title(title, loc="left")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.legend(frameon=False)
    return figure
