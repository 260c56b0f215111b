"""Imitation ends where a reward, an observation, a loss or a gradient is not finite, before it is learned from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mfmarl.errors import TrainingFailed
from mfmarl.imitation import bc, discriminator_step
from mfmarl.imitation.bc import BCAgent
from mfmarl.imitation.gail import GAILAgent
from mfmarl.imitation.ppo import PPO, PPOConfig
from mfmarl.imitation.rollout import Collector, Rollout
from mfmarl.imitation.run import _check_finite
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps
from tests.mfmarl.imitation.walk import Walk


def copies(*modules: nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for module in modules for p in module.parameters()]


def equal(before: list[torch.Tensor], after: list[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_cloning_does_not_take_a_step_of_no_number(
    value: float, dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    agent = BCAgent({"state_dim": 2, "action_dim": 3, "hidden_dims": (8,), "batch_size": 16, "dropout": dropout})
    place, name = (agent, "loss") if dropout else (bc, "fill_gradients")
    loss, taken, told, before = getattr(place, name), [0], [], list[torch.Tensor]()

    def spoilt(*given: Any) -> torch.Tensor:
        taken[0] += 1
        before[:] = copies(*agent.actors)
        found: torch.Tensor = loss(*given) * (value if taken[0] == 150 else 1.0)
        return found

    monkeypatch.setattr(place, name, spoilt)
    with pytest.raises(TrainingFailed, match=rf"the loss is {value} in gradient step 150, which was not taken: lower"):
        agent.fit(rng.normal(size=(64, 2)).astype(np.float32), rng.integers(0, 3, 64), 400, told.append)
    assert taken == [150]
    assert equal(before, copies(*agent.actors))
    # what is saved is saved by whom it tells
    assert [row["updates"] for row in told] == [100]


class Broken(Walk):
    """Gives no number in its fourth step."""

    given = "reward"

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        found, reward, terminated, truncated, info = super().step(action)
        if self.time == 4:
            reward = math.nan if self.given == "reward" else reward
            found = found * (math.inf if self.given == "an observation that is no number" else 1)
        return found, reward, terminated, truncated, info


@pytest.mark.parametrize("given", ["reward", "an observation that is no number"])
def test_what_an_environment_gives_is_refused_by_environment_step_and_seed(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Broken, "given", given)
    collector = Collector(Broken, 2, 7)
    collector.collect(lambda states: np.ones(len(states), np.int64), 3)
    with pytest.raises(TrainingFailed, match=rf"environment 0 \(seed 7\) gave (the )?{given}.* in step 4, want finite"):
        collector.collect(lambda states: np.ones(len(states), np.int64), 3)


def adversary() -> tuple[GAILAgent, Rollout, Steps]:
    agent = GAILAgent({"state_dim": 2, "action_dim": 2, "hidden_dims": (8,), "num_envs": 2, "rollout": 12})
    played = Collector(Walk, 2, 0).collect(lambda states: np.ones(len(states), np.int64), 12)
    return agent, played, agent.ppo.with_log_prob(Steps.of(played))


@pytest.mark.filterwarnings("ignore:.*fewer than")
def test_a_discriminator_does_not_take_a_step_of_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, _, steps = adversary()
    monkeypatch.setattr(discriminator_step, "discriminator_loss", lambda *_: torch.tensor(math.nan))
    before = copies(agent.discriminator)
    with pytest.raises(TrainingFailed, match="the discriminator's loss is nan; its step was not taken: lower"):
        agent.step(steps, steps)
    assert equal(before, copies(agent.discriminator))


@pytest.mark.filterwarnings("ignore:.*fewer than")
def test_ppo_does_not_take_a_step_of_no_number() -> None:
    _, played, _ = adversary()
    ppo = PPO(Spaces(2, 2), PPOConfig(minibatch=8), 0, (8,))
    steps = ppo.with_log_prob(Steps.of(played))
    rewards = torch.zeros(len(steps))
    rewards[5] = math.nan
    before = copies(ppo.actor, ppo.critic)
    with pytest.raises(TrainingFailed, match="the gradient of PPO's step 1 is not finite; it was not taken: lower"):
        ppo.learn(played, steps, rewards, torch.Generator().manual_seed(0))
    assert equal(before, copies(ppo.actor, ppo.critic))


@pytest.mark.parametrize("name", ["loss", "critic_loss", "discriminator_loss"])
@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_a_round_of_imitation_is_refused_by_the_loss_that_is_none(name: str, value: float) -> None:
    with pytest.raises(TrainingFailed, match=f"^round 3: {name} is {value}; lower the learning rates, or raise"):
        _check_finite({name: value, "return": 1.0}, 3)
    _check_finite({name: 0.5, "return": math.nan}, 3)
