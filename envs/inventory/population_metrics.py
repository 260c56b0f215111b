"""What an episode was like for the population of a copy as a whole, and metrics of agents gathered by type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.population import Step

Doubles = NDArray[np.float64]

POPULATION_METRICS: Mapping[str, str] = {
    "gini": "Gini coefficient of the agents' profits; above 1 where some lose more than the population earns",
    "drift": "total-variation distance between the action histograms of consecutive periods, mean over the episode",
    "mean_order": "mean order, u/period",
    "order_spread": "standard deviation of orders over agents, mean over periods, u",
}
"""name -> what it is, with its unit."""

POPULATION_MISSING: Mapping[str, str] = {
    "gini": "the population's profit was not positive in the episode",
    "drift": "actions are not discrete, or the episode had one period",
}
"""name -> why it is NaN where it is; the others always have a value."""


def gini(profits: Doubles) -> Doubles:
    """[E]: sum over pairs |x_i - x_j| / (2 N^2 mean x) of profits [E, N]; NaN where the mean is not positive.

    0 where all get the same, 1 - 1/N where one of N gets all.
    """
    ranked = np.sort(np.asarray(profits, float), 1)
    agents = ranked.shape[1]
    # x_(i) is the larger of i pairs and the smaller of N - 1 - i
    weights = 2 * np.arange(agents) - (agents - 1)
    total = ranked.sum(1)
    found: Doubles = np.full(total.shape, np.nan)
    np.divide((ranked @ weights), agents * total, out=found, where=total > 0)
    return found


def total_variation(p: Doubles, q: Doubles) -> Doubles:
    """[...]: half the sum of |p - q| over the last axis, of distributions: 0 where equal, 1 where disjoint."""
    return np.asarray(abs(p - q).sum(-1) / 2)


def by_type(rows: Mapping[str, Doubles], agent_types: NDArray[np.int64]) -> dict[str, Doubles]:
    """Metrics [E, N] of agents as means over each type's agents, [E, K]; an agent without a value is left out.

    NaN where no agent of the type has a value.

    Raises:
        ValueError: where a metric has another number of agents than `agent_types`.
    """
    types = np.asarray(agent_types)
    member = (types[:, None] == np.arange(types.max() + 1)).astype(float)
    found = {}
    for name, values in rows.items():
        if np.ndim(values) != 2 or np.shape(values)[1] != types.size:
            raise ValueError(f"{name} has shape {np.shape(values)}; want [episodes, {types.size}], one column an agent")
        known = ~np.isnan(values)
        count = known @ member
        mean: Doubles = np.full(count.shape, np.nan)
        np.divide(np.where(known, values, 0.0) @ member, count, out=mean, where=count > 0)
        found[name] = mean
    return found


class PopulationMetrics:
    """Running sums of B copies; feed it every step after a reset with the actions that led to it, in order."""

    def __init__(self, num_envs: int, num_agents: int, num_actions: int | None) -> None:
        """`num_actions` of discrete actions, None of others."""
        self._num_actions = num_actions
        self._age = np.zeros(num_envs, np.int64)
        self._profit: Doubles = np.zeros((num_envs, num_agents))
        self._sum = {name: np.zeros(num_envs) for name in ("drift", "mean_order", "order_spread")}
        self._last: Doubles = np.zeros((num_envs, num_actions or 1))

    def add(self, step: Step, actions: NDArray[Any]) -> dict[str, Doubles] | None:
        """Count one step; where copies ended at it their metrics, [copies that ended], NaN as in `POPULATION_MISSING`.

        Raises:
            ValueError: for a step or actions of another shape, or of a game that does not say what was ordered.
        """
        shape = self._profit.shape
        if step.reward.shape != shape or np.shape(actions) != shape:
            raise ValueError(
                f"rewards have shape {step.reward.shape} and actions {np.shape(actions)}; these metrics are of {shape}"
            )
        if "order" not in step.metrics:
            raise ValueError("the step has no order among its metrics; population metrics need it")
        order = np.asarray(step.metrics["order"], float)
        self._profit += step.reward
        self._sum["mean_order"] += order.mean(1)
        self._sum["order_spread"] += order.std(1)
        if self._num_actions is not None:
            histogram = _histogram(np.asarray(actions), self._num_actions)
            self._sum["drift"] += np.where(self._age > 0, total_variation(histogram, self._last), 0.0)
            self._last = histogram
        self._age += 1
        ended = step.terminated | step.truncated
        if not ended.any():
            return None
        rows = {name: values[ended] for name, values in self.running().items()}
        for total in (self._profit, self._age, *self._sum.values()):
            total[ended] = 0
        return rows

    def running(self) -> dict[str, Doubles]:
        """[B]: the metrics of the episodes so far; NaN before their first step."""
        periods = np.where(self._age > 0, self._age, np.nan)
        moves = np.where(self._age > 1, self._age - 1, np.nan)
        if self._num_actions is None:
            moves = np.full(moves.shape, np.nan)
        return {
            "gini": gini(self._profit),
            "drift": self._sum["drift"] / moves,
            "mean_order": self._sum["mean_order"] / periods,
            "order_spread": self._sum["order_spread"] / periods,
        }


def _histogram(actions: NDArray[np.int64], num_actions: int) -> Doubles:
    """Share of each action [B, A] among actions [B, N]."""
    copies, agents = actions.shape
    flat = (actions + num_actions * np.arange(copies)[:, None]).ravel()
    counts = np.bincount(flat, minlength=copies * num_actions)
    return np.asarray(counts.reshape(copies, num_actions) / agents)
