"""What the population does: a picture that moves, or one of a population at rest."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten

import numpy as np
from matplotlib.animation import PillowWriter
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from analysis.figures.style import COLOURS, NARROW, SPARE, legend_above, panels
from analysis.noise_histories import some_histories, told
from envs.mean_field.common_noise import CommonNoiseMFG
from envs.mean_field.game import FiniteMFG
from envs.mean_field.graphon import GraphonMFG, by_place
from envs.mean_field.stacked import StackedMFG
from envs.mean_field.stationary import StationaryMFG
from mfmarl.solvers.solution import Solution

FRAMES = 60
"""At most: of longer games steps are left out."""
FRAMES_PER_SECOND = 5
UNLIKE = 5.0
"""Where the highest bar is so many times that of another step, small ones are seen on a scale of roots only."""
SHADES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", *SPARE)
"""Of states of the noise, or of actions; those after the last begin again."""
Picture = tuple[str, bytes]
"""A file's name and what is in it."""


PLACES = 4
"""Of a graphon that are shown, from its first to its last."""


@dataclass(frozen=True)
class Panel:
    """One row of a picture that moves."""

    title: str
    mu: NDArray[np.float64]
    """[T+1, S]"""
    noise: NDArray[np.int64] | None = None
    """[T]: tells the colour of each step."""


def of_steps(game: FiniteMFG, found: Solution, title: str) -> Picture:
    """The mean field over time."""
    return "flow.gif", flow_gif([Panel("", found.mu)], title)


def of_places(game: GraphonMFG, found: Solution, title: str) -> Picture:
    """Some places of the graphon over time, each as a distribution of its own."""
    places = len(game.W)
    own = by_place(found.mu, places, -1) * places
    shown = np.unique(np.linspace(0, places - 1, min(places, PLACES)).round().astype(int))
    rows = [Panel(f"place {u} of {places}", own[:, u]) for u in shown]
    return "flow.gif", flow_gif(rows, title)


def of_populations(game: StackedMFG, found: Solution, title: str) -> Picture:
    """Each population over time."""
    return "flow.gif", flow_gif([Panel(name, mu) for name, mu in game.split_flow(found.mu).items()], title)


def of_histories(game: CommonNoiseMFG, found: Solution, title: str) -> Picture:
    """The mean field over time in a few histories of the noise: without a change, and with changes early and late."""
    rows = []
    for whole in some_histories(game.tree):
        last = found.mu[game.tree.number + whole.end]
        words = f"noise {told(whole.z.tolist())}" if np.ptp(whole.z) else f"noise stays {whole.z[0]}"
        title_of = f"{shorten(words, 36, placeholder=' ...')} (probability {whole.probability:.2g})"
        rows.append(Panel(title_of, np.concatenate([found.mu[whole.nodes], last[None]]), whole.z))
    return "flow.gif", flow_gif(rows, title)


def of_rest(game: StationaryMFG, found: Solution, title: str) -> Picture:
    """The population at rest: a bar for each state, in parts by what agents do there."""
    figure, (axis,) = panels(1, 1, width=NARROW, height=2.9)
    states, below = np.arange(game.num_states), np.zeros(game.num_states)
    for action, share in enumerate((found.mu[:, None] * found.pi).T):
        colour = SHADES[action % len(SHADES)]
        axis.bar(states, share, width=0.85, bottom=below, color=colour, label=f"action {action}")
        below += share
    axis.set(xlabel="state", ylabel="share of the population")
    axis.grid(axis="x", visible=False)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axis.set_title(f"{title}, at rest", loc="left")
    legend_above(figure, axis, 6)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=150)
    return "flow.png", out.getvalue()


def flow_gif(rows: Sequence[Panel], title: str) -> bytes:
    """Flows over time as an animated GIF: a bar for each state, a frame for each step."""
    T = len(rows[0].mu) - 1
    steps = np.unique(np.linspace(0, T, min(T + 1, FRAMES)).round().astype(int))
    figure, axes = panels(len(rows), 1, width=NARROW, height=2.7 if len(rows) == 1 else 1.5)
    peaks = np.max([row.mu.max(1) for row in rows], axis=0)
    label = _scaled(axes, float(peaks.max()), float(peaks.min()))
    bars = []
    for axis, row in zip(axes, rows, strict=True):
        bars.append(axis.bar(np.arange(row.mu.shape[1]), row.mu[0], width=0.85, color=COLOURS["is"]))
        axis.grid(axis="x", visible=False)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axis.set_title(row.title, loc="left")
    axes[-1].set_xlabel("state")
    figure.supylabel(label, fontsize="medium")
    heading = figure.suptitle(f"{title}, t = 0 of {T}", x=0.02, ha="left", fontsize="medium")
    # laid out once: frames would be slow, and could move
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    writer = PillowWriter(fps=FRAMES_PER_SECOND)
    # it tells the kind of file by its name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flow.gif"
        with writer.saving(figure, str(path), dpi=80):
            for t in steps:
                for row, drawn in zip(rows, bars, strict=True):
                    shade = 0 if row.noise is None else int(row.noise[min(t, T - 1)])
                    for bar, share in zip(drawn, row.mu[t], strict=True):
                        bar.set(height=share, color=SHADES[shade % len(SHADES)])
                heading.set_text(f"{title}, t = {t} of {T}")
                writer.grab_frame()
        return path.read_bytes()


def _scaled(axes: Sequence[Axes], highest: float, lowest: float) -> str:
    """One scale of shares for all, of roots where steps have very unlike peaks; returns its label."""
    roots = highest > UNLIKE * lowest
    for axis in axes:
        if roots:
            # limits are tried below 0 too
            axis.set_yscale("function", functions=(lambda share: np.sqrt(np.maximum(share, 0.0)), np.square))
            axis.set_yticks([round(part * highest, 2) for part in (0.0, 0.05, 0.25, 1.0)])
        axis.set_ylim(0, 1.05 * highest)
    return "share (scale of roots)" if roots else "share of the population"
