"""The table of the reference policies, for a terminal and as CSV."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mfmarl.references import NAN, References
from mfmarl.runs.files import replacing

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("value", "return, $", ",.1f"),
    ("exact", "exact, $", ",.1f"),
    ("nash_conv", "NashConv", ".1%"),
    ("bound", "bound, $", ",.1f"),
    ("beta_fill", "fill", ".1%"),
    ("bullwhip", "bullwhip", ".2f"),
    ("gini", "Gini", ".3f"),
    ("drift", "drift", ".3f"),
)
"""Field of `Row`, heading and format."""


def table_of(found: References) -> Table:
    """The table for a terminal, of the columns that have values; a policy that cannot be played says why in its row."""
    types = next((list(row.profits) for row in found.rows if row.profits), [])
    table = Table(box=None, pad_edge=False, title=f"{found.env}, N = {found.num_agents}, seed {found.seed}")
    table.caption = f"{found.episodes} episodes" + (
        "" if all(np.isnan(row.bound) for row in found.rows) else "; bound: of a clairvoyant agent against this play"
    )
    table.add_column("policy", no_wrap=True)
    shown = [column for column in COLUMNS if not all(np.isnan(getattr(row, column[0])) for row in found.rows)]
    for _, heading, _ in shown:
        table.add_column(heading, justify="right", no_wrap=True)
    for name in types:
        table.add_column(f"{name}, $/period", justify="right")
    if any(row.notes for row in found.rows):
        table.add_column("note", overflow="fold")
    for row in found.rows:
        cells = [_told(getattr(row, key), form) for key, _, form in shown]
        if not np.isnan(row.high):
            cells[0] += f" ±{row.high - row.value:,.1f}"
        profits = [_told(row.profits.get(name, NAN), ",.2f") for name in types]
        table.add_row(row.policy, *cells, *profits, Text("; ".join(row.notes)))
    return table


def show(found: References, out: Path | None = None) -> None:
    """Print the table with its notes, and write it to `out`."""
    # without a terminal, lines are not folded
    console = Console(width=None if sys.stdout.isatty() else 240)
    console.print(table_of(found))
    for note in found.notes:
        console.print(Text(note))
    if out is not None:
        write_table(found, out)


def _told(value: float, form: str) -> str:
    return "-" if np.isnan(value) else format(value, form)


def write_table(found: References, path: Path) -> None:
    """Every number of the table as CSV, whole or not at all; an empty cell is a missing value, the note says why."""
    types = next((list(row.profits) for row in found.rows if row.profits), [])
    keys = ["value", "low", "high", "exact", "nash_conv", "bound", "beta_fill", "bullwhip", "gini", "drift"]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        heads = ["return", *keys[1:], *(f"profit_{name}" for name in types)]
        writer.writerow(["env", "num_agents", "episodes", "seed", "policy", *heads, "note"])
        for row in found.rows:
            numbers = [getattr(row, key) for key in keys] + [row.profits.get(name, NAN) for name in types]
            cells = ["" if np.isnan(number) else repr(float(number)) for number in numbers]
            played = (found.env, found.num_agents, found.episodes, found.seed, row.policy)
            writer.writerow([*played, *cells, "; ".join(row.notes)])
