"""Fictitious play: everyone answers the average of the past (Perrin et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from envs.mean_field.protocol import Game
from mfmarl.solvers.ranges import check_number, check_word
from mfmarl.solvers.solution import Array


@dataclass(frozen=True)
class FictitiousState:
    """An average policy and how many answers it averages."""

    pi: Array
    mu: Array
    iteration: int


@dataclass(frozen=True)
class FictitiousPlay:
    """Best responses averaged by the flows that they would have: pi_k ~ (1 - w) mu pi + w mu' pi'.

    Weight w of the k-th answer: 1 / (k + 1) (`harmonic`), or `damping` (`constant`).
    """

    weight: Literal["harmonic", "constant"] = "harmonic"
    damping: float = 0.1
    name: str = "fictitious_play"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_word(self.name, "weight", self.weight, ("harmonic", "constant"))
        check_number(self.name, "damping", self.damping, above=0, most=1)

    def init(self, game: Game) -> FictitiousState:
        """The uniform policy."""
        pi = game.uniform_policy()
        return FictitiousState(pi, game.flow(pi), 0)

    def step(self, game: Game, state: FictitiousState) -> FictitiousState:
        """Answer the average flow, and average."""
        answer = game.best_response(state.mu, state.pi).policy
        # agents who answer live in the average population
        flow = game.flow_against(answer, state.mu)
        w = 1 / (state.iteration + 2) if self.weight == "harmonic" else self.damping
        pi = averaged(game, state.pi, state.mu, answer, flow, w)
        return FictitiousState(pi, game.flow(pi), state.iteration + 1)

    def policy(self, game: Game, state: FictitiousState) -> Array:
        """The average."""
        return state.pi


def averaged(game: Game, pi: Array, mu: Array, other: Array, flow: Array, w: float) -> Array:
    """The policy of a population of which a share w plays `other`; where neither comes, their plain average."""
    mine, theirs = (1 - w) * game.deciding(mu)[..., None], w * game.deciding(flow)[..., None]
    total = mine + theirs
    come = total > 0
    share = (mine * pi + theirs * other) / total.clip(min=1e-300)
    mixed = share * come + ((1 - w) * pi + w * other) * ~come
    normalised: Array = mixed / mixed.sum(-1, keepdims=True)
    return normalised
