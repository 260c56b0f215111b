"""How far MAGAIL's joint play is from the expert's, beside how often agents meet, which the distance cannot tell."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import WIDE, note_below, panels
from analysis.figures.violins import violins

COLOUR = "#0072B2"


def magail_distance(runs: pd.DataFrame, limit: float, expert_rate: float, title: str, note: str) -> Figure:
    """Violins over seeds for each beta: JS distance with the limit of independent policies, and coordination rate.

    Args:
        runs: rows of runs.csv; columns beta, js_distance, coordination_rate.
        expert_rate: how often the expert's agents meet.
    """
    table = runs.assign(at=runs["beta"].map("{:g}".format), run="a run")
    # ticks of many betas need the width
    rows = 1 if runs["beta"].nunique() <= 7 else 2
    figure, axes = panels(rows, 3 - rows, width=WIDE, height=3.0 if rows == 1 else 2.5)
    lines = (
        ("js_distance", "JS distance from the expert", limit, "least of independent policies"),
        ("coordination_rate", "P(AA) + P(BB)", expert_rate, "the expert's"),
    )
    for axis, (column, words, line, of_line) in zip(axes, lines, strict=True):
        axis.axhline(line, color="#000000", linewidth=1.1, linestyle="--")
        violins(axis, table, "at", column, {"a run": COLOUR}, "run")
        axis.set(xlabel="entropy bonus beta", ylabel=words)
        axis.set_title(f"- - {of_line}: {line:.4g}", loc="left", fontsize=9)
    low, high = min(limit, table["js_distance"].min()), max(limit, table["js_distance"].max())
    room = max(0.01, 0.15 * (high - low))
    axes[0].set_ylim(max(0.0, low - room), high + 2 * room)
    axes[1].set_ylim(-0.04, 1.04)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    note_below(figure, note)
    return figure
