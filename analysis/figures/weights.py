"""What one method's weights say of the drift at every iteration: a thin line a seed, a thick one for their mean."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from analysis.figures.learning_curves import over_seeds
from analysis.figures.style import panels

TRUSTED = 0.7
"""Means of weights whose k-hat is above it cannot be trusted (Vehtari et al. 2024)."""
LEAST, HEAVIEST = 1e-6, (-1.0, 3.0)
"""Smallest weight and range of k-hat that are drawn: beyond, figures say no more than that weights are of no use."""
MOST_POINTS = 120
"""Of a seed's line; of longer runs means of neighbouring iterations."""
PANELS = {
    "ess": "effective sample size / n",
    "k_hat": f"k-hat of the tails (line: {TRUSTED})",
    "weight_max": "weights: largest, mean (dashed)",
    "drift_tv": "drift (total variation)",
    "temper": "exponent alpha of the weights",
}


def diagnosed(lines: pd.DataFrame) -> list[str]:
    """The panels that the journal lines of one method fill; alpha is one where something tempered."""
    known = [m for m in PANELS if m in lines and lines[m].notna().any()]
    return [m for m in known if m != "temper" or bool((lines[m] < 1).any())]


def weights(lines: pd.DataFrame, colour: str) -> Figure:
    """Draw the journal `lines` of one method (columns method, seed, iteration and the metrics)."""
    shown = diagnosed(lines)
    figure, axes = panels(-(-len(shown) // 2), 2, height=2.1)
    for axis, metric in zip(axes, shown, strict=False):
        _draw(axis, lines, metric, colour)
        axis.set_title(PANELS[metric], loc="left")
    axis = axes[shown.index("weight_max")]
    _draw(axis, lines, "weight_mean", colour, style="--")
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    low = max(low, LEAST)
    axis.set_ylim(bottom=low)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,), numticks=6))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.axhline(1.0, color="#444444", linewidth=0.8)
    if "k_hat" in shown:
        axis = axes[shown.index("k_hat")]
        axis.axhline(TRUSTED, color="#444444", linewidth=0.8)
        low, high = axis.get_ylim()
        axis.set_ylim(max(low, HEAVIEST[0]), min(high, HEAVIEST[1]))
    for metric in ("ess", "drift_tv", "temper"):
        if metric in shown:
            axes[shown.index(metric)].set_ylim(bottom=0, top=None if metric == "drift_tv" else 1.03)
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    for i, axis in enumerate(axes[: len(shown)]):
        axis.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        axis.set_xlabel("iteration" if i >= len(shown) - 2 else "")
    return figure


def _draw(axis: Axes, lines: pd.DataFrame, metric: str, colour: str, style: str = "-") -> None:
    known = lines.dropna(subset=[metric])
    if known["seed"].nunique() > 1:
        for _, one in known.groupby("seed"):
            few = one.groupby(np.arange(len(one)) // -(-len(one) // MOST_POINTS))[["iteration", metric]].mean()
            axis.plot(few["iteration"], few[metric], color=colour, alpha=0.35, linewidth=0.7, linestyle=style)
    mean = over_seeds(known, metric, min(60, known["iteration"].nunique()), "iteration")
    axis.plot(mean["iteration"], np.asarray(mean["mean"]), color=colour, linewidth=1.6, linestyle=style)
    axis.set_ylabel("")
