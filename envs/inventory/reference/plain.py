"""Orders that look at nothing: random ones, and mean demand every period."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.inventory.reference.playing import Market, Policy, orders_of
from envs.population import Step


def random_orders(env: Market, seed: int, discount: float) -> Policy:
    """Every action equally likely, independently, from the stream of `seed`."""
    shape = (env.num_envs, env.num_agents)
    rng = np.random.default_rng(seed)
    if env.config.action_mode == "continuous":
        return lambda step: rng.random(shape, np.float32)
    num_actions = env.order_levels.shape[1]
    return lambda step: rng.integers(num_actions, size=shape)


def constant_order(env: Market, seed: int, discount: float) -> Policy:
    """The order nearest to mu, every period.

    Raises:
        ValueError: where actions are order-up-to positions.
    """
    if env.config.action_mode == "order_up_to":
        raise ValueError("a constant order cannot be played where actions are order-up-to positions")
    mean = orders_of(env)(np.broadcast_to(env.parameters.mu, (env.num_envs, env.num_agents)))

    def act(step: Step) -> NDArray[Any]:
        return mean.copy()

    return act
