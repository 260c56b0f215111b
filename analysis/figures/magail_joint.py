"""Joint play at the end of MAGAIL beside the expert's, at the least and the greatest entropy bonus."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.magail_classes import CLASSES
from analysis.figures.style import NARROW, note_below, panels

CELLS = ["AA", "AB", "BA", "BB"]


def magail_joint(runs: pd.DataFrame, expert: NDArray[np.float64], title: str, note: str) -> Figure:
    """The expert's joint law, and for both betas the mean over the seeds of each class.

    Classes are not mixed: the mean over seeds of which half play AA and half BB would look like the expert, whom none
    of them is like.

    Args:
        runs: rows of runs.csv; columns beta, collapse, AA, AB, BA, BB.
        expert: [2, 2]
    """
    betas = list(dict.fromkeys((runs["beta"].min(), runs["beta"].max())))
    by_beta = {beta: runs[runs["beta"] == beta] for beta in betas}
    found = {beta: [name for name in CLASSES if (mine["collapse"] == name).any()] for beta, mine in by_beta.items()}
    columns = 1 + max(map(len, found.values()))
    # one row has the title and the note to itself
    height = 2.3 if len(betas) > 1 else 2.7
    figure, axes = panels(len(betas), columns, width=max(NARROW, 1.85 * columns), height=height)
    for row, beta in enumerate(betas):
        mine = axes[row * columns : (row + 1) * columns]
        if row:
            mine[0].set_visible(False)
        else:
            _law(mine[0], expert, "expert's samples")
        for axis, name in zip(mine[1:], found[beta], strict=False):
            of_class = by_beta[beta][by_beta[beta]["collapse"] == name]
            law = of_class[CELLS].mean().to_numpy().reshape(2, 2)
            _law(axis, law, f"beta {beta:g}: {name},\n{len(of_class)} of {len(by_beta[beta])}")
        for axis in mine[1 + len(found[beta]) :]:
            axis.set_visible(False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    note_below(figure, note)
    return figure


def _law(axis: Axes, law: NDArray[np.float64], title: str) -> None:
    sns.heatmap(
        law, ax=axis, vmin=0, vmax=1, annot=True, fmt=".2f", cmap="Blues", cbar=False, linewidths=1,
        xticklabels=["A", "B"], yticklabels=["A", "B"],
    )  # fmt: skip
    axis.grid(visible=False)
    axis.tick_params(length=0)
    axis.set(xlabel="agent 2", ylabel="agent 1")
    axis.set_title(title, loc="left", fontsize=9)
