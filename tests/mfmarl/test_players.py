"""Profiles as players."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import envs
from envs.inventory.mean_field import base_stock_profile, mean_field
from mfmarl.config import TrainConfig
from mfmarl.network import PolicyNetwork
from mfmarl.players import (
    answer_player,
    constant_player,
    network_player,
    network_sight,
    profile_player,
    reference_player,
)
from mfmarl.policy import Policy
from mfmarl.trainer import network_shape


def test_answers_are_drawn_as_often_as_they_say() -> None:
    env = envs.make("games/identity", num_envs=500, num_agents=4, seed=0, num_actions=2)
    laws = np.array([[[0.2, 0.8], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])
    step = env.reset(0)
    play = answer_player(laws)(env, 1)
    actions = np.stack([play(step) for _ in range(20)])
    seen = step.obs.argmax(-1)
    for kind, agents in ((0, slice(0, 2)), (1, slice(2, 4))):
        for signal in (0, 1):
            share = actions[:, :, agents][:, seen[:, agents] == signal].mean()
            assert share == pytest.approx(laws[kind, signal, 1], abs=0.015)


def test_the_same_seed_plays_the_same_and_another_does_not() -> None:
    env = envs.make("inventory/market-easy", num_envs=3, num_agents=9, seed=0)
    shape = network_shape(TrainConfig(), env)
    network = PolicyNetwork(shape, 1)
    step = env.reset(0)
    for player in (network_player(network), reference_player("random", 0.99)):
        one, two, other = (player(env, seed)(step) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one, two)
        assert (one != other).any()


@pytest.mark.parametrize("by_type", [False, True])
def test_a_network_plays_by_the_laws_of_its_policy(by_type: bool) -> None:
    """Nearly greedy, so that its draws are its laws' largest entries, also from the second period on."""
    env = envs.make("inventory/market-easy", num_envs=8, num_agents=9, seed=0)
    network = PolicyNetwork(network_shape(TrainConfig(mean_action_by_type=by_type), env), 1)
    with torch.no_grad():
        network.mlp.weights[-1].mul_(1e3)
        network.temperature.fill_(1e-4)
    play, policy, step, last = network_player(network)(env, 3), Policy(network), env.reset(0), np.zeros((8, 9))
    for _ in range(3):
        want = policy.probs(step.obs, step.mean_action, last).argmax(-1)
        last = play(step)
        np.testing.assert_array_equal(last, want)
        step = env.step(last)


def test_sight_is_what_the_networks_act_on() -> None:
    env = envs.make("inventory/market-easy", num_envs=2, num_agents=9, seed=0)
    network = PolicyNetwork(network_shape(TrainConfig(method="mfp"), env), 1)
    step = env.reset(0)
    seen = network_sight(network)(step, None)
    obs = torch.from_numpy(step.obs)
    torch.testing.assert_close(torch.from_numpy(seen), network.acted_on(obs, torch.zeros(2, 9, 11)))
    np.testing.assert_allclose(seen.sum(-1), 1, rtol=1e-5)


def test_a_mean_field_profile_plays_base_stock_as_base_stock_does() -> None:
    env = envs.make("inventory/market-easy", num_envs=2, num_agents=9, seed=0, jitter=0.0)
    game = mean_field(env.config)
    profile, rule = profile_player(game, base_stock_profile(game))(env, 0), reference_player("base_stock", 0.99)(env, 0)
    step = env.reset(0)
    for _ in range(5):
        want = rule(step)
        np.testing.assert_array_equal(profile(step), want)
        step = env.step(want)


def test_profiles_that_cannot_be_played_are_told() -> None:
    game = envs.make("games/cournot", num_envs=1, seed=0)
    with pytest.raises(ValueError, match="constant is no profile of OneShotGame"):
        reference_player("constant", 0.99)(game, 0)
    market = envs.make("inventory/market-easy", num_envs=1, num_agents=9, seed=0)
    exact = mean_field(market.config)
    with pytest.raises(ValueError, match="played in the market, and this is a OneShotGame"):
        profile_player(exact, base_stock_profile(exact))(game, 0)
    assert constant_player(3)(market, 0)(market.reset(0)).tolist() == [[3] * 9]
