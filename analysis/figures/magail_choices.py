"""What imitators play in the state that their expert never sees, and how far that lets them be exploited."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.magail_samples import LOOKS, MARKS, method_legend
from analysis.figures.style import SETTINGS, WIDE, note_below, panels
from analysis.magail_zero_sum_rows import named

SHADES = ("#0072B2", "#56B4E9", "#BBBBBB")
"""Of actions 0, 1 and 2; the last one decides nothing."""
SQUARE = np.array([[-1, 1, 1, -1, -1], [-1, -1, 1, 1, -1]])
PLAYERS = (("p", "player 1: p(. | s1)"), ("q", "player 2: q(. | s1)"))


def magail_choices(rows: pd.DataFrame, most: float, title: str, note: str) -> Figure:
    """Bars of each player's choices with a dot for each seed, of the most samples; and the way through training.

    Args:
        rows: of `curves`.
        most: K, the greatest gain of either player.
    """
    table = rows.assign(method=named(rows))
    last = table[table["samples"] == table.groupby("method")["samples"].transform("max")]
    figure, axes = panels(1, 3, width=WIDE + 2, height=3.2)
    with mpl.rc_context(SETTINGS):
        for axis, (player, words) in zip(axes, PLAYERS, strict=False):
            _bars(axis, last, player)
            axis.set_title(words, loc="left")
        axes[0].set_ylabel("probability of 0, 1, 2")
        _plane(axes[2], table, last, most)
        method_legend(figure, list(dict.fromkeys(table["method"])), title)
        note_below(figure, note)
    return figure


def _bars(axis: Axes, last: pd.DataFrame, player: str) -> None:
    methods = [method for method in LOOKS if method in set(last["method"])]
    for place, method in enumerate(methods):
        mine = last[last["method"] == method]
        for action, shade in enumerate(SHADES):
            at, seeds = place + 0.26 * (action - 1), mine[f"{player}{action}"]
            axis.bar(at, seeds.mean(), 0.24, color=shade, edgecolor="0.4", linewidth=0.4)
            axis.plot(np.full(len(seeds), at), seeds, "o", color="black", markersize=2.2)
    axis.set_xticks(range(len(methods)), [method.replace(" ", "\n") for method in methods])
    axis.set_ylim(0, 1.05)
    axis.grid(visible=False, axis="x")


def _plane(axis: Axes, table: pd.DataFrame, last: pd.DataFrame, most: float) -> None:
    """p0 - p1 against q0 - q1: with (2, 2) in s0, K times the larger of the two is the exploitability."""
    for share in (0.25, 0.5, 0.75, 1.0):
        axis.plot(share * SQUARE[0], share * SQUARE[1], color="#bbbbbb", linewidth=0.8)
        axis.annotate(
            f"{most * share:.3g}", (share, -share), (-2, 2), textcoords="offset points", fontsize=7, ha="right"
        )
    for _, way in table[table["method"] == "MAGAIL"].groupby("seed"):
        axis.plot(way["p0"] - way["p1"], way["q0"] - way["q1"], color=LOOKS["MAGAIL"].colour, linewidth=0.8, alpha=0.7)
    for name, mine in last.groupby("method", sort=False):
        look = LOOKS[str(name)]
        axis.plot(
            mine["p0"] - mine["p1"], mine["q0"] - mine["q1"], look.marker, color=look.colour,
            markersize=MARKS[str(name)], linestyle="none", clip_on=False,
        )  # fmt: skip
    axis.set(xlim=(-1.02, 1.02), ylim=(-1.02, 1.02), xlabel="p0 - p1", ylabel="q0 - q1", aspect="equal")
    axis.set_title("K max(|p0 - p1|, |q0 - q1|)", loc="left")
