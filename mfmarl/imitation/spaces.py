"""What imitators see and do, read off gymnasium spaces: vectors in, one action out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import UserError


@dataclass(frozen=True)
class Spaces:
    """A vector of `state_dim` entries in; one of `action_dim` actions out, or a vector of `action_dim` entries."""

    state_dim: int
    action_dim: int
    low: tuple[float, ...] = ()
    """Of a continuous action's entries; empty where actions are numbered."""
    high: tuple[float, ...] = ()

    @property
    def continuous(self) -> bool:
        """Whether actions are vectors."""
        return bool(self.low)

    @classmethod
    def of(cls, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> Spaces:
        """Of one environment, not of a vector of them.

        Raises:
            UserError: for observations that are no vectors, or actions that are neither numbered nor bounded vectors.
        """
        if not isinstance(observation_space, gym.spaces.Box) or len(observation_space.shape) != 1:
            raise UserError(
                f"imitation takes observations that are vectors (Box of one axis); got {observation_space}: wrap the "
                "environment in gymnasium.wrappers.FlattenObservation"
            )
        states = int(observation_space.shape[0])
        if isinstance(action_space, gym.spaces.Discrete):
            if action_space.start != 0:
                raise UserError(f"imitation takes actions numbered from 0; got {action_space}")
            return cls(states, int(action_space.n))
        if isinstance(action_space, gym.spaces.Box) and len(action_space.shape) == 1:
            if not (np.isfinite(action_space.low).all() and np.isfinite(action_space.high).all()):
                raise UserError(f"imitation takes bounded actions; got {action_space}: wrap it in RescaleAction")
            low, high = action_space.low.astype(float).tolist(), action_space.high.astype(float).tolist()
            return cls(states, len(low), tuple(low), tuple(high))
        raise UserError(f"imitation takes numbered actions (Discrete) or vectors (Box of one axis); got {action_space}")

    def told(self) -> str:
        """For messages: `4 state entries, 2 actions`."""
        kind = "action entries" if self.continuous else "actions"
        return f"{self.state_dim} state entries, {self.action_dim} {kind}"

    def action_shape(self) -> tuple[int, ...]:
        """Of one action in an array: () or (action_dim,)."""
        return (self.action_dim,) if self.continuous else ()

    def clipped(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Continuous actions within their bounds, as environments want them; numbered ones as they are."""
        if not self.continuous:
            return actions
        clipped: NDArray[np.float32] = np.clip(actions, self.low, self.high).astype(np.float32)
        return clipped
