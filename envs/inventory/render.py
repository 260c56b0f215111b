"""An episode drawn: as a table with spark lines, and as a picture of stock, orders and backlog by type."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.inventory.history import Episode, History

MODES = ("ansi", "rgb_array")
"""gymnasium's names of the two."""
COLUMNS = (
    ("stock", "stock"), ("on_order", "on order"), ("backlog", "backlog"), ("demand", "demand"), ("order", "order"),
    ("sold", "sold"), ("lost", "lost"), ("price", "price $"), ("reward", "reward $"),
)  # fmt: skip
LINES = (("stock", "stock"), ("order", "orders"), ("backlog", "backlog"))
BARS = "▁▂▃▄▅▆▇█"
WIDEST = 52
"""Periods that a spark line shows at most: the last ones."""


def draw(history: History | None, mode: str | None, copy: int = 0) -> str | NDArray[np.uint8] | None:
    """The picture of a view's `render_mode`; None where it has none."""
    if history is None:
        return None
    episode = history.episode(copy)
    return ansi(episode, copy) if mode == "ansi" else rgb(episode, copy)


def checked_mode(mode: str | None) -> str | None:
    """The render mode, where it is one.

    Raises:
        ValueError: for another.
    """
    if mode is not None and mode not in MODES:
        raise ValueError(f"render_mode is {mode!r}; there are {', '.join(MODES)}, or None")
    return mode


def ansi(episode: Episode, copy: int = 0) -> str:
    """A table of the last period, a line a type (means over its agents), and spark lines of the episode so far."""
    if episode.periods == 0:
        return f"copy {copy}: no period has been played\n"
    width = max(len("all"), *(len(name) for name in episode.type_names))
    lines = [f"copy {copy}, period {episode.periods}: means over agents, units and $"]
    lines.append(f"{'type':{width}s} {'agents':>7s}" + "".join(f" {heading:>9s}" for _, heading in COLUMNS))
    last = {name: episode.values[name][-1] for name, _ in COLUMNS}
    for k, name in enumerate(episode.type_names):
        row = [last[column][k] for column, _ in COLUMNS]
        lines.append(_row(name, width, int(episode.counts[k]), row))
    if len(episode.type_names) > 1:
        lines.append(_row("all", width, int(episode.counts.sum()), [_overall(episode, c) for c, _ in COLUMNS]))
    for measure, heading in LINES:
        values = episode.values[measure][-WIDEST:]
        top = float(values.max())
        if top <= 0:
            lines.append(f"{heading}: none" + (f" in the last {WIDEST} periods" if episode.periods > WIDEST else ""))
            continue
        lines.append(f"{heading}, 0 to {top:.1f} u" + (f", last {WIDEST}" if episode.periods > WIDEST else ""))
        lines.extend(
            f"{name:{width}s} {spark_line(values[:, k], top)}" for k, name in enumerate(episode.type_names)
        )
    return "\n".join(lines) + "\n"


def _overall(episode: Episode, column: str) -> float:
    """The last period's mean over all agents; of prices over all units sold."""
    weight = episode.counts.astype(np.float64)
    if column == "price":
        weight = weight * episode.values["sold"][-1]
    of_types = episode.values[column][-1]
    counted = weight > 0
    return float(np.average(of_types[counted], weights=weight[counted])) if counted.any() else float("nan")


def _row(name: str, width: int, agents: int, values: list[float]) -> str:
    cells = "".join(f" {'-' if np.isnan(v) else format(v, '.2f'):>9s}" for v in values)
    return f"{name:{width}s} {agents:7d}{cells}"


def spark_line(values: NDArray[np.float64], top: float) -> str:
    """One bar a value, the lowest for 0 and the highest for `top`, which is positive."""
    # eight equal bands; the top itself belongs to the highest
    return "".join(BARS[min(int(v / top * len(BARS)), len(BARS) - 1)] for v in np.maximum(values, 0.0))


def rgb(episode: Episode, copy: int = 0) -> NDArray[np.uint8]:
    """uint8 [640, 960, 3]: stock, orders and backlog (dashed: lost sales) over the episode so far, a line a type.

    Before the first period the axes are empty.
    """
    import seaborn as sns
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names, periods = episode.type_names, np.arange(1, episode.periods + 1)
    palette = sns.color_palette("colorblind" if len(names) <= 10 else "husl", len(names))
    with sns.axes_style("whitegrid"), sns.plotting_context("notebook"):
        figure = Figure(figsize=(9.6, 6.4), dpi=100, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        axes: list[Any] = list(figure.subplots(3, 1, sharex=True))
        for ax, (measure, heading) in zip(axes, LINES, strict=True):
            for k, name in enumerate(names):
                ax.plot(periods, episode.values[measure][:, k], color=palette[k], label=name, linewidth=1.8)
            ax.set_ylabel(f"{heading}\nu / agent")
        lost = episode.values["lost"]
        if lost.any():
            for k in range(len(names)):
                axes[2].plot(periods, lost[:, k], color=palette[k], linewidth=1.8, linestyle=(0, (2, 1.5)))
            axes[2].set_ylabel("backlog,\nlost (dashed)\nu / agent")
        for ax in axes:
            ax.set_ylim(0, 1.05 * max(float(max(line.get_ydata(), default=0.0)) for line in ax.get_lines()) or 1.0)
        # without a second point there is no line to scale the axis by
        axes[2].set_xlim(1, max(2, episode.periods))
        axes[2].xaxis.get_major_locator().set_params(integer=True)
        axes[2].set_xlabel("period")
        axes[0].set_title(f"copy {copy}: means over the agents of each type", loc="left")
        figure.align_ylabels(axes)
        columns = 1 + (len(names) - 1) // 24
        figure.legend(
            handles=axes[0].get_lines(), labels=names, loc="outside right upper", ncols=columns, frameon=False,
            fontsize="small" if len(names) <= 10 else "x-small",
        )  # fmt: skip
        canvas.draw()  # type: ignore[no-untyped-call]  # matplotlib leaves it bare
        picture: NDArray[np.uint8] = np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
    return picture
