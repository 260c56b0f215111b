"""Paired tests of every method against the reference method, as tables that are also CSV files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.report.comparison import Compared
from analysis.report.tables import ALL
from analysis.statistics import MIN_RUNS, holm, improvement_interval, paired_difference, stars

LEVEL = 0.05
"""Corrected p-values below it are told as differences."""
COLUMNS = [
    "method", "against", "type", "estimate", "low", "high", "n", "interval", "test", "p", "p_holm", "mark", "effect",
    "cliffs_delta", "probability_of_improvement", "probability_low", "probability_high", "probability_interval",
]  # fmt: skip


@dataclass(frozen=True)
class Differences:
    """Each method minus the reference method, over runs with the same seed."""

    pairs: pd.DataFrame
    """Columns method, type, seed, difference."""
    tests: pd.DataFrame
    """COLUMNS; p_holm is corrected over all methods, types being a family of their own."""
    untested: dict[str, str]
    """Method -> why there is no test of it."""

    @property
    def overall(self) -> pd.DataFrame:
        """The tests of all agents together: the question asked."""
        return self.tests[self.tests["type"] == ALL]


def differences_of(compared: Compared[Any], metric: str = "profit") -> Differences:
    """Differences in `metric` from the reference method, with Holm's correction in two families: all agents, types."""
    pairs, rows, untested = [], [], {}
    for method in compared.others:
        for type_name in (ALL, *compared.study.type_names):
            both = _both(compared, metric, method, None if type_name == ALL else type_name)
            if len(both) < MIN_RUNS:
                untested[method] = f"{len(both)} seed{'s' * (len(both) != 1)} in common"
                break
            difference = (both["x"] - both["y"]).to_numpy()
            pairs.append(
                pd.DataFrame({"method": method, "type": type_name, "seed": both.index, "difference": difference})
            )
            rows.append({"method": method, "against": compared.against, "type": type_name} | _test(both))
    tests = pd.DataFrame(rows, columns=COLUMNS)
    overall = tests["type"] == ALL
    for family in (overall, ~overall):
        tests.loc[family, "p_holm"] = holm(list(tests.loc[family, "p"]))
    tests["mark"] = [stars(p) for p in tests["p_holm"].astype(float)]
    drawn = pd.concat(pairs, ignore_index=True) if pairs else pd.DataFrame()
    return Differences(drawn.reindex(columns=["method", "type", "seed", "difference"]), tests, untested)


def _both(compared: Compared[Any], metric: str, method: str, type_name: str | None) -> pd.DataFrame:
    """x of the method and y of the reference method, by the seeds that both have."""
    scores = [compared.study.scores(metric, one, type_name) for one in (method, compared.against)]
    both: pd.DataFrame = pd.concat(scores, axis=1, keys=["x", "y"]).dropna()
    return both


def _test(both: pd.DataFrame) -> dict[str, object]:
    x, y = both["x"].to_numpy(), both["y"].to_numpy()
    found, chance = paired_difference(x, y), improvement_interval(x, y)
    return {
        "estimate": found.interval.estimate,
        "low": found.interval.low,
        "high": found.interval.high,
        "n": found.interval.n,
        "interval": found.interval.method,
        "test": found.test,
        "p": found.p_value,
        "effect": found.effect,
        "cliffs_delta": found.cliffs_delta,
        "probability_of_improvement": chance.estimate,
        "probability_low": chance.low,
        "probability_high": chance.high,
        "probability_interval": chance.method,
    }


def improvement_table(compared: Compared[Any], metric: str = "profit") -> pd.DataFrame:
    """P(a run of `method` beats one of `other`) over all pairs of methods with 3 seeds or more.

    Columns method, other, probability, low, high, interval, n, n_other; both orders are rows.
    """
    rows: list[tuple[object, ...]] = []
    scores = {method: compared.study.scores(metric, method).to_numpy() for method in compared.study.methods}
    methods = [method for method, values in scores.items() if values.size >= MIN_RUNS]
    for i, first in enumerate(methods):
        for second in methods[i + 1 :]:
            found = improvement_interval(scores[first], scores[second])
            sizes = (scores[first].size, scores[second].size)
            rows += [
                (first, second, found.estimate, found.low, found.high, found.method, *sizes),
                (second, first, 1 - found.estimate, 1 - found.high, 1 - found.low, found.method, *sizes[::-1]),
            ]
    columns = ["method", "other", "probability", "low", "high", "interval", "n", "n_other"]
    return pd.DataFrame(rows, columns=columns)


def judged(tests: pd.DataFrame) -> tuple[list[str], list[str], list[str]]:
    """Methods that are above the reference, below it, and those of which neither can be told, by corrected p."""
    certain = tests["p_holm"].astype(float) < LEVEL
    up = tests["estimate"].astype(float) > 0
    told = [tests.loc[certain & up], tests.loc[certain & ~up], tests.loc[~certain]]
    above, below, open_ = ([str(name) for name in one["method"]] for one in told)
    return above, below, open_
