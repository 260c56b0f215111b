"""The sections of what imitators reach and cost: a table of all metrics, and returns as forests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.forest import Row, forest
from analysis.figures.limits import limits_of
from analysis.figures.style import label
from analysis.imitations import COUNTS, EXPERT, Imitations
from analysis.report.comparison import Compared
from analysis.report.interval_row import COLUMNS, interval_row
from analysis.report.numbers import estimate, number
from analysis.report.parts import Cell, Keys, Section, Table, side_by_side
from analysis.statistics import MIN_RUNS
from mfmarl.imitation.return_range import ANY, SHARE, Range, return_range

METRICS = {
    "return_mode": ("return, likeliest actions", "an episode"),
    "return_sampled": ("return, sampled actions", "an episode"),
    "success": ("success", "share of episodes"),
    "mmd": ("occupancy distance: MMD", "0 alike"),
    "wasserstein": ("occupancy distance: sliced Wasserstein", "0 alike"),
    "visitation": ("state visitation distance", "0 alike, 1 nothing shared"),
    "action_similarity": ("action similarity", "1 alike"),
    "diversity": ("diversity of trajectories", "mean distance of two episodes"),
    "expert_diversity": ("diversity of the expert's trajectories", "mean distance of two episodes"),
}
"""Metric -> its words, and what its numbers say."""
AT_LEAST_0: Range = (0.0, math.inf)
RANGES = {"success": SHARE, "visitation": SHARE, "action_similarity": SHARE}
"""Of other metrics that are known, AT_LEAST_0."""
COST = {
    "demonstrations": ("demonstrations", "steps"),
    "interactions": ("interactions", "steps played"),
    "queries": ("expert queries", "states"),
    "updates": ("updates", "gradient steps of the policy"),
    "cpu_seconds": ("CPU time", "s, of training"),
}


def interval_table(compared: Compared[Imitations]) -> pd.DataFrame:
    """metric, policy, estimate, low, high, n, interval, note: of all metrics that any run has, and of their costs."""
    study = compared.study
    others = [str(name) for name in study.table.columns if name not in {*METRICS, *COST, *NO_METRIC}]
    known = [name for name in (*METRICS, *others, *COST) if name in study.table]
    rows = [
        {"metric": metric, "policy": method}
        | interval_row(study.scores(metric, method).to_numpy(float), within=range_of(metric, study.env))
        for metric in known
        for method in study.methods
    ]
    return pd.DataFrame(rows).reindex(columns=["metric", "policy", *COLUMNS])


def range_of(metric: str, env: str) -> Range:
    """Between what a metric, or a cost, can be."""
    if metric in RETURNS:
        return return_range(env)
    return RANGES.get(metric, AT_LEAST_0 if metric in {*METRICS, *COST} else ANY)


NO_METRIC = ("method", "name", "seed", "folder", "episodes", *COUNTS)


def returns_section(
    compared: Compared[Imitations], table: pd.DataFrame, levels: Mapping[str, float], files: dict[str, pd.DataFrame]
) -> Section:
    """Returns of likeliest and of sampled actions as forests, beside the expert's."""
    section = Section("returns", "Returns")
    told = " and ".join(f"{label(name)} {number(level)}" for name, level in levels.items())
    if told:
        section.text.append(f"Level: {told}." if len(levels) == 1 else f"Levels: {told}.")
    files["returns.csv"] = table[table["metric"].isin(RETURNS)]
    figures: list[tuple[Figure, Keys]] = []
    drawn: dict[str, list[Row]] = {}
    for metric in RETURNS:
        mine = table[(table["metric"] == metric) & (table["n"] > 0)]
        rows = [
            Row(
                str(one["policy"]), one["estimate"], one["low"], one["high"], "",
                compared.study.scores(metric, str(one["policy"])).to_numpy(float),
            )
            for _, one in mine.iterrows()
        ]  # fmt: skip
        if rows:
            drawn[metric] = rows
    limits = _limits([row for rows in drawn.values() for row in rows], levels)
    for metric, rows in drawn.items():
        figure = forest(rows, compared.looks, METRICS[metric][0], "return", line=levels.get(EXPERT), limits=limits)
        figures.append((figure, {}))
    if figures:
        section.figures.append(
            side_by_side(
                figures,
                "returns",
                "Returns of likeliest and of sampled actions, by method",
                f"Return in the last evaluation: mean over seeds with {compared.how}; dots below are single seeds; "
                f"hollow marks have no interval.{' The line is the expert.' if EXPERT in levels else ''}",
                "returns.csv",
            )
        )
    return section


def _limits(rows: Sequence[Row], levels: Mapping[str, float]) -> tuple[float, float] | None:
    """Of rows and the expert; where those are all one value, of random play too."""
    values = [x for row in rows for x in (row.estimate, row.low, row.high, *row.dots)]
    values += [levels[EXPERT]] if EXPERT in levels else []
    known = [x for x in values if x == x]
    return limits_of(known if len(set(known)) > 1 else [*known, *levels.values()]) if known else None


RETURNS = ("return_mode", "return_sampled")


def metrics_section(compared: Compared[Imitations], table: pd.DataFrame, files: dict[str, pd.DataFrame]) -> Section:
    """All metrics, and what they cost."""
    files["metrics.csv"] = table
    section = Section("metrics", "Metrics and costs")
    metrics = [str(metric) for metric in table["metric"].unique()]
    measured, cost = [m for m in metrics if m not in COST], [m for m in metrics if m in COST]
    section.tables.append(_table(compared, table, measured, "metrics of the last policy"))
    section.tables.append(_table(compared, table, cost, "what training used up"))
    section.notes.append(
        "Occupancy and visitation distances are of states in the expert's standard deviations (and actions). "
        "Times are of the machine that ran, whatever else ran on it."
    )
    return section


def _table(compared: Compared[Imitations], table: pd.DataFrame, metrics: Sequence[str], what: str) -> Table:
    methods = compared.study.methods
    indexed = table.set_index(["metric", "policy"])
    few = max(compared.counts.values()) < MIN_RUNS
    rows = []
    for metric in metrics:
        name, unit = (METRICS | COST).get(metric, (metric.replace("_", " "), ""))
        cells = [_cell(indexed.loc[(metric, method)]) for method in methods]
        ways = set(table.loc[table["metric"] == metric, "interval"].dropna())
        # counts are planned, and equal as a rule; of too few seeds the caption says so once
        if few or (metric in COUNTS and ways <= {"constant"}):
            cells = [Cell(cell.main) for cell in cells]
        rows.append([Cell(name, unit), *cells])
    keys = [{}, *({"method": method} for method in methods)]
    caption = f"{what}: means over seeds{';' if few else ', below them'} {compared.how}"
    return Table(caption, ["", *map(label, methods)], rows, "metrics.csv", column_keys=keys)


def _cell(row: Any) -> Cell:
    return estimate(row) if row["n"] else Cell("–")


def runs_section(compared: Compared[Imitations], files: dict[str, pd.DataFrame]) -> Section:
    """A row per run."""
    table = compared.study.table.sort_values(["method", "seed"])
    files["runs.csv"] = table
    shown = [name for name in ("method", "seed", "episodes", *COUNTS, "cpu_seconds", *RETURNS) if name in table]
    rows = [
        [Cell(label(str(one["method"]))), *(Cell(_plain(one[name])) for name in shown[1:])]
        for one in table.to_dict("records")
    ]
    head = [name.replace("_", " ").replace("episodes", "demonstrated episodes") for name in shown]
    keys = [{"method": str(method)} for method in table["method"]]
    section = Section("runs", "What was run")
    section.tables.append(Table("imitations; the CSV has all metrics", head, rows, "runs.csv", row_keys=keys))
    return section


def _plain(value: object) -> str:
    if isinstance(value, float):
        return "–" if value != value else number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)
