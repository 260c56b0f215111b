"""Where the two agents of the coordination game end: P(A) of one against that of the other."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from analysis.figures.style import MARKERS, NARROW, legend_above, note_below, panels


def magail_scatter(runs: pd.DataFrame, title: str, note: str) -> Figure:
    """A mark for each run, betas told apart by colour and shape.

    Args:
        runs: rows of runs.csv; columns beta, p_a_1, p_a_2.
    """
    figure, (axis,) = panels(1, 1, width=NARROW, height=4.0)
    shades = mpl.colormaps["viridis"]
    betas = list(dict.fromkeys(runs["beta"]))
    axis.axhline(0.5, color="#7A7A7A", linewidth=0.8)
    axis.axvline(0.5, color="#7A7A7A", linewidth=0.8)
    for i, beta in enumerate(betas):
        mine = runs[runs["beta"] == beta]
        colour = to_hex(shades(0.92 * i / max(1, len(betas) - 1)))
        axis.plot(
            mine["p_a_1"], mine["p_a_2"], MARKERS[i % len(MARKERS)], color=colour, markerfacecolor="none",
            markersize=7, markeredgewidth=1.3, label=f"beta {beta:g}", clip_on=False,
        )  # fmt: skip
    for at, words in ((0.04, "BB"), (0.96, "AA")):
        axis.annotate(words, (at, at), (8 if at < 0.5 else -8, 0), textcoords="offset points", color="#555555",
                      ha="left" if at < 0.5 else "right", va="center")  # fmt: skip
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="P(A) of agent 1", ylabel="P(A) of agent 2")
    axis.set_aspect("equal")
    axis.set_title(title, loc="left")
    legend_above(figure, axis, 5)
    note_below(figure, note)
    return figure
