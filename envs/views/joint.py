"""What the views share: one joint observation of all agents, each with the mean action that it sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.population import PopulationEnv, Step

Floats = NDArray[np.float32]


def num_actions(env: PopulationEnv) -> int:
    """A; raises ValueError where actions are not Discrete(A)."""
    if not isinstance(env.action_space, gym.spaces.Discrete):
        raise ValueError(f"the views need Discrete actions; {type(env).__name__} has {env.action_space}")
    return int(env.action_space.n)


def agent_space(env: PopulationEnv) -> gym.spaces.Box:
    """Of one agent: its observation [D] followed by its mean action [M]."""
    own, mean = env.observation_space, env.mean_action_space
    return gym.spaces.Box(
        np.concatenate([own.low, mean.low]), np.concatenate([own.high, mean.high]), dtype=np.float32
    )


def joint_space(env: PopulationEnv) -> gym.spaces.Box:
    """Of all agents: [N, D + M]."""
    one = agent_space(env)
    shape = (env.num_agents, 1)
    return gym.spaces.Box(np.tile(one.low, shape), np.tile(one.high, shape), dtype=np.float32)


def joint_observation(step: Step) -> Floats:
    """[B, N, D + M] of the state that play goes on from."""
    return np.concatenate([step.obs, step.mean_action], -1)


def final_observation(env: PopulationEnv, step: Step, actions: NDArray[Any]) -> Floats:
    """[B, N, D + M] of the state that copies ended in; `actions` [B, N] are those of `step`.

    The step's own mean action already belongs to the next episode, so it is worked out from the actions.
    """
    if step.final_obs is None:
        raise ValueError(f"{type(env).__name__} ended an episode without final_obs")
    one_hot = np.eye(num_actions(env), dtype=np.float32)[actions]
    if env.neighbours is None:
        mean = (one_hot.sum(1, keepdims=True) - one_hot) / np.float32(env.num_agents - 1)
    else:
        count = np.maximum(env.neighbours.sum(1), 1)[:, None]
        mean = (env.neighbours.astype(np.float32) @ one_hot / count).astype(np.float32)
    return np.concatenate([step.final_obs, mean], -1)


def itemised(step: Step, copy: int) -> dict[str, Any]:
    """One copy's rewards and metrics, name -> [N]."""
    metrics: Mapping[str, Floats] = step.metrics
    return {"reward": step.reward[copy], **{name: metrics[name][copy] for name in metrics}}
