"""What an episode was like for each agent: running sums per step, one row of metrics per agent when it ends."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from envs.population import Step

Doubles = NDArray[np.float64]

METRICS: Mapping[str, str] = {
    "return": "discounted sum of rewards, $",
    "profit": "mean reward, $/period",
    "stock": "mean stock at the end of a period, u",
    "backlog": "mean backlog at the end of a period, u",
    "lost": "lost sales, u/period",
    "order": "mean order, u/period",
    "order_std": "standard deviation of the orders, u/period",
    "alpha_service": "share of periods that end without unmet demand",
    "beta_fill": "share of demand met in its own period",
    "gamma_service": "1 - unmet demand / demand, counted in every period it waits; negative for long waits",
    "days_of_supply": "mean stock / mean demand, periods that it would last",
    "turns": "units sold a period / mean stock, 1/period",
    "bullwhip": "Var(order) / Var(demand)",
    "inventory_efficiency": "sold / (sold + stock left at the end + lost + spoiled)",
    "spoiled": "units spoiled, u/period",
    "scrapped": "units scrapped for want of room, u/period",
}
"""name -> what it is, with its unit."""

MISSING: Mapping[str, str] = {
    "beta_fill": "no demand in the episode",
    "gamma_service": "no demand in the episode",
    "days_of_supply": "no demand in the episode",
    "turns": "no stock was held in the episode",
    "bullwhip": "demand did not vary in the episode",
    "inventory_efficiency": "nothing was sold, left, lost or spoiled in the episode",
}
"""name -> why it is NaN where it is; the other metrics always have a value."""

_SUMS = ("reward", "order", "demand", "sold", "stock", "backlog", "lost", "spoiled", "scrapped")


class EpisodeMetrics:
    """Running sums of B copies x N agents; feed it every step after a reset, in order."""

    def __init__(self, num_envs: int, num_agents: int, discount: float) -> None:
        """`discount` per period, of the metric ``return``."""
        if not 0 <= discount <= 1:
            raise ValueError(f"discount is {discount}; it lies in 0..1")
        self.discount = discount
        self._age = np.zeros(num_envs, np.int64)
        names = (*_SUMS, "return", "order2", "demand2", "stock_outs", "late")
        self._sum: dict[str, Doubles] = {name: np.zeros((num_envs, num_agents)) for name in names}
        self._stock: Doubles = np.zeros((num_envs, num_agents))

    def add(self, step: Step) -> dict[str, Doubles] | None:
        """Count one step; where copies ended at it, their rows: metric -> [copies that ended, N], NaN as in `MISSING`.

        Raises:
            ValueError: for a step of another shape, or of a game that does not itemise orders, demand and stock.
        """
        total = self._sum
        if not isinstance(step.reward, np.ndarray):
            raise ValueError("metrics are counted on NumPy arrays: make the environment with backend='numpy'")
        if step.reward.shape != total["reward"].shape:
            raise ValueError(f"rewards have shape {step.reward.shape}; these metrics are of {total['reward'].shape}")
        absent = [name for name in _SUMS[1:] if name not in step.metrics]
        if absent:
            raise ValueError(f"the step has no {', '.join(absent)} among its metrics; inventory metrics need them")
        now = {name: step.metrics[name].astype(np.float64) for name in _SUMS[1:]} | {
            "reward": step.reward.astype(np.float64)
        }
        for name in _SUMS:
            total[name] += now[name]
        total["return"] += (self.discount**self._age)[:, None] * now["reward"]
        total["order2"] += now["order"] ** 2
        total["demand2"] += now["demand"] ** 2
        unmet = now["lost"] + now["backlog"]
        total["stock_outs"] += unmet > 0
        # backlog is served first, so what is unmet at the end is this period's demand before it is older demand
        total["late"] += np.minimum(unmet, now["demand"])
        self._age += 1
        self._stock = now["stock"]
        ended = step.terminated | step.truncated
        if not ended.any():
            return None
        rows = self._rows_of(ended)
        for value in total.values():
            value[ended] = 0.0
        self._age[ended] = 0
        return rows

    def running(self) -> dict[str, Doubles]:
        """Metrics [B, N] of the episodes so far; NaN in copies that have not begun theirs, and as in `MISSING`."""
        begun = self._age > 0
        found: dict[str, Doubles] = {name: np.full(self._stock.shape, np.nan) for name in METRICS}
        for name, values in self._rows_of(begun).items():
            found[name][begun] = values
        return found

    def _rows_of(self, copies: NDArray[np.bool_]) -> dict[str, Doubles]:
        chosen = {name: value[copies] for name, value in self._sum.items()}
        return _rows(chosen, self._age[copies, None], self._stock[copies])


def _rows(total: Mapping[str, Doubles], periods: NDArray[np.int64], left: Doubles) -> dict[str, Doubles]:
    """Metrics of whole episodes from their sums [E, N], lengths [E, 1] and the stock they ended with [E, N]."""
    mean = {name: value / periods for name, value in total.items()}
    spread = {name: np.maximum(mean[f"{name}2"] - mean[name] ** 2, 0.0) for name in ("order", "demand")}
    unmet = total["lost"] + total["backlog"]
    sold = total["sold"]
    return {
        "return": total["return"],
        "profit": mean["reward"],
        "stock": mean["stock"],
        "backlog": mean["backlog"],
        "lost": mean["lost"],
        "order": mean["order"],
        "order_std": np.sqrt(spread["order"]),
        "alpha_service": 1 - mean["stock_outs"],
        "beta_fill": 1 - _ratio(total["late"], total["demand"]),
        "gamma_service": 1 - _ratio(unmet, total["demand"]),
        "days_of_supply": _ratio(total["stock"], total["demand"]),
        "turns": _ratio(sold, total["stock"]),
        "bullwhip": _ratio(spread["order"], spread["demand"]),
        "inventory_efficiency": _ratio(sold, sold + left + total["lost"] + total["spoiled"]),
        "spoiled": mean["spoiled"],
        "scrapped": mean["scrapped"],
    }


def _ratio(above: Doubles, below: Doubles) -> Doubles:
    """above / below, NaN where `below` is zero."""
    ratio: Doubles = np.full(np.shape(below), np.nan)
    np.divide(above, below, out=ratio, where=below > 0)
    return ratio
