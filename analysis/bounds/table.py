"""The table of bounds: for a terminal, as CSV, and as a figure."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.bounds.functions import FUNCTIONS
from analysis.bounds.tabulate import Bounds, Row
from analysis.figures.bounds import bounds as draw
from mfmarl.core.bounds import bernoulli_second_moment
from mfmarl.runs.files import replacing, storing

SHOWN = next(iter(FUNCTIONS))
"""The function whose errors are printed; the CSV has all."""
MARKS = {"ess": "e", "bound": "b", "worse": "w"}


def frame(found: Bounds) -> pd.DataFrame:
    """A row per N, n, estimator, form and function."""
    return pd.DataFrame([vars(row) for row in found.rows])


def table_of(found: Bounds) -> Table:
    """Error, bound and ESS of every estimator (rows) by N (columns), at the largest n."""
    settings = found.settings
    steps = max(settings.steps)
    cells = {(r.estimator, r.form, r.num_agents): r for r in found.rows if r.steps == steps and r.function == SHOWN}
    table = Table(box=None, pad_edge=False, title=f"drift {settings.drift}, n = {steps:,} steps, seed {settings.seed}")
    table.caption = (
        f"{1 - settings.delta:.0%} quantile of the error / its bound / ESS/n; f {SHOWN}, V_max = 1. Not usable: e "
        f"ESS/n below {settings.floor:g}, b bound not below V_max, w worse than no correction"
    )
    table.add_column("estimator", no_wrap=True)
    for num_agents in settings.agents:
        table.add_column(f"N = {num_agents:,}", justify="right", no_wrap=True)
    for estimator, form in dict.fromkeys((e, f) for e, f, _ in cells):
        row = [_told(cells[estimator, form, n]) for n in settings.agents]
        table.add_row(estimator if form == "plain" else f"{estimator} {form}", *row)
    return table


def _told(row: Row) -> str:
    error = row.rms if np.isnan(row.error) else row.error
    bound = f"{row.bound:.2g}" if row.bound < 10 else ">10"
    marks = "".join(mark for reason, mark in MARKS.items() if reason in row.usable.split("+"))
    return f"{error:.2g}{'*' if np.isnan(row.error) else ''} / {bound} / {row.ess_share:.2g} {marks:3s}"


def notes(found: Bounds) -> list[str]:
    """What the table does not say by itself."""
    settings, out = found.settings, []
    drift = settings.drift
    if drift.old is not None and drift.new is not None:
        base = bernoulli_second_moment(drift.old, drift.new, 1)
        moments = ", ".join(
            f"{n:,}: {bernoulli_second_moment(drift.old, drift.new, n):.6g}" for n in settings.agents
        )  # fmt: skip
        out.append(f"E[w^2] of n neighbours, joint = marginal: {base:.6g}^n; {moments} (an agent of N has N - 1)")
    if any(np.isnan(row.error) for row in found.rows):
        out.append(f"* root mean square: fewer than 1/delta = {1 / settings.delta:g} repetitions could be drawn")
    worst = max(row.violations for row in found.rows)
    out.append(f"bounds were exceeded in at most {worst:.2%} of the repetitions; delta is {settings.delta:.2%}")
    return out


def show(found: Bounds) -> None:
    """Print the table with its notes."""
    # without a terminal, lines are not folded
    console = Console(width=None if sys.stdout.isatty() else 240)
    console.print(table_of(found))
    for note in notes(found):
        console.print(Text(note))


def write(found: Bounds, out: Path) -> list[Path]:
    """Write bounds.csv, bounds.png and bounds.svg into `out`; each whole or not at all.

    Raises:
        StorageFailed: where the folder cannot be made or takes no file.
    """
    with storing(out):
        out.mkdir(parents=True, exist_ok=True)
    table = frame(found)
    paths = [out / f"bounds.{kind}" for kind in ("csv", "png", "svg")]
    with replacing(paths[0]) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    figure = draw(table[table["function"] == SHOWN], floor=found.settings.floor)
    for path in paths[1:]:
        with replacing(path) as temporary:
            figure.savefig(temporary, format=path.suffix[1:], dpi=150)
    return paths
