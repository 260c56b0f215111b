"""Answers to answers: damped fixed points, soft answers, and answers near the last policy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.mean_field.protocol import Game
from mfmarl.solvers.mirror_descent import centred, softmax
from mfmarl.solvers.ranges import check_number, check_whole
from mfmarl.solvers.solution import Array

COLDEST = 1e-12
"""Temperature at which lowering ends: values over one of 1e-310 would be infinite."""


@dataclass(frozen=True)
class FixedPoint:
    """pi' = (1 - damping) pi + damping BR(mu^pi); without damping (1) it circles in most games."""

    damping: float = 0.1
    name: str = "fixed_point"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "damping", self.damping, above=0, most=1)

    def init(self, game: Game) -> Array:
        """The uniform policy."""
        return game.uniform_policy()

    def step(self, game: Game, pi: Array) -> Array:
        """A share goes over to the best response."""
        return (1 - self.damping) * pi + self.damping * game.best_response(game.flow(pi), pi).policy

    def policy(self, game: Game, pi: Array) -> Array:
        """Itself."""
        return pi


@dataclass(frozen=True)
class PolicyIteration:
    """pi' = (1 - damping) pi + damping greedy(Q(pi, mu^pi)): one evaluation instead of a best response."""

    damping: float = 0.1
    name: str = "policy_iteration"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "damping", self.damping, above=0, most=1)

    def init(self, game: Game) -> Array:
        """The uniform policy."""
        return game.uniform_policy()

    def step(self, game: Game, pi: Array) -> Array:
        """A share goes over to the greedy actions."""
        q = np.where(game.uniform_policy() > 0, game.action_values(pi), -np.inf)
        greedy = np.zeros(pi.shape)
        np.put_along_axis(greedy, q.argmax(-1)[..., None], 1.0, -1)
        return (1 - self.damping) * pi + self.damping * greedy

    def policy(self, game: Game, pi: Array) -> Array:
        """Itself."""
        return pi


@dataclass(frozen=True)
class SoftState:
    """A policy, the prior that it stays near, and how often it was answered."""

    pi: Array
    prior: Array
    iteration: int


@dataclass(frozen=True)
class PriorDescent:
    """pi' = prior exp(Q*(mu^pi) / temperature), normalised; every `every` answers the prior becomes the policy.

    Cui and Koeppl (2021). With `every` = 0 the prior stays uniform: Boltzmann iteration, whose fixed point is the
    equilibrium of the game with entropy and no nearer to Nash than its temperature.
    """

    temperature: float = 1.0
    every: int = 10
    name: str = "prior_descent"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "temperature", self.temperature, above=0)
        check_whole(self.name, "every", self.every, least=0)

    def init(self, game: Game) -> SoftState:
        """The uniform policy, and prior."""
        pi = game.uniform_policy()
        return SoftState(pi, pi, 0)

    def step(self, game: Game, state: SoftState) -> SoftState:
        """One soft answer."""
        pi = soft_answer(game, state.pi, state.prior, self.temperature)
        renew = self.every > 0 and (state.iteration + 1) % self.every == 0
        return SoftState(pi, pi if renew else state.prior, state.iteration + 1)

    def policy(self, game: Game, state: SoftState) -> Array:
        """The last answer."""
        return state.pi


@dataclass(frozen=True)
class EntropyContinuation:
    """Boltzmann iteration from a high temperature down: iterated until it is still, then lowered by `factor`."""

    start: float = 1.0
    factor: float = 0.8
    still: float = 1e-3
    name: str = "entropy_continuation"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "start", self.start, above=0)
        check_number(self.name, "factor", self.factor, above=0, below=1)
        check_number(self.name, "still", self.still, above=0)

    def init(self, game: Game) -> tuple[Array, float]:
        """The uniform policy and the first temperature."""
        return game.uniform_policy(), self.start

    def step(self, game: Game, state: tuple[Array, float]) -> tuple[Array, float]:
        """One soft answer, mixed half with the last."""
        pi, temperature = state
        found = 0.5 * pi + 0.5 * soft_answer(game, pi, game.uniform_policy(), temperature)
        moved = np.abs(found - pi).sum(-1).max()
        return found, max(temperature * self.factor, COLDEST) if moved < self.still else temperature

    def policy(self, game: Game, state: tuple[Array, float]) -> Array:
        """The last one."""
        return state[0]


def soft_answer(game: Game, pi: Array, prior: Array, temperature: float) -> Array:
    """prior exp(Q* / temperature), normalised, of the best response's action values against mu^pi."""
    q = game.best_response(game.flow(pi), pi).q
    with np.errstate(divide="ignore"):
        return softmax(centred(np.where(prior > 0, q / temperature + np.log(prior), -np.inf)))
