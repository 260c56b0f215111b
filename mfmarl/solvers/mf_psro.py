"""Mixtures of policies that no agent gains by leaving: mean-field PSRO (Muller et al. 2022).

A mediator draws shares nu of the population for a set of policies and tells each agent its own. The draw is a coarse
correlated equilibrium (CCE) where no agent gains by a policy of its own instead, chosen before it is told anything; a
correlated one (CE) where none gains by answering what it is told with another policy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from envs.mean_field.game import FiniteMFG
from envs.mean_field.sweep import Frozen, best_response_of
from mfmarl.solvers.polytope import check_fixed, gains, policy_of
from mfmarl.solvers.ranges import check_whole, check_word
from mfmarl.solvers.solution import Array

SAME = 1e-9
"""L1 distance of occupancies below which policies are one."""
AT_REST = 1e-6
"""Gain by leaving a mixture below which it stays."""
MOST = 10
"""Times `rounds` that an iteration has at most."""


@dataclass(frozen=True)
class PSROState:
    """A mixture: shares[m] of the n policies with probability 1 / M each."""

    policies: Array
    """[n, T, S, A]"""
    occupancies: Array
    """[n, T, S, A]"""
    shares: Array
    """[M, n]"""
    iteration: int
    at_rest: bool = False
    """Whether nobody gains by leaving it."""


@dataclass(frozen=True)
class Gaps:
    """What an agent gains by leaving a mixture, exactly, against all policies of the game."""

    cce: float
    ce: float
    value: float
    """Of agents who follow it."""


@dataclass(frozen=True)
class MFPSRO:
    """Best responses to a mixture are added to its policies; regret minimisation among them makes the next mixture.

    Regrets are those of predictive regret matching (Farina, Kroer and Sandholm 2021), for CE one minimiser for each
    policy that is told (Blum and Mansour 2007). The mixture is the last half of `rounds` times (1 + iteration) rounds,
    or 10 times.
    """

    meta: Literal["cce", "ce"] = "cce"
    rounds: int = 20
    name: str = "mf_psro"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_word(self.name, "meta", self.meta, ("cce", "ce"))
        check_whole(self.name, "rounds", self.rounds, least=1)

    def init(self, game: FiniteMFG) -> PSROState:
        """The uniform policy alone.

        Raises:
            ValueError: where transitions depend on the population: then an agent's best answer to a draw that it does
                not see remembers its past, and is no policy of these.
        """
        check_fixed(game)
        pi = game.uniform_policy()[None]
        return PSROState(pi, game.flow(pi)[:, :-1, :, None] * pi, np.ones((1, 1)), 0)

    def step(self, game: FiniteMFG, state: PSROState) -> PSROState:
        """Add the best answers, and find the next mixture; one that nobody gains by leaving stays."""
        if state.at_rest:
            return replace(state, iteration=state.iteration + 1)
        told = told_rewards(game, state)
        own = state.occupancies * told
        if self.meta == "cce":
            wanted, worth = told.sum(0, keepdims=True), own.sum(keepdims=True)[0]
        else:
            wanted, worth = told, own
        answers, best = _answers(game, wanted)
        if float((best - worth.sum((-3, -2, -1))).sum()) <= AT_REST:
            return replace(state, iteration=state.iteration + 1, at_rest=True)
        policies, occupancies = list(state.policies), list(state.occupancies)
        for pi in answers:
            x = game.flow(pi)[:-1, :, None] * pi
            if min(float(np.abs(x - other).sum()) for other in occupancies) > SAME:
                policies.append(pi)
                occupancies.append(x)
        found, rounds = np.stack(occupancies), self.rounds * min(1 + state.iteration, MOST)
        shares = _mixture(game, found, rounds, self.meta == "ce")
        return PSROState(np.stack(policies), found, shares, state.iteration + 1)

    def policy(self, game: FiniteMFG, state: PSROState) -> Array:
        """The policy whose flow is the mixture's on average: near an equilibrium where the game is monotone."""
        return policy_of(game, np.tensordot(state.shares.mean(0), state.occupancies, 1))


def mixture_gaps(game: FiniteMFG, state: PSROState) -> Gaps:
    """How far a mixture is from a CCE and from a CE: the second is never smaller, but for rounding."""
    told = told_rewards(game, state)
    own = (state.occupancies * told).sum((-3, -2, -1))
    best_told = _answers(game, told)[1]
    best = _answers(game, told.sum(0, keepdims=True))[1]
    value = float(own.sum())
    return Gaps(float(best[0]) - value, float((best_told - own).sum()), value)


def told_rewards(game: FiniteMFG, state: PSROState) -> Array:
    """[n, T, S, A]: E over draws of share_i r(mu of the draw), what those meet who are told policy i."""
    total = np.zeros(state.occupancies.shape)
    for nu in state.shares:
        total += nu[:, None, None, None] * _rewards(game, nu, state.occupancies)
    found: Array = total / len(state.shares)
    return found


def _rewards(game: FiniteMFG, nu: Array, occupancies: Array) -> Array:
    """r[T, S, A] of a population of which shares nu[n] play the policies."""
    x = np.tensordot(nu, occupancies, 1)
    # clipped rounding apart, x is an occupancy already
    mu = np.concatenate([x.sum(-1), game.kernel.push(game.horizon - 1, x[-1], x[-1].sum(-1))[None]])
    return gains(game, policy_of(game, x), mu)


def _answers(game: FiniteMFG, rewards: Array) -> tuple[Array, Array]:
    """The best policies [B, T, S, A] against given rewards, those that come last included, and their values."""
    last = np.zeros((len(rewards), game.num_states))
    process = Frozen(game.kernel, rewards, lambda t: game.initial, last, game.action_mask)
    found = best_response_of(process, rewards.shape[:1])
    return found.policy, np.asarray(found.values[:, 0] @ game.initial)


def _mixture(game: FiniteMFG, occupancies: Array, rounds: int, correlated: bool) -> Array:
    """Shares [M, n] of the last half of the rounds in which regrets among the policies are kept small."""
    n = len(occupancies)
    # one minimiser, or one for each policy that is told
    regrets = np.zeros((n if correlated else 1, n))
    last = np.zeros(regrets.shape)
    shares = np.empty((rounds, n))
    for k in range(rounds):
        hoped = np.maximum(0.0, regrets + last)
        total = hoped.sum(1, keepdims=True)
        rows = np.where(total > 0, hoped / np.where(total > 0, total, 1.0), 1 / n)
        nu = _stationary(rows) if correlated else rows[0]
        worth = np.tensordot(occupancies, _rewards(game, nu, occupancies), 3)
        weight = nu[:, None] if correlated else np.ones((1, 1))
        last = weight * (worth - (rows @ worth)[:, None])
        regrets = np.maximum(0.0, regrets + last)
        shares[k] = nu
    return shares[rounds // 2 :]


def _stationary(rows: Array) -> Array:
    """nu with nu = nu rows, of rows[n, n] that are distributions."""
    n = len(rows)
    equations = np.concatenate([rows.T - np.eye(n), np.ones((1, n))])
    found = np.linalg.lstsq(equations, np.concatenate([np.zeros(n), np.ones(1)]), rcond=None)[0]
    positive = np.maximum(found, 0.0)
    normalised: Array = positive / positive.sum()
    return normalised
