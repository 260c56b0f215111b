"""The myopic best reply against the newsvendor's, by hand and at prices that have moved."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from scipy import stats

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.reference import reference_policy
from envs.inventory.reference.myopic import expected_short
from envs.inventory.types import AgentType

SHOP = {"mu": 20, "p0": 10, "c": 4, "h": 0, "L": 0, "delta": 1}


def market(**options: Any) -> InventoryMarket:
    """Four newsvendors who can order 0..80 units."""
    shop = AgentType.model_validate(SHOP | options.pop("shop", {}))
    settings = {"num_agents": 4, "seed": 0, "jitter": 0.0, "initial_stock": 0.0, "types": {"shop": shop}}
    settings |= {"action_mode": "absolute", "action_grid": tuple(float(q) for q in range(81))}
    return cast(InventoryMarket, envs.make("inventory/market-easy", **(settings | options)))


def test_expected_shortage_by_hand() -> None:
    demand = np.array([[0.0, 1], [2, 1], [2, 1], [4, 1]])
    # of 0, 2, 2, 4: means of what exceeds 0, 1, ..., 4; and of a demand of 1
    assert expected_short(demand)[0].tolist() == [2, 1.25, 0.5, 0.25, 0]
    np.testing.assert_allclose(expected_short(demand)[1], (1, 0, 0, 0, 0), atol=1e-15)


def test_one_period_is_the_newsvendor() -> None:
    game = market()
    assert (reference_policy("myopic", game, 0)(game.reset(0)) == 21).all()


def test_an_order_that_saves_less_than_its_fixed_cost_is_not_placed() -> None:
    # 20 in stock, 21 wanted: the last unit is worth some 10 P(D > 20) - 4 = .4 $; from none it is 102.6 $
    game = market(shop={"K": 5})
    policy = reference_policy("myopic", game, 0)
    step = game.reset(0)
    assert (policy(step) == 21).all()
    game.stock[:, 1] = 20
    assert policy(step)[0].tolist() == [21, 0, 21, 21]


def test_it_answers_the_last_prices() -> None:
    game = market()
    policy = reference_policy("myopic", game, 0)
    game.reset(0)
    step = game.step(np.full((1, 4), 30))
    # slope .2 x 4 / 20: 30 instead of 20 cost .4 more; sales above 20 lower the price
    price = 1 - 0.3 * (step.metrics["sold"].mean() / 20 - 1)
    ratio = (10 * price - 4.4) / (10 * price)
    best = stats.poisson.ppf(ratio, 20)
    # half as much of the demand's tail as 512 quantiles tell apart may turn a unit
    assert abs(policy(step) - best).max() <= 1
    assert (policy(step) <= 20).all()
    # once the episode is over the prices are forgotten
    while not (ended := game.step(np.full((1, 4), 60))).truncated.all():
        pass
    assert (policy(ended) == 21).all()


def test_more_than_all_demand_and_backlog_are_counted() -> None:
    game = market(unmet="backlog", shop={"delta": 0, "h": 1, "b": 9}, initial_stock=0.0)
    policy = reference_policy("myopic", game, 0)
    step = game.reset(0)
    game.backlog[:, 0] = 30
    # over = 1 + .01 x 4, under = 9 - .01 x 4: base stock, whatever waits
    level = stats.poisson.ppf((9 - 0.04) / 10, 20)
    assert policy(step)[0].tolist() == [level + 30, level, level, level]


def test_refusals() -> None:
    game = market(action_mode="order_up_to")
    with pytest.raises(ValueError, match="action_mode is order_up_to: set levels"):
        reference_policy("myopic", game, 0)
