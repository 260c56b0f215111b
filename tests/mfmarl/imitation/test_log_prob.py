"""AIRL's log pi(a|s): of each side's own actions, never left at nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.imitation.airl import AIRLAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.gail import GAILAgent
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.steps import Steps

SMALL: dict[str, Any] = {
    "hidden_dims": (16,), "num_envs": 2, "rollout": 32, "discriminator_steps": 3, "past_rollouts": 3
}  # fmt: skip
CARTPOLE = {**SMALL, "state_dim": 4, "action_dim": 2}
PENDULUM = {**SMALL, "state_dim": 3, "action_dim": 1, "low": (-2.0,), "high": (2.0,)}


def upright(states: NDArray[np.float32]) -> NDArray[np.int64]:
    return (states[:, 2] > 0).astype(np.int64)


def swings(states: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(states[:, 2:], -1.5, 1.5)


def shown(env: str, act: Callable[[NDArray[np.float32]], Any]) -> Demonstrations:
    return Demonstrations.from_episodes(episodes(env, act, 2, 0), spaces_of(env), env)


@pytest.fixture(params=["CartPole-v1", "Pendulum-v1"])
def agent(request: pytest.FixtureRequest) -> AIRLAgent:
    """With demonstrations of numbered, and of continuous, actions."""
    numbered = request.param == "CartPole-v1"
    config = CARTPOLE if numbered else PENDULUM
    return AIRLAgent(
        {**config, "state_only": True}, request.param, shown(request.param, upright if numbered else swings)
    )


def of_policy(agent: AIRLAgent, steps: Steps) -> Tensor:
    """ln pi(a|s) of these very actions: [n]."""
    with torch.no_grad():
        return agent.policy.law(steps.states).log_prob(steps.actions)


def of_expert(agent: AIRLAgent) -> Steps:
    assert agent.demonstrations is not None
    return Steps.of(agent.demonstrations.transitions)


def test_a_demonstrations_logit_is_f_less_its_own_actions_log_probability(agent: AIRLAgent) -> None:
    steps = of_expert(agent)
    log_prob = of_policy(agent, steps)
    assert float(log_prob.abs().min()) > 1e-3
    with torch.no_grad():
        f = agent.discriminator(agent.discriminator.rows(steps))
    torch.testing.assert_close(agent.logit(steps), f - log_prob)
    # f sees states alone here, so another action changes the logit by its log-probability and nothing else
    other = Steps(**steps.tensors() | {"actions": steps.actions.flip(0)})
    torch.testing.assert_close(agent.logit(other) - agent.logit(steps), log_prob - of_policy(agent, other))


def test_training_gives_both_sides_the_log_probabilities_of_the_policy_of_now(
    agent: AIRLAgent, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three rounds, in which the policy changes, and past rollouts are told from the expert as well."""
    logit, gaps, sizes = agent.discriminator.logit, list[float](), list[float]()

    def spy(rows: Tensor, steps: Steps) -> Tensor:
        if agent.discriminator.training:
            gaps.append(float((steps.known_log_prob - of_policy(agent, steps)).abs().max()))
            sizes.append(float(steps.known_log_prob.abs().min()))
        return logit(rows, steps)

    monkeypatch.setattr(agent.discriminator, "logit", spy)
    agent.train(3 * 64)
    assert len(gaps) == 9
    assert max(gaps) < 1e-5
    assert min(sizes) > 0


def test_steps_without_log_probabilities_get_those_of_the_policy(agent: AIRLAgent) -> None:
    """One update of two agents that are alike, and what they pay."""
    plain = of_expert(agent)
    given = agent.ppo.with_log_prob(plain)
    assert plain.log_prob is None
    torch.testing.assert_close(given.known_log_prob, of_policy(agent, plain))
    assert torch.equal(agent.reward(plain), agent.reward(given))
    twin = AIRLAgent(agent.config, agent.env, agent.demonstrations)
    assert agent.update(plain[:20], plain[20:40]) == twin.update(given[:20], given[20:40])


def test_gail_asks_for_none() -> None:
    demonstrations = shown("CartPole-v1", upright)
    agent = GAILAgent(CARTPOLE, "CartPole-v1", demonstrations)
    steps = Steps.of(demonstrations.transitions)
    figures = agent.update(steps[:10], agent.ppo.with_log_prob(steps[10:20]))
    assert np.isfinite(list(figures.values())).all()


def test_missing_log_probabilities_are_not_0() -> None:
    steps = Steps.of(shown("CartPole-v1", upright).transitions)[:5]
    with pytest.raises(ValueError, match="5 steps have no log_prob"):
        _ = steps.known_log_prob
