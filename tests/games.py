"""Small population games with known answers, for tests of what learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.population import Step, type_slices
from mfmarl.algorithms.methods import PREDICTORS
from mfmarl.algorithms.mfq import MFQ
from mfmarl.algorithms.mfq_config import MFQConfig
from mfmarl.core.importance_config import ImportanceConfig
from mfmarl.network import NetworkShape, PolicyNetwork, types_of
from mfmarl.rollout import Rollout


class MatchingGame:
    """Two types, A actions, T steps: reward 1 for playing the target that the observation shows, 0 otherwise.

    Type 1 must play the action after its target, so one network for both types would not do. With `crowding` c the
    reward falls by c times the share of the others who play the same action.
    """

    def __init__(
        self, num_envs: int = 4, num_agents: int = 6, num_actions: int = 3, length: int = 5, crowding: float = 0.0
    ) -> None:
        self.num_envs, self.num_agents, self.num_actions = num_envs, num_agents, num_actions
        self.length, self.crowding = length, crowding
        half = num_agents // 2
        self.agent_types = np.array([0] * half + [1] * (num_agents - half))
        self.type_names: Sequence[str] = ("straight", "shifted")
        self.observation_space = gym.spaces.Box(0.0, 1.0, (num_actions,), np.float32)
        self.action_space = gym.spaces.Discrete(num_actions)
        self.mean_action_space = gym.spaces.Box(0.0, 1.0, (num_actions,), np.float32)
        self.neighbours: NDArray[np.bool_] | None = None
        self.fault: float | None = None
        self._rng = np.random.default_rng(0)
        self._t = 0

    def _observe(self, mean: NDArray[np.float32], reward: NDArray[np.float32], ended: bool) -> Step:
        shape = (self.num_envs, self.num_agents)
        final = None
        if ended:
            final = np.eye(self.num_actions, dtype=np.float32)[self._target]
            self._t = 0
            mean = np.zeros_like(mean)
        self._target = self._rng.integers(self.num_actions, size=shape)
        return Step(
            obs=np.eye(self.num_actions, dtype=np.float32)[self._target],
            mean_action=mean,
            reward=reward,
            terminated=np.zeros(self.num_envs, np.bool_),
            truncated=np.full(self.num_envs, ended),
            final_obs=final,
        )

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self._t = 0
        shape = (self.num_envs, self.num_agents)
        return self._observe(np.zeros((*shape, self.num_actions), np.float32), np.zeros(shape, np.float32), False)

    def step(self, actions: NDArray[Any]) -> Step:
        one_hot = np.eye(self.num_actions, dtype=np.float32)[actions]
        mean = (one_hot.sum(1, keepdims=True) - one_hot) / np.float32(self.num_agents - 1)
        right = (self._target + self.agent_types) % self.num_actions == actions
        crowd = (mean * one_hot).sum(-1)
        reward = right.astype(np.float32) - np.float32(self.crowding) * crowd
        if self.fault is not None:
            reward[0, -1] = self.fault
        self._t += 1
        return self._observe(mean, reward, self._t == self.length)

    def get_state(self) -> dict[str, Any]:
        state = self._rng.bit_generator.state["state"]
        return {
            "target": self._target.copy(),
            "t": self._t,
            "rng_state": str(state["state"]),
            "rng_inc": str(state["inc"]),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        self._target, self._t = np.array(state["target"]), int(state["t"])
        inner = self._rng.bit_generator.state
        inner["state"] = {"state": int(state["rng_state"]), "inc": int(state["rng_inc"])}
        self._rng.bit_generator.state = inner


def make_pair(
    game: MatchingGame, method: str = "mf", seed: int = 0, num_episodes: int = 400, **mfq: Any
) -> tuple[Rollout, MFQ]:
    """A sampler and a learner on `game`; the sampler acts with the learner's own averaged networks."""
    config = MFQConfig(**({"warmup_population_steps": 40, "discount": 0.5} | mfq))
    types = type_slices(game.agent_types)

    shape = NetworkShape(
        types_of(types),
        game.num_actions,
        game.num_actions,
        config.hidden,
        predictor=PREDICTORS.get(method, "none"),
        mean_action="none" if method == "independent" else "one_hot",
    )

    def network() -> PolicyNetwork:
        return PolicyNetwork(shape, seed)

    learner = MFQ(
        network(),
        network(),
        config=config,
        method=method,  # type: ignore[arg-type]
        importance=ImportanceConfig(),
        num_episodes=num_episodes,
        seed=seed,
    )
    rollout = Rollout(game, learner.policy, discount=config.discount, env_seed=seed, action_seed=seed)
    return rollout, learner
