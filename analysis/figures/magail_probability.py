"""How often agents play A at the end of MAGAIL in the coordination game, against the entropy bonus."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import NARROW, WIDE, legend_above, note_below, panels
from analysis.figures.violins import violins

AGENTS = {"agent 1": "#0072B2", "agent 2": "#D55E00"}


def magail_probability(runs: pd.DataFrame, title: str, note: str) -> Figure:
    """A violin over seeds for each beta and agent.

    Args:
        runs: rows of runs.csv; columns beta, p_a_1, p_a_2.
    """
    named = runs.rename(columns={"p_a_1": "agent 1", "p_a_2": "agent 2"})
    table = named.melt("beta", list(AGENTS), "agent", "p").assign(at=lambda rows: rows["beta"].map("{:g}".format))
    width = NARROW if table["at"].nunique() <= 3 else WIDE
    figure, (axis,) = panels(1, 1, width=width, height=3.0)
    axis.axhline(0.5, color="#7A7A7A", linewidth=0.8)
    violins(axis, table, "at", "p", AGENTS, "agent")
    axis.set(ylim=(-0.04, 1.04), xlabel="entropy bonus beta", ylabel="P(A) at the end")
    axis.set_title(title, loc="left")
    legend_above(figure, axis, 2)
    note_below(figure, note)
    return figure
