"""What reference policies see of a market, and how the quantities they want become its actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.market import MOST_ORDERED
from envs.inventory.types import Parameters
from envs.population import Step

Policy = Callable[[Step], NDArray[Any]]
"""From the step just seen to actions [B, N]: whole numbers, or float32 shares where actions are continuous."""
Orders = Callable[[NDArray[np.float64]], NDArray[Any]]
"""From wanted units [B, N] to actions [B, N]."""


class Market(Protocol):
    """What the reference policies need of a market that works on NumPy arrays."""

    num_envs: int
    num_agents: int
    config: MarketConfig
    parameters: Parameters
    order_levels: NDArray[np.float64]
    """[N, A]: units of each action, or order-up-to positions."""

    @property
    def inventory_position(self) -> NDArray[np.float32]:
        """[B, N]: stock plus what is on order minus backlog, in u, before ordering."""
        ...

    def demand_quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """[N]: the level that demand over `periods` periods stays within with `probability`, in u."""
        ...


def restarted(step: Step) -> NDArray[np.bool_]:
    """[B]: copies that stand at the start of an episode. A reset's step has no metrics; a copy that ended is reset."""
    if not step.metrics:
        return np.ones(step.terminated.shape, np.bool_)
    return np.asarray(step.terminated | step.truncated)


class NearestLevel:
    """Actions whose units lie nearest to a wanted quantity; of two equally near the smaller one."""

    def __init__(self, order_levels: NDArray[np.float64]) -> None:
        self._order = np.argsort(order_levels, axis=1, kind="stable")
        ranked = np.take_along_axis(order_levels, self._order, 1)
        self._bounds = (ranked[:, 1:] + ranked[:, :-1]) / 2
        self._agents = np.arange(order_levels.shape[0])

    def __call__(self, units: NDArray[np.float64]) -> NDArray[np.int64]:
        """units [B, N] -> actions [B, N]."""
        rank = np.zeros(units.shape, np.int64)
        for bound in self._bounds.T:
            rank += units > bound
        return self._order[self._agents, rank].astype(np.int64, copy=False)


def orders_of(env: Market) -> Orders:
    """How wanted units become actions of `env`.

    Quantities: the nearest one. Order-up-to positions: the one nearest to position + units, and the lowest where
    nothing is wanted. Continuous: the share of the largest order, in whole units.
    """
    if env.config.action_mode == "continuous":
        # 4 mu in the market, the same for all in the network
        most = getattr(env.config, "order_cap", MOST_ORDERED * env.parameters.mu)
        return lambda units: (np.rint(units) / most).clip(0, 1).astype(np.float32)
    nearest = NearestLevel(env.order_levels)
    if env.config.action_mode != "order_up_to":
        return nearest
    lowest = env.order_levels.argmin(1)
    return lambda units: np.where(units > 0, nearest(env.inventory_position + units), lowest)
