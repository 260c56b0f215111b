"""What populations do period by period: a line a run, coloured by the cluster of paths that it belongs to."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import legend_above, palette, panels


def mean_orders(table: pd.DataFrame, what: str) -> Figure:
    """Draw `table` (columns method, seed, cluster, period, shown), `what` being what `shown` is, with its unit."""
    figure, (axis,) = panels(1, 1, height=2.8)
    clusters = sorted(set(table["cluster"]))
    colours = palette([f"cluster {k}" for k in clusters])
    for k in clusters:
        lines = list(table[table["cluster"] == k].groupby(["method", "seed"], sort=False))
        name = f"cluster {k} ({len(lines)} run{'s' * (len(lines) != 1)})"
        for _, line in lines:
            axis.plot(
                line["period"], line["shown"], color=colours[f"cluster {k}"], linewidth=1.3, alpha=0.85, label=name
            )
    axis.set_xlabel("period")
    # the unit below the name, as the axis is short
    axis.set_ylabel(what.replace(", ", ",\n"))
    axis.margins(x=0.01)
    axis.set_ylim(bottom=0)
    legend_above(figure, axis, 4)
    return figure
