"""Measures of imitators against the number of expert samples that they used: mean and 95 % band over seeds."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.figures.curves import draw_curves
from analysis.figures.style import WIDE, Look, legend_above, note_below, panels

LOOKS = {
    "MAGAIL": Look("#0072B2", "solid", "o"),
    "BC uniform": Look("#009E73", "dashed", "s"),
    "BC first": Look("#E69F00", "solid", "^"),
    "BC worst": Look("#D55E00", "dotted", "v"),
}
"""Methods by their names in the table; BC by what it plays where the expert was never seen."""


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
    figure, axes = panels(1, len(bands), width=WIDE, height=3.4)
    for axis, (measure, table) in zip(axes, bands.items(), strict=True):
        _draw(axis, table, demonstrated)
        if measure in open_ranges:
            words = "all policies with the expert's occupancy"
            axis.axhspan(*open_ranges[measure], color="#dddddd", alpha=0.5, linewidth=0, zorder=0, label=words)
        axis.set(xscale="log", xlabel="expert samples", ylabel=measure)
        low, high = axis.get_ylim()
        axis.set_ylim(min(low, -0.02 * high), high)
    legend_above(figure, axes[0], 3)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    note_below(figure, note)
    return figure


def _draw(axis: Axes, table: pd.DataFrame, demonstrated: int) -> None:
    draw_curves(axis, table, LOOKS, "samples")
    for method, look in LOOKS.items():
        mine = table[table["method"] == method]
        # clones alone: records of MAGAIL are a line
        if method != "MAGAIL":
            # lines may lie on each other, and so the later one's marks are smaller
            size = 7 - 1.5 * list(LOOKS).index(method)
            axis.plot(mine["samples"], mine["mean"], look.marker, color=look.colour, markersize=size)
    axis.axvline(demonstrated, color="0.5", linewidth=0.9, linestyle=":")
    axis.annotate(
        f"{demonstrated:,} in all", (demonstrated, 1.0), (3, -3), fontsize=7.5, color="0.35", va="top",
        xycoords=("data", "axes fraction"), textcoords="offset points",
    )  # fmt: skip
