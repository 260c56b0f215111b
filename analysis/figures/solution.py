"""How a solver came to its policy, and what the population then does: a figure, and a picture that moves."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.animation import PillowWriter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.figures.style import NARROW, panels

FRAMES = 60
"""At most: of longer games steps are left out."""
FRAMES_PER_SECOND = 5


def convergence(history: pd.DataFrame, tol: float, title: str) -> Figure:
    """Exploitability over iterations (columns iteration, exploitability), the lowest so far, and the tolerance."""
    figure, (axis,) = panels(1, 1, width=NARROW, height=2.9)
    iteration, gap = history["iteration"], history["exploitability"]
    axis.plot(iteration, gap, color="#0072B2", linewidth=1.0, alpha=0.6, label="iterate")
    axis.plot(iteration, gap.cummin(), color="#0072B2", linewidth=1.8, label="lowest so far")
    if tol > 0:
        axis.axhline(tol, color="0.4", linewidth=0.9, linestyle="--", label="tolerance")
    if (gap > 0).any():
        axis.set_yscale("log")
    axis.set(xlabel="iteration", ylabel="exploitability (0 is an equilibrium)")
    axis.set_title(title, loc="left")
    axis.legend()
    return figure


def flow_gif(mu: NDArray[np.float64], title: str) -> bytes:
    """The mean field mu[T+1, S] over time as an animated GIF: a bar for each state, a frame for each step."""
    steps = np.unique(np.linspace(0, len(mu) - 1, min(len(mu), FRAMES)).round().astype(int))
    figure, (axis,) = panels(1, 1, width=NARROW, height=2.7)
    bars = axis.bar(np.arange(mu.shape[1]), mu[0], width=0.85, color="#0072B2")
    axis.set(xlabel="state", ylabel="share of the population", ylim=(0, 1.05 * mu.max()))
    axis.grid(axis="x", visible=False)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_title(f"{title}, t = 0", loc="left")
    # laid out once: frames would be slow, and could move
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    writer = PillowWriter(fps=FRAMES_PER_SECOND)
    # it tells the kind of file by its name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flow.gif"
        with writer.saving(figure, str(path), dpi=80):
            for t in steps:
                for bar, share in zip(bars, mu[t], strict=True):
                    bar.set_height(share)
                axis.set_title(f"{title}, t = {t} of {len(mu) - 1}", loc="left")
                writer.grab_frame()
        return path.read_bytes()
