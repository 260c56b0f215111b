"""Policies of the market that are computed, not learned: random, constant order, newsvendor base stock.

They act on what an agent can observe, for all copies and agents at once; trained policies are held against them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from envs import UnknownName
from envs.inventory.config import MarketConfig
from envs.inventory.types import Parameters
from envs.population import Step

Policy = Callable[[Step], NDArray[np.int64]]
"""From the step just seen to actions [B, N]."""

NAMES = ("random", "constant", "base_stock")


class Market(Protocol):
    """What the reference policies need of a market."""

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


def critical_ratio(parameters: Parameters, *, unmet: str, discount: float) -> NDArray[np.float64]:
    """Per agent, the probability with which demand over L + 1 periods should stay within the position: [N].

    under / (under + over), in $ per unit. A unit too many costs over = c - delta v - (1 - delta)(gamma c - h): it
    spoils and is salvaged, or is held and saves an order next period. A unit too few costs under = p0 - c + ell where
    the sale is lost, and under = b - (1 - gamma) c where it waits a period and the order with it. Prices are those at
    the reference mean order. For L = 0 and delta = 1 it is the newsvendor's ratio (p0 - c + ell) / (p0 - v + ell).
    An agent whose extra units cost nothing (over <= 0) gets 1.

    Args:
        unmet: ``lost`` or ``backlog``.
        discount: gamma, in [0, 1].

    Raises:
        UnknownName: for another `unmet`.
        ValueError: for a discount out of range.
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"discount is {discount}; it must be in [0, 1]")
    p = parameters
    over = p.c - p.delta * p.v - (1 - p.delta) * (discount * p.c - p.h)
    if unmet == "lost":
        under = p.p0 - p.c + p.ell
    elif unmet == "backlog":
        under = p.b - (1 - discount) * p.c
    else:
        raise UnknownName("value of unmet", unmet, ["lost", "backlog"])
    total = under + over
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(over <= 0, 1.0, np.clip(under, 0, None) / total)
    return np.asarray(ratio)


def base_stock_levels(env: Market, *, discount: float = 0.99) -> NDArray[np.float64]:
    """[N]: order-up-to positions in u, the quantile of demand over L + 1 periods at `critical_ratio`.

    The quantile is the market's: exact for Poisson demand, empirical over the training weeks for recorded demand.

    Raises:
        ValueError: naming the first agent whose level is not finite (its stock costs nothing to hold).
    """
    ratio = critical_ratio(env.parameters, unmet=env.config.unmet, discount=discount)
    # the quantile at probability 0 of a discrete demand is its lower end less one
    levels = np.maximum(env.demand_quantile(ratio, env.parameters.L + 1), 0.0)
    if not np.isfinite(levels).all():
        agent = int(np.argmin(np.isfinite(levels)))
        raise ValueError(
            f"agent {agent} has no finite base-stock level: its critical ratio is {ratio[agent]:g}; "
            "give it a positive holding cost, or a discount below 1"
        )
    return levels


class _NearestLevel:
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


def reference_policy(name: str, env: Market, seed: int, *, discount: float = 0.99) -> Policy:
    """The policy `name` for all agents of `env`; it reads the market's position at the time it is called.

    - ``random``: every action equally likely, independently, from the stream of `seed`.
    - ``constant``: the action nearest to mu, every period.
    - ``base_stock``: the action nearest to `base_stock_levels` minus the inventory position, and to none below zero. It
      orders whenever there was demand, so fixed costs are not spared.

    Args:
        seed: of ``random``; the others draw nothing.
        discount: gamma of the critical ratio.

    Raises:
        UnknownName: for another name.
        ValueError: for ``constant`` where actions are order-up-to positions, or a market without a finite base stock.
    """
    shape = (env.num_envs, env.num_agents)
    up_to = env.config.action_mode == "order_up_to"
    if name == "random":
        rng = np.random.default_rng(seed)
        num_actions = env.order_levels.shape[1]
        return lambda step: rng.integers(num_actions, size=shape)
    nearest = _NearestLevel(env.order_levels)
    if name == "constant":
        if up_to:
            raise ValueError("a constant order cannot be played where actions are order-up-to positions")
        mean = nearest(np.broadcast_to(env.parameters.mu, shape))
        return lambda step: mean.copy()
    if name == "base_stock":
        levels = base_stock_levels(env, discount=discount)
        if up_to:
            position = nearest(np.broadcast_to(levels, shape))
            return lambda step: position.copy()
        return lambda step: nearest(np.maximum(levels - env.inventory_position, 0.0))
    raise UnknownName("reference policy", name, list(NAMES))
