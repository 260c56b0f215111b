"""Demand processes: exogenous, so a whole episode is drawn when it starts."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats


class Demand(Protocol):
    """What the market needs of a demand process."""

    def draw(self, periods: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Whole units [T, N] of one episode."""
        ...

    def quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """Per agent, the smallest level that demand over `periods` periods stays within with `probability`: [N]."""
        ...


class PoissonDemand:
    """Independent Poisson demand with means `mu` [N]."""

    def __init__(self, mu: NDArray[np.float64]) -> None:
        self.mu = mu

    def draw(self, periods: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Whole units [T, N]."""
        return rng.poisson(self.mu, (periods, self.mu.size)).astype(np.float32)

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
        levels = np.empty(self.units.shape[1])
        total = np.vstack([np.zeros(self.units.shape[1]), np.cumsum(self.units, 0, dtype=float)])
        for span in np.unique(periods):
            mine = periods == span
            sums = total[span:, mine] - total[:-span, mine]
            ranked = np.sort(sums, 0)
            index = np.ceil(probability[mine] * ranked.shape[0]).astype(int).clip(1, ranked.shape[0]) - 1
            levels[mine] = np.take_along_axis(ranked, index[None], 0)[0]
        return levels
