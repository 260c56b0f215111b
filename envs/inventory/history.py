"""The running episode of every copy, by type and period: what `render` draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step, type_slices

NEEDED = ("stock", "backlog", "order", "received", "demand", "sold", "lost")
"""Metrics of a step that are kept; games without them cannot be drawn."""


@dataclass(frozen=True)
class Episode:
    """One copy's episode so far: means over the agents of each type, [T, K]."""

    type_names: list[str]
    counts: NDArray[np.int64]
    """[K], agents of each type."""
    values: dict[str, NDArray[np.float64]]
    """Stocks and flows in u (`NEEDED` and on_order), reward in $, price in $/u and NaN where nothing was sold."""

    @property
    def periods(self) -> int:
        """Periods played, T."""
        return int(self.values["reward"].shape[0])


class History:
    """Feed it every step after a reset, in order. An episode that has ended stays until the step after it."""

    def __init__(self, env: PopulationEnv) -> None:
        self._type_names = [str(name) for name in env.type_names]
        slices = type_slices(env.agent_types)
        self._starts = [s.start for s in slices]
        self._counts = np.array([s.stop - s.start for s in slices])
        self._copies = env.num_envs
        self.clear()

    def clear(self) -> None:
        """Forget everything, as at a reset."""
        self._kept: dict[str, list[NDArray[np.float64]]] = {}
        self._began = np.zeros(self._copies, np.int64)
        """[B]: where each copy's episode begins in the lists."""
        self._ended = np.zeros(self._copies, np.bool_)

    def add(self, step: Step) -> None:
        """Keep one step.

        Raises:
            ValueError: for a game that does not itemise stock, orders and demand.
        """
        absent = [name for name in NEEDED if name not in step.metrics]
        if absent:
            raise ValueError(f"the step has no {', '.join(absent)} among its metrics; drawing an inventory needs them")
        length = len(self._kept.get("reward", ()))
        self._began[self._ended] = length
        if length and self._began.min() == length:
            self.clear()
        granted = "allotted" if "allotted" in step.metrics else "order"
        now = {name: self._mean(step.metrics[name]) for name in NEEDED}
        now["reward"] = self._mean(step.reward)
        now["granted"] = self._mean(step.metrics[granted])
        if "ledger/sales_revenue" in step.metrics:
            now["revenue"] = self._mean(step.metrics["ledger/sales_revenue"])
        for name, value in now.items():
            self._kept.setdefault(name, []).append(value)
        self._ended = step.terminated | step.truncated

    def _mean(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """[B, K] of [B, N]."""
        sums: NDArray[np.float64] = np.add.reduceat(values.astype(np.float64), self._starts, axis=1)
        means: NDArray[np.float64] = sums / self._counts
        return means

    def episode(self, copy: int = 0) -> Episode:
        """What copy `copy` has played of its episode.

        Raises:
            ValueError: for a copy that there is not.
        """
        if not 0 <= copy < self._copies:
            raise ValueError(f"copy is {copy}; there are copies 0..{self._copies - 1}")
        nothing = np.empty((0, len(self._type_names)))
        kept: dict[str, NDArray[np.float64]] = {
            name: np.stack(rows)[self._began[copy] :, copy] if rows else nothing
            for name in (*NEEDED, "reward", "granted", "revenue")
            for rows in [self._kept.get(name, [])]
        }
        granted, revenue = kept.pop("granted"), kept.pop("revenue")
        values = {name: kept[name] for name in (*NEEDED, "reward")}
        # what the episode begins with is on hand; a unit that arrived early counts as on order no more
        values["on_order"] = np.maximum(np.cumsum(granted - values["received"], axis=0), 0.0)
        price = np.full(values["sold"].shape, np.nan)
        if revenue.shape == price.shape:
            np.divide(revenue, values["sold"], out=price, where=values["sold"] > 0)
        values["price"] = price
        return Episode(self._type_names, self._counts, values)
