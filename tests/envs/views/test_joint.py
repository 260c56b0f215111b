"""What the views share."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import envs
from envs.population import Step
from envs.views.joint import agent_actions, agent_space, final_observation, joint_space

D = 18
"""Entries of an agent's observation in `market-easy`."""


def test_spaces_stand_observation_before_mean_action() -> None:
    env = envs.make("inventory/market-easy", num_agents=3, seed=0)
    one, all_ = agent_space(env), joint_space(env)
    assert one.shape == (D + 11,)
    assert all_.shape == (3, D + 11)
    np.testing.assert_array_equal(one.high[:D], env.observation_space.high)
    np.testing.assert_array_equal(one.high[D:], 1)
    np.testing.assert_array_equal(all_.high[2], one.high)


def test_final_mean_action_is_of_the_neighbours() -> None:
    env = envs.make("inventory/market-easy", num_agents=3, seed=0, action_grid=(0, 1))
    # agent 0 sees 1 and 2, agent 1 sees 0, agent 2 sees nobody
    env.neighbours = np.array([[False, True, True], [True, False, False], [False, False, False]])
    step = env.reset(0)
    ended = Step(step.obs, step.mean_action, step.reward, step.terminated, ~step.truncated, final_obs=step.obs)
    seen = final_observation(env, ended, np.array([[1, 0, 1]]))
    assert seen[0, :, -2:].tolist() == [[0.5, 0.5], [0, 1], [0, 0]]
    env.neighbours = None
    seen = final_observation(env, ended, np.array([[1, 0, 1]]))
    assert seen[0, :, -2:].tolist() == [[0.5, 0.5], [0, 1], [0.5, 0.5]]
    env.action_space = gym.spaces.Box(0, 1, (), np.float32)
    env.mean_action_space = gym.spaces.Box(0, 1, (1,), np.float32)
    seen = final_observation(env, ended, np.array([[1, 0.5, 0.25]], np.float32))
    assert seen[0, :, -1].tolist() == [0.375, 0.625, 0.75]
    env.neighbours = np.array([[False, True, True], [True, False, False], [False, False, False]])
    seen = final_observation(env, ended, np.array([[1, 0.5, 0.25]], np.float32))
    assert seen[0, :, -1].tolist() == [0.375, 1, 0]
    with pytest.raises(ValueError, match="without final_obs"):
        final_observation(env, step, np.array([[1, 0, 1]]))


def test_actions_of_several_numbers_are_refused() -> None:
    env = envs.make("inventory/market-easy", num_agents=3, seed=0)
    env.action_space = gym.spaces.Box(0, 1, (2,), np.float32)
    with pytest.raises(ValueError, match="actions that are Discrete"):
        agent_actions(env)


@pytest.mark.parametrize("name", ["inventory/market-easy", "inventory/network-30"])
@pytest.mark.parametrize("options", [{}, {"action_mode": "continuous"}])
def test_final_mean_action_is_what_a_longer_episode_shows(name: str, options: dict[str, Any]) -> None:
    ending, longer = (envs.make(name, num_envs=2, seed=0, horizon=h, **options) for h in (2, 9))
    ending.reset(3)
    longer.reset(3)
    for seed in range(2):
        shape = (2, ending.num_agents)
        rng = np.random.default_rng(seed)
        actions = rng.random(shape, np.float32) if options else rng.integers(11, size=shape)
        ended, goes_on = ending.step(actions), longer.step(actions)
    seen = final_observation(ending, ended, actions)[..., ended.obs.shape[-1] :]
    np.testing.assert_allclose(seen, goes_on.mean_action, rtol=1e-6, atol=1e-7)
