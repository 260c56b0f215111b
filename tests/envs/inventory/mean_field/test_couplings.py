"""Scarce supply, spill-over, seasons, overdispersion, terminal value: against the market, and a closed form."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import (
    MeanFieldMarket,
    Profile,
    base_stock_profile,
    best_response,
    common_tuned,
    equilibrium,
    evaluate,
    mean_field,
    nash_conv,
    nash_tuned,
    planner,
    profile_policy,
    random_profile,
    s_S_profile,
)
from envs.inventory.mean_field.best_response import as_policy
from envs.inventory.mean_field.field import private_prices
from envs.inventory.mean_field.flow import flow, value_of
from envs.inventory.types import TYPES, AgentType

SHORT = {"horizon": 16, "jitter": 0.0}
MARKETS: dict[str, tuple[str, dict[str, Any]]] = {
    "medium": ("medium", {}),
    "medium, uniform": ("medium", {"capacity": 0.8, "allocation": "uniform", "initial_stock": 1.0}),
    "medium, linear": ("medium", {"capacity": 0.9, "allocation": "linear"}),
    "hard without shocks": ("hard", {"shock_sigma": 0.0, "types": {"online": TYPES["online"]}}),
    "perishable": ("perishable", {"ending": "finite"}),
    "orders-price": ("orders-price", {}),
    "stock price": ("easy", {"price_signal": "stock", "price_coupling": 0.1, "season_amplitude": 0.4}),
    "finite": ("medium", {"ending": "finite", "terminal_value": 0.7, "spill": 1.0, "initial_stock": 0.5}),
    "finite backlog": ("easy", {"ending": "finite", "unmet": "backlog", "capacity": 1.0, "initial_stock": 0.5}),
    "sell all": ("easy", {"demand_mode": "sell_all"}),
}


def play_of(name: str, copies: int, agents: int) -> tuple[InventoryMarket, MeanFieldMarket]:
    preset, options = MARKETS[name]
    made = envs.make(f"inventory/market-{preset}", num_envs=copies, num_agents=agents, seed=3, **(SHORT | options))
    market = cast(InventoryMarket, made)
    return market, mean_field(market.config)


@pytest.mark.parametrize("name", MARKETS)
@pytest.mark.parametrize("rule", ["random", "base stock"])
def test_two_thousand_agents_earn_the_exact_value(name: str, rule: str) -> None:
    if (name, rule) == ("finite backlog", "random"):
        rule = "order up to half"
    env, game = play_of(name, 8, 2000)
    profile = {
        "random": random_profile,
        "base stock": base_stock_profile,
        "order up to half": lambda g: s_S_profile(g, [(k.agent.mu / 2, k.agent.mu) for k in g.types]),
    }[rule](game)
    exact = evaluate(game, profile)
    policy, step = profile_policy(game, profile, env, 5), env.reset(7)
    total, sales = np.zeros((8, 2000)), np.zeros(game.horizon)
    for t in range(game.horizon):
        step = env.step(policy(step))
        total += game.gamma**t * step.reward
        sales[t] = step.metrics["sold"].mean()
    assert exact.residual < 1e-6
    # 4 standard errors where an agent sells with standard deviation 16
    assert sales == pytest.approx(exact.path.mean_sales, abs=0.5)
    for k in range(len(game.types)):
        mine = total[:, env.agent_types == k].mean(1)
        # what is left of finite N (about $1 / N a type and period, and agents do not split exactly) is below $1.5
        assert mine.mean() == pytest.approx(exact.values[k], abs=4 * mine.std(ddof=1) / 8**0.5 + 1.5)


@pytest.mark.parametrize("name", MARKETS)
def test_best_responses_earn_what_they_promise_and_more_than_rules(name: str) -> None:
    game = play_of(name, 1, 50)[1]
    found = evaluate(game, base_stock_profile(game))
    for k, kind in enumerate(game.types):
        prices, passage = private_prices(game, found.path, k), found.path.passages[k]
        answer = best_response(game, found.path, k)
        played = flow(game, kind, as_policy(kind, answer.actions), passage)
        assert value_of(game, played, prices) == pytest.approx(answer.value, abs=1e-9)
        alone = flow(game, kind, base_stock_profile(game).policies[k], passage)
        assert value_of(game, alone, prices) == pytest.approx(found.values[k], abs=1e-9)
        other = flow(game, kind, random_profile(game).policies[k], passage)
        assert max(value_of(game, other, prices), found.values[k]) <= answer.value + 1e-9


def test_no_more_is_granted_than_there_is() -> None:
    game = play_of("medium, uniform", 1, 50)[1]
    path = evaluate(game, random_profile(game)).path
    capacity = game.couplings.capacity
    assert capacity == pytest.approx(0.8 * game.reference)
    assert (path.mean_order > capacity).all()
    np.testing.assert_allclose(path.mean_bought, capacity)


def test_equilibrium_and_planner_where_the_field_moves_units() -> None:
    game = play_of("medium", 1, 50)[1]
    solution = equilibrium(game, iterations=12)
    assert solution.gaps[-1] < solution.gaps[1] / 2
    again = nash_conv(game, solution.profile)
    assert again.total == pytest.approx(solution.gaps[-1], abs=1e-9)
    plan = planner(game, iterations=4)
    assert (np.diff(plan.values_by_iteration) > 0).all()
    assert plan.mean > solution.mean


def test_tuned_rules_where_the_field_moves_units() -> None:
    preset, options = MARKETS["medium"]
    types = {name: TYPES[name].model_copy(update={"L": 1}) for name in ("convenience", "supermarket")}
    made = envs.make(
        f"inventory/market-{preset}", num_agents=50, seed=0, **(SHORT | options | {"types": types, "horizon": 6})
    )
    game = mean_field(cast(InventoryMarket, made).config)
    start = evaluate(game, base_stock_profile(game)).mean
    assert nash_tuned(game, rule="base_stock").rule_gap == 0
    assert common_tuned(game).mean > start


def cournot(phi: float) -> MeanFieldMarket:
    """Sellers who sell all they order in one period, p = 20 - .05 x mean; quantities in tenths of a unit."""
    kinds = zip((6.0, 8.0, 10.0), (0.5, 0.3, 0.2), strict=True)
    types = {f"c{c:g}": AgentType(share=s, mu=100, p0=15, c=c, h=0, phi=phi, delta=1) for c, s in kinds}
    options = {"types": types, "action_mode": "absolute", "action_grid": tuple(range(60, 200)), "horizon": 1}
    options |= {"congestion": 0.0, "price_coupling": 1 / 3, "initial_stock": 0.0, "demand_mode": "sell_all"}
    made = envs.make("inventory/market-easy", num_agents=50, seed=0, jitter=0.0, **options)
    return mean_field(cast(InventoryMarket, made).config)


def test_cournot_with_infinitely_many_sellers() -> None:
    # q_k = (alpha - beta qbar - c_k) / phi, qbar = (alpha - cbar) / (phi + beta); alpha 20, beta = phi = .05
    game = cournot(0.05)
    mean = (20 - 7.4) / 0.1
    exact = [(20 - 0.05 * mean - c) / 0.05 for c in (6, 8, 10)]
    assert exact == pytest.approx([154, 114, 74])
    profile = Profile(tuple(as_policy(k, np.full((1, k.size), round(q) - 60)) for k, q in zip(game.types, exact)))  # noqa: B905
    found = nash_conv(game, profile)
    np.testing.assert_allclose(found.gaps, 0, atol=1e-9)
    assert found.evaluation.path.price[0] * 15 == pytest.approx(13.7)
    solution = equilibrium(game, iterations=80)
    assert [f.orders[0] for f in solution.evaluation.flows] == pytest.approx(exact, abs=2.5)


def test_a_shock_has_no_mean_field() -> None:
    hard = cast(InventoryMarket, envs.make("inventory/market-hard", num_agents=20, seed=0))
    with pytest.raises(ValueError, match="set shock_sigma=0"):
        mean_field(hard.config)
