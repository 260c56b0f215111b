"""gymnasium view of B copies: a VectorEnv whose copies restart in the step that ends them."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

import envs
from envs.views.joint import final_observation, joint_observation, joint_space, num_actions


class PopulationVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.integer[Any]], NDArray[Any]]):
    """B copies of `PopulationGymEnv`'s game, stepped together: observations [B, N, D + M], rewards [B].

    `infos` has ``reward`` [B, N] and every metric of the step, and where a copy ended ``final_obs``: an object array
    [B] of what it ended on, None for the others, with its mask ``_final_obs`` [B].
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012  # gymnasium's own way of declaring it

    def __init__(
        self,
        name: str,
        *,
        num_envs: int = 1,
        num_agents: int | None = None,
        seed: int | None = None,
        **overrides: Any,
    ) -> None:
        """Arguments as those of `envs.make`; raises as it does."""
        self.population = envs.make(name, num_envs=num_envs, num_agents=num_agents, seed=seed, **overrides)
        self.num_envs = num_envs
        self.single_observation_space = joint_space(self.population)
        self.single_action_space = gym.spaces.MultiDiscrete([num_actions(self.population)] * self.population.num_agents)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start every copy anew; one seed, or one a copy. Copies cannot be reset one by one.

        Raises:
            ValueError: for a list that does not seed every copy, or a `reset_mask`.
        """
        if options and "reset_mask" in options:
            raise ValueError("copies end and restart by themselves; reset_mask is not taken")
        first: int | None
        if isinstance(seed, (list, tuple)):
            seeds = [s for s in seed if s is not None]
            if seeds and len(seeds) != len(seed):
                raise ValueError(f"seed every copy or none; got {seed}")
            first = seeds[0] if seeds else None
            step = self.population.reset(seeds or None)
        else:
            first = seed
            step = self.population.reset(seed)
        super().reset(seed=first)
        return joint_observation(step), {}

    def step(
        self, actions: NDArray[np.integer[Any]]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Play one period in all copies with actions [B, N]; raises ValueError for one that is not of the space."""
        actions = np.asarray(actions)
        step = self.population.step(actions)
        infos: dict[str, Any] = {"reward": step.reward, **step.metrics}
        ended = step.terminated | step.truncated
        if ended.any():
            final = final_observation(self.population, step, actions)
            infos["final_obs"] = np.full(self.num_envs, None, dtype=object)
            for copy in np.flatnonzero(ended):
                infos["final_obs"][copy] = final[copy]
            infos["_final_obs"] = ended
        rewards = step.reward.mean(1, dtype=np.float64)
        return joint_observation(step), rewards, step.terminated, step.truncated, infos
