"""RLlib's episodes are paid as the core pays its own rollouts; Ray is imported, but not started."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch

from mfmarl.imitation.absorbing import Ends
from mfmarl.imitation.adversarial_agent import AdversarialAgent
from mfmarl.imitation.airl import AIRLAgent
from mfmarl.imitation.gail import GAILAgent
from mfmarl.imitation.ppo import advantages
from mfmarl.imitation.rollout import Collector, Rollout, spaces_of
from mfmarl.imitation.settings import of_spaces
from mfmarl.imitation.steps import Steps
from mfmarl.seeding import stream

pytest.importorskip("ray")
pytestmark = pytest.mark.ray

ENVS = ("CartPole-v1", "Pendulum-v1")
LENGTH = 60


def agent_of(kind: type[AdversarialAgent[Any]], env: str) -> AdversarialAgent[Any]:
    """With a discriminator, a normaliser and a policy that have seen something."""
    agent = kind({**of_spaces(spaces_of(env)), "hidden_dims": (16,), "ppo": {"log_std": 0.5}}, seed=3)
    for parameter in [*agent.discriminator.parameters(), *agent.policy.net.parameters()]:
        parameter.data.add_(0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(parameter))))
    agent.expert_ends, agent.ends = Ends(500, 2), Ends(200, 9)
    agent.policy.norm.update(torch.randn((50, agent.config.state_dim), generator=torch.Generator().manual_seed(0)))
    return agent


def played(agent: AdversarialAgent[Any], env: str) -> Rollout:
    """Steps of two environments, with episodes that end and one that is cut in each."""
    collector = Collector(env, 2, stream(5, "play"))
    try:
        return collector.collect(lambda states: agent.policy.act(states, agent.generator), LENGTH)
    finally:
        collector.close()


def as_episodes(agent: AdversarialAgent[Any], rollout: Rollout) -> tuple[list[Any], list[tuple[slice, int]]]:
    """RLlib's episodes of a rollout, one environment after the other, and where in [T, B] each is from."""
    from ray.rllib.core.columns import Columns
    from ray.rllib.env.single_agent_episode import SingleAgentEpisode

    from mfmarl.rllib.action_laws import in_rllib

    episodes, places = [], []
    T, B = rollout.rewards.shape
    over = rollout.terminated | rollout.truncated
    for b in range(B):
        ends = [*(np.flatnonzero(over[:, b]) + 1).tolist(), T]
        for first, end in zip([0, *ends], ends, strict=False):
            if first == end:
                continue
            at = slice(first, end)
            states = rollout.states[at, b]
            net = agent.policy.net(agent.policy.norm(torch.from_numpy(states))).detach()
            if agent.policy.log_std is not None:
                net = torch.cat([net, agent.policy.log_std.detach().expand_as(net)], -1)
            one = SingleAgentEpisode(
                observations=[*states, rollout.next_states[end - 1, b]],
                actions=list(in_rllib(rollout.actions[at, b], agent.config.spaces)),
                rewards=rollout.rewards[at, b].tolist(),
                infos=[{}] * (end - first + 1),
                terminated=bool(rollout.terminated[end - 1, b]),
                truncated=bool(rollout.truncated[end - 1, b]),
                extra_model_outputs={Columns.ACTION_DIST_INPUTS: list(net.numpy())},
                len_lookback_buffer=0,
            )
            one.to_numpy()
            episodes.append(one)
            places.append((at, b))
    return episodes, places


@pytest.mark.parametrize("env", ENVS)
@pytest.mark.parametrize("kind", [GAILAgent, AIRLAgent])
@pytest.mark.parametrize("added", [False, True])
def test_the_connector_pays_what_the_core_pays(kind: type[AdversarialAgent[Any]], env: str, added: bool) -> None:
    from ray.rllib.connectors.learner import AddOneTsToEpisodesAndTruncate

    from mfmarl.rllib.reward_connector import DiscriminatorReward

    agent = agent_of(kind, env)
    rollout = played(agent, env)
    steps = agent.ppo.with_log_prob(Steps.of(rollout))
    wanted = (agent.config.ppo.reward_scale * agent.reward(steps)).numpy().reshape(rollout.rewards.shape)
    assert wanted.std() > 1e-3
    episodes, places = as_episodes(agent, rollout)
    assert len(episodes) > 2 or env == "Pendulum-v1"
    shared: dict[str, Any] = {}
    if added:
        AddOneTsToEpisodesAndTruncate()(rl_module=None, batch={}, episodes=episodes, shared_data=shared)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DiscriminatorReward(agent=agent)(rl_module=None, batch={}, episodes=episodes, shared_data=shared)  # type: ignore[arg-type]
    for one, (at, b) in zip(episodes, places, strict=True):
        found = np.asarray(one.get_rewards())
        np.testing.assert_allclose(found[: at.stop - at.start], wanted[at, b], rtol=0, atol=1e-6)
        assert found[at.stop - at.start :].tolist() == [0.0] * added


def test_it_stands_before_advantages_which_are_the_cores() -> None:
    """RLlib's whole pipeline against the core's lambda-returns of the same values and rewards."""
    from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner

    from mfmarl.imitation.demonstrations import Demonstrations
    from mfmarl.imitation.rollout import episodes as play
    from mfmarl.rllib.adversarial_imitation import algorithm_config
    from mfmarl.rllib.adversarial_ppo import rewards_of
    from mfmarl.rllib.reward_connector import reward_state, set_reward_state

    env = "CartPole-v1"
    agent = agent_of(AIRLAgent, env)
    rollout = played(agent, env)
    every = play(env, lambda states: np.zeros(len(states), np.int64), 2, 0)
    shown = Demonstrations.from_episodes(every, agent.config.spaces, env)
    config = algorithm_config("airl", env, agent.config.model_dump(), shown, 1000, 3)
    spec = config.get_multi_rl_module_spec(spaces={"default_policy": _gym_spaces(env)})
    learner = PPOTorchLearner(config=config, module_spec=spec)
    learner.build()
    set_reward_state(rewards_of(learner), reward_state(agent))
    episodes, places = as_episodes(agent, rollout)
    batch = learner._make_batch_if_necessary(_training_data(episodes)).policy_batches["default_policy"]
    module = learner.module["default_policy"]

    def value(states: np.ndarray) -> torch.Tensor:
        found: torch.Tensor = module.compute_values({"obs": torch.from_numpy(states.reshape(-1, 4))}).detach()
        return found

    paid = agent.config.ppo.reward_scale * agent.reward(agent.ppo.with_log_prob(Steps.of(rollout)))
    core = advantages(value(rollout.states), value(rollout.next_states), paid, rollout, 0.99, 0.95)
    target = core.target.squeeze(-1).numpy()
    wanted = np.concatenate([target[at, b] for at, b in places])
    found = batch["value_targets"][batch["loss_mask"]].numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)


def _training_data(episodes: list[Any]) -> Any:
    from ray.rllib.core.learner.training_data import TrainingData

    return TrainingData(episodes=episodes)


def _gym_spaces(env: str) -> tuple[Any, Any]:
    import gymnasium as gym

    made = gym.make(env)
    return made.observation_space, made.action_space
