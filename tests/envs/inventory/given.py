"""Demand as a test gives it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.inventory.demand import Episode
from envs.inventory.market import InventoryMarket


class GivenEpisode:
    """Units [T, N] in every copy."""

    def __init__(self, units: ArrayLike, copies: int) -> None:
        self._units = np.asarray(units, np.float32)
        self._copies = copies

    def units(self, t: int) -> NDArray[np.float32]:
        return np.repeat(self._units[t][None], self._copies, 0)

    def season(self, t: int) -> float:
        return 1.0


class Reordered:
    """Another episode's demand with its agents in another order."""

    def __init__(self, episode: Episode, order: Sequence[int] | NDArray[np.int64]) -> None:
        self._episode, self._order = episode, order

    def units(self, t: int) -> NDArray[np.float32]:
        units: NDArray[np.float32] = self._episode.units(t)[:, self._order]
        return units

    def season(self, t: int) -> float:
        return self._episode.season(t)


def with_demand(market: InventoryMarket, demand: ArrayLike) -> InventoryMarket:
    """The market with this demand [T, N] in every copy of the episode under way."""
    market._demand = GivenEpisode(demand, market.num_envs)
    return market


def drawn(market: InventoryMarket) -> NDArray[np.float32]:
    """The demand [T, B, N] of the episode under way."""
    return np.stack([market._demand.units(t) for t in range(market.horizon)])
