"""Paired differences between two methods: a dot per seed, the mean with its 95 % interval, and a significance mark."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import panels


def differences(pairs: pd.DataFrame, tests: pd.DataFrame, title: str) -> Figure:
    """Draw per-seed differences (columns type, seed, difference) with `tests` (type, estimate, low, high, mark)."""
    names = list(tests["type"])
    figure, (axis,) = panels(1, 1, height=1.1 + 0.5 * len(names))
    axis.axvline(0, color="#444444", linewidth=1)
    for row, (_, test) in enumerate(tests.iterrows()):
        dots = pairs.loc[pairs["type"] == test["type"], "difference"]
        axis.plot(dots, [row + 0.18] * len(dots), "o", color="#7A7A7A", markersize=3.5, alpha=0.8, label="one seed")
        axis.errorbar(
            test["estimate"],
            row - 0.12,
            xerr=[[max(0.0, test["estimate"] - test["low"])], [max(0.0, test["high"] - test["estimate"])]],
            fmt="D",
            markersize=5,
            color="#0072B2",
            linewidth=1.8,
            label="mean, 95 % interval",
        )
        axis.annotate(
            test["mark"], (1.0, row), xycoords=("axes fraction", "data"), xytext=(6, 0), textcoords="offset points",
            va="center", annotation_clip=False,
        )  # fmt: skip
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.5, -0.6)
    axis.set_xlabel(title)
    handles, labels = axis.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    figure.legend(unique.values(), unique.keys(), loc="outside upper left", ncols=2, frameon=False)
    return figure
