"""The spec's closed forms in simulation: what the market pays is within 4 standard errors of the exact figure."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

import envs
from envs.inventory import cournot, rationing_best_replies, substitution_quantity
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


SCALE = 1000
"""Units of the market to one of the closed form, so that whole orders come near the equilibrium's fractions."""
COURNOT: dict[str, Any] = {
    "alpha": 20, "beta": 0.5, "phi": 0.5, "costs": (6, 8, 10), "shares": (0.5, 0.3, 0.2), "num_agents": 30,
}  # fmt: skip


def cournot_market(orders: tuple[float, ...]) -> InventoryMarket:
    """30 sellers of all they order: 15 at cost 6, 9 at 8, 6 at 10.

    The price p0 (1 - pc (qbar / m_ref - 1)) is alpha - beta qbar for p0 (1 + pc) = alpha and p0 pc / m_ref = beta: with
    p0 15 and pc 1/3, alpha is 20 and beta .5 for m_ref 10. SCALE times the units makes beta and phi as much smaller.
    """
    shops = {
        f"cost {c}": AgentType(share=share, mu=10 * SCALE, p0=15, c=c, h=0, phi=0.5 / SCALE, L=0, delta=1)
        for c, share in zip(COURNOT["costs"], COURNOT["shares"], strict=True)
    }
    built = envs.make(
        "inventory/market-decoupled", num_envs=1, num_agents=30, seed=0, types=shops, jitter=0.0, horizon=8,
        demand_mode="sell_all", price_coupling=1 / 3, action_mode="absolute", action_grid=orders, initial_stock=0.0,
        stock_cap=1000.0,
    )  # fmt: skip
    return cast(InventoryMarket, built)


def test_cournot_price_and_profits() -> None:
    exact = cournot(**COURNOT)
    orders = np.rint(exact.quantities * SCALE)
    game = cournot_market(tuple(orders.tolist()))
    step = game.step(game.agent_types[None])
    q, c = orders / SCALE, np.array(COURNOT["costs"])
    price = 20 - 0.5 * np.dot(COURNOT["shares"], q)
    np.testing.assert_allclose(step.metrics["ledger/sales_revenue"] / step.metrics["sold"], price, rtol=1e-6)
    profit = (price - c) * q - 0.25 * q**2
    np.testing.assert_allclose(step.reward[0] / SCALE, profit[game.agent_types], rtol=1e-6)
    # whole orders are within half a unit of the equilibrium's: a few hundred-thousandths of price and profit
    assert price == pytest.approx(exact.price, rel=1e-4)
    np.testing.assert_allclose(profit, (exact.price - c) * exact.quantities - 0.25 * exact.quantities**2, rtol=1e-4)


@pytest.mark.parametrize("agent", [0, 15, 24])
def test_no_cournot_seller_gains_by_deviating_in_the_market(agent: int) -> None:
    exact = np.rint(cournot(**COURNOT).quantities * SCALE)
    kind = [0, 15, 24].index(agent)
    mine = exact[kind]
    # from nothing to three times as much, and steps of 1/2 and 1 % around the equilibrium
    tried = np.unique(np.rint([*np.linspace(0, 3, 31) * mine, mine * 0.99, mine * 0.995, mine * 1.005, mine * 1.01]))
    game = cournot_market((*exact, *tried))
    state = game.get_state()
    profits = []
    for action in range(3 + tried.size):
        game.set_state(state)
        actions = game.agent_types[None].copy()
        actions[0, agent] = action
        profits.append(float(game.step(actions).reward[0, agent]))
    stays = profits[kind]
    # float32 rewards of some 100,000 $ are right to a cent; the equilibrium is rounded by half a unit
    assert max(profits) <= stays + 0.05
    assert min(profits[3 + int(np.searchsorted(tried, round(mine * f)))] for f in (0.99, 1.01)) < stays - 1


def rationed(allocation: str, others: float, copies: int) -> NDArray[np.float64]:
    """Mean profit of seller 0 for each of its orders, all others ordering `others`: [orders, copies].

    15 u for each of 400 sellers with the newsvendor's mu 20, p 10, c 4, L 0 and delta 1.
    """
    shop = AgentType(mu=20, p0=10, c=4, h=0, L=0, delta=1)
    orders = np.unique([*ORDERS, others])
    periods = 25
    built = envs.make(
        "inventory/market-decoupled", num_envs=copies, num_agents=400, seed=7, types={"shop": shop}, jitter=0.0,
        horizon=periods, action_mode="absolute", action_grid=tuple(orders), initial_stock=0.0, capacity=0.75,
        allocation=allocation,
    )  # fmt: skip
    game = cast(InventoryMarket, built)
    actions = np.full((copies, 400), np.searchsorted(orders, others))
    profits = []
    for action in range(orders.size):
        actions[:, 0] = action
        game.reset(7)
        rewards = [game.step(actions, observe=False).reward[:, 0] for _ in range(periods)]
        profits.append(np.mean(rewards, 0, dtype=float))
    return np.array(profits)


ORDERS = (0, 5, 10, 15, 20, 25, 30, 40, 50, 60, 80)
NEWSVENDOR: dict[str, Any] = {"mu": 20, "p": 10, "c": 4, "capacity": 15}


def test_proportional_rationing_inflates_best_replies_in_the_market() -> None:
    # the same customers come whatever is ordered, so that replies are compared on the same demand
    path = rationing_best_replies(**NEWSVENDOR, allocation="proportional").orders
    assert path == (21, 30, 40, 60, 80)
    for now, reply in pairwise(path):
        orders = np.unique([*ORDERS, now])
        profits = rationed("proportional", now, 60).mean(1)
        assert orders[profits.argmax()] == reply
    assert orders[rationed("proportional", 80, 60).mean(1).argmax()] == 80


def test_uniform_rationing_leaves_nothing_to_gain_in_the_market() -> None:
    orders = np.unique([*ORDERS, 21])
    profits = rationed("uniform", 21, 60)
    honest = profits[orders == 21][0]
    # who asks for more gets the same 15 u; who asks for less loses
    assert all((profits[orders == more][0] == honest).all() for more in (25, 40, 80))
    less = honest - profits[orders == 10][0]
    assert less.mean() > 4 * less.std(ddof=1) / np.sqrt(less.size)


def test_substitution_in_the_market() -> None:
    # Normal(100, 30) newsvendors, CR .6, where half of the customers that find nothing try another seller once:
    # everyone holds the equilibrium quantity, and meets own and others' customers in three of five periods
    exact = substitution_quantity(mean=100, std=30, critical_ratio=0.6, omega=0.5)
    quantity, agents, periods = round(exact), 400, 120
    shop = {"mu": 100, "p0": 10, "c": 4, "h": 0, "L": 0, "delta": 1}
    game = market(agents, periods, (quantity, 0), 0.0, shop=shop, spill=0.5)
    rng = np.random.default_rng(0)
    with_demand(game, np.rint(rng.normal(100, 30, (periods, agents))).clip(0))
    steps = [game.step(np.zeros((1, agents), int)).metrics for _ in range(periods)]
    spilled, demand = (np.array([m[name][0] for m in steps], float) for name in ("spilled", "demand"))
    # the closed form's inflow at this quantity: half of E(D - q)+ of a normal
    z = (quantity - 100) / 30
    inflow = 0.5 * 30 * (norm.pdf(z) - z * norm.sf(z))
    error = spilled.std() / np.sqrt(spilled.size)
    assert spilled.mean() == pytest.approx(inflow, abs=4 * error)
    others = (spilled.sum(1, keepdims=True) - spilled) / (agents - 1)
    met = demand + others <= quantity
    # the quantity is rounded to a whole unit, and so is demand
    rounding = norm.pdf((quantity - inflow - 100) / 30) / 30
    assert met.mean() == pytest.approx(0.6, abs=4 * np.sqrt(0.24 / met.size) + rounding)
    # a sale that another seller makes is lost to the first all the same
    sold, lost, found = (sum(float(m[name].sum(dtype=float)) for m in steps) for name in ("sold", "lost", "spill_sold"))
    assert sold == demand.sum() - lost + found
    assert found > 0
