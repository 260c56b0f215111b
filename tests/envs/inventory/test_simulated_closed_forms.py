"""The spec's closed forms in simulation: what the market pays is within 4 standard errors of the exact figure."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.types import AgentType
from tests.envs.inventory.given import with_demand


def market(agents: int, periods: int, grid: tuple[float, ...], initial: float, **options: Any) -> InventoryMarket:
    """Uncoupled agents of one type that say what their inventory position is to be, with no end to their room."""
    shop = AgentType(**options.pop("shop"))
    built = envs.make(
        "inventory/market-decoupled", num_envs=1, num_agents=agents, seed=3, types={"shop": shop}, jitter=0.0,
        horizon=periods, action_mode="order_up_to", action_grid=grid, stock_cap=1000.0, initial_stock=initial,
        **options,
    )  # fmt: skip
    return cast(InventoryMarket, built)


def within_four_standard_errors(per_agent: NDArray[np.float64], exact: float) -> None:
    error = per_agent.std(ddof=1) / np.sqrt(per_agent.size)
    assert error < 0.003 * abs(exact)
    assert per_agent.mean() == pytest.approx(exact, abs=4 * error)


@pytest.mark.parametrize(("quantity", "profit"), [(21, 102.6420), (20, 102.2329), (22, 102.2050)])
def test_newsvendor(quantity: int, profit: float) -> None:
    # L = 0 and delta = 1: every period is a newsvendor's, Poisson 20, p 10, c 4
    shop = {"mu": 20, "p0": 10, "c": 4, "h": 0, "L": 0, "delta": 1}
    game = market(200, 100, (quantity, 0), 0.0, shop=shop)
    rewards = [game.step(np.zeros((1, 200), int)).reward[0] for _ in range(100)]
    within_four_standard_errors(np.mean(rewards, 0, dtype=float), profit)


def cost(metrics: Any) -> NDArray[np.float64]:
    names = ("order_cost", "holding_cost", "backlog_cost")
    total: NDArray[np.float64] = np.sum([metrics[f"ledger/{name}"][0].astype(float) for name in names], 0)
    return -total


@pytest.mark.parametrize(("lead", "level", "exact"), [(0, 14, 5.8694), (1, 26, 8.1864), (2, 37, 9.9532)])
def test_base_stock_with_backlog(lead: int, level: int, exact: float) -> None:
    shop = {"mu": 10, "p0": 10, "c": 4, "h": 1, "b": 9, "L": lead}
    game = market(4000, 120, (level, 0), level / 10, shop=shop, unmet="backlog")
    costs = [cost(game.step(np.zeros((1, 4000), int)).metrics) for _ in range(120)]
    # the pipeline starts empty and the stock at the level: stationary once the lead time has passed
    within_four_standard_errors(np.mean(costs[20:], 0), exact)


@pytest.mark.parametrize(("mu", "low", "high", "exact"), [(10, 6, 40, 35.0216), (20, 14, 62, 49.1730)])
def test_fixed_cost_policies(mu: float, low: int, high: int, exact: float) -> None:
    shop = {"mu": mu, "p0": 10, "c": 4, "h": 1, "b": 9, "K": 64, "L": 0}
    # level 1 orders up to S; level 0 is below any position above s, so it orders nothing
    game = market(1000, 400, (0, high), high / mu, shop=shop, unmet="backlog")
    costs = []
    for _ in range(400):
        actions = (game.inventory_position <= low).astype(int)
        costs.append(cost(game.step(actions).metrics))
    # all agents start at S at once: 100 periods (25 cycles) wash that out
    within_four_standard_errors(np.mean(costs[100:], 0), exact)


def test_lot_size_under_constant_demand() -> None:
    # d = 10, K 64, h 1: 40 every 4 periods; holding 30 + 20 + 10 + 0, (64 + 60) / 4 = 31
    shop = {"mu": 10, "p0": 10, "c": 4, "h": 1, "b": 9, "K": 64, "L": 0}
    game = market(2, 40, (0, 40), 0.0, shop=shop, unmet="backlog")
    with_demand(game, np.full((40, 2), 10))
    costs = [cost(game.step((game.inventory_position <= 0).astype(int)).metrics) for _ in range(40)]
    np.testing.assert_allclose(np.mean(costs, 0), 31.0)
