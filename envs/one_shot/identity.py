"""Identity: play the action that the observation shows; the second type plays the one after it."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from envs.one_shot.rules import Doubles, GameConfig, Rules, Whole
from envs.one_shot.solution import Solution, certain

TOLERANCE = 0.1
"""Share of play that may be wrong: without crowding the reward is then 90 % of the optimum."""


class IdentityConfig(GameConfig):
    """Reward 1 for the right action, less where others play the same."""

    num_actions: int = Field(4, ge=2, le=256, description="A: actions, and signals")
    crowding: float = Field(
        0.0, ge=0, lt=1, description="$ that the reward falls by where all others play the same action"
    )


class Identity(Rules):
    """Being right pays 1 and crowding costs less than that, so the right action is dominant."""

    def __init__(self, config: IdentityConfig, num_agents: int) -> None:
        super().__init__(num_agents, ["straight", "shifted"])
        self.config = config
        self.num_actions = self.signals = config.num_actions
        self.action_names = [str(a) for a in range(config.num_actions)]

    def rewards(self, actions: Whole, counts: Doubles, signals: Whole) -> Doubles:
        """[action = signal + type] - crowding x share of the others who play the same."""
        right = (signals + self.agent_types) % self.num_actions == actions
        same = np.take_along_axis(counts, actions.astype(np.int64), 1) - 1
        paid: Doubles = right - self.config.crowding * same / (self.num_agents - 1)
        return paid

    def solution(self) -> Solution:
        """Each type plays what is right at every signal."""
        types, signals = np.arange(2)[:, None], np.arange(self.num_actions)
        return Solution({"right": certain((signals + types) % self.num_actions, self.num_actions)}, TOLERANCE)
