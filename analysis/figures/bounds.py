"""What a weight's variance costs: simulated error beside its bound over stored steps, and ESS over agents."""

from __future__ import annotations

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.figures.style import panels

DRAWN = {"plain": "plain", "clip+self": "clipped, self-normalised"}
"""Forms whose errors are drawn: as the theory has it, and as training does it."""
SHARES = {"plain": ("ESS / n", "#000000"), "clip": ("ESS / n, clipped", "#D55E00")}
"""Forms whose effective sample size is drawn: dividing by the mean does not change it."""
LOWEST, HIGHEST = 1e-4, 5.0


def bounds(table: pd.DataFrame, *, floor: float) -> Figure:
    """Draw `table` (columns of `analysis.bounds` for one function): a column of panels per estimator.

    Rows one and two: error (solid; its root mean square where no quantile could be drawn) and bound (dashed) over n, by
    N; hollow marks are not usable. Row three: ESS/n over N, exact (lines) and simulated at the largest n (marks).
    """
    estimators = list(dict.fromkeys(table["estimator"]))
    figure, axes = panels(3, len(estimators), width=max(3.2, 2.3 * len(estimators) + 0.6), height=2.3)
    sizes = sorted(table["num_agents"].unique())
    shades = mpl.colormaps["viridis_r"]
    colours = {int(n): to_hex(shades(0.12 + 0.88 * i / max(1, len(sizes) - 1))) for i, n in enumerate(sizes)}
    for column, estimator in enumerate(estimators):
        mine = table[table["estimator"] == estimator]
        for row, form in enumerate(DRAWN):
            axis = axes[row * len(estimators) + column]
            _errors(axis, mine[mine["form"] == form], colours)
        axes[column].set_title(estimator, loc="left")
        _shares(axes[2 * len(estimators) + column], mine, floor)
    for row, text in enumerate([*(f"error / V_max\n({name})" for name in DRAWN.values()), "ESS / n"]):
        axes[row * len(estimators)].set_ylabel(text)
    for column in range(len(estimators)):
        for row in (0, 1, 2):
            axes[row * len(estimators) + column].tick_params(labelleft=column == 0)
    _legend(figure, colours)
    return figure


def _errors(axis: Axes, lines: pd.DataFrame, colours: dict[int, str]) -> None:
    if lines.empty:
        axis.set_axis_off()
        return
    for num_agents, line in lines.groupby("num_agents"):
        colour = colours[int(str(num_agents))]
        error = line["error"].fillna(line["rms"]).clip(lower=LOWEST)
        axis.plot(line["steps"], error, color=colour, linewidth=1.3)
        axis.plot(line["steps"], line["bound"].clip(upper=10 * HIGHEST), color=colour, linewidth=1.0, linestyle="--")
        for usable, marks in line.assign(error=error).groupby(line["usable"] == "yes"):
            face = colour if usable else "white"
            axis.plot(marks["steps"], marks["error"], "o", markersize=4, color=colour, markerfacecolor=face)
    axis.axhline(1.0, color="0.5", linewidth=0.8)
    axis.set(xscale="log", yscale="log", ylim=(LOWEST, HIGHEST), xlabel="stored steps n")


def _shares(axis: Axes, mine: pd.DataFrame, floor: float) -> None:
    largest = mine[mine["steps"] == mine["steps"].max()]
    for form, (_, colour) in SHARES.items():
        line = largest[largest["form"] == form]
        axis.plot(line["num_agents"], line["ess_share"], color=colour, linewidth=1.3)
        axis.plot(line["num_agents"], line["ess_simulated"], "o", color=colour, markersize=3.5)
    axis.axhline(floor, color="0.5", linewidth=0.8, linestyle=":")
    axis.set(xscale="log", yscale="log", ylim=(1e-3, 1.5), xlabel="agents N")


def _legend(figure: Figure, colours: dict[int, str]) -> None:
    handles = [Line2D([], [], color=colour, label=f"N = {n:,}") for n, colour in colours.items()]
    handles += [
        Line2D([], [], color="0.3", marker="o", markersize=4, label="simulated error"),
        Line2D([], [], color="0.3", marker="o", markersize=4, markerfacecolor="white", label="not usable"),
        Line2D([], [], color="0.3", linestyle="--", label="bound"),
        Line2D([], [], color="0.5", linestyle=":", label="ESS floor"),
    ]
    below = [Line2D([], [], color=colour, label=f"{text}: exact (line), simulated") for text, colour in SHARES.values()]
    figure.legend(handles=handles, loc="outside upper left", ncols=5, frameon=False)
    figure.legend(handles=below, loc="outside lower left", ncols=4, frameon=False)
