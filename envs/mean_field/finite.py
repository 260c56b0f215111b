"""N agents instead of a continuum: what one of them gains by deviating, exactly or by simulation.

All N play one policy; the state of the population is the counts of agents per state, so the cost of simulating it does
not depend on N. The distribution that rewards and transitions see is the empirical one, the deviator included.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array
from envs.mean_field.sweep import BestResponse, Frozen, best_response_of, values_of


@dataclass(frozen=True)
class FiniteGap:
    """What one of N agents gains."""

    n_agents: int
    gap: float
    low: float
    high: float
    """95 % interval; the gap itself where it is exact."""
    method: str
    """`exact`, or `simulated` with the number of games."""


@dataclass(frozen=True)
class Convergence:
    """Gaps over N, and how fast they fall."""

    rows: tuple[FiniteGap, ...]
    slope: float
    """Of ln gap over ln N: -1 where the gap is of order 1/N, -1/2 where it is of order 1/sqrt(N)."""


@dataclass(frozen=True)
class FinitePopulation:
    """`n_agents` of a game.

    Raises:
        ValueError: for fewer than 2 agents.
    """

    game: FiniteMFG
    n_agents: int

    def __post_init__(self) -> None:
        """Check the number."""
        if self.n_agents < 2:
            raise ValueError(f"{self.game.name}: {self.n_agents} agents; want 2 or more")

    def simulate(self, pi: ArrayLike, games: int, seed: int) -> NDArray[np.int64]:
        """Counts[games, T+1, S] of populations in which all play pi."""
        game, rng = self.game, np.random.default_rng(seed)
        policy = game.check_policy(pi)
        counts = np.empty((games, game.horizon + 1, game.num_states), np.int64)
        counts[:, 0] = rng.multinomial(self.n_agents, game.initial, games)
        for t in range(game.horizon):
            chosen = rng.multinomial(counts[:, t], policy[t])
            counts[:, t + 1] = self._moved(rng, t, chosen, counts[:, t])
        return counts

    def _moved(
        self, rng: np.random.Generator, t: int, chosen: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Where agents who chose, [games, S, A], go: [games, S]."""
        S = self.game.num_states
        successors, prob = self.game.kernel.rows(t, counts / counts.sum(-1, keepdims=True))
        spread = rng.multinomial(chosen, _exactly_one(prob))
        index = np.arange(len(counts))[:, None] * S + successors.ravel()
        found = np.bincount(index.ravel(), spread.reshape(len(counts), -1).ravel(), len(counts) * S)
        return np.asarray(found, np.int64).reshape(len(counts), S)

    @property
    def solvable(self) -> bool:
        """Whether gaps are exact: transitions do not depend on the population, and rewards only on one's own place."""
        return self.game.kernel.fixed and self.game.local

    def expected_rewards(self, pi: ArrayLike) -> Array:
        """r[T, S, A] of one agent among N - 1 who play pi, in expectation over what those do.

        Others are independent of each other, so as many as Binomial(N - 1, mu_t(s)) are in its place, or, where rewards
        see actions, Binomial(N - 1, mu_t(s) pi_t(a|s)) do as it does.

        Raises:
            ValueError: where the game is not of that kind.
        """
        game, N = self.game, self.n_agents
        if not self.solvable:
            raise ValueError(f"{game.name}: no exact gap of N agents; its transitions or rewards see more than a place")
        policy = game.check_policy(pi)
        mu = game.flow(policy)[:-1]
        share = mu[..., None] * policy if game.sees_actions else mu
        k = np.arange(N)
        # among the others; the agent itself is one more
        weight = np.asarray(stats.binom.pmf(k.reshape(-1, *[1] * share.ndim), N - 1, share.clip(0, 1)))
        steps = np.arange(game.horizon)
        found = np.zeros(game.shape)
        for j in k:
            r = game.reward(steps, np.full(share.shape, (j + 1) / N))
            found += weight[j].reshape(*share.shape, *[1] * (3 - share.ndim)) * r
        return found

    def best_response(self, pi: ArrayLike) -> BestResponse:
        """What is best for one agent among N - 1 who play pi."""
        return best_response_of(self._frozen(pi), ())

    def _frozen(self, pi: ArrayLike) -> Frozen:
        if self.game.terminal is not None:
            raise ValueError(f"{self.game.name}: no exact gap of N agents with terminal rewards")
        mu = self.game.flow(pi)
        return Frozen(
            self.game.kernel, self.expected_rewards(pi), lambda t: mu[t], np.zeros(mu.shape[-1]), self.game.action_mask
        )

    def gap(self, pi: ArrayLike) -> FiniteGap:
        """The exact gain of one agent who deviates from pi among N - 1 who play it.

        Raises:
            ValueError: where the game is not `solvable`; `simulated_gap` takes any.
        """
        process, policy = self._frozen(pi), self.game.check_policy(pi)
        best, own = best_response_of(process, ()), values_of(process, policy, ())
        found = float((best.values[0] - own[0]) @ self.game.initial)
        return FiniteGap(self.n_agents, found, found, found, "exact")

    def simulated_gap(self, pi: ArrayLike, games: int = 1000, seed: int = 0) -> FiniteGap:
        """The gain of one agent who answers the mean field best, among N - 1 who play pi: a lower bound of the gap.

        The deviator and a conformist each meet the same N - 1 others of `games` simulated populations (common random
        numbers); within one population the two are evaluated exactly, so only what the others do is random.
        """
        game, N = self.game, self.n_agents
        policy = game.check_policy(pi)
        mu = game.flow(policy)
        answer = game.best_response(mu, policy).policy
        others = FinitePopulation(game, N - 1) if N > 2 else self
        counts = others.simulate(policy, games, seed)
        flows = counts / counts.sum(-1, keepdims=True)
        gains = np.asarray(game.value(answer, flows, policy) - game.value(policy, flows, policy))
        mean, error = float(gains.mean()), float(stats.sem(gains))
        half = float(stats.t.ppf(0.975, games - 1)) * error
        return FiniteGap(N, mean, mean - half, mean + half, f"simulated ({games} games)")


def convergence(
    game: FiniteMFG, pi: ArrayLike, numbers: Sequence[int], games: int = 1000, seed: int = 0
) -> Convergence:
    """Gaps of pi among growing numbers of agents, exact where that is possible, and the slope of their logarithms.

    The slope is of what N adds: the mean field's own exploitability is subtracted.
    """
    rows = []
    for n in numbers:
        population = FinitePopulation(game, n)
        exact = population.solvable and game.terminal is None
        rows.append(population.gap(pi) if exact else population.simulated_gap(pi, games, seed))
    limit = float(game.exploitability(pi))
    added = np.array([row.gap - limit for row in rows])
    known = added > 1e-12
    slope = float("nan")
    if known.sum() >= 2:
        slope = float(np.polyfit(np.log(np.array(numbers)[known]), np.log(added[known]), 1)[0])
    return Convergence(tuple(rows), slope)


def _exactly_one(prob: Array) -> Array:
    """Rows whose sum is not above 1 by rounding, as numpy's multinomial wants them."""
    return np.asarray(prob / np.maximum(1.0, prob.sum(-1, keepdims=True) * (1 + 1e-15)))
