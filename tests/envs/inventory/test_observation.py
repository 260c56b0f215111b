"""The observation's entries in order, and what they show."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

import envs
from envs.inventory.market import InventoryMarket
from tests.envs.inventory.given import with_demand


def make(**options: Any) -> InventoryMarket:
    given: dict[str, Any] = {"seed": 0, "num_agents": 4, "jitter": 0} | options
    return cast(InventoryMarket, envs.make("inventory/market-easy", **given))


def test_entries_in_order() -> None:
    lines = make(ending="finite").describe_observation().splitlines()
    assert [line.split()[1] for line in lines] == [
        "stock", "backlog", "last_demand", "pipeline_0", "mean_order", "wholesale", "price", "time",
        "own_mu", "own_cost", "own_holding", "own_backlog", "own_lost", "own_fixed", "own_lead", "own_spoilage",
        "type_convenience", "type_supermarket", "type_discounter",
    ]  # fmt: skip
    assert lines[0] == "  0  stock                [0, 2.5]  own stock / 4 mu, clipped"


def test_one_row_by_hand() -> None:
    market = make()
    market.reset(0)
    # types 1 x convenience (mu 6), 2 x supermarket (12), 1 x discounter (16): m_ref 11.5
    with_demand(market, [[6, 0, 30, 16]])
    step = market.step(np.array([[4, 4, 8, 10]]))
    # orders 6, 12, 30, 64: mean 28; sold 6, 0, 24, 16: mean 11.5, so the price is p0
    discounter = step.obs[0, 3]
    mean_cost = (6 + 6.5 + 6.5 + 5.6) / 4
    expected = [
        16 / 64,  # 32 at the start, 16 sold
        0,
        16 / 64,
        64 / 64,
        28 / 46,
        1 + 0.2 * (28 - 11.5) / 11.5,  # slope .2 mean c / m_ref, over mean c
        1,
        16 / 11.5,
        5.6 / 8,
        0.05 / 8,
        0.5 / 8,
        0.4 / 8,
        12 / (8 * 16),
        1,
        0,
        0,
        0,
        1,
    ]
    np.testing.assert_allclose(discounter, expected, rtol=1e-6)
    assert mean_cost * 0.2 / 11.5 == market.slope


def test_far_quantities_are_clipped_inside_the_space() -> None:
    market = make(unmet="backlog", initial_stock=100, stock_cap=1000)
    with_demand(market, [[0, 5000, 0, 0]])
    obs = market.step(np.full((1, 4), 10)).obs
    assert obs[0, 0, 0] == obs[0, 1, 1] == obs[0, 1, 2] == 2.5
    assert market.observation_space.contains(obs[0, 1])
