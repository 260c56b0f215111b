"""The section of paired differences: every method against the reference method, and every pair of methods."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.figures.forest import Row, forest
from analysis.figures.style import label
from analysis.report.comparison import Comparison
from analysis.report.comparisons import LEVEL, Differences, improvement_table, judged
from analysis.report.numbers import gap, listed, p_value, spanned
from analysis.report.parts import Cell, Section, Table, side_by_side
from analysis.report.tables import ALL
from analysis.statistics import MIN_RUNS

MARKS = "Marks: *** p < .001, ** p < .01, * p < .05, n.s. not significant, after Holm's correction"


def differences_section(compared: Comparison, found: Differences, files: dict[str, pd.DataFrame]) -> Section:
    """The section; the tables behind it are put into `files`."""
    section = Section("differences", "Paired differences")
    against = label(compared.against)
    if found.untested and len(found.tests):
        told = listed([f"{label(method)} ({why})" for method, why in found.untested.items()])
        section.text.append(f"No test against {against} of {told}; {MIN_RUNS} seeds in common give one.")
    if found.tests.empty:
        counts = ", ".join(f"{n} of {label(m)}" for m, n in compared.counts.items())
        section.text.append(
            f"No paired comparison: it needs two methods with {MIN_RUNS} or more seeds in common; there are {counts}."
        )
        return section
    files["differences.csv"], files["tests.csv"] = found.pairs, found.tests
    tested = len(found.overall)
    section.text.append(
        "Runs with the same seed share initial networks, training demand and evaluation demand, so they are compared "
        f"in pairs. {MARKS}: all agents over {tested} method{'s' * (tested != 1)}, types as a family of their own "
        f"({len(found.tests) - tested} tests). Effect is the mean of the pairs' differences over their standard "
        "deviation (Cohen's d, Hedges' correction); Cliff's delta runs from -1, where every run of the method is below "
        f"every one of {against}, to 1. The page of a whole study corrects over all of its games, so that fewer marks "
        "may stand there."
    )
    _draw(section, compared, found)
    section.tables.append(_tests(compared, found.overall, "all agents"))
    section.tables.append(_tests(compared, found.tests[found.tests["type"] != ALL], "by type"))
    if len(compared.study.methods) > 2:
        _matrix(section, compared, files)
    return section


def _draw(section: Section, compared: Comparison, found: Differences) -> None:
    figures, looks = [], compared.looks
    for name, tests in found.tests.groupby("type", sort=False):
        mine = found.pairs[found.pairs["type"] == name]
        rows = [
            Row(
                str(test["method"]), test["estimate"], test["low"], test["high"], str(test["mark"]),
                mine.loc[mine["method"] == test["method"], "difference"].to_numpy(float),
            )
            for _, test in tests.iterrows()
        ]  # fmt: skip
        unit = f"profit less that of {label(compared.against)}, $ / period"
        figures.append((forest(rows, looks, str(name), unit, line=0.0), {} if name == ALL else {"type": str(name)}))
    n = spanned(found.tests["n"])
    section.figures.append(
        side_by_side(
            figures,
            "differences",
            f"Paired differences in profit from {label(compared.against)}, by type",
            f"Profit of each method minus {label(compared.against)}: mean over seeds with 95 % interval (n = {n}; "
            f"{', '.join(sorted(set(found.tests['interval'])))}), dots below are single seeds.",
            "differences.csv",
        )
    )


def _tests(compared: Comparison, tests: pd.DataFrame, what: str) -> Table:
    rows = [
        [
            Cell(label(str(t["method"])), str(t["type"])),
            gap(t),
            Cell(p_value(t["p"]), f"{t['test']}, n = {t['n']}"),
            Cell(p_value(t["p_holm"])),
            Cell(str(t["mark"])),
            Cell("–" if pd.isna(t["effect"]) else f"{t['effect']:+.2f}"),
            Cell("–" if pd.isna(t["cliffs_delta"]) else f"{t['cliffs_delta']:+.2f}"),
            _chance(t["probability_of_improvement"], t["probability_low"], t["probability_high"]),
        ]
        for _, t in tests.iterrows()
    ]
    keys = [
        {"method": str(t["method"])} | ({} if t["type"] == ALL else {"type": str(t["type"])})
        for _, t in tests.iterrows()
    ]
    against = label(compared.against)
    head = ["", "difference, $ / period", "p", "p corrected", "mark", "effect d", "Cliff's delta"]
    head.append(f"P(beats {against})")
    caption = f"tests of the paired differences in profit from {against}, {what}; below estimates 95 % intervals"
    return Table(caption, head, rows, "tests.csv", row_keys=keys)


def _chance(probability: float, low: float, high: float) -> Cell:
    return Cell(f"{probability:.2f}", "" if pd.isna(low) else f"{low:.2f} to {high:.2f}")


def _matrix(section: Section, compared: Comparison, files: dict[str, pd.DataFrame]) -> None:
    table = improvement_table(compared)
    if table.empty:
        return
    files["improvement.csv"] = table
    names = list(dict.fromkeys(table["method"]))
    indexed = table.set_index(["method", "other"])
    rows = [
        [Cell(label(one)), *(_beats(indexed, one, other) for other in names)] for one in names
    ]
    ways = ", ".join(sorted(set(table["interval"])))
    section.tables.append(
        Table(
            f"P(a run of the row beats a run of the column) by profit, ties counted half; below it the 95 % interval "
            f"({ways}, n = {compared.seeds})",
            ["row beats column", *map(label, names)],
            rows,
            "improvement.csv",
            row_keys=[{"method": name} for name in names],
            column_keys=[{}, *({"method": name} for name in names)],
        )
    )


def _beats(indexed: pd.DataFrame, one: str, other: str) -> Cell:
    if one == other:
        return Cell("·")
    row: Any = indexed.loc[(one, other)]
    return _chance(row["probability"], row["low"], row["high"])


def difference_words(compared: Comparison, tests: pd.DataFrame) -> list[str]:
    """What the overall tests say, in plain words: a sentence for one method, or one for all that fared alike."""
    against = label(compared.against)
    if tests.empty and compared.others:
        return [f"Nothing is tested: no method has {MIN_RUNS} seeds in common with {against}."]
    if len(tests) == 1:
        test = tests.iloc[0]
        first = label(str(test["method"]))
        told = f"{test['estimate']:+.3g} $ per agent and period, 95 % interval {test['low']:.3g} to {test['high']:.3g}"
        if pd.isna(test["p"]):
            return [f"Every run of {first} differs from {against} by {test['estimate']:+.3g}; that cannot be tested."]
        how = f"{test['test']}, p = {test['p']:.2g}, n = {test['n']} pairs"
        if test["p"] >= LEVEL:
            return [f"No difference between {first} and {against} can be told from these runs: {told} ({how})."]
        better = first if test["estimate"] > 0 else against
        return [f"{better} earns more: {first} minus {against} is {told} ({how})."]
    above, below, neither = judged(tests)
    gaps = dict(zip(tests["method"], tests["estimate"], strict=True))
    said = []
    for names, words in ((above, "earns more than"), (below, "earns less than")):
        if names:
            verb = words if len(names) == 1 else words.replace("earns", "earn")
            told = listed([f"{label(name)} ({gaps[name]:+.3g})" for name in names])
            said.append(f"{told} {verb} {against}, in $ per agent and period.")
    if neither:
        told = listed([f"{label(name)} ({gaps[name]:+.3g})" for name in neither])
        said.append(f"No difference from {against} can be told of {told}.")
    if said:
        how = " and ".join(sorted(set(tests["test"])))
        said[-1] += f" ({how} over {spanned(tests['n'])} pairs of seeds; told are corrected p below {LEVEL:g}.)"
    return said
