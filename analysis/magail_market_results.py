"""Results of `analysis.magail_market` over seeds: gaps.csv, orders.csv, results.json, and figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.console import Console
from rich.table import Table

from analysis.figures.intervals import intervals
from analysis.figures.order_shares import order_shares
from analysis.figures.style import label, looks, note_below
from analysis.imitation_audit import EXPERT
from analysis.interval_words import intervals_told
from analysis.statistics import MIN_RUNS, interval, paired_difference
from mfmarl.errors import DamagedFile
from mfmarl.imitation.magail.study_folder import RESULTS, finish
from mfmarl.runs.files import read_capped, replacing, unpacking

STUDY = "magail-market"
ROWS, ORDERS = "rows.csv", "orders.csv"
"""Of one seed."""
LARGEST = 1 << 26
"""Bytes of a table that is read."""
METHODS = (EXPERT, "bc", "magail")
GAP = "gap of one agent that leaves, $ an episode"


def is_done(folder: Path) -> bool:
    """Whether a seed's folder has both tables."""
    return all((folder / name).exists() for name in (ROWS, ORDERS))


def read_seed(folder: Path, by: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(rows, orders) of a seed, whole.

    Args:
        by: ways of the audit.

    Raises:
        DamagedFile: names the file, and the mend.
    """
    rows = _table(folder / ROWS, ("method", "by", "type", "figure"), ("value", "cpu_s", "interactions", "seed"), by)
    return rows, _table(folder / ORDERS, ("method", "type"), ("action", "share", "seed"))


def _table(path: Path, words: Sequence[str], numbers: Sequence[str], by: Sequence[str] | None = None) -> pd.DataFrame:
    """With as many rows of each method, and of each way of the audit, all of whose cells in these columns are there."""
    try:
        with unpacking(path):
            table = pd.read_csv(BytesIO(read_capped(path, LARGEST)))
            if absent := [name for name in (*words, *numbers) if name not in table]:
                raise ValueError(f"column {absent[0]} is missing")
            # only tried: whole numbers stay so in what is written
            table.astype(dict.fromkeys(numbers, float))
            if table[[*words, *numbers]].isna().any(axis=None):
                raise ValueError("a cell is empty")
            parts = table.groupby("method" if by is None else ["method", "by"]).size()
            wanted = set(METHODS) if by is None else set(product(METHODS, by))
            if set(parts.index) != wanted or parts.nunique() != 1:
                raise ValueError("rows are missing")
    except DamagedFile as error:
        raise DamagedFile(f"{error}; delete it, and the same command makes it anew") from error
    return table


def write_results(out: Path, settings: Mapping[str, Any], seeds: Sequence[int], folders: Sequence[Path]) -> list[Path]:
    """Put the seeds' tables together, and print means; the paths of what was written.

    Raises:
        DamagedFile: for a seed's table that cannot be read.
    """
    read = [read_seed(folder, settings["by"]) for folder in folders]
    rows = with_imitation_gap(pd.concat([one for one, _ in read], ignore_index=True))
    orders = pd.concat([one for _, one in read], ignore_index=True)
    means = over_seeds(rows)
    _show(means)
    paths = []
    for name, table in (("gaps.csv", rows), ("orders.csv", orders)):
        with replacing(out / name) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
        paths.append(out / name)
    told = means.astype(object).where(means.notna(), None).to_dict("records")
    cost = rows.groupby("method", sort=False)["cpu_s"].mean().to_dict()
    figures: dict[str, Figure] = {"orders.png": order_shares(orders, METHODS)}
    for by in dict.fromkeys(means["by"]):
        figures[f"gaps_{by}.png"] = gaps_by_type(means[means["by"] == by], str(by))
    for name, figure in figures.items():
        with replacing(out / name) as temporary:
            figure.savefig(temporary, format="png", dpi=110, bbox_inches="tight")
        paths.append(out / name)
    found = {
        "seeds": seeds, "means": told, "cpu_s": cost, "interactions": int(rows["interactions"].max()),
        "NashConv of magail less bc": less_cloning(rows),
    }  # fmt: skip
    finish(out, STUDY, settings, found)
    return [*paths, out / RESULTS]


def with_imitation_gap(rows: pd.DataFrame) -> pd.DataFrame:
    """With figure NIG, NashConv less the expert's of the same seed and way; by bounds it bounds nothing itself."""
    conv = rows[rows["figure"] == "NashConv"]
    own = conv[conv["method"] == EXPERT].set_index(["seed", "by"])["value"]
    gap = conv.assign(
        figure="NIG", value=conv["value"] - own.loc[list(zip(conv["seed"], conv["by"], strict=True))].values
    )
    gap[["low", "high"]] = float("nan")
    return pd.concat([rows, gap], ignore_index=True)


def over_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns method, by, type, figure, estimate, low, high, n, interval (how it was found): 95 % intervals over seeds,
    of three or more."""
    found = []
    for key, mine in rows.groupby(["method", "by", "type", "figure"], sort=False):
        values = mine["value"].to_numpy(float)
        low, high, way = float("nan"), float("nan"), None
        if len(values) >= MIN_RUNS:
            span = interval(values)
            # nobody loses by a best response
            least = 0.0 if key[3] in ("gap", "NashConv") else -math.inf
            low, high, way = max(span.low, least), span.high, span.method
        found.append((*key, float(values.mean()), low, high, len(values), way))
    return pd.DataFrame(found, columns=["method", "by", "type", "figure", "estimate", "low", "high", "n", "interval"])


def less_cloning(rows: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """By way: NashConv of MAGAIL less that of cloning on the same demonstrations, paired by seeds, of three or more."""
    found = {}
    for by, mine in rows[rows["figure"] == "NashConv"].groupby("by", sort=False):
        wide = mine.pivot_table(index="seed", columns="method", values="value")
        if len(wide) >= MIN_RUNS:
            apart = paired_difference(wide["magail"], wide["bc"])
            found[str(by)] = asdict(apart.interval) | {"p_value": apart.p_value}
    return found


def gaps_by_type(means: pd.DataFrame, by: str) -> Figure:
    """Of each type, and NashConv of all of them: the expert, BC and MAGAIL."""
    metric = f"{GAP}{', at most' if by == 'bound' else ''}"
    shown = means[means["figure"].isin(["gap", "NashConv"])]
    table = shown.assign(metric=metric, policy=shown["method"], type=shown["type"].replace("all", "NashConv"))
    of = looks(METHODS)
    figure = intervals(table, metric, METHODS, of)
    marks = [Line2D([], [], color=of[m].colour, marker=of[m].marker, markersize=3.6, label=label(m)) for m in METHODS]
    figure.legend(handles=marks, loc="outside upper left", ncols=len(METHODS), frameon=False)
    note_below(figure, f"Means over seeds, {intervals_told(table)}; hollow marks have none.")
    return figure


def _show(means: pd.DataFrame) -> None:
    for by, mine in means.groupby("by", sort=False):
        columns = list(dict.fromkeys(zip(mine["type"], mine["figure"], strict=True)))
        over = "one seed" if (n := int(mine["n"].max())) == 1 else f"means over {n} seeds"
        table = Table(box=None, pad_edge=False, title=f"{by}, $ per agent and episode, discounted, {over}")
        for heading in ("", *METHODS):
            table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
        for name, figure in columns:
            of = mine[(mine["type"] == name) & (mine["figure"] == figure)].set_index("method")
            cells = [_told(of.loc[method]) for method in METHODS]
            table.add_row(figure if name == "all" else f"{name} {figure}", *cells)
        Console(width=140).print(table)


def _told(one: Any) -> str:
    span = "" if pd.isna(one["low"]) or one["low"] == one["high"] else f" [{one['low']:,.1f}, {one['high']:,.1f}]"
    return f"{one['estimate']:,.1f}{span}"
