"""What imitators minimise against what it is worth: figures of the toys of `envs.mean_field.games.toys`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from analysis.figures.style import NARROW, WIDE, legend_above, looks, panels
from analysis.imitation_gap import (
    BOUNDS,
    PROXIES,
    Toy,
    error_curves,
    gap_bounds,
    gap_growth,
    gap_surface,
    pareto,
    pareto_grid,
    words,
)

NIG = "NIG (low is good)"
"""Of every axis that shows the Nash imitation gap: it is a gap, so 0 is best."""
LOOKS = looks(PROXIES)


def plot_pareto_eps_vs_nig(
    model_cls: Toy, param_grid: ArrayLike, horizon: int, extra_kwargs: Mapping[str, float]
) -> Figure:
    """Largest error over steps against the NIG, a line per proxy through the learners of `param_grid`, in order.

    Example: `plot_pareto_eps_vs_nig(CrowdAvoidanceMFG, np.linspace(0, 1, 100), 40, {"L": 0.8})`.
    """
    figure, (axis,) = panels(1, 1, width=NARROW, height=3.2)
    _pareto(axis, pareto(model_cls, param_grid, horizon, extra_kwargs))
    axis.set(xlabel="largest error over steps", ylabel=NIG)
    axis.set_title(f"{model_cls.__name__}, H = {horizon}, {words(extra_kwargs)}", loc="left")
    legend_above(figure, axis, 3)
    return figure


def plot_pareto_grid(
    model_cls: Toy, param_grid: ArrayLike, horizons: Sequence[int], couplings: Sequence[Mapping[str, float]]
) -> Figure:
    """The same for every horizon (rows) and coupling (columns); panels of a row share their NIG axis."""
    table = pareto_grid(model_cls, param_grid, horizons, couplings)
    columns = len(couplings)
    figure, axes = panels(len(horizons), columns, width=max(NARROW, min(WIDE, 2.4 * columns)), height=2.1)
    for i, axis in enumerate(axes):
        horizon, coupling = horizons[i // columns], words(couplings[i % columns])
        of_row = table[table["horizon"] == horizon]
        _pareto(axis, of_row[of_row["coupling"] == coupling])
        axis.set_ylim(-0.05 * of_row["NIG"].max(), 1.05 * of_row["NIG"].max())
        axis.tick_params(labelleft=i % columns == 0, labelbottom=i >= len(axes) - columns)
        axis.set_title(f"H = {horizon}, {coupling}", loc="left")
        if i >= len(axes) - columns:
            axis.set_xlabel("largest error over steps")
    figure.supylabel(NIG, fontsize="medium")
    legend_above(figure, axes[0], 3)
    return figure


def plot_error_curves(model_cls: Toy, alphas: ArrayLike, horizon: int, extra_kwargs: Mapping[str, float]) -> Figure:
    """The three errors against the step n, a panel for each learner of `alphas`.

    Example: `plot_error_curves(TriStateCongestionMFG, (0.4, 0.5), 30, {"L1": 0.5, "L2": 0.7})`.
    """
    table = error_curves(model_cls, alphas, horizon, extra_kwargs)
    names = list(dict.fromkeys(table["learner"]))
    columns = min(3, len(names))
    width = NARROW if columns == 1 else WIDE
    figure, axes = panels(-(-len(names) // columns), columns, width=width, height=2.6)
    for axis, name in zip(axes, names, strict=False):
        mine = table[table["learner"] == name]
        for proxy in PROXIES:
            line = mine[mine["proxy"] == proxy]
            axis.plot(line["n"], line["error"], label=proxy, **_line(proxy))
        axis.set(xlabel="step n", ylim=(0, 2.08))
        axis.set_title(f"{name}\nH = {horizon}, {words(extra_kwargs)}", loc="left")
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    for axis in axes[::columns]:
        axis.set_ylabel("error (L1, at most 2)")
    legend_above(figure, axes[0], 3)
    return figure


def plot_gap_growth(model_cls: Toy, alpha: ArrayLike, horizon: int, couplings: Sequence[Mapping[str, float]]) -> Figure:
    """ln ln(1 + NIG_n / err_n) of the first n steps against n, a panel for each proxy and a line for each coupling."""
    table = gap_growth(model_cls, alpha, horizon, couplings)
    figure, axes = panels(1, len(PROXIES), width=WIDE, height=2.8)
    shades = mpl.colormaps["viridis"]
    low, high = table["loglog"].min(), table["loglog"].max()
    for axis, proxy in zip(axes, PROXIES, strict=True):
        for i, coupling in enumerate(couplings):
            line = table[(table["proxy"] == proxy) & (table["coupling"] == words(coupling))]
            colour = to_hex(shades(0.9 * i / max(1, len(couplings) - 1)))
            axis.plot(line["n"], line["loglog"], color=colour, linewidth=1.5, label=words(coupling))
        axis.set(xlabel="steps n", ylim=(low - 0.05 * (high - low), high + 0.05 * (high - low)))
        axis.set_title(f"{proxy} error", loc="left")
        axis.tick_params(labelleft=proxy == PROXIES[0])
    axes[0].set_ylabel("ln ln(1 + NIG / error)\n(low is good)")
    legend_above(figure, axes[0], 6)
    return figure


def plot_gap_bounds(model_cls: Toy, param_grid: ArrayLike, horizon: int, extra_kwargs: Mapping[str, float]) -> Figure:
    """The NIG and its upper bounds against the BC error of the learners of `param_grid`, both axes logarithmic.

    Example: `plot_gap_bounds(CrowdAvoidanceMFG, np.geomspace(1e-3, 1, 60), 10, {"L": 0.8})`.
    """
    table = gap_bounds(model_cls, param_grid, horizon, extra_kwargs)
    table = table[(table["BC error"] > 0) & (table["NIG"] > 0)].sort_values("BC error")
    figure, (axis,) = panels(1, 1, width=NARROW, height=3.2)
    for by in BOUNDS:
        style = _line(by) if by in LOOKS else {"color": "#555555", "linestyle": ":", "linewidth": 1.6}
        axis.plot(table["BC error"], table[by], label=f"bound by {by}", **style)
    axis.plot(table["BC error"], table["NIG"], color="#000000", linewidth=2.2, label="NIG")
    axis.set(xscale="log", yscale="log", xlabel="BC error", ylabel=NIG)
    axis.set_title(f"{model_cls.__name__}\nH = {horizon}, {words(extra_kwargs)}", loc="left")
    legend_above(figure, axis, 3)
    return figure


def plot_gap_surface(horizon: int, extra_kwargs: Mapping[str, float], points: int = 41) -> Figure:
    """Heat map of the tri-state toy's NIG over (a1, a2); learners above the dashed line are rescaled to a sum of 1."""
    table = gap_surface(horizon, extra_kwargs, points)
    surface = table.pivot(index="a2", columns="a1", values="NIG")
    figure, (axis,) = panels(1, 1, width=NARROW, height=3.6)
    half = 0.5 / (points - 1)
    extent = (-half, 1 + half, -half, 1 + half)
    image = axis.imshow(surface.to_numpy(), origin="lower", extent=extent, aspect="equal", cmap="viridis_r")
    axis.plot([0, 1], [1, 0], color="#ffffff", linestyle="--", linewidth=1.0)
    axis.grid(visible=False)
    axis.set(xlabel="a1, probability to leave for s1", ylabel="a2, probability to leave for s2")
    axis.set_title(f"TriStateCongestionMFG\nH = {horizon}, {words(extra_kwargs)}", loc="left")
    figure.colorbar(image, ax=axis, label=NIG, shrink=0.9)
    return figure


def _pareto(axis: Axes, table: pd.DataFrame) -> None:
    for proxy in PROXIES:
        line = table[table["proxy"] == proxy]
        axis.plot(line["error"], line["NIG"], label=proxy, **_line(proxy))
    axis.set_xlim(-0.05, 2.05)


def _line(proxy: str) -> dict[str, Any]:
    return {"color": LOOKS[proxy].colour, "linestyle": LOOKS[proxy].line, "linewidth": 1.6}
