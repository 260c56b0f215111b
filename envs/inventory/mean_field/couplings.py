"""How agents act on each other, as the mean field takes it from the market's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.types import AgentType


@dataclass(frozen=True)
class Couplings:
    """What the means of the population do, beside the wholesale price."""

    price_signal: Literal["sales", "stock", "orders"]
    """The mean that moves the retail price."""
    capacity: float | None
    """u per agent and period that the supplier has; None: no end of it."""
    allocation: str
    spill: float
    """Share of unmet demand that tries another seller."""


def couplings_of(config: MarketConfig, reference: float) -> Couplings:
    """Of the market with mean demand `reference`."""
    capacity = None if config.capacity is None else config.capacity * reference
    return Couplings(config.price_signal, capacity, config.allocation, config.spill)


def season_of(config: MarketConfig) -> NDArray[np.float64]:
    """[T]: factors of mean demand."""
    t = np.arange(config.horizon) % config.season_period
    return 1 + config.season_amplitude * np.sin(2 * np.pi * t / config.season_period)


def terminal_share(config: MarketConfig) -> float:
    """Share of c that a unit of inventory position is worth when the game is over."""
    return config.terminal_value if config.ending == "finite" else 0.0


def first_stock(config: MarketConfig, agent: AgentType) -> int:
    """u on hand at the start; L + 1 periods of demand where the market does not say."""
    periods = agent.L + 1 if config.initial_stock is None else config.initial_stock
    return int(np.rint(periods * agent.mu))
