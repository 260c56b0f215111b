"""What the views share: one joint observation of all agents, each with the mean action that it sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

import envs
from envs.population import PopulationEnv, Step

Floats = NDArray[np.float32]


def make_population(name: str, num_envs: int, options: Mapping[str, Any]) -> PopulationEnv:
    """`envs.make` for a view.

    Raises:
        ValueError: for a backend other than NumPy, and as `envs.make` does.
    """
    if options.get("backend", "numpy") != "numpy":
        raise ValueError(
            f"backend is {options['backend']!r}; the views hand out NumPy arrays: leave `backend` out, or play the "
            "population of `envs.make` itself"
        )
    return envs.make(name, num_envs=num_envs, **options)


def joint_actions(env: PopulationEnv) -> gym.Space[Any]:
    """Of all agents: MultiDiscrete [N] of Discrete(A), Box [N] of Box ().

    Raises:
        ValueError: for any other action space.
    """
    one = agent_actions(env)
    if isinstance(one, gym.spaces.Box):
        low, high = (np.tile(bound, env.num_agents) for bound in (one.low, one.high))
        return gym.spaces.Box(low, high, dtype=np.float32)
    return gym.spaces.MultiDiscrete([int(one.n)] * env.num_agents)


def agent_actions(env: PopulationEnv) -> gym.spaces.Discrete[Any] | gym.spaces.Box:
    """Of one agent: Discrete(A) as it is, and Box () as Box (1,), since learners of one agent expect vectors.

    Raises:
        ValueError: for any other action space.
    """
    space = env.action_space
    if isinstance(space, gym.spaces.Discrete):
        return gym.spaces.Discrete(int(space.n))
    if isinstance(space, gym.spaces.Box) and space.shape == ():
        return gym.spaces.Box(float(space.low), float(space.high), (1,), np.float32)
    raise ValueError(f"the views need actions that are Discrete(A) or one number (Box of shape ()), not {space}")


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


def agent_names(env: PopulationEnv) -> list[str]:
    """The environment's names for its agents where it has them, else "agent_0" .. "agent_<N-1>"."""
    return list(getattr(env, "agent_names", None) or (f"agent_{i}" for i in range(env.num_agents)))


def gathered_actions(by_agent: Mapping[str, Any], agents: list[str]) -> NDArray[Any]:
    """[1, N] of a mapping from agent to its action.

    Raises:
        ValueError: where an agent has no action, and for one that is neither a number nor a vector of one number.
    """
    absent = [agent for agent in agents if agent not in by_agent]
    if absent:
        others = f" and {len(absent) - 1} others have" if len(absent) > 1 else " has"
        raise ValueError(f"all agents act in every step; {absent[0]}{others} no action")
    actions = [by_agent[agent] for agent in agents]
    sizes = {np.size(action) for action in actions}
    if sizes != {1}:
        wrong = next(i for i, action in enumerate(actions) if np.size(action) != 1)
        raise ValueError(f"{agents[wrong]}: action has shape {np.shape(actions[wrong])}; want one number")
    return np.array([np.reshape(action, ()) for action in actions])[None]


def joint_observation(step: Step) -> Floats:
    """[B, N, D + M] of the state that play goes on from."""
    return np.concatenate([step.obs, step.mean_action], -1)


def final_observation(env: PopulationEnv, step: Step, actions: NDArray[Any]) -> Floats:
    """[B, N, D + M] of the state that copies ended in; `actions` [B, N] are those of `step`.

    The step's own mean action already belongs to the next episode, so it is worked out from the actions.
    """
    if step.final_obs is None:
        raise ValueError(f"{type(env).__name__} ended an episode without final_obs")
    if isinstance(env.action_space, gym.spaces.Discrete):
        # sums of ones are exact in float32
        taken = np.eye(int(env.action_space.n), dtype=np.float32)[actions]
    else:
        taken = np.asarray(actions, np.float64)[..., None]
    if env.neighbours is None:
        mean = (taken.sum(1, keepdims=True) - taken) / taken.dtype.type(env.num_agents - 1)
    else:
        count = np.maximum(env.neighbours.sum(1), 1)[:, None]
        mean = env.neighbours.astype(taken.dtype) @ taken / count
    # rounding must not leave the space
    mean = mean.astype(np.float32).clip(env.mean_action_space.low, env.mean_action_space.high)
    return np.concatenate([step.final_obs, mean], -1)


def itemised(step: Step, copy: int) -> dict[str, Any]:
    """One copy's rewards and metrics, name -> [N]."""
    metrics: Mapping[str, Floats] = step.metrics
    return {"reward": step.reward[copy], **{name: metrics[name][copy] for name in metrics}}
