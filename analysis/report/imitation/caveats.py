"""The section of what returns alone do not say: survival that is paid, and lengths and ends that give away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.figures.style import label
from analysis.imitations import EXPERT, RANDOM, Imitation, Imitations
from analysis.interval_words import intervals_told
from analysis.report.comparison import Compared
from analysis.report.interval_row import COLUMNS, interval_row
from analysis.report.numbers import estimate, listed, number
from analysis.report.parts import Cell, Section, Table
from analysis.statistics import MIN_RUNS
from mfmarl.imitation.return_range import SHARE, return_range

APART = {"lengths_apart": "lengths apart", "ends_apart": "ends apart"}


def caveats_section(
    compared: Compared[Imitations], levels: Mapping[str, float], files: dict[str, pd.DataFrame]
) -> Section:
    """The survival probe, the horizon leak, and methods that act otherwise when they draw; also for the page's top."""
    section = Section("caveats", "What returns do not say")
    _probe(section, compared.study, levels, files)
    _leak(section, compared.study, files)
    _draws(section, compared, levels)
    _unconverged(section, compared.study)
    few = [label(method) for method, n in compared.counts.items() if n < MIN_RUNS]
    if few:
        section.text.append(f"No interval and no test of {listed(few)}: fewer than {MIN_RUNS} seeds.")
    return section


def _probe(section: Section, study: Imitations, levels: Mapping[str, float], files: dict[str, pd.DataFrame]) -> None:
    if not study.probes:
        section.text.append(
            "No survival probe was run: an imitation of random play by each method that is paid by a network, given "
            "to this report too, shows whether a good return says anything of imitation (demonstrate with --expert "
            "random, imitate, and add the folders)."
        )
        return
    rows = []
    for method in sorted({run.record.method for run in study.probes}):
        for metric in ("return_mode", "return_sampled"):
            found = [run.record.metrics.get(metric) for run in study.probes if run.record.method == method]
            scores = np.array([one.mean for one in found if one is not None])
            rows.append({"method": method, "metric": metric} | interval_row(scores, within=return_range(study.env)))
    table = files["probe.csv"] = pd.DataFrame(rows).reindex(columns=["method", "metric", *COLUMNS])
    section.text.append(
        "Survival probe: what a method returns that was shown random play. It should be what random play returns; "
        "where it is much more, the reward pays for something else than imitation, such as living on."
    )
    indexed = table.set_index(["method", "metric"])
    methods = list(dict.fromkeys(table["method"]))
    body = [
        [Cell(label(m)), *(_known(indexed.loc[(m, metric)]) for metric in ("return_mode", "return_sampled"))]
        for m in methods
    ]
    known = ", ".join(f"{name} {number(level)}" for name, level in levels.items())
    caption = f"return after imitating random play{f' ({known})' if known else ''}; below it {intervals_told(table)}"
    section.tables.append(Table(caption, ["", "likeliest actions", "sampled actions"], body, "probe.csv"))
    if EXPERT in levels and RANDOM in levels:
        half = (levels[EXPERT] + levels[RANDOM]) / 2
        best = table.groupby("method")["estimate"].max()
        paid = [label(str(m)) for m in best.index[(best > half) == (levels[EXPERT] > levels[RANDOM])]]
        if paid:
            section.answer.append(
                f"{listed(paid)} shown random play {'comes' if len(paid) == 1 else 'come'} more than half of the way "
                "to the expert: good returns here say little of imitation."
            )


def _leak(section: Section, study: Imitations, files: dict[str, pd.DataFrame]) -> None:
    found = [
        {"method": name, "seed": run.record.seed, **{key: _last(run, key) for key in APART}}
        for name, run in zip(study.labels, study.runs, strict=True)
        if _last(run, "lengths_apart") is not None
    ]
    if not found:
        return
    table = files["leak.csv"] = pd.DataFrame(found)
    section.text.append(
        "Horizon leak: how far lengths and ends of the policy's last episodes are from the demonstrations' (0 alike, 1 "
        "told apart without error). Where they differ, a discriminator may tell who plays without looking at what is "
        "done."
    )
    found_by = {
        str(method): [interval_row(one[key].dropna().to_numpy(float), within=SHARE) for key in APART]
        for method, one in table.groupby("method", sort=False)
    }
    body = [[Cell(label(m)), *(_known(pd.Series(one)) for one in both)] for m, both in found_by.items()]
    told_of = intervals_told(pd.DataFrame([one for both in found_by.values() for one in both]).reindex(columns=COLUMNS))
    head = ["", *APART.values()]
    section.tables.append(Table(f"at the end of training; below it {told_of}", head, body, "leak.csv"))
    told = Counter(str(row["method"]) for row in found if row["lengths_apart"] == 1.0)
    for method, count in told.items():
        section.answer.append(
            f"{label(method)}: in {count} of {sum(row['method'] == method for row in found)} runs lengths of episodes "
            "alone tell the policy from the demonstrations."
        )


def _unconverged(section: Section, study: Imitations) -> None:
    """Of methods that say whether they converged, the runs that did not."""
    for method in study.methods:
        mine = [run.record.convergence for run, name in zip(study.runs, study.labels, strict=True) if name == method]
        known = [one.converged for one in mine if one is not None]
        if not all(known):
            section.answer.append(f"{label(method)}: {known.count(False)} of {len(known)} runs did not converge.")


def _last(run: Imitation, key: str) -> float | None:
    if key not in run.history:
        return None
    known = run.history[key].dropna()
    return float(known.iloc[-1]) if len(known) else None


def _draws(section: Section, compared: Compared[Imitations], levels: Mapping[str, float]) -> None:
    """Where likeliest and sampled actions return other things."""
    if EXPERT not in levels or RANDOM not in levels:
        return
    way = abs(levels[EXPERT] - levels[RANDOM])
    told = []
    for method in compared.study.methods:
        mode, sampled = (compared.study.scores(f"return_{acting}", method).mean() for acting in ("mode", "sampled"))
        if abs(mode - sampled) > 0.1 * way:
            told.append(f"{label(method)} ({number(mode)} and {number(sampled)})")
    if told:
        section.text.append(
            f"Likeliest and sampled actions return other things by more than a tenth of the way from random play to "
            f"the expert: {listed(told)}."
        )


def _known(row: pd.Series) -> Cell:
    return estimate(row.reindex(COLUMNS)) if row["n"] else Cell("–")
