"""Equilibria as zeros on occupancies: forward on rewards, backward on the polytope (Hu and Zhang 2024)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.polytope import check_fixed, constraints, divergence, entropic_step, gains, policy_of, project
from mfmarl.solvers.ranges import check_number, check_word
from mfmarl.solvers.solution import Array

LEAST, LARGEST = 1e-9, 1e4
"""Steps between which one is sought."""


@dataclass(frozen=True)
class OMIState:
    """A policy, the next step to try, and, of Euclidean steps, the constraints and their last multipliers."""

    log_pi: Array
    step_size: float
    polytope: tuple[Any, Array] | None = None
    x: Array | None = None
    dual: Array | None = None


@dataclass(frozen=True)
class OMI:
    """Forward-backward splitting of 0 in -r(x) + N(x), N the normal cone of the polytope of occupancies.

    x' = projection of x + step r(x) on the polytope, in the metric of entropies (`entropic`: one backward pass) or in
    the plain one (`euclidean`: a quadratic programme). With `extra` the reward of x' is used for the step that counts
    (Korpelevich 1976), which needs no strong monotonicity; steps are halved until they hold and grow by `growth`.
    """

    geometry: Literal["entropic", "euclidean"] = "entropic"
    extra: bool = True
    smoothness: float = 0.9
    growth: float = 1.5
    name: str = "omi"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_word(self.name, "geometry", self.geometry, ("entropic", "euclidean"))
        check_word(self.name, "extra", self.extra, (True, False))
        check_number(self.name, "smoothness", self.smoothness, above=0)
        check_number(self.name, "growth", self.growth, least=1)

    def init(self, game: FiniteMFG) -> OMIState:
        """The uniform policy.

        Raises:
            ValueError: where transitions depend on the population.
        """
        check_fixed(game)
        with np.errstate(divide="ignore"):
            log_pi = np.log(game.uniform_policy())
        if self.geometry == "entropic":
            return OMIState(log_pi, 1.0)
        A, b = constraints(game)
        pi = game.uniform_policy()
        x = game.flow(pi)[:-1, :, None] * pi
        return OMIState(log_pi, 1.0, (A, b), x, np.zeros(len(b)))

    def step(self, game: FiniteMFG, state: OMIState) -> OMIState:
        """One step of a size that holds."""
        if state.polytope is None:
            log_pi, size = entropic(game, state.log_pi, state.step_size, self.smoothness, self.extra)
            return OMIState(log_pi, min(size * self.growth, LARGEST))
        return self._euclidean(game, state)

    def _euclidean(self, game: FiniteMFG, state: OMIState) -> OMIState:
        assert state.polytope is not None
        assert state.x is not None
        assert state.dual is not None
        A, b = state.polytope
        size, x = state.step_size, state.x
        here = self._rewards(game, x)
        dual = state.dual
        while True:
            flat, dual = project(A, b, (x + size * here).ravel(), dual)
            ahead = flat.reshape(x.shape)
            there = self._rewards(game, ahead)
            moved = float(np.linalg.norm(ahead - x))
            if size * np.linalg.norm(there - here) <= self.smoothness * max(moved, 1e-14) or size < LEAST:
                break
            size /= 2
        if self.extra:
            flat, dual = project(A, b, (x + size * there).ravel(), dual)
            ahead = flat.reshape(x.shape)
        with np.errstate(divide="ignore"):
            log_pi = np.log(policy_of(game, ahead))
        return OMIState(log_pi, min(size * self.growth, LARGEST), state.polytope, ahead, dual)

    def _rewards(self, game: FiniteMFG, x: Array) -> Array:
        pi = policy_of(game, x)
        return gains(game, pi, game.flow(pi))

    def policy(self, game: FiniteMFG, state: OMIState) -> Array:
        """The last iterate."""
        return from_log(state.log_pi)


def entropic(
    game: FiniteMFG, log_pi: Array, size: float, smoothness: float = 0.9, extra: bool = True
) -> tuple[Array, float]:
    """One entropic step, and its size.

    It is halved until size <r(x+) - r(x), x+ - x'> <= smoothness (D(x', x+) + D(x+, x)), which is all that the proof of
    convergence asks of a step (Nemirovski 2004); without the extra step x' = x+ and the test is of x+ and x.
    """
    pi = from_log(log_pi)
    mu = game.flow(pi)
    here = gains(game, pi, mu)
    while True:
        ahead = entropic_step(game, log_pi, here, mu, size)
        pi_ahead = from_log(ahead)
        mu_ahead = game.flow(pi_ahead)
        there = gains(game, pi_ahead, mu_ahead)
        x_ahead = mu_ahead[:-1, :, None] * pi_ahead
        if extra:
            found = entropic_step(game, log_pi, there, mu_ahead, size)
            pi_found = from_log(found)
            mu_found = game.flow(pi_found)
            change = x_ahead - mu_found[:-1, :, None] * pi_found
            room = divergence(mu_found, found, ahead) + divergence(mu_ahead, ahead, log_pi)
            turned = -((there - here) * change).sum()
        else:
            found, change = ahead, x_ahead - mu[:-1, :, None] * pi
            room = divergence(mu_ahead, ahead, log_pi)
            turned = np.abs(((there - here) * change).sum())
        if size * turned <= smoothness * room + 1e-15 or size < LEAST:
            return found, size
        size /= 2


def from_log(log_pi: Array) -> Array:
    """The policy of logarithms, its rows summing to 1 exactly enough."""
    raised = np.exp(log_pi)
    pi: Array = raised / raised.sum(-1, keepdims=True)
    return pi
