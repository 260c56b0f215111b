from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.mega_dagger.multi_expert import MultiExpertAgent, reweighted, together
from mfmarl.imitation.spaces import Spaces
from tests.mfmarl.imitation.walk import LENGTH, Walk, expert

CONFIG = {"state_dim": 2, "action_dim": 2, "hidden_dims": (8,), "batch_size": 4, "updates": 5}


def away(states: NDArray[np.float32]) -> NDArray[np.int64]:
    return 1 - expert(states)


def test_votes_are_weighted_and_ties_go_to_the_lowest_number() -> None:
    actions = np.array([[0, 2, 1], [1, 2, 0], [1, 0, 0]])
    spaces = Spaces(1, 3)
    assert together(actions, [0.6, 0.2, 0.2], spaces).tolist() == [0, 2, 1]
    assert together(actions, [0.2, 0.4, 0.4], spaces).tolist() == [1, 2, 0]
    assert together(actions[:2], [0.5, 0.5], spaces).tolist() == [0, 2, 0]


def test_continuous_actions_are_the_weighted_mean() -> None:
    actions = np.array([[[1.0], [0.0]], [[-1.0], [2.0]]])
    assert together(actions, [0.75, 0.25], Spaces(1, 1, (-2.0,), (2.0,))).tolist() == [[0.5], [0.5]]


def test_weights_follow_returns() -> None:
    found = np.exp(reweighted(np.log([0.5, 0.25, 0.25]), [10, 20, 15], 2.0))
    raw = np.array([0.5, 0.25 * np.exp(2), 0.25 * np.exp(1)])
    np.testing.assert_allclose(found, raw / raw.sum())
    np.testing.assert_allclose(np.exp(reweighted(np.log([0.5, 0.5]), [3, 3], 2.0)), [0.5, 0.5])


def test_the_good_expert_comes_to_outvote_two_bad_ones_and_all_is_counted() -> None:
    agent = MultiExpertAgent({**CONFIG, "rate": 2.0}, Walk, [away, expert, away])
    agent.train(4 * 4 * LENGTH)
    assert agent.rounds == 4
    assert agent.weights[1] == pytest.approx(1 / (1 + 2 * np.exp(-8)))
    # a round: an episode of each of 3 experts, then an episode in which each of them is asked about every state
    assert agent.counts.interactions == 4 * 4 * LENGTH
    assert agent.counts.queries == 4 * (3 + 3) * LENGTH
    np.testing.assert_array_equal(agent.labels, expert(agent.states))


def test_validation_is_of_whole_episodes_and_a_round_of_a_step_at_least() -> None:
    agent = MultiExpertAgent(CONFIG, Walk, [away, expert, away])
    assert agent.train(1).counts.interactions == 3 * LENGTH + 1
    assert agent.train(3 * LENGTH + 1).history == []


def test_saved_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole = MultiExpertAgent(CONFIG, Walk, [away, expert], seed=1)
    whole.train(6 * LENGTH)
    whole.save(tmp_path)
    again = MultiExpertAgent.load(tmp_path, env=Walk, experts=[away, expert])
    for agent in (whole, again):
        agent.train(12 * LENGTH)
    np.testing.assert_array_equal(whole.weights, again.weights)
    for a, b in zip(whole.policy.parameters(), again.policy.parameters(), strict=True):
        assert torch.equal(a, b)


def test_an_expert_that_answers_wrongly_is_named() -> None:
    with pytest.raises(UserError, match=r"expert 1 gave actions 7 to 7; want 0 to 1"):
        MultiExpertAgent(CONFIG, Walk, [expert, lambda s: np.full(len(s), 7)]).train(1)
    with pytest.raises(UserError, match=r"MultiExpertAgent\.train needs experts"):
        MultiExpertAgent(CONFIG, Walk).train(1)
