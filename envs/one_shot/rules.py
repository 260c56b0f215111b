"""What one period of a game is worth, apart from how it is played over and over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from envs.one_shot.solution import Solution

Doubles = NDArray[np.float64]
Whole = NDArray[np.int64]


class GameConfig(BaseModel):
    """What the settings of all games have in common."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    horizon: int = Field(10, ge=1, le=100_000, description="periods of an episode; play is cut there")


class Rules(ABC):
    """N agents of K types, A actions and S signals: an agent sees one signal a period, and S = 1 tells it nothing."""

    num_actions: int
    signals: int = 1
    action_names: Sequence[str]
    """[A], for messages and tables."""

    def __init__(self, num_agents: int, type_names: Sequence[str]) -> None:
        """Types share the agents evenly; the first ones have one more where the number does not divide.

        Raises:
            ValueError: for fewer than two agents, or a type without any.
        """
        if num_agents < 2:
            raise ValueError(f"num_agents is {num_agents}; a population has at least 2 agents")
        if num_agents < len(type_names):
            raise ValueError(f"num_agents is {num_agents}; the {len(type_names)} types need an agent each")
        self.num_agents, self.type_names = num_agents, list(type_names)
        least, more = divmod(num_agents, len(type_names))
        self.sizes: Whole = least + (np.arange(len(type_names)) < more).astype(np.int64)
        """[K], agents of each type."""
        self.agent_types: Whole = np.repeat(np.arange(len(type_names)), self.sizes)

    @abstractmethod
    def rewards(self, actions: Whole, counts: Doubles, signals: Whole) -> Doubles:
        """[B, N] in $, of actions [B, N], how many play each action [B, A], and what agents saw [B, N]."""

    @abstractmethod
    def solution(self) -> Solution:
        """The known answers, and how near play must come to one of them."""


class AnonymousRules(Rules):
    """A game in which it counts how many play what, not who: an agent's payoff is of its type, its action and counts.

    `payoffs` is affine in the counts in every game here, so it also takes expected counts, and the payoff at the
    expectation is the expected payoff.
    """

    @abstractmethod
    def payoffs(self, counts: Doubles) -> Doubles:
        """[..., A] -> [..., K, A]: what an agent of each type gets for each action, where `counts` include itself."""

    def rewards(self, actions: Whole, counts: Doubles, signals: Whole) -> Doubles:
        """`payoffs` at the counts that were played."""
        table = self.payoffs(counts)
        gathered: Doubles = table[np.arange(len(actions))[:, None], self.agent_types, actions]
        return gathered
