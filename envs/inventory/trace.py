"""Recorded demand, played as it was or resampled."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from envs.inventory.backend import Array, Backend
from envs.inventory.demand import Episode
from envs.inventory.streams import START, Keys, copy_uniforms


class TraceDemand:
    """Recorded demand of N agents over W periods.

    `window` plays T consecutive periods from a random start, `series` plays the first T, `bootstrap` draws T periods
    with replacement, the same ones for all agents, so that what agents have in common (a holiday) stays in common.
    """

    def __init__(self, units: NDArray[np.float64], mode: Literal["window", "series", "bootstrap"]) -> None:
        if units.ndim != 2 or not np.isfinite(units).all() or (units < 0).any():
            raise ValueError("recorded demand must be an array [periods, agents] of finite units, none negative")
        self.units = np.rint(units).astype(np.float32)
        self.mode = mode

    def episode(self, keys: Keys, periods: int, backend: Backend) -> Episode:
        """See `Demand.episode`; raises ValueError where the record is shorter than T and is not resampled."""
        return _Recorded(self.units, self.rows(keys, periods), backend)

    def rows(self, keys: Keys, periods: int) -> NDArray[np.int64]:
        """The recorded periods [T, B] that the copies play."""
        recorded = self.units.shape[0]
        if self.mode == "bootstrap":
            uniforms = np.stack([copy_uniforms(keys, START, t) for t in range(periods)])
            return np.asarray((uniforms * recorded).astype(np.int64))
        if periods > recorded:
            raise ValueError(
                f"an episode of {periods} periods is longer than the record of {recorded}: "
                "shorten `horizon` or set demand_mode=bootstrap"
            )
        starts = np.zeros(keys.size, np.int64)
        if self.mode == "window":
            starts = (copy_uniforms(keys, START, 0) * (recorded - periods + 1)).astype(np.int64)
        return np.asarray(np.arange(periods)[:, None] + starts)

    def quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """Empirical, over all runs of `periods` consecutive recorded periods."""
        recorded = self.units.shape[0]
        if periods.max() > recorded:
            raise ValueError(f"{int(periods.max())} periods are more than the {recorded} recorded")
        levels = np.empty(self.units.shape[1])
        total = np.vstack([np.zeros(self.units.shape[1]), np.cumsum(self.units, 0, dtype=float)])
        for span in np.unique(periods):
            mine = periods == span
            sums = total[span:, mine] - total[:-span, mine]
            ranked = np.sort(sums, 0)
            index = np.ceil(probability[mine] * ranked.shape[0]).astype(int).clip(1, ranked.shape[0]) - 1
            levels[mine] = np.take_along_axis(ranked, index[None], 0)[0]
        return levels


class _Recorded:
    """Rows of a record."""

    def __init__(self, units: NDArray[np.float32], rows: NDArray[np.int64], backend: Backend) -> None:
        self._passes = backend.passes
        self._units, self._rows = backend.array(units), backend.array(rows)

    def units(self, t: int) -> Array:
        return self._passes.recorded_units(self._units, self._rows[t])

    def season(self, t: int) -> float:
        return 1.0
