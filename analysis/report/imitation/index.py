"""The page over several environments: returns beside expert and random play, and the way to each one's own page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.figures.style import label
from analysis.imitations import EXPERT, RANDOM
from analysis.interval_words import intervals_told
from analysis.report.numbers import counted, estimate, listed, number
from analysis.report.parts import Cell, Section, Table
from analysis.report.render import Page, policy_filter, write_page

ACTING = {"return_mode": "likeliest actions", "return_sampled": "sampled actions"}


@dataclass(frozen=True)
class EnvResult:
    """What the page of one environment says."""

    env: str
    folder: str
    """Where its page is, below the index."""
    page: Path
    methods: list[str]
    table: pd.DataFrame
    """As `interval_table` makes it."""
    levels: Mapping[str, float]
    """Returns of expert and random play, where they are known."""
    answer: list[str]


def write_index(results: Sequence[EnvResult], out: Path) -> Path:
    """OUT/index.html over pages that are written already.

    Raises:
        StorageFailed: where the disk does not take the files.
    """
    methods = sorted({method for one in results for method in one.methods})
    found = pd.concat([one.table.assign(env=one.env) for one in results], ignore_index=True)
    found = found[found["metric"].isin(ACTING)]
    section = Section("environments", "Returns by environment")
    section.tables = [_table(results, methods, metric, words) for metric, words in ACTING.items()]
    page = Page(
        f"{listed([label(method) for method in methods])} on {counted(len(results), 'environment')}",
        "Each environment has a page of its own, with tests, learning curves and all metrics.",
        # the first sentence is of levels; tests stand on the environment's page
        [f"{one.env}: {one.answer[0]}" for one in results if one.answer],
        [section],
        [policy_filter([*methods, EXPERT, RANDOM])],
    )
    return write_page(page, {"returns.csv": found[["env", *(c for c in found if c != "env")]]}, out)


def _table(results: Sequence[EnvResult], methods: Sequence[str], metric: str, words: str) -> Table:
    rows = []
    for one in results:
        mine = one.table[(one.table["metric"] == metric) & (one.table["n"] > 0)].set_index("policy")
        known = [Cell(number(one.levels[name])) if name in one.levels else Cell("–") for name in (EXPERT, RANDOM)]
        cells = [estimate(mine.loc[method]) if method in mine.index else Cell("–") for method in methods]
        rows.append([Cell(one.env, link=f"{one.folder}/index.html"), *known, *cells])
    every = pd.concat([one.table[one.table["metric"] == metric] for one in results])
    return Table(
        f"return of {words}: means over seeds, below them {intervals_told(every)}",
        ["", EXPERT, RANDOM, *map(label, methods)],
        rows,
        "returns.csv",
        column_keys=[{}, {"method": EXPERT}, {"method": RANDOM}, *({"method": method} for method in methods)],
    )
