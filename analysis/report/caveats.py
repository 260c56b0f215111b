"""What a comparison of some runs cannot say, told before anyone opens the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from analysis.labels import labels
from analysis.report.numbers import listed
from analysis.statistics import MIN_RUNS
from mfmarl.runs.schema import open_run


def caveats(runs: Sequence[Path]) -> str:
    """One line, or nothing: methods with too few seeds for an interval, or too few methods for a comparison.

    Raises:
        UserError: for a folder that is no run.
    """
    seeds = Counter(labels([open_run(run).config for run in runs]))
    told = []
    few = sorted({n for n in seeds.values() if n < MIN_RUNS}, reverse=True)
    if few:
        methods = {n: sorted(m for m in seeds if seeds[m] == n) for n in few}
        counted = [
            f"{n} seed{'s' * (n != 1)} {'each ' * (len(names) > 1)}of {listed(names)}" for n, names in methods.items()
        ]
        verb = "is" if counted[0].startswith("1 ") else "are"
        more = f"({MIN_RUNS} seeds of each method give them)"
        told.append(f"no intervals and no tests, as there {verb} only {'; '.join(counted)} {more}")
    if len(seeds) == 1:
        told.append(f"no comparison, as all runs are of method {next(iter(seeds))}")
    return f"the report has {'; and '.join(told)}" if told else ""
