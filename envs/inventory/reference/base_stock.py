"""Newsvendor base stock: order up to the quantile of demand over L + 1 periods at the critical ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs import UnknownName
from envs.inventory.reference.playing import Market, Policy, orders_of
from envs.inventory.types import Parameters
from envs.population import Step


def unit_costs(
    parameters: Parameters,
    *,
    unmet: str,
    discount: float,
    price: NDArray[np.float64] | float = 1.0,
    premium: NDArray[np.float64] | float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What a unit too few and a unit too many cost an agent, $: under and over.

    A unit too many costs over = w - delta v - (1 - delta)(gamma w - h): it spoils and is salvaged, or is held and
    saves an order next period. A unit too few costs under = p - w + ell where the sale is lost, and
    under = b - (1 - gamma) w where it waits a period and the order with it.

    Args:
        unmet: ``lost`` or ``backlog``.
        discount: gamma, in [0, 1].
        price: retail price p / p0.
        premium: wholesale price w less c, $/u; price and premium make the shapes, [N] where they are numbers.

    Raises:
        UnknownName: for another `unmet`.
        ValueError: for a discount out of range.
    """
    if not 0 <= discount <= 1:
        raise ValueError(f"discount is {discount}; it must be in [0, 1]")
    p = parameters
    w = p.c + premium
    over = w - p.delta * p.v - (1 - p.delta) * (discount * w - p.h)
    if unmet == "lost":
        return np.asarray(p.p0 * price - w + p.ell), np.asarray(over)
    if unmet == "backlog":
        return np.asarray(p.b - (1 - discount) * w), np.asarray(over)
    raise UnknownName("value of unmet", unmet, ["lost", "backlog"])


def critical_ratio(parameters: Parameters, *, unmet: str, discount: float) -> NDArray[np.float64]:
    """Per agent, the probability with which demand over L + 1 periods should stay within the position: [N].

    under / (under + over) of `unit_costs` at the reference mean order's prices. For L = 0 and delta = 1 it is the
    newsvendor's ratio (p0 - c + ell) / (p0 - v + ell). An agent whose extra units cost nothing (over <= 0) gets 1.

    Raises:
        As `unit_costs`.
    """
    under, over = unit_costs(parameters, unmet=unmet, discount=discount)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(over <= 0, 1.0, np.clip(under, 0, None) / (under + over))
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


def base_stock(env: Market, seed: int, discount: float) -> Policy:
    """Every period, the order nearest to what the position lacks of `base_stock_levels`; none where it lacks nothing.

    It orders whenever there was demand, so fixed costs are not spared.

    Raises:
        ValueError: for a market without a finite base stock.
    """
    return order_up_to(env, base_stock_levels(env, discount=discount))


def order_up_to(env: Market, levels: NDArray[np.float64]) -> Policy:
    """The order nearest to what the position lacks of `levels` [N], in u."""
    orders = orders_of(env)

    def act(step: Step) -> NDArray[np.int64]:
        return orders(np.maximum(levels - env.inventory_position, 0.0))

    return act
