"""Mirror descent that looks ahead, with steps as long as the game is smooth (Nemirovski 2004)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.mean_field.protocol import Game
from mfmarl.solvers.mirror_descent import centred, softmax
from mfmarl.solvers.ranges import check_number
from mfmarl.solvers.solution import Array

LEAST, LARGEST = 1e-9, 1e4
"""Steps between which one is sought."""


@dataclass(frozen=True)
class ProxState:
    """Logits, their policy with its action values, and the next step to try."""

    logits: Array
    pi: Array
    q: Array
    step_size: float


@dataclass(frozen=True)
class MirrorProx:
    """pi+ = softmax(logits + step Q(pi)), then logits += step Q(pi+).

    A step is halved until step |Q(pi+) - Q(pi)| <= smoothness |pi+ - pi| (largest entry, largest L1 row), which is what
    its convergence in monotone games asks for: no step size needs to be known. Plain mirror descent circles where games
    turn (rock, paper, scissors).
    """

    smoothness: float = 0.7
    growth: float = 1.5
    name: str = "mirror_prox"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "smoothness", self.smoothness, above=0)
        check_number(self.name, "growth", self.growth, least=1)

    def init(self, game: Game) -> ProxState:
        """The uniform policy."""
        pi = game.uniform_policy()
        return ProxState(np.where(pi > 0, 0.0, -np.inf), pi, game.action_values(pi), 1.0)

    def step(self, game: Game, state: ProxState) -> ProxState:
        """One step of a size that holds."""
        size = state.step_size
        while True:
            ahead = softmax(centred(state.logits + size * state.q))
            q = game.action_values(ahead)
            moved = np.abs(ahead - state.pi).sum(-1).max()
            if size * np.abs(q - state.q).max() <= self.smoothness * max(moved, 1e-12) or size < LEAST:
                break
            size /= 2
        logits = centred(state.logits + size * q)
        pi = softmax(logits)
        return ProxState(logits, pi, game.action_values(pi), min(size * self.growth, LARGEST))

    def policy(self, game: Game, state: ProxState) -> Array:
        """The last iterate."""
        return state.pi
