"""Exponential smoothing by hand, and that copies which restart forget."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from scipy import stats

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.reference import critical_ratio, reference_policy
from envs.inventory.reference.smoothing import Forecast, smoothing
from envs.population import Step


def seen(demand: list[list[float]], ended: list[bool]) -> Step:
    units = np.array(demand, np.float32)
    nothing = np.zeros((*units.shape, 1), np.float32)
    over = np.array(ended)
    return Step(nothing, nothing, units, np.zeros_like(over), over, None, {"demand": units})


def test_forecast_by_hand() -> None:
    forecast = Forecast(np.array([10.0]), 1, 0.5)
    forecast.see(seen([[14]], [False]))
    # error 4: mean 10 + 2, variance 10 / 2 + 16 / 2
    assert (forecast.mean.item(), forecast.variance.item()) == (12, 13)
    forecast.see(seen([[8]], [False]))
    assert (forecast.mean.item(), forecast.variance.item()) == (10, 14.5)


def test_copies_that_restart_forget() -> None:
    forecast = Forecast(np.array([10.0, 4.0]), 2, 0.5)
    forecast.see(seen([[14, 4], [14, 4]], [False, False]))
    forecast.see(seen([[14, 8], [14, 8]], [True, False]))
    assert forecast.mean.tolist() == [[10, 4], [13, 6]]
    assert forecast.variance[0].tolist() == [10, 4]
    # a reset of all copies has no metrics
    bare = seen([[0, 0], [0, 0]], [False, False])
    forecast.see(Step(bare.obs, bare.obs, bare.reward, bare.terminated, bare.truncated))
    assert forecast.mean.tolist() == [[10, 4], [10, 4]]


def test_levels_follow_demand() -> None:
    market = cast(InventoryMarket, envs.make("inventory/market-easy", num_agents=10, seed=1, jitter=0.0))
    step = market.reset(0)
    policy = reference_policy("smoothing", market, 0)
    z = stats.norm.ppf(critical_ratio(market.parameters, unmet="lost", discount=0.99))
    mu = market.parameters.mu

    def wanted(mean: Any, variance: Any) -> Any:
        return np.maximum(np.rint(mean * 2 + z * np.sqrt(2 * variance)) - market.inventory_position, 0)

    def ordered(step: Step) -> Any:
        return np.take_along_axis(market.order_levels, policy(step).T, 1).T

    first = wanted(mu, mu)
    # the nearest action is at most half a gap of the grid away
    assert (abs(ordered(step) - first) <= mu / 4 + 0.5).all()
    step = market.step(np.zeros((1, 10), int))
    demand = step.metrics["demand"].astype(float)
    later = wanted(mu + 0.2 * (demand - mu), 0.8 * mu + 0.2 * (demand - mu) ** 2)
    assert (abs(ordered(step) - later) <= mu / 4 + 0.5).all()


def test_refusals() -> None:
    market: Any = envs.make("inventory/market-easy", num_agents=10, seed=1)
    with pytest.raises(ValueError, match="alpha is 0"):
        smoothing(market, 0, 0.99, alpha=0)
    free: Any = envs.make("inventory/market-orders-price", num_agents=10, seed=1)
    free.parameters.h[4] = 0
    with pytest.raises(ValueError, match="agent 4 has no finite order-up-to level"):
        smoothing(free, 0, 1.0)
