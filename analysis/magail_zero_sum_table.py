"""The zero-sum study printed, and which files its folder has; without torch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mfmarl.imitation.magail import study_folder
from mfmarl.imitation.magail.study_folder import RESULTS
from mfmarl.imitation.magail.zero_sum_settings import ZeroSumSettings

STUDY = "magail-zero-sum"
CURVES, HISTORY, OPEN, TABLES = "curves.csv", "history.csv", "identifiability.csv", "tables.safetensors"
FIGURES = ("exploitability", "choices_s1", "occupancy")
MEASURES = ("exploitability", "nash_conv", "occupancy_distance")
Words = dict[str, Any]


def files_of(folder: Path, save: bool) -> list[Path]:
    """All that a finished study has."""
    kinds = ("png", "svg") if save else ("png",)
    figures = [folder / f"{name}.{kind}" for name in FIGURES for kind in kinds]
    tables = [folder / name for name in (RESULTS, CURVES, HISTORY, OPEN)]
    return [*tables, *figures, *([folder / TABLES] if save else [])]


def standing(folder: Path, settings: ZeroSumSettings) -> Words | None:
    """A folder's results of this very study, None where it has none yet.

    Raises:
        UserError: where it has another study, or is no folder.
        DamagedFile: where its results cannot be read.
    """
    words = study_folder.standing(folder, STUDY, settings.model_dump(mode="json"))
    return None if words is None or not words["complete"] else words


def method_table(words: Words) -> Table:
    """A row for MAGAIL and for each fallback, with the fewest and the most samples."""
    table = Table(box=None, pad_edge=False, title=f"zero-sum game, {_over(words)}", title_justify="left")
    table.add_column("method", no_wrap=True)
    for heading in ("expert samples", "exploitability", "NashConv", "JS distance of occupancies"):
        table.add_column(heading, justify="right", no_wrap=True)
    sizes = [row["samples"] for row in words["means"] if row["method"] == "BC"]
    for row in words["means"]:
        if row["method"] == "BC" and row["samples"] not in (min(sizes), max(sizes)):
            continue
        name = row["method"] if row["fallback"] is None else f"{row['method']}, {row['fallback']}"
        drawn = f" drawn of {words['settings']['expert_total']:,}" if row["method"] != "BC" else ""
        table.add_row(name, f"{row['samples']:,}{drawn}", *(_told(row[measure]) for measure in MEASURES))
    return table


def open_table(words: Words) -> Table:
    """The identifiability report."""
    title = "least and greatest of all policies with an occupancy"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("occupancy of")
    for heading in ("share of s1", "unvisited states", "exploitability", "NashConv"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows: dict[tuple[str, ...], list[str]] = {}
    for row in words["identifiability"]:
        kind, _, seed = row["of"].partition(" of seed ")
        rows.setdefault((kind, *_open_cells(row)), []).append(seed)
    # seeds whose figures are the same stand in one row
    for (kind, *cells), seeds in rows.items():
        several = f"{len(seeds)} seeds" if len(seeds) > 1 else f"seed {seeds[0]}"
        name = f"{kind} of {several}" if any(seeds) else kind
        table.add_row(name, *cells)
    return table


def _open_cells(row: Words) -> tuple[str, ...]:
    share = f"{row['s1_share']:.2g}"
    if row.get("reason"):
        return share, "", row["reason"], ""
    ends = [f"{row[f'least_{m}']:.4g} to {row[f'greatest_{m}']:.4g}" for m in ("exploitability", "nash_conv")]
    return share, str(row["unvisited_states"]), *ends


def show(words: Words) -> None:
    """Print both tables with their notes."""
    # without a terminal, lines are not folded
    console = Console(width=None if sys.stdout.isatty() else 240)
    console.print(method_table(words))
    console.print(Text("BC: what it plays where the expert was never seen decides how it can be exploited\n"))
    console.print(open_table(words))


def _over(words: Words) -> str:
    n = len(words["settings"]["seeds"])
    return "one seed" if n == 1 else f"mean +- sd over {n} seeds"


def _told(over: Words) -> str:
    return f"{over['mean']:.3f}" + ("" if over["sd"] is None else f" +- {over['sd']:.3f}")
