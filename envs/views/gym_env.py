"""gymnasium view of one copy: a single agent that plays for the whole population."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import envs
from envs.population import Step
from envs.views.joint import final_observation, itemised, joint_observation, joint_space, num_actions


class PopulationGymEnv(gym.Env[NDArray[np.float32], NDArray[np.integer[Any]]]):
    """Observation [N, D + M] (every agent's own, then the mean action it sees), one action per agent.

    The reward is the mean over agents, in $; `info` has each agent's, under ``reward``, and every metric of the step.
    """

    metadata = {"render_modes": []}  # noqa: RUF012  # gymnasium's own way of declaring it

    def __init__(self, name: str, *, num_agents: int | None = None, seed: int | None = None, **overrides: Any) -> None:
        """Arguments as those of `envs.make`; raises as it does."""
        self.population = envs.make(name, num_envs=1, num_agents=num_agents, seed=seed, **overrides)
        self.observation_space = joint_space(self.population)
        self.action_space = gym.spaces.MultiDiscrete([num_actions(self.population)] * self.population.num_agents)
        self._following: Step | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start an episode: of a new stream where a seed is given, else the next one of the running stream."""
        super().reset(seed=seed)
        # the population has already begun the episode after the one that ended
        step = self._following if seed is None else None
        self._following = None
        if step is None:
            step = self.population.reset(seed)
        return joint_observation(step)[0], {}

    def step(self, action: NDArray[np.integer[Any]]) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Play one period.

        Raises:
            RuntimeError: after the end of an episode, until `reset`.
            ValueError: for an action that is not one of the space.
        """
        if self._following is not None:
            raise RuntimeError("the episode has ended: call reset() before step()")
        actions = np.asarray(action)[None]
        step = self.population.step(actions)
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        if terminated or truncated:
            self._following = step
            obs = final_observation(self.population, step, actions)[0]
        else:
            obs = joint_observation(step)[0]
        return obs, float(step.reward[0].mean()), terminated, truncated, itemised(step, 0)
