"""The gymnasium view of B copies."""

from __future__ import annotations

from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import envs
from envs.views.gym_vector import PopulationVectorEnv

D = 18
"""Entries of an agent's observation in `market-easy`."""


def make(num_envs: int = 3, **options: Any) -> PopulationVectorEnv:
    vector = gym.make_vec("mfmarl/InventoryMarket-v0", num_envs=num_envs, **{"num_agents": 4, "seed": 0} | options)
    return cast(PopulationVectorEnv, vector)


def test_make_vec_builds_one_batched_environment() -> None:
    vector = make()
    assert isinstance(vector, PopulationVectorEnv)
    assert vector.num_envs == 3
    assert vector.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert vector.single_observation_space.shape == (4, D + 11)
    assert vector.observation_space.shape == (3, 4, D + 11)
    obs, _ = vector.reset(seed=1)
    assert vector.observation_space.contains(obs)
    assert vector.action_space.contains(vector.action_space.sample())


def test_it_plays_as_the_population_does_and_restarts_in_the_same_step() -> None:
    vector, population = make(horizon=4), envs.make("inventory/market-easy", num_envs=3, num_agents=4, horizon=4)
    obs, _ = vector.reset(seed=9)
    step = population.reset(9)
    rng = np.random.default_rng(0)
    for t in range(9):
        np.testing.assert_array_equal(obs, np.concatenate([step.obs, step.mean_action], -1))
        actions = rng.integers(11, size=(3, 4))
        obs, rewards, terminated, truncated, infos = vector.step(actions)
        step = population.step(actions)
        assert vector.observation_space.contains(obs)
        np.testing.assert_allclose(rewards, step.reward.mean(1), rtol=1e-5)
        np.testing.assert_array_equal(infos["reward"], step.reward)
        np.testing.assert_array_equal(infos["stock"], step.metrics["stock"])
        assert not terminated.any()
        assert truncated.tolist() == [t % 4 == 3] * 3
        assert ("final_obs" in infos) == (t % 4 == 3)
        if step.final_obs is not None:
            assert infos["_final_obs"].tolist() == [True] * 3
            one_hot = np.eye(11)[actions]
            mean = (one_hot.sum(1, keepdims=True) - one_hot) / 3
            for b in range(3):
                np.testing.assert_array_equal(infos["final_obs"][b][:, :D], step.final_obs[b])
                np.testing.assert_allclose(infos["final_obs"][b][:, D:], mean[b], rtol=1e-6)


def test_the_view_equals_stock_vectors_of_the_single_view() -> None:
    vector = make(num_envs=2, horizon=5)
    stock = gym.make_vec(
        "mfmarl/InventoryMarket-v0", num_envs=2, vectorization_mode="sync", num_agents=4, horizon=5,
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
    )  # fmt: skip
    one, _ = vector.reset(seed=[3, 4])
    seeds: Any = [3, 4]
    two, _ = stock.reset(seed=seeds)
    rng = np.random.default_rng(1)
    for _ in range(12):
        np.testing.assert_array_equal(one, two)
        actions = rng.integers(11, size=(2, 4))
        one, reward, _, truncated, infos = vector.step(actions)
        two, reward_too, _, truncated_too, infos_too = stock.step(actions)
        np.testing.assert_allclose(reward, reward_too, rtol=1e-5)
        np.testing.assert_array_equal(truncated, truncated_too)
        if truncated.any():
            for b in range(2):
                np.testing.assert_array_equal(infos["final_obs"][b], infos_too["final_obs"][b])
            assert infos["final_info"].keys() == infos_too["final_info"].keys()
            for name, value in infos_too["final_info"].items():
                np.testing.assert_array_equal(infos["final_info"][name], value)
            np.testing.assert_array_equal(infos["_final_info"], infos_too["_final_info"])


def test_infos_are_masked_as_gymnasium_unpacks_them() -> None:
    vector = gym.wrappers.vector.DictInfoToList(make(num_envs=2, horizon=2))
    vector.reset(seed=0)
    for _ in range(2):
        *_, infos = vector.step(vector.action_space.sample())
    one: Any = infos[1]
    np.testing.assert_array_equal(one["final_info"]["stock"], one["stock"])
    assert one["final_obs"].shape == (4, D + 11)
    assert not any(name.startswith("_") for name in one)


def test_continuous_actions_are_a_box_of_copies_and_agents() -> None:
    vector = make(action_mode="continuous", horizon=2)
    assert vector.action_space.shape == (3, 4)
    vector.reset(seed=0)
    vector.step(vector.action_space.sample())
    actions = vector.action_space.sample()
    *_, infos = vector.step(actions)
    mean = (actions.sum(1, keepdims=True) - actions) / 3
    for b in range(3):
        np.testing.assert_allclose(infos["final_obs"][b][:, -1], mean[b], rtol=1e-6)


def test_every_copy_is_drawn() -> None:
    vector = make(num_envs=2, render_mode="ansi", horizon=2)
    vector.reset(seed=0)
    for t in (1, 2, 1):
        vector.step(vector.action_space.sample())
        drawn: Any = vector.render()
        # the episode that ended in this step still shows
        assert [f"copy {b}, period {t}:" in drawn[b] for b in range(2)] == [True, True]
    assert make().render() is None


def test_reset_takes_one_seed_or_one_a_copy() -> None:
    vector = make(num_envs=2)
    first, _ = vector.reset(seed=[3, 4])
    vector.step(np.full((2, 4), 4))
    swapped, _ = vector.reset(seed=[4, 3])
    np.testing.assert_array_equal(first, swapped[::-1])
    vector.reset(seed=[None, None])
    with pytest.raises(ValueError, match="seed every copy or none"):
        vector.reset(seed=[3, None])
    with pytest.raises(ValueError, match="3 seeds for 2 copies"):
        vector.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match="reset_mask is not taken"):
        vector.reset(options={"reset_mask": np.array([True, False])})
