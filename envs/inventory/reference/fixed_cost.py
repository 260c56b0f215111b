"""Orders that spare the fixed cost: (s, S), and (R, nQ) with the economic order quantity."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.inventory.reference.base_stock import base_stock_levels, unit_costs
from envs.inventory.reference.playing import Market, Policy, orders_of
from envs.inventory.types import Parameters
from envs.population import Step

Doubles = NDArray[np.float64]


def s_S(env: Market, s: Doubles, S: Doubles) -> Policy:
    """Where the position is at or below s [N], the order nearest to what it lacks of S [N]; else none.

    Raises:
        ValueError: where an s lies above its S.
    """
    if (s > S).any():
        agent = int(np.argmax(s > S))
        raise ValueError(f"agent {agent} has s = {s[agent]:g} above S = {S[agent]:g}; s is at most S")
    orders = orders_of(env)

    def act(step: Step) -> NDArray[Any]:
        position = env.inventory_position
        return orders(np.where(position <= s, np.maximum(S - position, 0.0), 0.0))

    return act


def order_quantity(parameters: Parameters, *, unmet: str, discount: float) -> Doubles:
    """[N]: the economic order quantity sqrt(2 K mu / over) in whole units, at least 1, and 1 without a fixed cost.

    over is what a unit costs that stays a period too long, as in `unit_costs`: h + (1 - gamma) c where none spoils.

    Raises:
        ValueError: naming the first agent that pays to order and has nothing to pay for stock.
    """
    _, over = unit_costs(parameters, unmet=unmet, discount=discount)
    endless = (parameters.K > 0) & (over <= 0)
    if endless.any():
        raise ValueError(
            f"agent {int(endless.argmax())} has no finite order quantity: orders cost and stock does not; "
            "give it a positive holding cost, or a discount below 1"
        )
    batch = np.sqrt(2 * parameters.K * parameters.mu / np.where(over > 0, over, 1.0))
    return np.asarray(np.maximum(np.rint(batch), 1.0))


def batches(position: Doubles, R: Doubles, Q: Doubles) -> Doubles:
    """Units of the fewest whole batches Q that lift a position above R; none where it is above."""
    return np.asarray(np.maximum(np.floor((R - position) / Q) + 1, 0.0) * Q)


def r_nQ(env: Market, seed: int, discount: float) -> Policy:
    """(R, nQ): where the position is at or below R, the order nearest to the fewest Q that lift it above.

    R is one unit below the newsvendor's base stock, so that without fixed cost (Q = 1) this is base stock; Q is
    `order_quantity`.

    Raises:
        ValueError: for a market in which either is not finite.
    """
    R = base_stock_levels(env, discount=discount) - 1
    Q = order_quantity(env.parameters, unmet=env.config.unmet, discount=discount)
    orders = orders_of(env)
    return lambda step: orders(batches(np.asarray(env.inventory_position, float), R, Q))
