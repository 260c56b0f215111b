"""The prisoner's dilemma: defecting is better whatever the others do, and worse where all do it."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from envs.one_shot.pairwise import PairwiseRules
from envs.one_shot.rules import GameConfig
from envs.one_shot.solution import Solution, certain

TOLERANCE = 0.05
"""Share of play that may be off the equilibrium."""


class PrisonersDilemmaConfig(GameConfig):
    """Payoffs of a meeting of two, in the names that they have since Axelrod."""

    temptation: float = Field(5.0, description="$ for defecting where the other cooperates")
    reward: float = Field(3.0, description="$ where both cooperate")
    punishment: float = Field(1.0, description="$ where both defect")
    sucker: float = Field(0.0, description="$ for cooperating where the other defects")

    @model_validator(mode="after")
    def _is_a_dilemma(self) -> PrisonersDilemmaConfig:
        if not self.temptation > self.reward > self.punishment > self.sucker:
            raise ValueError("it is no dilemma: want temptation > reward > punishment > sucker")
        return self


class PrisonersDilemma(PairwiseRules):
    """Everyone defects: the action is dominant, so it is the only equilibrium."""

    def __init__(self, config: PrisonersDilemmaConfig, num_agents: int) -> None:
        c = config
        super().__init__(num_agents, "prisoner", np.array([[c.reward, c.sucker], [c.temptation, c.punishment]]))
        self.config = config
        self.action_names = ("cooperate", "defect")

    def solution(self) -> Solution:
        """Everyone defects."""
        return Solution({"defect": certain(np.array([[1]]), 2)}, TOLERANCE)
