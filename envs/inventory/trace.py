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

    `window` plays T consecutive periods from a random start, `series` plays the first T, `bootstrap` draws blocks of
    consecutive periods with replacement (moving blocks: Kuensch 1989, "The jackknife and the bootstrap for general
    stationary observations"), the same ones for all agents, so that what they have in common (a holiday) stays in
    common and what follows on what stays so inside a block.
    """

    def __init__(
        self, units: NDArray[np.float64], mode: Literal["window", "series", "bootstrap"], block_length: int = 1
    ) -> None:
        """`block_length`: of the bootstrap; 1 draws every period on its own."""
        if units.ndim != 2 or not np.isfinite(units).all() or (units < 0).any():
            raise ValueError("recorded demand must be an array [periods, agents] of finite units, none negative")
        if mode == "bootstrap" and not 1 <= block_length <= units.shape[0]:
            raise ValueError(
                f"block_length is {block_length}; a record of {units.shape[0]} periods has blocks of 1 to "
                f"{units.shape[0]}"
            )
        self.units = np.rint(units).astype(np.float32)
        self.mode = mode
        self.block_length = block_length

    def episode(self, keys: Keys, periods: int, backend: Backend) -> Episode:
        """See `Demand.episode`; raises ValueError where the record is shorter than T and is not resampled."""
        return _Recorded(self.units, self.rows(keys, periods), backend)

    def rows(self, keys: Keys, periods: int) -> NDArray[np.int64]:
        """The recorded periods [T, B] that the copies play."""
        recorded = self.units.shape[0]
        if self.mode == "bootstrap":
            blocks = -(-periods // self.block_length)
            uniforms = np.stack([copy_uniforms(keys, START, block) for block in range(blocks)])
            firsts = (uniforms * (recorded - self.block_length + 1)).astype(np.int64)
            block, place = np.divmod(np.arange(periods), self.block_length)
            return np.asarray(firsts[block] + place[:, None])
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
