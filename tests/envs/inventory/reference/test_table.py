"""Every policy of the table on the presets: it plays, or says why it cannot."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field.finite import finite_population_term
from envs.inventory.reference import POLICIES, reference_policy
from envs.inventory.reference.mean_field import BUILDERS, TUNED, solved

QUICK = [name for name in POLICIES if name not in BUILDERS]


def make(name: str, **options: Any) -> InventoryMarket:
    return cast(InventoryMarket, envs.make(f"inventory/market-{name}", **{"seed": 1, "num_envs": 2} | options))


def plays(market: InventoryMarket, name: str, periods: int = 4) -> None:
    step = market.reset(2)
    policy = reference_policy(name, market, 2)
    for _ in range(periods):
        actions = policy(step)
        assert actions.shape == (market.num_envs, market.num_agents)
        step = market.step(actions)
        assert np.isfinite(step.reward).all()


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_plays_easy_into_the_next_episode(name: str) -> None:
    plays(make("easy", horizon=8), name, 10)
    assert POLICIES[name].does


@pytest.mark.parametrize("preset", ["medium", "hard", "perishable", "orders-price", "orange-juice"])
@pytest.mark.parametrize("name", QUICK)
def test_policies_without_a_mean_field_play_every_market(preset: str, name: str) -> None:
    plays(make(preset), name)


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize(("preset", "why"), [("hard", "shock_sigma=0"), ("orange-juice", "demand law")])
def test_what_has_no_mean_field_says_why(preset: str, why: str, name: str) -> None:
    with pytest.raises(ValueError, match=why):
        reference_policy(name, make(preset), 0)


@pytest.mark.parametrize("name", ["random", "constant", "base_stock", "r_nQ", "smoothing"])
def test_continuous_actions_are_played(name: str) -> None:
    plays(make("easy", action_mode="continuous"), name)


def test_continuous_actions_are_shares_of_four_periods() -> None:
    market = make("easy", action_mode="continuous", num_agents=10, jitter=0.0)
    actions = reference_policy("base_stock", market, 0)(market.reset(0))
    # 7, 9 and 10 wanted, as whole units are
    np.testing.assert_allclose(actions[0, [0, 3, 7]], (7 / 24, 9 / 48, 10 / 64), rtol=1e-6)


@pytest.mark.parametrize("name", [*TUNED, "r_nQ", "equilibrium", "planner"])
def test_they_pay_what_the_exact_mean_field_says(name: str) -> None:
    market = make("easy", num_envs=12, num_agents=900, jitter=0.0)
    field = solved(market.config, 0.99)
    exact = field.exact(name).evaluation
    # the exact 1 / N term: how an agent's own quantity moves its own prices
    expected = exact.mean + float(field.game.shares @ finite_population_term(field.game, exact)) / 900
    step = market.reset(5)
    policy = reference_policy(name, market, 5)
    returns = np.zeros(12)
    for t in range(52):
        step = market.step(policy(step), observe=False)
        returns += 0.99**t * step.reward.mean(1, dtype=float)
    assert returns.mean() == pytest.approx(expected, abs=4 * returns.std(ddof=1) / np.sqrt(12))


def test_nothing_is_solved_twice() -> None:
    market = make("easy", jitter=0.0)
    field = solved(market.config, 0.99)
    assert solved(market.config, 0.99) is field
    assert field.profile("equilibrium") is field.profile("equilibrium")
    with pytest.raises(ValueError, match="smoothing looks at more than"):
        field.exact("smoothing")


def test_an_environment_without_stock_is_refused() -> None:
    with pytest.raises(ValueError, match="the environment has no config, parameters"):
        reference_policy("constant", cast(Any, object()), 0)


@pytest.mark.parametrize("name", ["random", "constant", "base_stock", "r_nQ", "smoothing"])
@pytest.mark.parametrize("mode", ["levels", "continuous"])
def test_the_network_is_played_too(mode: str, name: str) -> None:
    network = cast(Any, envs.make("inventory/network-30", num_envs=2, seed=1, action_mode=mode))
    plays(network, name)


def test_the_network_has_no_market_prices() -> None:
    network = cast(Any, envs.make("inventory/network-30", seed=1))
    for name, why in (("myopic", "market prices"), ("planner", "the mean field is of the market")):
        with pytest.raises(ValueError, match=why):
            reference_policy(name, network, 0)


def test_a_constant_order_of_the_network_is_a_share_of_its_largest() -> None:
    network = cast(Any, envs.make("inventory/network-30", seed=1, action_mode="continuous"))
    step = network.reset(0)
    step = network.step(reference_policy("constant", network, 0)(step))
    np.testing.assert_array_equal(step.metrics["order"][0], np.rint(network.parameters.mu))
