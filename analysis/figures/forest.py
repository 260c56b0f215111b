"""A forest: a row per policy with a mark at its estimate, a bar for its 95 % interval, dots for runs, and a note."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.style import NARROW, Look, label, mark, panels


@dataclass(frozen=True)
class Row:
    """What is drawn of a policy; low and high are NaN where there is no interval."""

    policy: str
    estimate: float
    low: float
    high: float
    note: str = ""
    """Said at the right end of the row, e.g. a significance mark."""
    dots: NDArray[np.float64] | Sequence[float] = ()
    """Single runs."""


def forest(
    rows: Sequence[Row],
    looks: Mapping[str, Look],
    title: str,
    unit: str,
    *,
    line: float | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw the rows from the top, with a line at `line`. A row without an interval has a hollow mark.

    Args:
        limits: of the axis, where figures side by side share one.
    """
    figure, (axis,) = panels(1, 1, width=NARROW, height=0.75 + 0.27 * len(rows))
    if line is not None:
        axis.axvline(line, color="#444444", linewidth=1)
    for y, row in enumerate(rows):
        _draw(axis, row, y, looks[row.policy])
    axis.set_yticks(range(len(rows)), [label(row.policy) for row in rows])
    for row, tick in zip(rows, axis.get_yticklabels(), strict=True):
        mark([tick], row.policy)
    axis.set_ylim(len(rows) - 0.45, -0.55)
    axis.set_title(title, loc="left")
    axis.set_xlabel(unit)
    axis.tick_params(axis="y", length=0)
    if limits is not None:
        axis.set_xlim(*limits)
    return figure


def _draw(axis: Axes, row: Row, y: int, look: Look) -> None:
    # where all runs are equal the ends are the estimate, and nothing is known of the spread
    certain = np.isfinite(row.low) and np.isfinite(row.high) and row.low < row.high
    dots = axis.plot(
        row.dots, [y + 0.26] * len(row.dots), "o", color="#7A7A7A", markersize=2.6, markeredgewidth=0, alpha=0.8
    )
    bars = axis.plot([row.low, row.high], [y, y], color=look.colour, linewidth=1.8) if certain else []
    face = look.colour if certain else "white"
    point = axis.plot(row.estimate, y, look.marker, color=look.colour, markersize=5, markerfacecolor=face)
    note = axis.annotate(
        row.note, (1.0, y), xycoords=("axes fraction", "data"), xytext=(4, 0), textcoords="offset points",
        va="center", annotation_clip=False, fontsize=9,
    )  # fmt: skip
    mark([*dots, *bars, *point, note], row.policy)
