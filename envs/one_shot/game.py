"""A one-shot game played over and over by B copies of a population: rewards depend on this period alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled
from envs.inventory.game import copy_seeds
from envs.inventory.streams import Keys, episode_keys, stream, uniform32
from envs.one_shot.rules import Rules
from envs.one_shot.solution import Solution
from envs.population import Step

SIGNAL = 0
"""The channel that signals are drawn in."""


class OneShotGame:
    """A PopulationEnv. Agents observe their signal of the period, one-hot, and last period's mean action."""

    def __init__(self, rules: Rules, *, horizon: int, num_envs: int, seed: int) -> None:
        """Use `envs.make`, which builds the rules from settings.

        Args:
            horizon: periods after which play is cut (truncated).
            seed: of the first episodes.
        """
        self.rules, self.horizon = rules, horizon
        self.num_envs, self.num_agents = num_envs, rules.num_agents
        self.agent_types: NDArray[np.int64] = rules.agent_types
        self.type_names: Sequence[str] = list(rules.type_names)
        self.agent_names = [f"{self.type_names[k]}_{i}" for i, k in enumerate(self.agent_types)]
        actions = rules.num_actions
        self.observation_space = gym.spaces.Box(0.0, 1.0, (rules.signals,), np.float32)
        self.action_space: gym.spaces.Space[Any] = gym.spaces.Discrete(actions)
        self.mean_action_space = gym.spaces.Box(0.0, 1.0, (actions,), np.float32)
        self.neighbours: NDArray[np.bool_] | None = None
        self.t = 0
        self._one_hot = np.eye(rules.signals, dtype=np.float32)
        self._row = np.arange(num_envs)[:, None]
        self._seeds = np.zeros(num_envs, np.uint64)
        self._episode = 0
        self.reset(seed)

    def solution(self) -> Solution:
        """The known answers of the game."""
        return self.rules.solution()

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        """Start every copy anew; see `PopulationEnv.reset`."""
        if seed is not None:
            self._seeds, self._episode = copy_seeds(seed, self.num_envs), -1
        self._start_episode(self._episode + 1)
        shape, never = (self.num_envs, self.num_agents), np.zeros(self.num_envs, np.bool_)
        nobody = np.zeros((*shape, self.rules.num_actions), np.float32)
        return Step(self._observe(), nobody, np.zeros(shape, np.float32), never, never.copy())

    def step(self, actions: NDArray[Any]) -> Step:
        """Play one period.

        Raises:
            ValueError: for actions of another shape or kind, and one out of range, with its agent and copy.
        """
        self._check(actions)
        counts = self._counts(actions)
        reward = self.rules.rewards(actions, counts, self._signals).astype(np.float32)
        self.t += 1
        self._draw()
        over = self.t == self.horizon
        final = self._observe() if over else None
        if over:
            self._start_episode(self._episode + 1)
            mean = np.zeros((self.num_envs, self.num_agents, self.rules.num_actions), np.float32)
        else:
            mean = self._mean_action(actions, counts)
        return Step(
            obs=self._observe(),
            mean_action=mean,
            reward=reward,
            terminated=np.zeros(self.num_envs, np.bool_),
            truncated=np.full(self.num_envs, over),
            final_obs=final,
        )

    def get_state(self) -> dict[str, Any]:
        """Flat mapping; signals are drawn again from the copies' streams, so they are not part of it."""
        return {"seeds": self._seeds.copy(), "episode": self._episode, "t": self.t}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` gave, bit for bit; raises ValueError for a state of another game."""
        missing = [name for name in ("seeds", "episode", "t") if name not in state]
        if missing:
            raise ValueError(f"the state has no {', '.join(missing)}: it is not of a one-shot game")
        if np.shape(state["seeds"]) != (self.num_envs,):
            raise ValueError(f"the state is of {np.size(state['seeds'])} copies; these are {self.num_envs}")
        if not 0 <= int(state["t"]) < self.horizon:
            raise ValueError(f"the state is of period {state['t']}; episodes here have {self.horizon}")
        self._seeds = np.array(state["seeds"], np.uint64)
        self._start_episode(int(state["episode"]))
        self.t = int(state["t"])
        self._draw()

    def _start_episode(self, episode: int) -> None:
        self._episode, self.t = episode, 0
        self._keys = episode_keys(self._seeds, episode)
        self._draw()

    def _draw(self) -> None:
        self._signals = drawn_signals(self._keys, self.t, self.num_agents, self.rules.signals)

    def _observe(self) -> NDArray[np.float32]:
        seen: NDArray[np.float32] = self._one_hot[self._signals]
        return seen

    def _counts(self, actions: NDArray[Any]) -> NDArray[np.float64]:
        """[B, A]: how many play each action."""
        size = self.rules.num_actions
        counted = np.bincount((actions + size * self._row).ravel(), minlength=size * self.num_envs)
        return counted.reshape(self.num_envs, size).astype(np.float64)

    def _mean_action(self, actions: NDArray[Any], counts: NDArray[np.float64]) -> NDArray[np.float32]:
        """[B, N, A]; it is one of A rows, since it depends on the own action and the counts alone."""
        others = (counts[:, None] - np.eye(self.rules.num_actions)) / (self.num_agents - 1)
        # rows of actions that nobody played are never taken
        mean: NDArray[np.float32] = others.astype(np.float32)[self._row, actions]
        return mean

    def _check(self, actions: NDArray[Any]) -> None:
        shape, most = (self.num_envs, self.num_agents), self.rules.num_actions - 1
        if np.shape(actions) != shape:
            raise ValueError(f"actions have shape {np.shape(actions)}; the game needs {shape}, copies x agents")
        if actions.dtype.kind not in "iu":
            raise ValueError(f"actions are {actions.dtype}; the game needs whole numbers 0..{most}")
        if actions.min() < 0 or actions.max() > most:
            copy, agent = (int(i) for i in np.argwhere((actions < 0) | (actions > most))[0])
            raise ValueError(
                f"{self.agent_names[agent]} (agent {agent}, copy {copy}): action {actions[copy, agent]} "
                f"is outside 0..{most}"
            )


@compiled
def drawn_signals(keys: Keys, t: int, agents: int, signals: int) -> NDArray[np.int64]:
    """[B, N]: every agent's signal of period t, each of `signals` alike."""
    drawn = np.zeros((keys.size, agents), np.int64)
    if signals > 1:
        for b in range(keys.size):
            bits = stream(keys[b], SIGNAL, t)
            for n in range(agents):
                # the high word of bits x signals: a whole number below `signals`
                drawn[b, n] = np.int64((np.uint64(uniform32(bits, n)) * np.uint64(signals)) >> np.uint64(32))
    return drawn
