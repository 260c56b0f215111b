"""Measures of imitators against the number of expert samples that they used: mean and 95 % band over seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis.figures.curves import draw_curves
from analysis.figures.style import SETTINGS, WIDE, Look, note_below, panels

LOOKS = {
    "MAGAIL": Look("#0072B2", "solid", "o"),
    "BC uniform": Look("#009E73", "dashed", "s"),
    "BC first": Look("#E69F00", "solid", "^"),
    "BC worst": Look("#D55E00", "dotted", "v"),
}
"""Methods by their names in the table; BC by what it plays where the expert was never seen."""
MARKS = {"MAGAIL": 4.0, "BC uniform": 7.0, "BC first": 6.0, "BC worst": 3.5}
"""Sizes: methods may lie on each other, and those that are drawn later are smaller."""
OPEN = "#ececec"


def magail_samples(
    bands: Mapping[str, pd.DataFrame],
    open_ranges: Mapping[str, tuple[float, float]],
    demonstrated: int,
    title: str,
    note: str,
) -> Figure:
    """A panel for each measure of `bands`: columns method, samples, mean, low, high.

    Args:
        open_ranges: of measures that have one, the least and the greatest of all policies with the expert's occupancy.
        demonstrated: how many steps there are in all; who used more has drawn them again.
    """
    figure, axes = panels(1, len(bands), width=WIDE, height=3.2)
    with mpl.rc_context(SETTINGS):
        for axis, (measure, table) in zip(axes, bands.items(), strict=True):
            _draw(axis, table, demonstrated)
            if measure in open_ranges:
                axis.axhspan(*open_ranges[measure], color=OPEN, linewidth=0, zorder=0)
            axis.set(xscale="log", xlabel="expert samples", ylabel=measure)
            # what is 0 everywhere stays seen
            axis.set_ylim(bottom=-0.03 * axis.get_ylim()[1])
        others = [Patch(color=OPEN, label="all with the expert's occupancy")] if open_ranges else []
        method_legend(figure, list(dict.fromkeys(next(iter(bands.values()))["method"])), title, others)
        note_below(figure, note)
    return figure


def method_legend(figure: Figure, methods: Sequence[str], title: str, others: Sequence[Artist] = ()) -> None:
    """The figure's title with its methods, above the panels."""
    handles: list[Artist] = []
    for name in (name for name in LOOKS if name in methods):
        look = LOOKS[name]
        handle = Line2D([], [], color=look.colour, marker=look.marker, markersize=MARKS[name], label=name)
        handle.set(linestyle=look.line)
        handles.append(handle)
    figure.legend(
        handles=[*handles, *others], loc="outside upper left", ncols=5, fontsize=8, title=title, title_fontsize=10,
        alignment="left", frameon=False,
    )  # fmt: skip


def _draw(axis: Axes, table: pd.DataFrame, demonstrated: int) -> None:
    draw_curves(axis, table, LOOKS, "samples")
    for method, look in LOOKS.items():
        mine = table[table["method"] == method]
        # clones alone: records of MAGAIL are a line
        if method != "MAGAIL":
            axis.plot(mine["samples"], mine["mean"], look.marker, color=look.colour, markersize=MARKS[method])
    axis.axvline(demonstrated, color="0.5", linewidth=0.9, linestyle=":")
    axis.annotate(
        f"{demonstrated:,} in all", (demonstrated, 0.5), (3, 0), fontsize=7.5, color="0.35", va="center",
        xycoords=("data", "axes fraction"), textcoords="offset points",
    )  # fmt: skip
