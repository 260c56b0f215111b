"""Repeated one-shot games of a population whose answers are known: a check of what learns."""

from envs.one_shot.equilibrium import expected_payoffs, gains, regret, settled
from envs.one_shot.game import OneShotGame
from envs.one_shot.solution import Solution, profile_of

__all__ = ["OneShotGame", "Solution", "expected_payoffs", "gains", "profile_of", "regret", "settled"]
