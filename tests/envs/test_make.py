"""Environments by name: what exists, what is refused, and gymnasium's registry."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import envs
from envs.inventory.market import InventoryMarket
from envs.population import PopulationEnv
from tests.envs.inventory.given import drawn


def test_names() -> None:
    markets = ("easy", "medium", "hard", "perishable", "decoupled", "orders-price", "orange-juice")
    networks = ("network-30", "network-50", "network-70", "network-100", "network-100-wide", "network")
    names = [*(f"market-{name}" for name in markets), *networks]
    games = ("coordination", "prisoners-dilemma", "congestion", "cournot", "identity")
    assert envs.names() == [f"inventory/{name}" for name in names] + [f"games/{name}" for name in games]
    assert {"mfmarl/InventoryMarket-v0", "mfmarl/InventoryNetwork-v0"} <= set(gym.registry)


@pytest.mark.parametrize("name", [name for name in envs.names() if name != "inventory/network"])
def test_every_name_keeps_the_protocol(name: str) -> None:
    env = envs.make(name, num_envs=2, seed=0)
    assert isinstance(env, PopulationEnv)
    assert env.num_envs == 2
    assert env.reset(1).obs.shape == (2, env.num_agents, *env.observation_space.shape)


def test_easy_is_the_published_preset() -> None:
    env = envs.make("inventory/market-easy", seed=0)
    assert isinstance(env, InventoryMarket)
    assert (env.num_agents, env.horizon) == (100, 52)
    assert env.type_names == ["convenience", "supermarket", "discounter"]
    assert np.bincount(env.agent_types).tolist() == [33, 40, 27]
    assert (env.parameters.L == 1).all()
    # .20 x mean c / m_ref: 6.0933 and 11.0667 for the exact shares
    assert env.slope == pytest.approx(0.11012, rel=0.01)
    assert env.action_space == gym.spaces.Discrete(11)


def test_decoupled_agents_do_not_feel_each_other() -> None:
    env, alike = (envs.make("inventory/market-decoupled", num_agents=6, seed=0) for _ in range(2))
    rng = np.random.default_rng(0)
    for _ in range(52):
        actions = rng.integers(11, size=(1, 6))
        other = rng.integers(11, size=(1, 6))
        other[0, 2] = actions[0, 2]
        assert env.step(actions).reward[0, 2] == alike.step(other).reward[0, 2]


def test_the_population_belongs_to_the_game_and_play_to_the_seed() -> None:
    one, two = (envs.make("inventory/market-easy", num_agents=6, seed=seed) for seed in (1, 2))
    assert isinstance(one, InventoryMarket)
    assert isinstance(two, InventoryMarket)
    np.testing.assert_array_equal(one.parameters.mu, two.parameters.mu)
    assert (drawn(one) != drawn(two)).any()
    other = envs.make("inventory/market-easy", num_agents=6, population_seed=1)
    assert isinstance(other, InventoryMarket)
    assert (one.parameters.mu != other.parameters.mu).any()


def test_without_a_seed_one_is_drawn() -> None:
    one, two = (envs.make("inventory/market-easy", num_agents=6) for _ in range(2))
    assert (one.get_state()["seeds"] != two.get_state()["seeds"]).any()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("inventory/market-esay", {}, "unknown environment .*-esay': did you mean 'inventory/market-easy'"),
        ("crowd", {}, "unknown environment 'crowd'.*known are"),
        ("inventory/market-easy", {"horizn": 3}, "unknown environment option 'horizn': did you mean 'horizon'"),
        ("inventory/market-easy", {"backend": "jax"}, "unknown backend 'jax'"),
        ("games/cornot", {}, "unknown environment .*: did you mean 'games/cournot'"),
        ("games/cournot", {"slope": 1}, "unknown environment option 'slope'.*known are alpha, beta"),
        ("games/cournot", {"num_agents": 1}, "num_agents is 1; a population has at least 2"),
        ("games/cournot", {"costs": (1, 2, 3), "num_agents": 2}, "num_agents is 2; the 3 types need an agent each"),
        ("games/cournot", {"largest": 8.2}, "environment options: largest is 16.4 grid steps; want a whole number"),
        ("games/cournot", {"backend": "torch"}, "backend is 'torch'; one-shot games are played on NumPy alone"),
        ("games/congestion", {"free": (1, 2)}, "environment options: there are 2 free delays and 3 slopes"),
        ("games/coordination", {"both_first": 2}, "to play what the other plays must pay"),
        ("games/prisoners-dilemma", {"sucker": 2}, "it is no dilemma: want temptation > reward > punishment"),
        ("games/identity", {"crowding": 1}, "environment option crowding: .*less than 1; got 1"),
        ("inventory/market-easy", {"num_envs": 0}, "num_envs is 0; at least one copy"),
        ("inventory/market-easy", {"num_agents": 10**9}, "num_agents is 1000000000; at most 10000000"),
        ("inventory/market-easy", {"num_agents": 2.5}, r"num_agents is 2\.5; give a whole number of at least 2"),
        ("inventory/market-easy", {"num_agents": "5"}, "num_agents is '5'; give a whole number of at least 2"),
        ("inventory/market-easy", {"num_agents": 1}, "num_agents is 1; a population has at least 2"),
        ("inventory/market-easy", {"seed": -1}, "seeds are whole numbers from 0; got -1"),
        ("inventory/market-easy", {"horizon": 0}, "environment option horizon: .*greater than or equal to 1; got 0"),
        ("inventory/market-easy", {"horizon": "long"}, "environment option horizon: .*valid integer.*; got 'long'"),
        ("inventory/market-easy", {"congestion": float("nan")}, "environment option congestion: .*; got nan"),
        ("inventory/market-easy", {"action_grid": (0, -1)}, r"environment option action_grid\.1: .*; got -1"),
        ("inventory/market-easy", {"action_grid": (0,)}, "environment option action_grid: .*at least 2"),
        ("inventory/market-easy", {"unmet": "ignored"}, "environment option unmet: .*'lost' or 'backlog'"),
        ("inventory/market-easy", {"demand_mode": "window"}, "demand_mode is window.*set `sales` to a table"),
        ("inventory/market-easy", {"types": {}}, "environment option types"),
        ("inventory/market-easy", {"types": {"shop": {"mu": 1}}}, r"option types\.shop\.\w+: Field required"),
    ],
)
def test_refusals(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        envs.make(name, **options)


def test_options_lists_what_a_name_takes() -> None:
    assert "split" in envs.options("inventory/market-orange-juice")
    assert "product" not in envs.options("inventory/market-easy")
    with pytest.raises(envs.UnknownName, match="did you mean"):
        envs.options("inventory/market-orange")
