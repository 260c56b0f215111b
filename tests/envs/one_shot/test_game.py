"""One-shot games as environments: seeds, state, signals, ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import envs
from envs.one_shot import OneShotGame, profile_of
from envs.one_shot.game import drawn_signals
from envs.population import Step


def identity(num_envs: int = 3, num_agents: int = 7, **options: Any) -> OneShotGame:
    env = envs.make("games/identity", num_envs=num_envs, num_agents=num_agents, seed=0, **options)
    assert isinstance(env, OneShotGame)
    return env


def test_episodes_are_cut_at_the_horizon_and_go_on() -> None:
    env = identity(horizon=3)
    env.reset(1)
    rng = np.random.default_rng(0)
    for t in range(1, 8):
        actions = rng.integers(4, size=(3, 7))
        step = env.step(actions)
        assert not step.terminated.any()
        assert step.truncated.tolist() == [t % 3 == 0] * 3
        assert (step.final_obs is not None) == (t % 3 == 0)
        if step.final_obs is not None:
            # what the next period would have shown, and what the next episode shows
            assert (step.final_obs != step.obs).any()
            assert (step.mean_action == 0).all()
        else:
            others = np.eye(4)[np.delete(actions[1], 2)].mean(0)
            np.testing.assert_allclose(step.mean_action[1, 2], others, rtol=1e-6)


def test_a_copy_plays_alone_what_it_plays_among_others() -> None:
    many, alone = identity(num_envs=5), identity(num_envs=1)
    steps, single = many.reset([4, 5, 6, 7, 8]), alone.reset([6])
    rng = np.random.default_rng(0)
    for _ in range(25):
        np.testing.assert_array_equal(steps.obs[2], single.obs[0])
        actions = rng.integers(4, size=(5, 7))
        steps, single = many.step(actions), alone.step(actions[2:3])
        np.testing.assert_array_equal(steps.reward[2], single.reward[0])
        np.testing.assert_array_equal(steps.mean_action[2], single.mean_action[0])


def test_signals_are_uniform_and_independent() -> None:
    keys = np.arange(40, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    drawn = np.stack([drawn_signals(keys, t, 50, 3) for t in range(50)])
    assert set(np.unique(drawn)) == {0, 1, 2}
    # chi-square of 2 degrees of freedom: 13.8 is exceeded once in a thousand
    counts = np.bincount(drawn.ravel())
    assert ((counts - drawn.size / 3) ** 2 / (drawn.size / 3)).sum() < 13.8
    for axis in range(3):
        pairs = drawn.swapaxes(0, axis)
        same = float((pairs[1:] == pairs[:-1]).mean())
        assert abs(same - 1 / 3) < 4 * np.sqrt(2 / 9 / pairs[1:].size)


def test_state_goes_back_and_others_are_refused() -> None:
    env, other = identity(), identity()
    env.reset(9)
    rng = np.random.default_rng(0)
    for _ in range(13):
        env.step(rng.integers(4, size=(3, 7)))
    other.set_state(env.get_state())
    for _ in range(12):
        actions = rng.integers(4, size=(3, 7))
        one, two = env.step(actions), other.step(actions)
        np.testing.assert_array_equal(one.obs, two.obs)
        np.testing.assert_array_equal(one.reward, two.reward)
    with pytest.raises(ValueError, match="the state has no episode: it is not of a one-shot game"):
        other.set_state({"seeds": np.zeros(3), "t": 0})
    with pytest.raises(ValueError, match="the state is of 2 copies; these are 3"):
        other.set_state(identity(num_envs=2).get_state())
    with pytest.raises(ValueError, match="the state is of period 10; episodes here have 10"):
        other.set_state(env.get_state() | {"t": 10})


def test_types_share_the_agents() -> None:
    assert np.bincount(identity(num_agents=7).agent_types).tolist() == [4, 3]
    market = envs.make("games/cournot", num_agents=8, seed=0, costs=(1, 2, 3))
    assert list(market.type_names) == ["cost-1", "cost-2", "cost-3"]
    assert np.bincount(market.agent_types).tolist() == [3, 3, 2]


def test_profiles_count_what_was_played_at_each_signal() -> None:
    env = identity(num_actions=3)
    shift = env.agent_types

    def right(step: Step) -> Any:
        return (step.obs.argmax(-1) + shift) % 3

    np.testing.assert_array_equal(profile_of(env, right, 30, seed=1), env.solution().answers["right"])
    straight = profile_of(env, lambda step: step.obs.argmax(-1), 30, seed=1)
    assert env.solution().distances(straight) == {"right": 1.0}
    with pytest.raises(ValueError, match=r"type straight never saw signal \d+ in 1 steps: play more"):
        # three copies of 4 agents cannot see all of 200 signals
        profile_of(identity(num_actions=200), lambda step: step.obs.argmax(-1), 1, seed=1)
