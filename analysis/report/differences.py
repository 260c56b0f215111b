"""The section of paired differences: every method against the reference method, and every pair of methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.figures.forest import Row, forest
from analysis.figures.style import label
from analysis.interval_words import spanned
from analysis.report.comparison import Compared
from analysis.report.comparisons import LEVEL, Differences, improvement_table, judged
from analysis.report.numbers import counted, gap, listed, p_value
from analysis.report.parts import Cell, Section, Table, side_by_side
from analysis.report.tables import ALL
from analysis.statistics import MIN_RUNS

MARKS = "Marks: *** p < .001, ** p < .01, * p < .05, n.s. not significant, after Holm's correction"


@dataclass(frozen=True)
class Measure:
    """What is compared, in the words of the page."""

    metric: str
    name: str
    unit: str
    """At axes and columns, with its comma; or nothing."""
    of: str
    """In sentences, e.g. ` $ per agent and period`; or nothing."""
    verb: str
    """What a method does that is better, in the plural."""
    shared: str
    """What runs of one seed share."""
    files: str = ""
    """Ends the names of the section and its files."""


PROFIT = Measure(
    "profit", "profit", ", $ / period", " $ per agent and period", "earn", "initial networks, training demand and "
    "evaluation demand",
)  # fmt: skip


def differences_section(
    compared: Compared[Any], found: Differences, files: dict[str, pd.DataFrame], of: Measure = PROFIT
) -> Section:
    """The section; the tables behind it are put into `files`."""
    section = Section(f"differences{of.files}", "Paired differences" + f" in {of.name}" * bool(of.files))
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
    files[f"differences{of.files}.csv"], files[f"tests{of.files}.csv"] = found.pairs, found.tests
    tested, types = len(found.overall), len(found.tests) - len(found.overall)
    family = f"over {counted(tested, 'method')}"
    if types:
        family = f"all agents {family}, types as a family of their own ({types} tests)"
    section.text.append(
        f"Runs with the same seed share {of.shared}, so they are compared in pairs. {MARKS}: {family}. Effect is the "
        "mean of the pairs' differences over their standard deviation (Cohen's d, Hedges' correction); Cliff's delta "
        f"runs from -1, where every run of the method is below every one of {against}, to 1."
        + " The page of a whole study corrects over all of its games, so that fewer marks may stand there."
        * bool(types)
    )
    _draw(section, compared, found, of)
    section.tables.append(_tests(compared, found.overall, "all agents" if types else "all seeds", of))
    if types:
        section.tables.append(_tests(compared, found.tests[found.tests["type"] != ALL], "by type", of))
    if len(compared.study.methods) > 2:
        _matrix(section, compared, files, of)
    return section


def _draw(section: Section, compared: Compared[Any], found: Differences, of: Measure) -> None:
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
        unit = f"{of.name} less that of {label(compared.against)}{of.unit}"
        title = of.name if len(compared.study.type_names) == 0 else str(name)
        figures.append((forest(rows, looks, title, unit, line=0.0), {} if name == ALL else {"type": str(name)}))
    n = spanned(found.tests["n"])
    section.figures.append(
        side_by_side(
            figures,
            f"differences{of.files}",
            f"Paired differences in {of.name} from {label(compared.against)}" + ", by type" * (len(figures) > 1),
            f"{of.name.capitalize()} of each method minus {label(compared.against)}: mean over seeds with 95 % "
            f"interval (n = {n}; {', '.join(sorted(set(found.tests['interval'])))}), dots below are single seeds.",
            f"differences{of.files}.csv",
        )
    )


def _tests(compared: Compared[Any], tests: pd.DataFrame, what: str, of: Measure) -> Table:
    rows = [
        [
            Cell(label(str(t["method"])), str(t["type"]) if compared.study.type_names else ""),
            gap(t),
            Cell(p_value(t["p"]), f"{'no test' if t['interval'] == 'constant' else t['test']}, n = {t['n']}"),
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
    head = ["", f"difference{of.unit}", "p", "p corrected", "mark", "effect d", "Cliff's delta"]
    head.append(f"P(beats {against})")
    caption = (
        f"tests of the paired differences in {of.name} from {against}, {what}; below estimates {tests_told(tests)}"
    )
    return Table(caption, head, rows, f"tests{of.files}.csv", row_keys=keys)


def tests_told(tests: pd.DataFrame) -> str:
    """What is to be said of the intervals of a table of tests: pairs of seeds, and how they were found."""
    ways, chances = (", ".join(sorted(set(tests[name].dropna()))) for name in ("interval", "probability_interval"))
    return f"95 % intervals (n = {spanned(tests['n'])} pairs; of differences {ways}, of probabilities {chances})"


def _chance(probability: float, low: float, high: float) -> Cell:
    return Cell(f"{probability:.2f}", "" if pd.isna(low) else f"{low:.2f} to {high:.2f}")


def _matrix(section: Section, compared: Compared[Any], files: dict[str, pd.DataFrame], of: Measure) -> None:
    table = improvement_table(compared, of.metric)
    if table.empty:
        return
    files[f"improvement{of.files}.csv"] = table
    names = list(dict.fromkeys(table["method"]))
    indexed = table.set_index(["method", "other"])
    rows = [[Cell(label(one)), *(_beats(indexed, one, other) for other in names)] for one in names]
    ways = ", ".join(sorted(set(table["interval"])))
    section.tables.append(
        Table(
            f"P(a run of the row beats a run of the column) by {of.name}, ties counted half; below it the 95 % "
            f"interval ({ways}, n = {spanned(table['n'])})",
            ["row beats column", *map(label, names)],
            rows,
            f"improvement{of.files}.csv",
            row_keys=[{"method": name} for name in names],
            column_keys=[{}, *({"method": name} for name in names)],
        )
    )


def _beats(indexed: pd.DataFrame, one: str, other: str) -> Cell:
    if one == other:
        return Cell("·")
    row: Any = indexed.loc[(one, other)]
    return _chance(row["probability"], row["low"], row["high"])


def difference_words(compared: Compared[Any], tests: pd.DataFrame, of: Measure = PROFIT) -> list[str]:
    """What the overall tests say, in plain words: a sentence for one method, or one for all that fared alike."""
    against = label(compared.against)
    if tests.empty and compared.others:
        return [f"Nothing is tested: no method has {MIN_RUNS} seeds in common with {against}."]
    constant = tests["interval"] == "constant"
    said = _constant_words(tests[constant], against, of)
    tests = tests[~constant]
    if len(tests) == 1 and not said:
        test = tests.iloc[0]
        first = label(str(test["method"]))
        told = f"{test['estimate']:+.3g}{of.of}, 95 % interval {test['low']:.3g} to {test['high']:.3g}"
        how = f"{test['test']}, p = {test['p']:.2g}, n = {test['n']} pairs"
        if test["p"] >= LEVEL:
            return [f"No difference between {first} and {against} can be told from these runs: {told} ({how})."]
        better = first if test["estimate"] > 0 else against
        return [f"{better} {of.verb}s more: {first} minus {against} is {told} ({how})."]
    above, below, neither = judged(tests)
    gaps = dict(zip(tests["method"], tests["estimate"], strict=True))
    tested = []
    for names, words in ((above, "more than"), (below, "less than")):
        if names:
            verb = f"{of.verb}{'s' * (len(names) == 1)} {words}"
            told = listed([f"{label(name)} ({gaps[name]:+.3g})" for name in names])
            tested.append(f"{told} {verb} {against}{f', in{of.of}' * bool(of.of)}.")
    if neither:
        told = listed([f"{label(name)} ({gaps[name]:+.3g})" for name in neither])
        tested.append(f"No difference from {against} can be told of {told}.")
    if tested:
        how = " and ".join(sorted(set(tests["test"])))
        tested[-1] += f" ({how} over {spanned(tests['n'])} pairs of seeds; told are corrected p below {LEVEL:g}.)"
    return tested + said


def _constant_words(tests: pd.DataFrame, against: str, of: Measure) -> list[str]:
    """Of methods whose difference is the same on every seed, so that there is nothing to test."""
    same = [label(str(name)) for name in tests.loc[tests["estimate"] == 0, "method"]]
    pairs = f"all {spanned(tests['n'])} seeds in common" if len(tests) else ""
    said = [f"{listed(same)} {of.verb}{'s' * (len(same) == 1)} just what {against} does on {pairs}."] if same else []
    return said + [
        f"{label(str(test['method']))} differs from {against} by {test['estimate']:+.3g} on {pairs}, without any "
        "spread that could be tested."
        for _, test in tests[tests["estimate"] != 0].iterrows()
    ]
