"""GAIL and AIRL with RLlib's PPO for a policy: its runners and learners, and the core's discriminator."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Literal

import torch
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.execution.rollout_ops import synchronous_parallel_sample
from ray.rllib.utils.metrics import ENV_RUNNER_RESULTS, LEARNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME

from mfmarl.errors import TrainingFailed
from mfmarl.imitation.absorbing import Ends
from mfmarl.imitation.adversarial_agent import AdversarialAgent
from mfmarl.imitation.airl import AIRLAgent
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.gail import GAILAgent
from mfmarl.imitation.steps import Steps
from mfmarl.rllib.action_laws import inputs_of, law_of
from mfmarl.rllib.reward_connector import DiscriminatorReward, reward_state, set_reward_state, steps_of
from mfmarl.runs.sealed import Arrays

Method = Literal["gail", "airl"]
AGENTS: dict[Method, type[AdversarialAgent[Any]]] = {"gail": GAILAgent, "airl": AIRLAgent}
IMITATION = "imitation"
"""Where in RLlib's results the discriminator's figures are, and in its checkpoints the discriminator."""


class AdversarialPPO(PPO):
    """RLlib's PPO, but that between playing and learning one discriminator, the driver's, is trained and sent out.

    Every learner pays its share of the episodes by a copy; that all copies are the same is checked in each round.
    """

    def setup(self, config: AlgorithmConfig) -> None:
        """Build RLlib's parts, then the discriminator and what it is shown."""
        super().setup(config)
        given = self.config.imitation
        self.agent = make_agent(given["method"], given["config"], given["seed"])
        shown: Demonstrations = given["demonstrations"]
        self.agent.expert_ends = Ends.of(shown)
        self.expert = Steps.of(shown.transitions)
        self.agent.ppo.actor.norm.update(self.expert.states)

    def training_step(self) -> None:
        """Play, tell apart, send the discriminator out, learn, send the policy out."""
        episodes, results = synchronous_parallel_sample(
            worker_set=self.env_runner_group, max_env_steps=self.config.total_train_batch_size,
            sample_timeout_s=self.config.sample_timeout_s, _uses_new_env_runners=True, _return_metrics=True,
        )  # fmt: skip
        if not episodes:
            raise TrainingFailed("no environment runner returned an episode")
        self.metrics.aggregate(results, key=ENV_RUNNER_RESULTS)
        steps = steps_of(episodes, list(map(len, episodes)), self.agent.config.spaces)
        for name, value in self.tell_apart(steps).items():
            self.metrics.log_value((IMITATION, name), value, window=1)
        self.send_out()
        played = self.metrics.peek((ENV_RUNNER_RESULTS, NUM_ENV_STEPS_SAMPLED_LIFETIME))
        learnt = self.learner_group.update(
            episodes=episodes,
            timesteps={NUM_ENV_STEPS_SAMPLED_LIFETIME: played},
            num_epochs=self.config.num_epochs,
            minibatch_size=self.config.minibatch_size,
            shuffle_batch_per_epoch=self.config.shuffle_batch_per_epoch,
        )
        if len(learnt) != max(1, self.config.num_learners):
            # RLlib goes on in silence without a learner that raised
            raise TrainingFailed(f"{len(learnt)} of {max(1, self.config.num_learners)} learners answered")
        self.metrics.aggregate(learnt, key=LEARNER_RESULTS)
        self.env_runner_group.sync_weights(
            from_worker_or_learner_group=self.learner_group, policies=[DEFAULT_MODULE_ID], inference_only=True
        )
        self.agent.ppo.actor.norm.update(steps.states)

    def tell_apart(self, steps: Steps) -> dict[str, float]:
        """The discriminator's gradient steps of one round, as in the core's."""
        agent, config, figures = self.agent, self.agent.config, dict[str, float]()
        agent.ends = agent.ends.then(len(steps), int(steps.terminated.sum()))
        agent.past.append(replace(steps, log_prob=None))
        asks = agent.discriminator.needs_log_prob
        expert = self.with_log_prob(self.expert) if asks else self.expert
        for _ in range(config.discriminator_steps):
            own, theirs = agent.drawn(expert)
            figures = agent.step(self.with_log_prob(own) if asks else own, theirs)
        return figures

    @torch.no_grad()
    def with_log_prob(self, steps: Steps) -> Steps:
        """With what the runners' policy thinks of the actions."""
        inputs = inputs_of(self.get_module(), steps.states)
        log_prob = law_of(inputs, self.agent.config.spaces).log_prob(steps.actions)
        return Steps(**steps.tensors() | {"log_prob": log_prob})

    def send_out(self) -> None:
        """Give all learners the discriminator of now.

        Raises:
            TrainingFailed: where a learner does not answer, or pays by another.
        """
        state = reward_state(self.agent)
        found = self.learner_group.foreach_learner(partial(_take, state=state))
        digests = [one.get() if one.ok else None for one in found]
        if digests != [digest(state)] * max(1, self.config.num_learners):
            raise TrainingFailed(f"learners' discriminators are {digests}; want {digest(state)} in all")

    def get_state(self, components: Any = None, *, not_components: Any = None, **given: Any) -> dict[str, Any]:
        """RLlib's, of which its checkpoints are made, and the discriminator with all that its training goes on from."""
        state: dict[str, Any] = super().get_state(components, not_components=not_components, **given)
        if self._check_component(IMITATION, components, not_components):
            state[IMITATION] = {"arrays": self.agent.arrays(), "ends": asdict(self.agent.ends)}
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """What `get_state` gave; learners get the discriminator before they pay by it."""
        super().set_state(state)
        if IMITATION in state:
            self.agent.load_arrays(state[IMITATION]["arrays"])
            self.agent.ends = Ends(**state[IMITATION]["ends"])


class AdversarialPPOConfig(PPOConfig):
    """RLlib's PPO settings, and what the discriminator is made from and shown."""

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or AdversarialPPO)
        self.imitation: dict[str, Any] = {}

    def imitating(
        self, method: Method, config: Mapping[str, Any], demonstrations: Demonstrations, seed: int, interactions: int
    ) -> AdversarialPPOConfig:
        """Set them, and put the connector into the learners' pipelines.

        Args:
            interactions: after how many steps of the environment `imitate_by_rllib` ends.
        """
        made: dict[str, Any] = {"method": method, "config": dict(config), "seed": seed}
        self.imitation = {**made, "demonstrations": demonstrations, "interactions": interactions}
        self.learners(learner_connector=partial(_connector, **made))
        return self


def rewards_of(learner: Any) -> AdversarialAgent[Any]:
    """The agent by which a learner pays."""
    (found,) = [one for one in learner._learner_connector.connectors if isinstance(one, DiscriminatorReward)]
    agent: AdversarialAgent[Any] = found.agent
    return agent


def _take(learner: Any, state: Arrays) -> str:
    agent = rewards_of(learner)
    set_reward_state(agent, state)
    return digest(reward_state(agent))


def digest(state: Arrays) -> str:
    """SHA-256 of what a discriminator pays by."""
    every = hashlib.sha256()
    for name in sorted(state):
        every.update(state[name].tobytes())
    return every.hexdigest()


def make_agent(method: Method, config: Mapping[str, Any], seed: int) -> AdversarialAgent[Any]:
    """The core's agent, of which the discriminator, its optimiser and its normaliser are used."""
    return AGENTS[method](dict(config), seed=seed)


def _connector(*spaces: Any, method: Method, config: Mapping[str, Any], seed: int) -> DiscriminatorReward:
    return DiscriminatorReward(*spaces[:2], agent=make_agent(method, config, seed))
