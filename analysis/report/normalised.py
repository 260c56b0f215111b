"""Scores that games have in common: a run's profit between random orders, 0, and base stock, 1."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from analysis.load import Study

ZERO, ONE = "random", "base_stock"
WORDS = "0 is the profit of random orders, 1 that of newsvendor base stock, both in the same evaluations"


@dataclass(frozen=True)
class Normalised:
    """A score per run of each method; `why` says why there are none."""

    scores: dict[str, pd.Series]
    """Method -> by seed."""
    why: str = ""


def normalised(study: Study, metric: str = "profit") -> Normalised:
    """(profit - random) / (base stock - random), the two being means over all evaluations of the game."""
    played = set(study.agents["policy"])
    missing = [name for name in (ZERO, ONE) if name not in played]
    if missing:
        return Normalised({}, f"{' and '.join(missing)} was not played in these evaluations")
    zero, one = (float(study.scores(metric, name).mean()) for name in (ZERO, ONE))
    if not one > zero:
        return Normalised({}, f"base stock earns {one:.4g}, no more than random orders with {zero:.4g}")
    return Normalised({method: (study.scores(metric, method) - zero) / (one - zero) for method in study.methods})
