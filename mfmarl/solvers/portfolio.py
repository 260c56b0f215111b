"""Several solvers side by side, for a game of which nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from envs.mean_field.game import FiniteMFG
from mfmarl.errors import UserError
from mfmarl.solvers.forward_sweep import ForwardSweep, SweepState
from mfmarl.solvers.interior_point import CentralState, InteriorPoint
from mfmarl.solvers.mirror_prox import MirrorProx, ProxState
from mfmarl.solvers.solution import Array, Solver

MEMBERS_STATES = (SweepState, ProxState, CentralState)
"""A saved state is put together from dataclasses of its solver's module."""


@dataclass(frozen=True)
class PortfolioState:
    """The members' states, and the policy of the one that is nearest to an equilibrium now."""

    states: tuple[Any, ...]
    pi: Array


@dataclass(frozen=True)
class Portfolio:
    """One iteration of each member; its policy is the least exploitable of theirs.

    By default a forward sweep, which solves games that overshoot, mirror prox, which is cheap, and the interior point
    method, which does not mind bad scales: together they solve every game of `envs.mean_field` with one population.
    """

    members: tuple[Solver, ...] = (ForwardSweep(), MirrorProx(), InteriorPoint())
    name: str = "portfolio"

    def __post_init__(self) -> None:
        """Refuse members that are no solvers (UserError)."""
        # callers without types may give anything
        given: Any = self.members
        solvers = isinstance(given, tuple) and all(hasattr(member, "step") for member in given)
        if not (solvers and given):
            raise UserError(f"portfolio: members is {given!r}; want a tuple of solvers, one or more; in Python only")

    def init(self, game: FiniteMFG) -> PortfolioState:
        """All of them at their beginnings."""
        states = tuple(member.init(game) for member in self.members)
        return PortfolioState(states, _nearest(game, self.members, states))

    def step(self, game: FiniteMFG, state: PortfolioState) -> PortfolioState:
        """One iteration of each."""
        states = tuple(member.step(game, own) for member, own in zip(self.members, state.states, strict=True))
        return PortfolioState(states, _nearest(game, self.members, states))

    def policy(self, game: FiniteMFG, state: PortfolioState) -> Array:
        """The least exploitable."""
        return state.pi


def _nearest(game: FiniteMFG, members: tuple[Solver, ...], states: tuple[Any, ...]) -> Array:
    policies = [member.policy(game, own) for member, own in zip(members, states, strict=True)]
    return min(policies, key=lambda pi: float(game.exploitability(pi)))
