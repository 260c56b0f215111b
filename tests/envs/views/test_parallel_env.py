"""PettingZoo's view of one copy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

import envs
from envs.views import parallel_env

D = 18
"""Entries of an agent's observation in `market-easy`."""

CONTINUOUS = {"action_mode": "continuous", "ending": "finite"}
CONTINUOUS_GAMES = [(f"inventory/{name}", CONTINUOUS) for name in ("market-easy", "network-30")]


def make(**options: Any) -> Any:
    return parallel_env("inventory/market-easy", **{"num_agents": 5, "seed": 0, "horizon": 6} | options)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in envs.names()), *CONTINUOUS_GAMES])
def test_pettingzoos_checks_pass(name: str, options: dict[str, Any]) -> None:
    parallel_api_test(parallel_env(name, horizon=6, **options), 20)
    parallel_seed_test(lambda: parallel_env(name, horizon=6, **options), 20)


def test_names_and_spaces_of_the_agents() -> None:
    view = make()
    assert view.possible_agents == [
        "convenience_0", "convenience_1", "supermarket_2", "supermarket_3", "discounter_4",
    ]  # fmt: skip
    assert view.agents == []
    for agent in view.possible_agents:
        assert view.observation_space(agent).shape == (D + 11,)
        assert view.action_space(agent).n == 11
    view = make(action_mode="continuous")
    assert view.observation_space("discounter_4").shape == (D + 1,)
    assert view.action_space("discounter_4").shape == (1,)


def test_it_plays_as_the_population_does() -> None:
    view, population = make(), envs.make("inventory/market-easy", num_agents=5, horizon=6)
    obs, infos = view.reset(seed=6)
    assert infos == {agent: {} for agent in view.agents}
    assert view.last_step is None
    step = population.reset(6)
    rng = np.random.default_rng(0)
    for t in range(13):
        for i, agent in enumerate(view.agents):
            np.testing.assert_array_equal(obs[agent], np.concatenate([step.obs[0, i], step.mean_action[0, i]]))
            assert view.observation_space(agent).contains(obs[agent])
        actions = rng.integers(11, size=5)
        # a mapping has no order
        played = {view.possible_agents[i]: actions[i] for i in (2, 0, 3, 1, 4)}
        obs, rewards, terminations, truncations, _ = view.step(played)
        step = population.step(actions[None])
        assert list(rewards.values()) == step.reward[0].tolist()
        np.testing.assert_array_equal(view.last_step.metrics["stock"], step.metrics["stock"])
        over = t % 6 == 5
        assert truncations == dict.fromkeys(view.possible_agents, over)
        assert terminations == dict.fromkeys(view.possible_agents, False)
        assert bool(view.agents) != over
        if step.final_obs is not None:
            np.testing.assert_array_equal(obs["discounter_4"][:D], step.final_obs[0, 4])
            with pytest.raises(RuntimeError, match=r"call reset\(\) before step\(\)"):
                view.step(played)
            obs, _ = view.reset()


def test_continuous_actions_are_vectors_of_one_number() -> None:
    view, population = (
        make(action_mode="continuous"),
        envs.make("inventory/market-easy", num_agents=5, horizon=6, action_mode="continuous"),
    )
    view.reset(seed=1)
    population.reset(1)
    actions = np.linspace(0, 1, 5, dtype=np.float32)
    obs, *_ = view.step({agent: actions[[i]] for i, agent in enumerate(view.agents)})
    step = population.step(actions[None])
    np.testing.assert_array_equal(obs["supermarket_2"], np.concatenate([step.obs[0, 2], step.mean_action[0, 2]]))
    # the others of 0, 1/4, 1/2, 3/4, 1 without the middle one
    assert obs["supermarket_2"][-1] == 0.5


def test_refusals() -> None:
    view = make()
    with pytest.raises(RuntimeError, match=r"no episode is running: call reset\(\)"):
        view.step({})
    view.reset(seed=0)
    good = dict.fromkeys(view.agents, 1)
    with pytest.raises(ValueError, match="convenience_1 and 1 others have no action"):
        view.step({a: 1 for a in view.agents if a not in ("convenience_1", "supermarket_3")})
    with pytest.raises(ValueError, match="supermarket_3 has no action"):
        view.step({a: 1 for a in view.agents if a != "supermarket_3"})
    with pytest.raises(ValueError, match=r"supermarket_2: action has shape \(2,\); want one number"):
        view.step({**good, "supermarket_2": np.array([1, 1])})
    with pytest.raises(ValueError, match=r"supermarket_2 .*action 11 is outside"):
        view.step({**good, "supermarket_2": 11})
    with pytest.raises(ValueError, match="backend is 'torch'; the views hand out NumPy arrays"):
        make(backend="torch")
    with pytest.raises(ValueError, match="render_mode is 'human'; there are ansi, rgb_array"):
        make(render_mode="human")
    with pytest.raises(envs.UnknownName, match="did you mean 'horizon'"):
        make(horizn=5)
