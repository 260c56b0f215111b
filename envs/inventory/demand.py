"""Demand processes: exogenous, so a whole episode is drawn when it starts."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.inventory.compiled import compiled


@compiled
def look_up(
    uniform: NDArray[np.uint32],
    table: NDArray[np.uint32],
    guide: NDArray[np.int32],
    lowest: NDArray[np.int64],
    units: NDArray[np.float32],
) -> None:
    """units [T, N]: lowest[n] plus the first i with uniform[t, n] < table[n, i]."""
    periods, agents = uniform.shape
    for t in range(periods):
        for n in range(agents):
            u = uniform[t, n]
            i = guide[n, u >> 26]
            while u >= table[n, i]:
                i += 1
            units[t, n] = lowest[n] + i


class Demand(Protocol):
    """What the market needs of a demand process."""

    def draw(self, periods: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Whole units [T, N] of one episode."""
        ...

    def quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """Per agent, the smallest level that demand over `periods` periods stays within with `probability`: [N]."""
        ...


GUIDES = 64
"""Entries of a quantile table's guide: where to start looking, by the uniform's first six bits."""


class PoissonDemand:
    """Independent Poisson demand with means `mu` [N], the quantile of one 32-bit uniform per agent and period.

    A table per agent gives the quantile: its i-th entry is 2^32 P(demand <= lowest + i). Probabilities are
    right to 2^-32, so tails below that do not occur.
    """

    def __init__(self, mu: NDArray[np.float64]) -> None:
        self.mu = mu
        distribution = stats.poisson(mu)
        self._lowest = np.asarray(distribution.ppf(2.0**-33)).clip(0).astype(np.int64)
        highest = np.asarray(distribution.isf(2.0**-33)).astype(np.int64)
        steps = np.arange(int((highest - self._lowest).max()) + 1)
        cumulative = stats.poisson.cdf(self._lowest[:, None] + steps, mu[:, None])
        table = np.rint(cumulative * 2.0**32).clip(0, 2.0**32 - 1).astype(np.uint32)
        # above every uniform, so that a search ends there
        table[steps >= (highest - self._lowest)[:, None]] = 2**32 - 1
        self._table = table
        starts = (np.arange(GUIDES) * (2**32 // GUIDES)).astype(np.uint32)
        self._guide = np.stack([np.searchsorted(row, starts, "right") for row in table]).astype(np.int32)

    def draw(self, periods: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Whole units [T, N]."""
        uniform = rng.integers(2**32 - 1, size=(periods, self.mu.size), dtype=np.uint32)
        units = np.empty(uniform.shape, np.float32)
        look_up(uniform, self._table, self._guide, self._lowest, units)
        return units

    def quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """Exact: the sum over periods is Poisson again."""
        return np.asarray(stats.poisson.ppf(probability, self.mu * periods), float)


class TraceDemand:
    """Recorded demand of N agents over W periods, played as it was or resampled.

    `window` plays T consecutive periods from a random start, `series` plays the first T, `bootstrap` draws T periods
    with replacement, the same ones for all agents, so that what agents have in common (a holiday) stays in common.
    """

    def __init__(self, units: NDArray[np.float64], mode: Literal["window", "series", "bootstrap"]) -> None:
        if units.ndim != 2 or not np.isfinite(units).all() or (units < 0).any():
            raise ValueError("recorded demand must be an array [periods, agents] of finite units, none negative")
        self.units = np.rint(units).astype(np.float32)
        self.mode = mode

    def draw(self, periods: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Whole units [T, N]; raises ValueError where the record is shorter than T and is not resampled."""
        recorded = self.units.shape[0]
        if self.mode == "bootstrap":
            return self.units[rng.integers(recorded, size=periods)]
        if periods > recorded:
            raise ValueError(
                f"an episode of {periods} periods is longer than the record of {recorded}: "
                "shorten `horizon` or set demand_mode=bootstrap"
            )
        start = int(rng.integers(recorded - periods + 1)) if self.mode == "window" else 0
        return self.units[start : start + periods]

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
