"""Chains on which the cost of imitation is known exactly: an imitator errs with probability e in each labelled state.

Exact by dynamic programming, not by the closed forms, which are what it is tested against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Chain:
    """States that errors move an imitator between; costs are of where a step ends."""

    steps: Array
    """[S, S]: row s is the law of the state after a step from s."""
    cost: Array
    """[S]: of being there after a step."""
    start: int = 0

    def expected_cost(self, horizon: int) -> float:
        """Of `horizon` steps, exactly: backwards values V_k = P (cost + V_{k+1})."""
        value = np.zeros(len(self.cost))
        for _ in range(horizon):
            value = self.steps @ (self.cost + value)
        return float(value[self.start])

    def sampled_cost(self, horizon: int, runs: int, rng: np.random.Generator) -> Array:
        """[runs], by playing."""
        ends = np.cumsum(self.steps, 1)
        state, total = np.full(runs, self.start), np.zeros(runs)
        for _ in range(horizon):
            # rounding may leave the last sum below 1
            state = np.minimum((rng.random(runs)[:, None] >= ends[state]).sum(1), len(self.cost) - 1)
            total += self.cost[state]
        return total


def cliff(error: float) -> Chain:
    """An error is absorbing and costs 1 at that step and at each after: T - (1-e)(1-(1-e)^T)/e, which grows as e T^2/2.

    Behavioural cloning on the tightrope of Ross and Bagnell (2010): it was never shown a way back.
    """
    return Chain(np.array([[1 - error, error], [0.0, 1.0]]), np.array([0.0, 1.0]))


def recoverable(error: float) -> Chain:
    """An error costs 1 and is mended in the next step, which may be one too: T e.

    DAgger on the same rope: it was told the way back where it had fallen.
    """
    return Chain(np.array([[1 - error, error], [1 - error, error]]), np.array([0.0, 1.0]))


def growth(costs: ArrayLike, horizons: ArrayLike) -> float:
    """The slope of log cost over log horizon, by least squares."""
    return float(np.polyfit(np.log(np.asarray(horizons, float)), np.log(np.asarray(costs, float)), 1)[0])
