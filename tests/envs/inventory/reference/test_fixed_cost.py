"""(s, S) and (R, nQ) by hand, and tuned levels of agents who differ from their type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.reference import base_stock_levels, reference_policy
from envs.inventory.reference.fixed_cost import batches, order_quantity, s_S
from envs.inventory.reference.mean_field import levels_by_agent, solved


def easy(**options: Any) -> InventoryMarket:
    """Ten agents: 3 x convenience, 4 x supermarket, 3 x discounter."""
    settings = {"num_envs": 2, "num_agents": 10, "jitter": 0.0, "seed": 1} | options
    return cast(InventoryMarket, envs.make("inventory/market-easy", **settings))


def test_the_fewest_batches_that_lift_the_position_above_R() -> None:
    position = np.array([11.0, 10, 7, 6, -3])
    # of 4 each above 10: none, 4 to 14, 4 to 11, 8 to 14 (one leaves 10), 16 to 13
    assert batches(position, np.array(10.0), np.array(4.0)).tolist() == [0, 4, 4, 8, 16]


def test_order_quantity_of_the_three_easy_types() -> None:
    # no fixed cost: 1; sqrt(2 x 6 x 12 / (.08 + .065)) = 31.5; sqrt(2 x 12 x 16 / (.05 + .056)) = 60.2
    quantity = order_quantity(easy().parameters, unmet="lost", discount=0.99)
    assert quantity[[0, 3, 7]].tolist() == [1, 32, 60]


def test_batches_of_one_are_base_stock() -> None:
    market = easy()
    market.parameters = replace(market.parameters, K=np.zeros(10))
    step = market.reset(0)
    for name in ("base_stock", "r_nQ"):
        step = market.reset(0)
        played = []
        policy = reference_policy(name, market, 0)
        for _ in range(8):
            played.append(policy(step))
            step = market.step(played[-1])
        if name == "base_stock":
            base = np.array(played)
    np.testing.assert_array_equal(played, base)
    assert (base > 0).any()


def test_orders_wait_until_the_position_is_at_or_below_s() -> None:
    market = easy()
    step = market.reset(0)
    low, high = np.full(10, 10.0), np.full(10, 30.0)
    policy = s_S(market, low, high)
    market.stock[:] = 11
    assert (policy(step) == 0).all()
    market.stock[:] = 10
    # 20 wanted: convenience's levels around are 18 and 24, supermarket's 18 and 24, discounter's 20
    ordered = np.take_along_axis(market.order_levels, policy(step).T, 1).T
    assert ordered[0, [0, 3, 7]].tolist() == [18, 18, 20]
    with pytest.raises(ValueError, match="agent 0 has s = 31 above S = 30"):
        s_S(market, np.full(10, 31.0), high)


def test_an_agent_that_pays_to_order_and_nothing_to_hold_has_no_quantity() -> None:
    market = easy()
    free = replace(market.parameters, h=np.zeros(10))
    with pytest.raises(ValueError, match="agent 3 has no finite order quantity"):
        order_quantity(free, unmet="lost", discount=1.0)


def test_levels_of_types_in_periods_of_own_demand() -> None:
    types = np.array([0, 0, 1])
    s, S = levels_by_agent(((-1, 18), (12, 33)), np.array([6.0, 9.0, 6.0]), types, np.array([6.0, 12.0]))
    # one and a half times as much, and half as much; whole units, the even one of two equally near
    assert s.tolist() == [-1, -2, 6]
    assert S.tolist() == [18, 27, 16]


def test_tuned_levels_are_played_as_they_were_tuned() -> None:
    market = easy()
    step = market.reset(0)
    tuned = solved(market.config, 0.99).tuned("population", "s_S")
    assert tuned.levels == ((18, 18), (19, 41), (0, 32))
    policy = reference_policy("s_S_population", market, 0)
    # positions 12, 24, 32 at the start: 6 wanted, and none
    ordered = np.take_along_axis(market.order_levels, policy(step).T, 1).T
    assert ordered[0, [0, 3, 7]].tolist() == [6, 0, 0]
    market.stock[:, 3] = 19
    assert market.order_levels[3, policy(step)[0, 3]] == 24  # 22 wanted: 18 and 24
    assert base_stock_levels(market)[3] == 33
