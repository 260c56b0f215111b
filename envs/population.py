"""The one protocol of N-agent games: B copies of a game of N agents, stepped together.

Shapes carry letters: B copies, N agents, K types, A actions, D observation entries, M mean-action entries.
Agents are sorted by type, so a type is a slice of the agent axis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Step:
    """What one step of all copies returns; a reset returns one too, with zero rewards.

    A copy that ended has already been reset: its `obs` and `mean_action` belong to the next episode, and what it
    ended on stands in `final_obs`. Bootstrap through `truncated`, never through `terminated`.
    """

    obs: NDArray[np.float32]
    """[B, N, D], every entry finite."""
    mean_action: NDArray[np.float32]
    """[B, N, M]: mean one-hot action of each agent's neighbours at the step before; zeros at the start."""
    reward: NDArray[np.float32]
    """[B, N], $ of this step, never discounted."""
    terminated: NDArray[np.bool_]
    """[B]: the game is over and has no continuation value."""
    truncated: NDArray[np.bool_]
    """[B]: play was cut here and the value goes on."""
    final_obs: NDArray[np.float32] | None = None
    """[B, N, D] where some copy ended at this step (rows of the others repeat `obs`), else None."""
    metrics: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    """name -> [B, N], the itemised terms of this step: their `ledger` part sums to the reward."""


@runtime_checkable
class PopulationEnv(Protocol):
    """B copies of an N-agent game. A user's environment needs these members and no base class."""

    num_envs: int
    num_agents: int
    agent_types: NDArray[np.int64]
    """[N], non-decreasing."""
    type_names: Sequence[str]
    observation_space: gym.spaces.Box
    """Of one agent: shape [D], float32, finite."""
    action_space: gym.spaces.Space[Any]
    """Of one agent: Discrete(A), or Box."""
    mean_action_space: gym.spaces.Box
    """Of one agent: shape [M]; M = A, the mean of one-hot actions, for Discrete(A)."""
    neighbours: NDArray[np.bool_] | None
    """[N, N] with a false diagonal, or None: everyone else."""

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        """Start every copy anew. One seed gives copy b its own stream; B seeds name each copy's stream.

        Without a seed the copies go on with the next episode of the streams they have.
        """
        ...

    def step(self, actions: NDArray[Any]) -> Step:
        """Play actions [B, N]; copies that end are reset in the same call."""
        ...

    def get_state(self) -> dict[str, Any]:
        """All that the future depends on, as a flat mapping of numpy arrays, numbers and strings."""
        ...

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` gave, bit for bit."""
        ...


def type_slices(agent_types: NDArray[np.int64]) -> list[slice]:
    """The agents of each type as slices; raises ValueError where agents are not sorted by type."""
    types = np.asarray(agent_types)
    if types.ndim != 1 or types.size == 0 or types[0] != 0 or not np.isin(np.diff(types), (0, 1)).all():
        raise ValueError(f"agent_types must be sorted and count 0, 1, 2, ... without gaps; got {types.tolist()[:20]}")
    bounds = np.searchsorted(types, np.arange(types[-1] + 2))
    return [slice(int(a), int(b)) for a, b in pairwise(bounds)]
