"""Metrics of imitation over seeds, each with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import numpy as np
import pandas as pd

from analysis.statistics import interval
from mfmarl.imitation.metrics import Metrics


def over_seeds(runs: Sequence[Metrics], level: float = 0.95) -> pd.DataFrame:
    """Mean and interval of each metric over runs, one per seed: columns mean, low, high, n; a run's return is its mean.

    What a run did not measure, such as success without a return to reach, has no row.

    Raises:
        ValueError: for fewer than 3 runs, or a figure that is not finite.
    """
    rows = {}
    for name in (field.name for field in fields(Metrics)):
        values = [getattr(run, name) for run in runs]
        if any(value is None for value in values):
            continue
        found = interval([float(np.mean(value)) for value in values], level)
        rows[name] = {"mean": found.estimate, "low": found.low, "high": found.high, "n": found.n}
    return pd.DataFrame.from_dict(rows, orient="index")
