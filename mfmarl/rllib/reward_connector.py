"""GAIL's and AIRL's rewards in RLlib: one learner connector that pays episodes before advantages are computed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from copy import copy, deepcopy
from dataclasses import astuple
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ray.rllib.connectors.connector_v2 import ConnectorV2
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.rl_module import RLModule
from ray.rllib.env.single_agent_episode import SingleAgentEpisode

from mfmarl.imitation.absorbing import Ends
from mfmarl.imitation.adversarial_agent import AdversarialAgent
from mfmarl.imitation.saved import load_module, module_arrays
from mfmarl.imitation.spaces import Spaces
from mfmarl.imitation.steps import Steps
from mfmarl.rllib.action_laws import in_environment, law_of
from mfmarl.runs.sealed import Arrays

ONE_MORE = "_added_loss_mask_for_valid_episode_ts"
"""What RLlib's connector leaves in shared data when it has added one step to each episode, for its last value."""


class DiscriminatorReward(ConnectorV2):
    """Sets the rewards of episodes to what the core's agent pays for them, in the units that its PPO learns from."""

    def __init__(self, *spaces: Any, agent: AdversarialAgent[Any]) -> None:
        super().__init__(*spaces)
        self.agent = agent

    def __call__(
        self,
        *,
        rl_module: RLModule,
        batch: dict[str, Any] | None,
        episodes: list[Any],
        shared_data: dict[str, Any] | None = None,
        **_: Any,
    ) -> Any:
        """The batch as it came; episodes of the list are replaced."""
        added = int(bool((shared_data or {}).get(ONE_MORE)))
        every = list(self.single_agent_episode_iterator(episodes, agents_that_stepped_only=False))
        lengths = [len(one) - added for one in every]
        steps = steps_of(every, lengths, self.agent.config.spaces)
        rewards = (self.agent.config.ppo.reward_scale * self.agent.reward(steps)).split(lengths)
        nothing = np.zeros(added)
        episodes[:] = [paid(one, np.append(x.numpy(), nothing)) for one, x in zip(every, rewards, strict=True)]
        return batch


def paid(episode: SingleAgentEpisode, rewards: NDArray[Any]) -> SingleAgentEpisode:
    """The episode with other rewards; the env runner keeps its own, and goes on to tell of their returns."""
    own = copy(episode)
    own.rewards = deepcopy(episode.rewards)
    with warnings.catch_warnings():
        # RLlib asks its space about one reward, which gymnasium says is no array
        warnings.filterwarnings("ignore", ".*Casting input x to numpy array")
        own.set_rewards(new_data=rewards if own.is_numpy else rewards.tolist())
    return own


def steps_of(episodes: Sequence[SingleAgentEpisode], lengths: Sequence[int], spaces: Spaces) -> Steps:
    """The first so many steps of each episode, one after another, as the core sees them.

    Their log-probabilities are those of the core's laws of the same means and logits: a continuous action that
    the environment clipped has the probability of its bound.
    """
    states, after, actions, inputs, ended = [], [], [], [], []
    for one, T in zip(episodes, lengths, strict=True):
        seen = np.asarray(one.get_observations(slice(0, T + 1)), np.float32)
        states.append(seen[:-1])
        after.append(seen[1:])
        actions.append(np.asarray(one.get_actions(slice(0, T))))
        inputs.append(np.asarray(one.get_extra_model_outputs(Columns.ACTION_DIST_INPUTS, slice(0, T)), np.float32))
        last = np.zeros(T, bool)
        last[-1] = one.is_terminated
        ended.append(last)
    played = torch.from_numpy(in_environment(np.concatenate(actions), spaces))
    return Steps(
        torch.from_numpy(np.concatenate(states)),
        played,
        torch.from_numpy(np.concatenate(after)),
        torch.from_numpy(np.concatenate(ended)),
        law_of(torch.from_numpy(np.concatenate(inputs)), spaces).log_prob(played),
    )


def reward_state(agent: AdversarialAgent[Any]) -> Arrays:
    """All that rewards depend on: the discriminator, its normaliser, and how often both sides ended."""
    ends = np.array([astuple(agent.expert_ends), astuple(agent.ends)], float)
    return {**module_arrays("discriminator", agent.discriminator), "ends": ends}


def set_reward_state(agent: AdversarialAgent[Any], arrays: Arrays) -> None:
    """What `reward_state` gave."""
    load_module("discriminator", agent.discriminator, arrays)
    agent.expert_ends, agent.ends = (Ends(*row) for row in arrays["ends"].tolist())
