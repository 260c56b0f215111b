"""RLlib's MultiAgentEnv view of one copy, for its stock algorithms. The only file below `envs` that imports Ray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from envs.population import Step
from envs.views.joint import (
    agent_actions,
    agent_space,
    final_observation,
    gathered_actions,
    joint_observation,
    make_population,
)

Observations = dict[str, NDArray[np.float32]]


class PopulationMultiAgentEnv(MultiAgentEnv):
    """Agents "agent_0" .. "agent_<N-1>", each observing its own entries and the mean action it sees: [D + M].

    Actions are Discrete(A), or Box (1,). All agents act in every step and end together.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        """`config` has the arguments of `envs.make` without `num_envs`; ``name`` is required.

        Raises:
            ValueError: without a name, and as `envs.make` does.
        """
        super().__init__()
        options = dict(config)
        if "name" not in options:
            raise ValueError("env_config needs the environment's `name`, e.g. inventory/market-easy")
        self.population = make_population(options.pop("name"), 1, options)
        self.possible_agents = [f"agent_{i}" for i in range(self.population.num_agents)]
        self.agents = list(self.possible_agents)
        observation, action = agent_space(self.population), agent_actions(self.population)
        self.observation_spaces = dict.fromkeys(self.agents, observation)
        self.action_spaces = dict.fromkeys(self.agents, action)
        self._following: Step | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Start an episode: of a new stream where a seed is given, else the next one of the running stream."""
        # the population has already begun the episode after the one that ended
        step = self._following if seed is None else None
        self._following = None
        if step is None:
            step = self.population.reset(seed)
        self.agents = list(self.possible_agents)
        return self._by_agent(joint_observation(step)[0]), {}

    def step(
        self, action_dict: Mapping[str, Any]
    ) -> tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], dict[str, Any]]:
        """Play one period.

        Raises:
            RuntimeError: after the end of an episode, until `reset`.
            ValueError: where an agent's action is missing or not of its space.
        """
        if self._following is not None:
            raise RuntimeError("the episode has ended: call reset() before step()")
        actions = gathered_actions(action_dict, self.possible_agents)
        step = self.population.step(actions)
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        if terminated or truncated:
            self._following = step
            obs = final_observation(self.population, step, actions)[0]
        else:
            obs = joint_observation(step)[0]
        rewards = dict(zip(self.possible_agents, step.reward[0].tolist(), strict=True))
        return (
            self._by_agent(obs),
            rewards,
            self._all(terminated),
            self._all(truncated),
            {},
        )

    def _by_agent(self, obs: NDArray[np.float32]) -> Observations:
        return dict(zip(self.possible_agents, obs, strict=True))

    def _all(self, value: bool) -> dict[str, bool]:
        return dict.fromkeys((*self.possible_agents, "__all__"), value)
