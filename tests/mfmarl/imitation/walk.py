"""A walk on a line, for tests: quick, deterministic but for its start, with an expert who goes to 0."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

LENGTH = 6


class Walk(gym.Env[NDArray[np.float32], int]):
    """Two states' entries: place and 1. Action 1 adds .25, action 0 takes it away; over after 6 steps."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.time = float(self.np_random.uniform(-1, 1)), 0
        return self._seen(), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        self.place += 0.25 * (2 * int(action) - 1)
        self.time += 1
        return self._seen(), -abs(self.place), False, self.time == LENGTH, {}

    def _seen(self) -> NDArray[np.float32]:
        return np.array([self.place, 1.0], np.float32)


def expert(states: NDArray[np.float32]) -> NDArray[np.int64]:
    """Towards 0."""
    return (states[:, 0] < 0).astype(np.int64)


def margin(states: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far within 1 of 0 it is."""
    return 1 - np.abs(states[:, 0])


gym.register("Walk-v0", entry_point=Walk)
