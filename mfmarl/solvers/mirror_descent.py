"""Online mirror descent: softmax of summed action values (Perolat et al. 2022), and its Munchausen form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.mean_field.protocol import Game
from mfmarl.solvers.ranges import check_number
from mfmarl.solvers.solution import Array


@dataclass(frozen=True)
class MirrorDescent:
    """logits += step Q(pi, mu^pi), pi = softmax(logits), by a step that stays; `mirror_prox` finds its own."""

    step_size: float = 0.1
    name: str = "mirror_descent"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "step_size", self.step_size, above=0)

    def init(self, game: Game) -> Array:
        """Logits of the uniform policy: [..., S, A]."""
        return np.where(game.uniform_policy() > 0, 0.0, -np.inf)

    def step(self, game: Game, logits: Array) -> Array:
        """logits += step Q."""
        return centred(logits + self.step_size * game.action_values(softmax(logits)))

    def policy(self, game: Game, logits: Array) -> Array:
        """Their softmax."""
        return softmax(logits)


@dataclass(frozen=True)
class Munchausen:
    """Mirror descent without logits: the last policy's logarithm is added to the value (Lauriere et al. 2022).

    pi' = softmax(ln pi + step Q(pi, mu^pi)), which equals mirror descent by the same step.
    """

    step_size: float = 0.1
    name: str = "munchausen"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "step_size", self.step_size, above=0)

    def init(self, game: Game) -> Array:
        """ln of the uniform policy: [..., S, A]."""
        with np.errstate(divide="ignore"):
            return np.log(game.uniform_policy())

    def step(self, game: Game, log_pi: Array) -> Array:
        """ln softmax(ln pi + step Q)."""
        raised = centred(log_pi + self.step_size * game.action_values(np.exp(log_pi)))
        found: Array = raised - np.log(np.exp(raised).sum(-1, keepdims=True))
        return found

    def policy(self, game: Game, log_pi: Array) -> Array:
        """The policy itself."""
        return np.exp(log_pi)


def centred(logits: Array) -> Array:
    """Logits less the largest of their state, so that sums over many iterations keep their precision."""
    found: Array = logits - logits.max(-1, keepdims=True)
    return found


def softmax(logits: Array) -> Array:
    """Of centred logits: [..., A]."""
    raised = np.exp(logits)
    found: Array = raised / raised.sum(-1, keepdims=True)
    return found
