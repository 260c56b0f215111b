"""P(A) of both agents while MAGAIL trains in the coordination game."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from analysis.figures.magail_classes import CLASSES
from analysis.figures.style import NARROW, WIDE, note_below, panels

AGENTS: dict[str, tuple[str, Literal["solid", "dashed"]]] = {
    "agent 1": ("p_a_1", "solid"),
    "agent 2": ("p_a_2", "dashed"),
}


def magail_training(history: pd.DataFrame, runs: pd.DataFrame, title: str, note: str) -> Figure:
    """A panel for each beta, two lines a run, in the colour of what it comes to.

    Args:
        history: rows of history.csv; columns beta, seed, epoch, p_a_1, p_a_2.
        runs: rows of runs.csv; columns beta, seed, collapse.
    """
    betas = list(dict.fromkeys(runs["beta"]))
    columns = min(3, len(betas))
    rows = -(-len(betas) // columns)
    figure, axes = panels(rows, columns, width=NARROW if columns == 1 else WIDE, height=2.3 if rows > 1 else 3.0)
    classes = {
        (beta, seed): name for beta, seed, name in zip(runs["beta"], runs["seed"], runs["collapse"], strict=True)
    }
    # of many runs each must let the others be seen
    alpha = 0.9 if runs["seed"].nunique() <= 6 else 0.5
    for (beta, seed), name in classes.items():
        of_run = history[(history["beta"] == beta) & (history["seed"] == seed)]
        axis = axes[betas.index(beta)]
        # a single record is a point
        marker = "o" if len(of_run) == 1 else ""
        for column, line in AGENTS.values():
            axis.plot(
                of_run["epoch"], of_run[column], color=CLASSES[name], linestyle=line, linewidth=1.2,
                alpha=alpha, marker=marker,
            )  # fmt: skip
    epochs = history["epoch"].unique()
    for i, (axis, beta) in enumerate(zip(axes, betas, strict=False)):
        ticks = FixedLocator([float(epochs[0])]) if len(epochs) == 1 else MaxNLocator(5, integer=True)
        axis.set_ylim(-0.04, 1.04)
        axis.xaxis.set_major_locator(ticks)
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
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles) if columns > 1 else 3, frameon=False)
    note_below(figure, f"{title}. {note}")
    return figure
