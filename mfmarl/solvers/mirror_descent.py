"""Online mirror descent: softmax of summed action values (Perolat et al. 2022), and its Munchausen form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from envs.mean_field.protocol import Game
from mfmarl.solvers.ranges import check_number, check_word
from mfmarl.solvers.solution import Array

LEAST, LARGEST = 1e-9, 1e4
"""Steps between which one is sought."""


@dataclass(frozen=True)
class DescentState:
    """Logits, their policy with its action values, and the next step to try."""

    logits: Array
    """[..., S, A]; of Munchausen's form ln pi."""
    pi: Array
    q: Array
    step_size: float


@dataclass(frozen=True)
class MirrorDescent:
    """logits += step Q(pi, mu^pi), pi = softmax(logits).

    A `controlled` step is halved until it keeps `share` of what it promises: pi+ gains on pi as much against the flow
    of pi+, where all have moved, as that share of what it gains against the flow of pi. The promise shrinks like the
    step, what is lost of it like its square, so halving ends. Then the step grows by `growth`. Where transitions do not
    follow the population, and rewards are the gradient of a concave potential of the occupancy (crowds, congestion),
    every step raises the potential by what is kept, at least. In games that turn (rock, paper, scissors) all is kept
    and the iterates circle: take `mirror_prox`, or a small `fixed` step.
    """

    steps: Literal["controlled", "fixed"] = "controlled"
    step_size: float = 0.1
    """The fixed one, or the first that is tried."""
    share: float = 0.5
    growth: float = 1.5
    name: str = "mirror_descent"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_word(self.name, "steps", self.steps, ("controlled", "fixed"))
        check_number(self.name, "step_size", self.step_size, above=0)
        check_number(self.name, "share", self.share, above=0, below=1)
        check_number(self.name, "growth", self.growth, least=1)

    def init(self, game: Game) -> DescentState:
        """The uniform policy."""
        pi = game.uniform_policy()
        with np.errstate(divide="ignore"):
            return DescentState(np.log(pi), pi, game.action_values(pi), self.step_size)

    def step(self, game: Game, state: DescentState) -> DescentState:
        """One step, of a size that holds where steps are controlled."""
        size = state.step_size
        while True:
            logits = self.raised(state.logits, size * state.q)
            pi = softmax(logits)
            q = game.action_values(pi)
            if self.steps == "fixed":
                return DescentState(logits, pi, q, size)
            # what moving gains is found without a sweep: one's flow meets the other's values (performance difference)
            promised = _met(game, pi, state.pi, _gained(state.q, state.pi, pi))
            kept = _met(game, state.pi, pi, _gained(q, state.pi, pi))
            if kept >= self.share * promised or size < LEAST:
                return DescentState(logits, pi, q, min(size * self.growth, LARGEST))
            size /= 2

    def policy(self, game: Game, state: DescentState) -> Array:
        """The last iterate."""
        return state.pi

    def raised(self, logits: Array, by: Array) -> Array:
        """Logits of the next policy."""
        return centred(logits + by)


@dataclass(frozen=True)
class Munchausen(MirrorDescent):
    """Mirror descent without logits: the last policy's logarithm is added to the value (Lauriere et al. 2022).

    pi' = softmax(ln pi + step Q(pi, mu^pi)), which equals mirror descent by the same steps.
    """

    name: str = "munchausen"

    def raised(self, logits: Array, by: Array) -> Array:
        """ln softmax(ln pi + step Q)."""
        raised = centred(logits + by)
        found: Array = raised - np.log(np.exp(raised).sum(-1, keepdims=True))
        return found


def _gained(q: Array, pi: Array, other: Array) -> Array:
    """Q (other - pi), with Q less its mean: sums over actions stay, and small ones keep their digits."""
    found: Array = (q - (pi * q).sum(-1, keepdims=True)) * (other - pi)
    return found


def _met(game: Game, pi: Array, population: Array, gained: Array) -> float:
    """What agents who play pi in a population that plays another policy meet of gained[..., S, A]."""
    mu = game.flow_against(pi, game.flow(population))
    return float((game.deciding(mu)[..., None] * gained).sum())


def centred(logits: Array) -> Array:
    """Logits less the largest of their state, so that sums over many iterations keep their precision."""
    found: Array = logits - logits.max(-1, keepdims=True)
    return found


def softmax(logits: Array) -> Array:
    """Of centred logits: [..., A]."""
    raised = np.exp(logits)
    found: Array = raised / raised.sum(-1, keepdims=True)
    return found
