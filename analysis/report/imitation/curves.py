"""The section of learning curves: return against demonstrations, interactions, queries and updates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.imitation_curves import ALONG, Along, imitation_curves, return_limits
from analysis.figures.learning_curves import over_seeds
from analysis.imitations import Imitations
from analysis.interval_words import intervals_told
from analysis.report.comparison import Compared
from analysis.report.interval_row import interval_row
from analysis.report.numbers import listed
from analysis.report.parts import Keys, Section, side_by_side
from mfmarl.imitation.return_range import ANY, Range, return_range

ACTING = {"mode": "likeliest", "sampled": "sampled"}
"""How an imitator acts -> what its actions are."""


def curves_section(
    compared: Compared[Imitations], levels: Mapping[str, float], files: dict[str, pd.DataFrame]
) -> Section:
    """A figure for each way to act, a panel for each count that varies; the table behind them is put into `files`.

    Args:
        levels: returns of the expert and of random play, where they are known.
    """
    section = Section("learning", "Learning curves")
    tables = []
    study = compared.study
    # a method's numbers of demonstrations are one line, which looks as the least of them
    named = dict(sorted(zip(study.labels, study.names, strict=True), key=lambda pair: study.methods.index(pair[0])))
    first = {name: label for label, name in reversed(named.items())}
    by_name = {name: compared.looks[label] for name, label in first.items()} | {
        name: compared.looks[name] for name in study.references
    }
    moving = [along for along in ALONG if study.curves[along].nunique() > 1]
    if not moving:
        section.text.append("None: all runs have the same counts, and were evaluated at the end alone.")
    within = return_range(study.env)
    for acting, words in ACTING.items():
        mine = study.curves[study.curves["acting"] == acting]
        if mine.empty:
            section.text.append(f"No evaluation has {words} actions.")
            continue
        found = {
            along: curve_table(mine.assign(method=mine["name"]) if along == "demonstrations" else mine, along, within)
            for along in moving
        }
        tables += [table.assign(acting=acting, along=along) for along, table in found.items()]
        shared = return_limits(found.values(), levels)
        figures: list[tuple[Figure, Keys]] = [
            (imitation_curves(t, along, by_name if along == "demonstrations" else compared.looks, levels, shared), {})
            for along, t in found.items()
        ]
        if figures:
            section.figures.append(
                side_by_side(
                    figures,
                    f"learning-{acting}",
                    f"Return of {words} actions against {listed(list(moving))}, by method",
                    f"Return of {words} actions: mean over seeds with {intervals_told(pd.concat(found.values()))}; "
                    "hollow marks and lines without a band have none. "
                    + "Against demonstrations, the end of training by their number. "
                    * ("demonstrations" in moving)
                    + "A method whose count stands still is a mark at its end. Level lines: "
                    f"{' and '.join(levels) or 'none is known'}.",
                    "learning_curves.csv",
                    # once, above the first
                    [] if section.figures else [*study.methods, *levels],
                )
            )
    if tables:
        columns = ["acting", "along", "method", "x", "mean", "low", "high", "n", "interval"]
        files["learning_curves.csv"] = pd.concat(tables, ignore_index=True)[columns]
    return section


def curve_table(curves: pd.DataFrame, along: Along, within: Range = ANY) -> pd.DataFrame:
    """Mean and 95 % interval over seeds: method, x, mean, low, high, n, interval (how it was found), of rows method,
    seed, `along`, updates, return.

    Against demonstrations, which a run has all at once, the last return of each run, by their number; else every
    evaluation on the way, or the last where the count stands still. Intervals are cut to `within`.
    """
    last = curves.sort_values("updates").groupby(["method", "seed", "demonstrations"], as_index=False).last()
    moves = curves.groupby(["method", "seed"])[along].nunique().groupby("method").min() > 1
    moving = [] if along == "demonstrations" else [method for method in moves.index if moves[method]]
    tables = []
    if moving:
        journal = curves[curves["method"].isin(moving)]
        table = over_seeds(journal, "return", along=along).rename(columns={along: "x"})
        tables.append(table.assign(low=table["low"].clip(*within), high=table["high"].clip(*within)))
    rows = []
    for (method, x), runs in last[~last["method"].isin(moving)].groupby(["method", along]):
        found = interval_row(runs["return"].to_numpy(float), within=within)
        low, high = (found.get(end, np.nan) for end in ("low", "high"))
        row = {"method": method, "x": x, "mean": found["estimate"], "low": low, "high": high}
        rows.append(row | {"n": len(runs), "interval": found.get("interval")})
    tables.append(pd.DataFrame(rows, columns=["method", "x", "mean", "low", "high", "n", "interval"]))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)
