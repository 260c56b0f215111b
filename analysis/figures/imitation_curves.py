"""Returns of imitators against what they used up: demonstrations, interactions, queries or updates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.curves import draw_curves
from analysis.figures.limits import limits_of
from analysis.figures.style import NARROW, Look, label, mark, panels

Along = Literal["demonstrations", "interactions", "queries", "updates"]
ALONG: dict[Along, str] = {
    "demonstrations": "steps of the demonstrations",
    "interactions": "interactions (steps played)",
    "queries": "states that the expert was asked about",
    "updates": "updates (gradient steps of the policy)",
}
"""What curves are drawn against -> its words."""


def imitation_curves(
    table: pd.DataFrame,
    along: Along,
    looks: Mapping[str, Look],
    levels: Mapping[str, float],
    limits: tuple[float, float],
) -> Figure:
    """Draw `curve_table`: lines where the count moves, marks with bars where it stands still.

    Args:
        levels: what is drawn as a level line: expert and random play.
        limits: of the returns' axis, as `return_limits` finds them for panels side by side.
    """
    figure, (axis,) = panels(1, 1, width=NARROW, height=2.9)
    points = table.groupby("method")["x"].nunique()
    draw_curves(axis, table[table["method"].isin(points.index[points > 1])], looks, "x")
    alone = table[table["method"].isin(points.index[points == 1])]
    for _, row in alone.iterrows():
        look = looks[str(row["method"])]
        # where all seeds are equal nothing is known of the spread
        known = bool(row["low"] < row["high"])
        bars = np.array([[row["mean"] - row["low"]], [row["high"] - row["mean"]]]) if known else None
        drawn = axis.errorbar(
            [row["x"]], [row["mean"]], yerr=bars, fmt=look.marker, markersize=5, color=look.colour,
            markerfacecolor=look.colour if known else "white", linewidth=1.3, label=label(str(row["method"])),
            clip_on=False,
        )  # fmt: skip
        mark(drawn.get_children(), str(row["method"]))
    for name, level in levels.items():
        look = looks[name]
        line = axis.axhline(level, color=look.colour, linestyle=look.line, linewidth=1.2, label=label(name), zorder=1)
        mark([line], name)
    axis.set_xlabel(ALONG[along])
    axis.set_ylabel("return")
    axis.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axis.locator_params(axis="x", nbins=5)
    axis.set_xlim(left=0)
    axis.set_ylim(*limits)
    return figure


def return_limits(tables: Iterable[pd.DataFrame], levels: Mapping[str, float]) -> tuple[float, float]:
    """Limits that hold all means, intervals and levels."""
    shown = [x for table in tables for x in table[["mean", "low", "high"]].to_numpy(float).ravel()]
    return limits_of([*shown, *levels.values()])
