"""Coordination: an action pays when the others play it too, and the better of the two is the riskier one."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from envs.one_shot.pairwise import PairwiseRules
from envs.one_shot.rules import GameConfig
from envs.one_shot.solution import Solution, certain

TOLERANCE = 0.05
"""Share of play that may be off the equilibrium."""


class CoordinationConfig(GameConfig):
    """Payoffs of a meeting of two; with these numbers it is Rousseau's stag hunt."""

    both_first: float = Field(4.0, description="$ for the first action where the other plays it too")
    first_alone: float = Field(0.0, description="$ for the first action where the other plays the second")
    second_alone: float = Field(3.0, description="$ for the second action where the other plays the first")
    both_second: float = Field(2.0, description="$ for the second action where the other plays it too")

    @model_validator(mode="after")
    def _both_are_equilibria(self) -> CoordinationConfig:
        if not (self.both_first > self.second_alone and self.both_second > self.first_alone):
            raise ValueError(
                "to play what the other plays must pay: want both_first > second_alone and both_second > first_alone"
            )
        return self


class Coordination(PairwiseRules):
    """All first and all second are equilibria; the mixed one between them is left by any push, and does not count."""

    def __init__(self, config: CoordinationConfig, num_agents: int) -> None:
        c = config
        matrix = np.array([[c.both_first, c.first_alone], [c.second_alone, c.both_second]])
        super().__init__(num_agents, "player", matrix)
        self.config = config
        self.action_names = ("first", "second")

    def solution(self) -> Solution:
        """Everyone plays the first action, or everyone the second."""
        answers = {name: certain(np.array([[a]]), 2) for a, name in enumerate(self.action_names)}
        return Solution(answers, TOLERANCE)


def payoff_dominant(config: CoordinationConfig) -> int:
    """The action that pays more where all play it."""
    return int(config.both_second > config.both_first)


def risk_dominant(config: CoordinationConfig) -> int:
    """The action that is the best reply to a coin's throw: the one with more to lose by leaving it alone."""
    return int(config.both_second - config.first_alone > config.both_first - config.second_alone)


def threshold(config: CoordinationConfig) -> float:
    """The share of the others on the first action above which it is the best reply: the mixed equilibrium."""
    first, second = config.both_first - config.second_alone, config.both_second - config.first_alone
    return second / (first + second)
