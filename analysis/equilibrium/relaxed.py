"""Upper bounds on gaps with their intervals: of every type with and without penalties, the smaller one used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.equilibrium.gaps import Estimate, Gaps, TypeGap

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class TypeBounds:
    """What is known of one type; at least one of the two bounds."""

    free: TypeGap | None
    """Without penalties: the agent knows the future for nothing."""
    penalised: TypeGap | None
    why: str = ""
    """Why one of them is missing; empty where none is."""
    expected: float | None = None
    """$ of the best response to expected prices, own weight included, where there are penalties: what the deviator that
    penalties are made from earns. The bound stands above it by what knowing the fluctuation of prices is worth."""

    @property
    def smaller(self) -> TypeGap:
        """The penalised one, unless the other lies below it by more than their intervals say.

        Raises:
            ValueError: where there is neither.
        """
        if self.penalised is None:
            if self.free is None:
                raise ValueError(f"there is no upper bound: {self.why}")
            return self.free
        if self.free is not None and self.free.gap.high < self.penalised.gap.low:
            return self.free
        return self.penalised


@dataclass(frozen=True)
class Bounds:
    """Both bounds of every type that was asked for."""

    types: tuple[TypeBounds, ...]
    notes: tuple[str, ...]

    @property
    def gaps(self) -> Gaps:
        """The smaller bound of every type; raises ValueError where a type has none."""
        return Gaps("unilateral gap", "bound", tuple(one.smaller for one in self.types), self.notes)


def estimated(rows: Doubles, sampled_from: int | None = None) -> Estimate:
    """Mean of values [E, n] of n agents in E independent episodes, with its 95 % interval by Student's t.

    Args:
        rows: at least 2 episodes.
        sampled_from: agents that the n were drawn from, where agents differ: the spread over agents is then part of the
            interval. None where agents are alike, or all are here.
    """
    episodes, agents = rows.shape
    half = float(stats.t.ppf(0.975, episodes - 1) * rows.mean(1).std(ddof=1) / np.sqrt(episodes))
    if sampled_from is not None and 1 < agents < sampled_from:
        missing = 1 - agents / sampled_from
        spread = float(stats.t.ppf(0.975, agents - 1) * rows.mean(0).std(ddof=1) * np.sqrt(missing / agents))
        half = float(np.hypot(half, spread))
    value = float(rows.mean())
    return Estimate(value, value - half, value + half, episodes)


def paired_gap(name: str, share: float, base: Doubles, best: Doubles, sampled_from: int | None = None) -> TypeGap:
    """Of values [E, n] of agents that stay and of the bound on those that leave, in the same episodes."""
    estimates = (estimated(rows, sampled_from) for rows in (base, best, best - base))
    return TypeGap(name, share, *estimates)
