"""The gymnasium view of one copy."""

from __future__ import annotations

from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from envs.views.gym_env import PopulationGymEnv

ID = "mfmarl/InventoryMarket-v0"


def make(**options: Any) -> PopulationGymEnv:
    return cast(PopulationGymEnv, gym.make(ID, **{"num_agents": 5, "seed": 0} | options).unwrapped)


@pytest.mark.parametrize("options", [{}, {"name": "inventory/market-decoupled", "ending": "finite", "horizon": 7}])
def test_gymnasiums_checker_passes(options: dict[str, Any]) -> None:
    check_env(make(**options), skip_render_check=True)


def test_orange_juice_passes_the_checker() -> None:
    check_env(PopulationGymEnv("inventory/market-orange-juice"), skip_render_check=True)


def test_it_plays_as_the_population_does() -> None:
    view, population = make(horizon=6), envs.make("inventory/market-easy", num_agents=5, horizon=6)
    obs, _ = view.reset(seed=8)
    step = population.reset(8)
    rng = np.random.default_rng(0)
    for episode in range(2):
        for t in range(6):
            assert obs.shape == (5, 18 + 11)
            np.testing.assert_array_equal(obs[:, :18], step.obs[0])
            np.testing.assert_array_equal(obs[:, 18:], step.mean_action[0])
            actions = rng.integers(11, size=5)
            obs, reward, terminated, truncated, info = view.step(actions)
            step = population.step(actions[None])
            assert reward == pytest.approx(step.reward.mean())
            np.testing.assert_array_equal(info["reward"], step.reward[0])
            np.testing.assert_array_equal(info["ledger/holding_cost"], step.metrics["ledger/holding_cost"][0])
            assert (terminated, truncated) == (False, t == 5)
        assert step.final_obs is not None
        np.testing.assert_array_equal(obs[:, :18], step.final_obs[0])
        one_hot = np.eye(11)[actions]
        np.testing.assert_allclose(obs[:, 18:], (one_hot.sum(0) - one_hot) / 4, rtol=1e-6)
        with pytest.raises(RuntimeError, match=r"call reset\(\) before step\(\)"):
            view.step(actions)
        # without a seed the next episode of the same stream follows, none is left out
        obs, _ = view.reset()
        assert episode == population.get_state()["episode"] - 1


def test_the_population_passes_its_own_refusals_on() -> None:
    view = make()
    view.reset(seed=0)
    with pytest.raises(ValueError, match=r"supermarket_2 .*action 11 is outside"):
        view.step(np.array([0, 0, 11, 0, 0]))
    with pytest.raises(envs.UnknownName, match="did you mean 'inventory/market-easy'"):
        make(name="inventory/market-eazy")


def test_games_with_continuous_actions_are_refused() -> None:
    view = make()
    view.population.action_space = gym.spaces.Box(0, 1)
    from envs.views.joint import num_actions

    with pytest.raises(ValueError, match="the views need Discrete actions"):
        num_actions(view.population)
