"""Results of `analysis.magail_market` over seeds: gaps.csv, orders.csv, results.json, and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rich.console import Console
from rich.table import Table

from analysis.figures.intervals import intervals
from analysis.figures.order_shares import order_shares
from analysis.figures.style import label, looks
from analysis.imitation_audit import EXPERT
from analysis.statistics import MIN_RUNS, interval, paired_difference
from mfmarl.runs.files import replacing, to_json, write_whole

METHODS = (EXPERT, "bc", "magail")
GAP = "gap of one agent that leaves, $ an episode"


def write_results(out: Path, asked: Mapping[str, Any], folders: Sequence[Path]) -> list[Path]:
    """Put the seeds' tables together, and print means; the paths of what was written."""
    rows = with_imitation_gap(pd.concat([pd.read_csv(one / "rows.csv") for one in folders], ignore_index=True))
    orders = pd.concat([pd.read_csv(one / "orders.csv") for one in folders], ignore_index=True)
    means = over_seeds(rows)
    _show(means)
    paths = []
    for name, table in (("gaps.csv", rows), ("orders.csv", orders)):
        with replacing(out / name) as temporary:
            table.to_csv(temporary, index=False, lineterminator="\n")
        paths.append(out / name)
    told = means.astype(object).where(means.notna(), None).to_dict("records")
    cost = rows.groupby("method", sort=False)["cpu_s"].mean().to_dict()
    results = {
        "asked": asked, "means": told, "cpu_s": cost, "interactions": int(rows["interactions"].max()),
        "NashConv of magail less bc": less_cloning(rows),
    }  # fmt: skip
    write_whole(out / "results.json", to_json(results, indent=1).encode() + b"\n")
    paths.append(out / "results.json")
    figures: dict[str, Figure] = {"orders.png": order_shares(orders, METHODS)}
    for by in dict.fromkeys(means["by"]):
        figures[f"gaps_{by}.png"] = gaps_by_type(means[means["by"] == by], str(by))
    for name, figure in figures.items():
        with replacing(out / name) as temporary:
            figure.savefig(temporary, format="png", dpi=110, bbox_inches="tight")
        paths.append(out / name)
    return paths


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
    """Columns method, by, type, figure, estimate, low, high, n: 95 % intervals over seeds, of three or more."""
    found = []
    for key, mine in rows.groupby(["method", "by", "type", "figure"], sort=False):
        values = mine["value"].to_numpy(float)
        low = high = float("nan")
        if len(values) >= MIN_RUNS:
            span = interval(values)
            low, high = span.low, span.high
        found.append((*key, float(values.mean()), low, high, len(values)))
    return pd.DataFrame(found, columns=["method", "by", "type", "figure", "estimate", "low", "high", "n"])


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
    return figure


def _show(means: pd.DataFrame) -> None:
    for by, mine in means.groupby("by", sort=False):
        columns = list(dict.fromkeys(zip(mine["type"], mine["figure"], strict=True)))
        table = Table(box=None, pad_edge=False, title=f"{by}, $ per agent and episode, discounted, over seeds")
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
