"""P(A) of both agents while MAGAIL trains in the coordination game."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.magail_classes import CLASSES
from analysis.figures.style import NARROW, WIDE, note_below, panels

AGENTS = {"agent 1": ("p_a_1", "solid"), "agent 2": ("p_a_2", "dashed")}


def magail_training(history: pd.DataFrame, runs: pd.DataFrame, title: str, note: str) -> Figure:
    """A panel for each beta, two lines a run, in the colour of what it comes to.

    Args:
        history: rows of history.csv; columns beta, seed, epoch, p_a_1, p_a_2.
        runs: rows of runs.csv; columns beta, seed, collapse.
    """
    betas = list(dict.fromkeys(runs["beta"]))
    columns = min(3, len(betas))
    rows = -(-len(betas) // columns)
    figure, axes = panels(rows, columns, width=NARROW if columns == 1 else WIDE, height=2.3)
    classes = runs.set_index(["beta", "seed"])["collapse"]
    # of many runs each must let the others be seen
    alpha = 0.9 if runs["seed"].nunique() <= 6 else 0.5
    for (beta, seed), of_run in history.groupby(["beta", "seed"], sort=False):
        axis = axes[betas.index(beta)]
        # a single record is a point
        marker = "o" if len(of_run) == 1 else ""
        for column, line in AGENTS.values():
            axis.plot(
                of_run["epoch"], of_run[column], color=CLASSES[classes[beta, seed]], linestyle=line, linewidth=1.2,
                alpha=alpha, marker=marker,
            )  # fmt: skip
    for i, (axis, beta) in enumerate(zip(axes, betas, strict=False)):
        axis.set_ylim(-0.04, 1.04)
        axis.set_title(f"beta {beta:g}", loc="left")
        axis.tick_params(labelleft=i % columns == 0)
        if i + columns >= len(betas):
            axis.set_xlabel("epoch")
        if i % columns == 0:
            axis.set_ylabel("P(A)")
    for axis in axes[len(betas) :]:
        axis.set_visible(False)
    seen = set(runs["collapse"])
    handles = [Line2D([], [], color=colour, label=name) for name, colour in CLASSES.items() if name in seen]
    handles += [Line2D([], [], color="#333333", linestyle=line, label=name) for name, (_, line) in AGENTS.items()]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles) if columns > 1 else 3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    note_below(figure, note)
    return figure
