"""Of how many seeds MAGAIL settles on AA, on BB, on both or on neither, against the entropy bonus."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.figures.style import NARROW, WIDE, legend_above, note_below, panels

CLASSES = {"AA": "#0072B2", "BB": "#D55E00", "AA+BB": "#009E73", "symmetric": "#7A7A7A"}


def magail_classes(runs: pd.DataFrame, title: str, note: str) -> Figure:
    """A stacked bar for each beta, with the number of seeds in each part.

    Args:
        runs: rows of runs.csv; columns beta, collapse.
    """
    counts = pd.crosstab(runs["beta"].map("{:g}".format), runs["collapse"])
    order = list(dict.fromkeys(runs["beta"].map("{:g}".format)))
    # only agents who share a signal come to both
    shown = [name for name in CLASSES if name != "AA+BB" or name in counts]
    counts = counts.reindex(index=order, columns=shown, fill_value=0)
    figure, (axis,) = panels(1, 1, width=NARROW if len(order) <= 6 else WIDE, height=2.8)
    below = np.zeros(len(order))
    for name in shown:
        number = counts[name].to_numpy()
        bars = axis.bar(order, number, bottom=below, color=CLASSES[name], width=0.7, label=name)
        axis.bar_label(bars, [str(n) if n else "" for n in number], label_type="center", color="#ffffff")
        below += number
    axis.grid(visible=False, axis="x")
    axis.set(xlabel="entropy bonus beta", ylabel="seeds")
    axis.yaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_title(title, loc="left")
    legend_above(figure, axis, 4)
    note_below(figure, note)
    return figure
