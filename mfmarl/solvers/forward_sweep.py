"""Best responses to the population as it comes: values from the last flow, actions against the one that unfolds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.fictitious_play import averaged
from mfmarl.solvers.ranges import check_whole
from mfmarl.solvers.solution import Array


@dataclass(frozen=True)
class SweepState:
    """A policy with its flow, and how many answers it averages."""

    pi: Array
    mu: Array
    iteration: int


@dataclass(frozen=True)
class ForwardSweep:
    """pi_t greedy to r(mu_t) + P(mu_t) V_{t+1}: mu_t follows from pi_0 to pi_{t-1}, V is best against the last flow.

    Finds equilibria in which the population overshoots and turns back, as in epidemics, where answers to a whole flow
    at once circle. The first `whole` answers are taken over, later ones averaged as by fictitious play.
    """

    whole: int = 20
    name: str = "forward_sweep"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_whole(self.name, "whole", self.whole, least=0)

    def init(self, game: FiniteMFG) -> SweepState:
        """The uniform policy."""
        pi = game.uniform_policy()
        return SweepState(pi, game.flow(pi), 0)

    def step(self, game: FiniteMFG, state: SweepState) -> SweepState:
        """One sweep back and one forth."""
        values = game.best_response(state.mu, state.pi).values
        answer = answer_as_it_comes(game, values, state.pi)
        if state.iteration < self.whole:
            pi = answer
        else:
            # agents who answer live in the average population
            flow = game.flow_against(answer, state.mu)
            pi = averaged(game, state.pi, state.mu, answer, flow, 1 / (state.iteration - self.whole + 2))
        return SweepState(pi, game.flow(pi), state.iteration + 1)

    def policy(self, game: FiniteMFG, state: SweepState) -> Array:
        """The last answer, or the average."""
        return state.pi


def answer_as_it_comes(game: FiniteMFG, values: Array, population: Array) -> Array:
    """The policy [T, S, A] that is greedy to V[T+1, S] in the flow that it makes; equal actions equally often.

    Rewards that see actions see those of `population`, in the masses of the flow.
    """
    pi = np.empty(game.shape)
    mu = np.broadcast_to(game.initial, (game.horizon + 1, game.num_states)).copy()
    for t in range(game.horizon):
        r = game.rewards(mu, population)[t]
        q = r + game.kernel.expect(t, values[t + 1], mu[t])
        if game.action_mask is not None:
            q = np.where(game.action_mask, q, -np.inf)
        best = q == q.max(-1, keepdims=True)
        pi[t] = best / best.sum(-1, keepdims=True)
        mu[t + 1] = game.kernel.push(t, mu[t][:, None] * pi[t], mu[t])
    return pi
