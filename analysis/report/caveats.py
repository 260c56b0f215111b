"""What a comparison of some runs cannot say, told before anyone opens the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from analysis.labels import labels
from analysis.statistics import MIN_RUNS
from mfmarl.runs.schema import open_run


def caveats(runs: Sequence[Path]) -> str:
    """One line, or nothing: methods with too few seeds for an interval, or too few methods for a comparison.

    Raises:
        UserError: for a folder that is no run.
    """
    seeds = Counter(labels([open_run(run).config for run in runs]))
    few = [f"{n} seed{'s' * (n != 1)} of {method}" for method, n in sorted(seeds.items()) if n < MIN_RUNS]
    told = [f"no intervals and no tests, as there {'is' if few[0].startswith('1 ') else 'are'} only {' and '.join(few)}"
            f" ({MIN_RUNS} seeds of each method give them)"] if few else []
    if len(seeds) == 1:
        told.append(f"no comparison, as all runs are of method {next(iter(seeds))}")
    return f"the report has {'; and '.join(told)}" if told else ""
