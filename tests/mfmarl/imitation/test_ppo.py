"""Advantages against figures by hand, and that the learner learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mfmarl.imitation.ppo import PPO, PPOConfig, advantages
from mfmarl.imitation.rollout import Rollout
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps

REWARDS = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
VALUE = torch.tensor([0.5, 0.25, 0.125], dtype=torch.float64)
AFTER = torch.tensor([0.25, 0.125, 8.0], dtype=torch.float64)


def rollout(terminated: list[bool], truncated: list[bool]) -> Rollout:
    """Three steps of one environment."""
    nothing = np.zeros((3, 1, 1), np.float32)
    ends = (np.array(end)[:, None] for end in (terminated, truncated))
    return Rollout(nothing, np.zeros((3, 1), np.int64), np.zeros((3, 1)), nothing, *ends)


NEVER = [False, False, False]
AT_END = [False, False, True]
MIDDLE = [False, True, False]


def gae(terminated: list[bool], truncated: list[bool], trace_decay: float) -> list[float]:
    traced = advantages(VALUE, AFTER, REWARDS, rollout(terminated, truncated), 0.5, trace_decay)
    return traced.advantage.flatten().tolist()


def test_lambda_0_is_the_temporal_difference_error() -> None:
    """r + v' / 2 - v"""
    assert gae(NEVER, NEVER, 0.0) == pytest.approx([0.625, 1.8125, 7.875])


def test_lambda_1_is_the_return_without_its_baseline() -> None:
    """4 + 8 / 2 = 8, 2 + 8 / 2 = 6, 1 + 6 / 2 = 4, each minus its value."""
    assert gae(NEVER, NEVER, 1.0) == pytest.approx([3.5, 5.75, 7.875])


def test_truncation_bootstraps_and_termination_does_not() -> None:
    assert gae(NEVER, AT_END, 1.0) == gae(NEVER, NEVER, 1.0)
    # 4, 2 + 4 / 2, 1 + 4 / 2
    assert gae(AT_END, NEVER, 1.0) == pytest.approx([2.5, 3.75, 3.875])


def test_nothing_is_carried_over_the_end_of_an_episode() -> None:
    # truncated after the second step: 2 + .125 / 2, 1 + 2.0625 / 2
    assert gae(NEVER, MIDDLE, 1.0) == pytest.approx([1.53125, 1.8125, 7.875])
    assert gae(MIDDLE, NEVER, 1.0) == pytest.approx([1.5, 1.75, 7.875])


@pytest.mark.parametrize("spaces", [Spaces(2, 3), Spaces(2, 1, (-2.0,), (2.0,))], ids=["numbered", "continuous"])
def test_it_learns_which_action_pays(spaces: Spaces) -> None:
    """Action 2, or the bound 2, is paid; every step is an episode."""
    ppo = PPO(spaces, PPOConfig(epochs=4, minibatch=64, discount=0.0), 0, (16,), 1e-2)
    generator = torch.Generator().manual_seed(0)
    states = np.random.default_rng(0).normal(size=(16, 8, 2)).astype(np.float32)
    always = np.ones((16, 8), bool)
    for _ in range(30):
        actions = ppo.actor.act(states.reshape(-1, 2), generator).reshape(16, 8, *spaces.action_shape())
        played = Rollout(states, actions, np.zeros((16, 8)), states, always, ~always)
        steps = ppo.with_log_prob(Steps.of(played))
        paid = steps.actions[:, 0] if spaces.continuous else (steps.actions == 2).float()
        ppo.learn(played, steps, paid, generator)
    mode = ppo.actor.act(states.reshape(-1, 2))
    assert float(np.asarray(mode, float).mean()) > 1.9
    assert ppo.updates == 30 * 4 * 2
