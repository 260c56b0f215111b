"""Congestion: routes whose delay grows with the share of the population that takes them (Wardrop, Rosenthal)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from envs.one_shot.rules import AnonymousRules, Doubles, GameConfig
from envs.one_shot.solution import Solution

TOLERANCE = 0.05
"""Share of drivers who may be on another route than in the answer: one of twenty."""


class CongestionConfig(GameConfig):
    """Delay of route r: free_r + slope_r x share of the drivers who take it. The default answer is 7, 9 and 4 of 20."""

    free: tuple[NonNegativeFloat, ...] = Field(
        (0.0, 0.25, 0.5), min_length=2, max_length=255, description="delay of each empty route, $"
    )
    slope: tuple[PositiveFloat, ...] = Field(
        (2.0, 1.0, 1.0), min_length=2, max_length=255, description="what all drivers on a route add to its delay, $"
    )

    @model_validator(mode="after")
    def _agree(self) -> CongestionConfig:
        if len(self.free) != len(self.slope):
            raise ValueError(f"there are {len(self.free)} free delays and {len(self.slope)} slopes: want one a route")
        return self


class Congestion(AnonymousRules):
    """The reward is the negative delay."""

    def __init__(self, config: CongestionConfig, num_agents: int) -> None:
        super().__init__(num_agents, ["driver"])
        self.config = config
        self.free, self.slope = np.array(config.free), np.array(config.slope)
        self.num_actions = self.free.size
        self.action_names = [f"route {r}" for r in range(self.num_actions)]

    def payoffs(self, counts: Doubles) -> Doubles:
        """-(free + slope counts / N)."""
        return -(self.free + self.slope * counts / self.num_agents)[..., None, :]

    def solution(self) -> Solution:
        """The split of the symmetric equilibrium; the policies of one type are alike, so they reach no pure one."""
        split = symmetric_split(self.free, self.slope, self.num_agents)
        return Solution({"equal delays": split[None, None]}, TOLERANCE)


def wardrop_split(free: Doubles, slope: Doubles) -> Doubles:
    """[A]: shares of a continuum of drivers, where used routes have equal delays and no other one is shorter.

    p_r = max(level - free_r, 0) / slope_r, with level = (1 + sum free_r / slope_r) / sum 1 / slope_r over used routes.
    """
    order = np.argsort(free, kind="stable")
    flow = 1 / slope[order]
    levels = (1 + np.cumsum(free[order] * flow)) / np.cumsum(flow)
    # routes are taken up from the shortest, as long as the next is shorter than the level without it
    used = int((free[order] < np.append(np.inf, levels[:-1])).sum())
    shares: Doubles = np.maximum(levels[used - 1] - free, 0) / slope
    return shares


def symmetric_split(free: Doubles, slope: Doubles, num_agents: int) -> Doubles:
    """[A]: the law that everyone of N drivers draws from in the symmetric equilibrium, exact.

    A driver on r expects free_r + slope_r (1 + (N - 1) p_r) / N: Wardrop's split of other free delays and slopes.
    """
    return wardrop_split(free + slope / num_agents, slope * (num_agents - 1) / num_agents)


def pure_split(free: Doubles, slope: Doubles, num_agents: int) -> NDArray[np.int64]:
    """[A]: drivers on each route in a pure equilibrium of N drivers: one after another takes the route best for it.

    Those before never gain by leaving: the routes that they passed over have not become shorter (Rosenthal 1973).
    """
    counts = np.zeros(free.size, np.int64)
    for _ in range(num_agents):
        counts[np.argmin(free + slope * (counts + 1) / num_agents)] += 1
    return counts
