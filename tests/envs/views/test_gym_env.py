"""The gymnasium view of one copy."""

from __future__ import annotations

from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from envs.views.gym_env import PopulationGymEnv

D = 18
"""Entries of an agent's observation in `market-easy`."""

ID = "mfmarl/InventoryMarket-v0"


def make(**options: Any) -> PopulationGymEnv:
    return cast(PopulationGymEnv, gym.make(ID, **{"num_agents": 5, "seed": 0} | options).unwrapped)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "options",
    [
        {"render_mode": "ansi"},
        {"name": "inventory/market-decoupled", "ending": "finite", "horizon": 7},
        {"action_mode": "continuous"},
        *({"name": name, "num_agents": None, "horizon": 13} for name in envs.names()),
    ],
)
def test_gymnasiums_checker_passes(options: dict[str, Any]) -> None:
    # with a spec it renders in every mode that is declared; games without goods are not drawn
    check_env(make(**options), skip_render_check=options.get("name", "").startswith("games/"))


def test_it_plays_as_the_population_does() -> None:
    view, population = make(horizon=6), envs.make("inventory/market-easy", num_agents=5, horizon=6)
    obs, _ = view.reset(seed=8)
    step = population.reset(8)
    rng = np.random.default_rng(0)
    for episode in range(2):
        for t in range(6):
            assert obs.shape == (5, D + 11)
            np.testing.assert_array_equal(obs[:, :D], step.obs[0])
            np.testing.assert_array_equal(obs[:, D:], step.mean_action[0])
            actions = rng.integers(11, size=5)
            obs, reward, terminated, truncated, info = view.step(actions)
            step = population.step(actions[None])
            assert reward == pytest.approx(step.reward.mean())
            np.testing.assert_array_equal(info["reward"], step.reward[0])
            np.testing.assert_array_equal(info["ledger/holding_cost"], step.metrics["ledger/holding_cost"][0])
            assert (terminated, truncated) == (False, t == 5)
        assert step.final_obs is not None
        np.testing.assert_array_equal(obs[:, :D], step.final_obs[0])
        one_hot = np.eye(11)[actions]
        np.testing.assert_allclose(obs[:, D:], (one_hot.sum(0) - one_hot) / 4, rtol=1e-6)
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


def test_continuous_actions_are_one_joint_box() -> None:
    options: dict[str, Any] = {"action_mode": "continuous", "horizon": 3}
    view, population = make(**options), envs.make("inventory/market-easy", num_agents=5, **options)
    assert view.action_space == gym.spaces.Box(0, 1, (5,), np.float32)
    view.reset(seed=2)
    population.reset(2)
    rng = np.random.default_rng(0)
    for t in range(3):
        actions = rng.random(5, np.float32)
        obs, _, _, truncated, info = view.step(actions)
        step = population.step(actions[None])
        np.testing.assert_array_equal(info["order"], step.metrics["order"][0])
        assert truncated == (t == 2)
    # what the ended episode saw last: the mean action of the others
    np.testing.assert_allclose(obs[:, -1], (actions.sum() - actions) / 4, rtol=1e-6)


def test_what_is_drawn_is_the_running_episode() -> None:
    view = make(render_mode="ansi", horizon=3)
    view.reset(seed=0)
    assert "no period has been played" in view.render()
    for t in range(3):
        view.step(np.full(5, 4))
        assert f"copy 0, period {t + 1}:" in view.render()
    # the episode that ended stays until reset
    view.reset()
    assert "no period has been played" in view.render()
    assert make().render() is None
    picture = make(render_mode="rgb_array").render()
    assert (picture.dtype, picture.shape) == (np.uint8, (640, 960, 3))
    with pytest.raises(ValueError, match="render_mode is 'human'; there are ansi, rgb_array, or None"):
        PopulationGymEnv("inventory/market-easy", render_mode="human")
    with pytest.raises(ValueError, match="backend is 'torch:cpu'; the views hand out NumPy arrays"):
        make(backend="torch:cpu")
