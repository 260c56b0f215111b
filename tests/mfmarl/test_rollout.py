import math

import numpy as np
import pytest
import torch

from mfmarl.errors import TrainingFailed
from mfmarl.rollout import batch_arrays, batch_from
from tests.games import MatchingGame, make_pair


def test_a_fragment_holds_what_was_played():
    game = MatchingGame(num_envs=3, num_agents=6, length=5)
    rollout, _ = make_pair(game)
    batch = rollout.collect(12)
    assert batch.obs.shape == (12, 3, 6, 3)
    assert batch.env_steps() == 36
    assert batch.agent_steps() == 216
    # episodes of 5 steps start at 0, 5, 10 and end at 4, 9
    assert np.flatnonzero(batch.started[:, 0]).tolist() == [0, 5, 10]
    assert np.flatnonzero(batch.truncated[:, 0]).tolist() == [4, 9]
    assert sorted(batch.final_obs) == [4, 9]
    assert batch.returns.shape == (6, 6)


def test_returns_are_discounted_sums_of_the_episodes_rewards():
    rollout, _ = make_pair(MatchingGame(num_envs=1, num_agents=4, length=5))
    batch = rollout.collect(5)
    weights = 0.5 ** np.arange(5)
    np.testing.assert_allclose(batch.returns[0], (weights[:, None] * batch.reward[:, 0]).sum(0), rtol=1e-6)
    np.testing.assert_allclose(batch.profits[0], batch.reward[:, 0].mean(0), rtol=1e-6)


def test_log_probabilities_are_those_of_the_played_actions():
    rollout, learner = make_pair(MatchingGame())
    batch = rollout.collect(1)
    q = learner.policy.q_values(torch.from_numpy(batch.obs[0]), torch.zeros(4, 6, 3))
    want = torch.log_softmax(q / learner.policy.temperature, -1)
    played = torch.from_numpy(batch.action[0]).long().unsqueeze(-1)
    np.testing.assert_allclose(batch.log_prob[0], want.gather(-1, played).squeeze(-1).numpy(), rtol=1e-6)
    assert batch.entropy > 0.9 * math.log(3)


def test_state_goes_on_bit_for_bit():
    rollout, _ = make_pair(MatchingGame())
    rollout.collect(7)
    state = rollout.get_state()
    first = rollout.collect(9)
    other, _ = make_pair(MatchingGame(), seed=5)
    other.network.load_state_dict(rollout.network.state_dict())
    other.set_state(state)
    second = other.collect(9)
    for name in ("obs", "action", "log_prob", "reward", "started", "returns"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_a_fragment_survives_being_taken_apart():
    rollout, _ = make_pair(MatchingGame())
    batch = rollout.collect(6)
    back = batch_from(*batch_arrays(batch))
    np.testing.assert_array_equal(batch.final_obs[4], back.final_obs[4])
    np.testing.assert_array_equal(batch.reward, back.reward)
    assert (back.runner, back.continues, back.entropy) == (batch.runner, batch.continues, batch.entropy)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_reward_that_is_no_number_is_refused_with_its_place(value: float):
    game = MatchingGame()
    rollout, _ = make_pair(game, seed=7)
    rollout.collect(2)
    game.fault = value
    with pytest.raises(TrainingFailed, match=rf"agent 5, copy 0\) got reward {value} at step 2 .* seed 7"):
        rollout.collect(1)
