"""Reference policies on a market of worked figures, and on the real presets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.reference import NAMES, base_stock_levels, critical_ratio, reference_policy
from envs.population import Step


def make(name: str, **options: Any) -> InventoryMarket:
    return cast(InventoryMarket, envs.make(f"inventory/market-{name}", **{"seed": 1} | options))


def easy(**options: Any) -> InventoryMarket:
    """Ten agents without jitter: types 3 x convenience, 4 x supermarket, 3 x discounter."""
    return make("easy", **{"num_envs": 2, "num_agents": 10, "jitter": 0.0} | options)


def test_critical_ratio_of_the_three_easy_types() -> None:
    market = easy()
    ratio = critical_ratio(market.parameters, unmet="lost", discount=0.99)[[0, 3, 7]]
    # under = p - c + ell = 7, 4.3, 2.8; over = h + .01 c = .18, .145, .106
    np.testing.assert_allclose(ratio, (7 / 7.18, 4.3 / 4.445, 2.8 / 2.906))


def test_critical_ratio_of_one_period_is_the_newsvendors() -> None:
    p = replace(easy().parameters, delta=np.ones(10), v=np.ones(10))
    ratio = critical_ratio(p, unmet="lost", discount=0.99)
    np.testing.assert_allclose(ratio, (p.p0 - p.c + p.ell) / (p.p0 - p.v + p.ell))


def test_critical_ratio_of_backlog_without_discounting() -> None:
    p = easy().parameters
    np.testing.assert_allclose(critical_ratio(p, unmet="backlog", discount=1.0), p.b / (p.b + p.h))


def test_base_stock_levels_of_the_three_easy_types() -> None:
    # Poisson(12), (24) and (32) at .9749, .9674 and .9635
    assert base_stock_levels(easy())[[0, 3, 7]].tolist() == [19, 33, 42]


def test_base_stock_orders_the_nearest_action() -> None:
    market = easy()
    step = market.reset(0)
    policy = reference_policy("base_stock", market, 0)
    # positions 12, 24, 32 leave 7, 9, 10 to order; the levels around are 6 and 8, 9, and 8 and 12: ties go down
    ordered = np.take_along_axis(market.order_levels, policy(step).T, 1).T[:, [0, 3, 7]]
    assert ordered.tolist() == [[6, 9, 8], [6, 9, 8]]
    market.stock[:] = 100
    assert (policy(step) == 0).all()
    market.stock[0, 3] = 0
    # 33 wanted: 30 and 36 are equally near
    assert market.order_levels[3, policy(step)[0, 3]] == 30


def test_base_stock_counts_what_is_on_order() -> None:
    market = easy(num_envs=1)
    policy = reference_policy("base_stock", market, 0)
    step = market.reset(0)
    step = market.step(np.full((1, 10), 10))
    wanted = np.maximum(base_stock_levels(market) - market.stock - 4 * market.parameters.mu, 0)
    assert (wanted == 0).all()
    assert (policy(step) == 0).all()


def test_constant_orders_mu() -> None:
    market = easy()
    actions = reference_policy("constant", market, 0)(market.reset(0))
    np.testing.assert_array_equal(market.order_levels[np.arange(10), actions[0]], market.parameters.mu)


def test_random_is_uniform_and_follows_its_seed() -> None:
    market = easy(num_envs=100, num_agents=100)
    step = market.reset(0)
    policy = reference_policy("random", market, 3)
    actions = np.stack([policy(step) for _ in range(11)])
    counts = np.bincount(actions.ravel(), minlength=11)
    # 110,000 draws, 10,000 an action, standard deviation 95
    assert abs(counts - 10_000).max() < 4 * 95.4
    again = reference_policy("random", market, 3)
    np.testing.assert_array_equal(again(step), actions[0])
    assert (reference_policy("random", market, 4)(step) != actions[0]).any()


def play(market: InventoryMarket, name: str, periods: int) -> list[Step]:
    step = market.reset(5)
    policy = reference_policy(name, market, 5)
    steps = []
    for _ in range(periods):
        step = market.step(policy(step))
        steps.append(step)
    return steps


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("base_stock", (0.04891254, 0.07444024, 0.12149049)),
        ("constant", (0.15274685, 0.17408889, 0.17836891)),
        ("random", (0.04162591, 0.07227008, 0.09130102)),
    ],
)
def test_lost_sales_equal_the_exact_chain(name: str, exact: tuple[float, float, float]) -> None:
    # mean units lost per period over 52 periods, from the exact distribution of stock; prices play no part in it
    market = easy(num_envs=40, num_agents=100)
    steps = play(market, name, 52)
    lost = np.mean([step.metrics["lost"] for step in steps], 0)
    for kind, value in enumerate(exact):
        mine = lost[:, market.agent_types == kind].ravel()
        assert mine.mean() == pytest.approx(value, abs=4 * mine.std(ddof=1) / np.sqrt(mine.size))


@pytest.mark.parametrize(("name", "exact"), [("random", -720.41), ("constant", 1259.36), ("base_stock", 1350.37)])
def test_easy_pays_what_its_exact_mean_field_pays(name: str, exact: float) -> None:
    # mean discounted profit per agent of infinitely many; 900 agents split into the types' exact shares
    steps = play(easy(num_envs=20, num_agents=900), name, 52)
    returns = sum(0.99**t * step.reward.mean(1, dtype=float) for t, step in enumerate(steps))
    assert isinstance(returns, np.ndarray)
    # what is left of the fluctuation of the mean order, slope Var(q) sum gamma^t / N, is below $1 in each
    assert returns.mean() == pytest.approx(exact, abs=1 + 4 * returns.std(ddof=1) / np.sqrt(20))


@pytest.mark.parametrize("preset", ["easy", "decoupled", "orange-juice"])
@pytest.mark.parametrize("name", NAMES)
def test_every_policy_plays_every_preset(preset: str, name: str) -> None:
    market = make(preset, num_envs=3)
    step = market.reset(2)
    policy = reference_policy(name, market, 2)
    for _ in range(5):
        actions = policy(step)
        assert actions.shape == (3, market.num_agents)
        assert actions.dtype == np.int64
        step = market.step(actions)
        assert np.isfinite(step.reward).all()


def test_held_out_weeks_do_not_move_the_levels() -> None:
    train, test = make("orange-juice", split="train"), make("orange-juice", split="test")
    np.testing.assert_array_equal(base_stock_levels(train), base_stock_levels(test))


def test_order_up_to_actions_hold_the_position() -> None:
    market = easy(action_mode="order_up_to", action_grid=(0.0, 18.0, 33.0, 42.0, 60.0))
    actions = reference_policy("base_stock", market, 0)(market.reset(0))
    assert actions[0, [0, 3, 7]].tolist() == [1, 2, 3]
    with pytest.raises(ValueError, match="constant order"):
        reference_policy("constant", market, 0)


def test_action_grids_need_no_order() -> None:
    market = easy(action_mode="absolute", action_grid=(12.0, 0.0, 6.0, 16.0))
    actions = reference_policy("constant", market, 0)(market.reset(0))
    assert actions[0, [0, 3, 7]].tolist() == [2, 0, 3]


def test_refusals() -> None:
    market = easy()
    with pytest.raises(envs.UnknownName, match="did you mean 'base_stock'"):
        reference_policy("base-stock", market, 0)
    with pytest.raises(ValueError, match=r"discount is 1\.5"):
        base_stock_levels(market, discount=1.5)
    with pytest.raises(envs.UnknownName, match="backlog"):
        critical_ratio(market.parameters, unmet="backlogged", discount=0.99)
    market.parameters = replace(market.parameters, h=np.where(np.arange(10) == 4, 0.0, market.parameters.h))
    with pytest.raises(ValueError, match="agent 4 has no finite base-stock level"):
        base_stock_levels(market, discount=1.0)
