"""The section of aggregates over seeds: interquartile mean, mean and median of each policy's profit."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.forest import Row, forest
from analysis.figures.style import label
from analysis.report.comparison import Comparison
from analysis.report.interval_row import COLUMNS, interval_row
from analysis.report.numbers import estimate
from analysis.report.parts import Cell, Keys, Section, Table, side_by_side
from analysis.statistics import Statistic

NAMES: dict[Statistic, str] = {"iqm": "interquartile mean", "mean": "mean", "median": "median"}


def aggregate_table(compared: Comparison, metric: str = "profit") -> pd.DataFrame:
    """statistic, policy, estimate, low, high, n, interval, and the note that says why there is none."""
    rows = []
    for statistic in NAMES:
        for policy in compared.policies:
            scores = compared.study.scores(metric, policy).to_numpy(float)
            rows.append({"statistic": statistic, "policy": policy} | interval_row(scores, statistic))
    return pd.DataFrame(rows, columns=["statistic", "policy", *COLUMNS])


def aggregates_section(compared: Comparison, files: dict[str, pd.DataFrame]) -> Section:
    """The section; the table behind it is put into `files`."""
    table = files["aggregates.csv"] = aggregate_table(compared)
    section = Section("aggregates", "Over seeds: interquartile mean, mean, median")
    section.text.append(
        "The interquartile mean is the mean of the middle half of the seeds: one failed seed moves it less than the "
        "mean, and it wastes less than the median. Where the three disagree, seeds differ much."
    )
    figures: list[tuple[Figure, Keys]] = []
    cells = table.set_index(["statistic", "policy"])
    for statistic, name in NAMES.items():
        mine = table[(table["statistic"] == statistic) & table["policy"].isin(compared.study.methods)]
        rows = [Row(str(one["policy"]), one["estimate"], one["low"], one["high"]) for _, one in mine.iterrows()]
        figures.append((forest(rows, compared.looks, name, "profit, $ / period"), {}))
    ways = ", ".join(sorted({str(way) for way in table["interval"].dropna()})) or "none"
    section.figures.append(
        side_by_side(
            figures,
            "aggregates",
            "Interquartile mean, mean and median of profit over seeds, by policy",
            f"Profit by seed: interquartile mean, mean and median with 95 % intervals (n = {compared.seeds}; {ways}). "
            "Hollow marks have no interval. Reference policies stand in the table.",
            "aggregates.csv",
        )
    )
    section.tables.append(
        Table(
            f"profit over seeds, $ / period per agent; below it the 95 % interval (n = {compared.seeds}; {ways})",
            ["", *NAMES.values(), "seeds"],
            [
                [
                    Cell(label(policy)),
                    *(estimate(cells.loc[(statistic, policy)]) for statistic in NAMES),
                    Cell(str(cells.loc[("mean", policy), "n"])),
                ]
                for policy in compared.policies
            ],
            "aggregates.csv",
            row_keys=[{"method": policy} for policy in compared.policies],
        )
    )
    return section
