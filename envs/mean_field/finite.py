"""N agents instead of a continuum: what one of them gains by deviating, exactly or by simulation.

N - 1 agents play pi; the one plays what it likes, seeing its own state alone. The distribution that rewards and
transitions see is the empirical one of all N: the one is part of it, and moves it by 1 / N.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from envs.mean_field.checks import BadPolicy
from envs.mean_field.finite_play import averaged_response, gains, play
from envs.mean_field.finite_rewards import LARGEST, expected_rewards, expected_terminals, summands
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array
from envs.mean_field.sweep import BestResponse, Frozen, best_response_of, values_of

FEWEST = 20
"""Games from which a deviation is worked out."""
ROUNDING = 1e-12
"""Of the size of values: gaps nearer to each other are the same."""


@dataclass(frozen=True)
class FiniteGap:
    """What one of N agents gains."""

    n_agents: int
    gap: float
    """Exact; or an estimate of what `deviation` gains, in expectation a lower bound of the gap."""
    low: float
    high: float
    """95 % interval of that; the gap itself where it is exact."""
    method: str
    """`exact`, or `lower bound (1000 games)`."""
    deviation: Array = field(repr=False, compare=False)
    """[T, S, A]: by what."""

    @property
    def exact(self) -> bool:
        """Whether it is the gap."""
        return self.method == "exact"


@dataclass(frozen=True)
class Convergence:
    """Gaps over N, and how fast they come to the mean field's."""

    rows: tuple[FiniteGap, ...]
    limit: float
    """The exploitability in the mean field."""
    slope: float
    """Of ln |gap - limit| over ln N: -1 where N adds or takes of order 1/N; NaN where there is none."""
    low: float
    high: float
    """95 % interval of the slope: of the gaps' sampling alone, not of how straight the line is."""
    reason: str
    """Why there is no slope; empty where there is one."""


@dataclass(frozen=True)
class FinitePopulation:
    """`n_agents` of a game.

    Raises:
        TypeError: for a game of another kind.
        ValueError: for fewer than 2 agents, or what is no whole number.
    """

    game: FiniteMFG
    n_agents: int

    def __post_init__(self) -> None:
        """Check the kind and the number."""
        game: object = self.game
        if not isinstance(game, FiniteMFG):
            raise TypeError(f"FinitePopulation of a {type(game).__name__}; want a FiniteMFG")
        if not (float(self.n_agents).is_integer() and self.n_agents >= 2):
            raise ValueError(f"{game.name}: {self.n_agents} agents; want a whole number, 2 or more")
        object.__setattr__(self, "n_agents", int(self.n_agents))

    def simulate(self, pi: ArrayLike, games: int, seed: int) -> NDArray[np.int64]:
        """Counts[games, T+1, S] of populations in which all play pi."""
        game, policy = self.game, self._policy(pi)
        counts = np.empty((games, game.horizon + 1, game.num_states), np.int64)
        for now in play(game, self.n_agents, policy, policy[None], games, np.random.default_rng(seed)):
            counts[:, now.t] = now.others[0]
            counts[np.arange(games), now.t, now.state[0]] += 1
        return counts

    @property
    def solvable(self) -> bool:
        """Whether gaps are exact: transitions do not see the population, and there are not too many rewards to sum."""
        return self.game.kernel.fixed and summands(self.game, self.n_agents) <= LARGEST

    def expected_rewards(self, pi: ArrayLike) -> Array:
        """r[T, S, A] of one agent among N - 1 who play pi, in expectation over what those do.

        Raises:
            ValueError: where the game is not `solvable`.
        """
        self._want_solvable()
        return expected_rewards(self.game, self._policy(pi), self.n_agents)

    def best_response(self, pi: ArrayLike) -> BestResponse:
        """What is best for one agent among N - 1 who play pi.

        Raises:
            ValueError: where the game is not `solvable`.
        """
        return best_response_of(self._frozen(self._policy(pi)), ())

    def gap(self, pi: ArrayLike) -> FiniteGap:
        """The exact gain of one agent who deviates from pi among N - 1 who play it.

        The others are independent of it and of each other, so rewards are expected over where they are, binomial or
        multinomial, and one backward pass is left.

        Raises:
            ValueError: where the game is not `solvable`; `lower_bound` takes any.
        """
        policy = self._policy(pi)
        process = self._frozen(policy)
        best, own = best_response_of(process, ()), values_of(process, policy, ())
        found = float((best.values[0] - own[0]) @ self.game.initial)
        return FiniteGap(self.n_agents, found, found, found, "exact", best.policy)

    def gain(self, pi: ArrayLike, deviation: ArrayLike, games: int = 1000, seed: int = 0) -> FiniteGap:
        """What `deviation` earns more than pi among N - 1 who play pi, by simulation: never more than the gap in truth.

        Who deviates and who conforms meet the same others, who part only where what the one does moves them.

        Raises:
            BadPolicy: for what is no policy of the game.
            ValueError: for fewer than 2 games.
        """
        return self._gain(self._policy(pi), self._policy(deviation), games, self._streams(games, seed)[0])

    def lower_bound(self, pi: ArrayLike, games: int = 1000, seed: int = 0) -> FiniteGap:
        """What a good deviation gains among N - 1 who play pi, by simulation: in expectation at most the gap.

        The deviation is the best response among N agents where the game is `solvable`. Elsewhere it is the one to the
        mean field, or that to rewards and transitions averaged over simulated others, whichever gains more in games
        that are not those of the estimate; of large games whose rewards see actions, the one to the mean field.

        Raises:
            BadPolicy: for what is no policy of the game.
            ValueError: for fewer than 2 games.
        """
        policy, (estimate, *choice) = self._policy(pi), self._streams(games, seed)
        return self._gain(policy, self._deviation(policy, games, *choice), games, estimate)

    def _deviation(self, pi: Array, games: int, average: np.random.Generator, trial: np.random.Generator) -> Array:
        game, (T, S, A) = self.game, self.game.shape
        if self.solvable:
            return best_response_of(self._frozen(pi), ()).policy
        of_limit = game.best_response(game.flow(pi), pi).policy
        affordable = min(max(games, FEWEST), LARGEST // (T * S * A * (S * A if game.sees_actions else S)))
        if affordable < FEWEST:
            return of_limit
        found = np.array([of_limit, averaged_response(game, self.n_agents, pi, affordable, average).policy])
        return np.asarray(found[gains(game, self.n_agents, pi, found, games, trial).mean(1).argmax()])

    def _gain(self, pi: Array, deviation: Array, games: int, rng: np.random.Generator) -> FiniteGap:
        found = gains(self.game, self.n_agents, pi, deviation[None], games, rng)[0]
        mean, half = float(found.mean()), float(stats.t.ppf(0.975, games - 1) * stats.sem(found))
        return FiniteGap(self.n_agents, mean, mean - half, mean + half, f"lower bound ({games} games)", deviation)

    def _frozen(self, pi: Array) -> Frozen:
        self._want_solvable()
        game, mu = self.game, self.game.flow(pi)
        rewards, last = expected_rewards(game, pi, self.n_agents), expected_terminals(game, pi, self.n_agents)
        return Frozen(game.kernel, rewards, lambda t: mu[t], last, game.action_mask)

    def _want_solvable(self) -> None:
        name, N = self.game.name, self.n_agents
        if not self.game.kernel.fixed:
            raise ValueError(f"{name}: no exact gap of N agents, transitions see the population; take lower_bound")
        if not self.solvable:
            raise ValueError(
                f"{name}: no exact gap of {N} agents, {summands(self.game, N):.1e} rewards to sum; want {LARGEST:.0e} "
                "or fewer, or take lower_bound"
            )

    def _policy(self, pi: ArrayLike) -> Array:
        """One policy, not a batch."""
        found = self.game.check_policy(pi)
        if found.ndim != 3:
            raise BadPolicy(f"{self.game.name}: the policy has shape {found.shape}; want one policy {self.game.shape}")
        return found

    def _streams(self, games: int, seed: int) -> list[np.random.Generator]:
        """Of the estimate, and two for the choice of a deviation."""
        if games < 2:
            raise ValueError(f"{self.game.name}: {games} games; want 2 or more, for an interval")
        return np.random.default_rng([seed, self.n_agents]).spawn(3)


def convergence(
    game: FiniteMFG, pi: ArrayLike, numbers: Sequence[int], games: int = 1000, seed: int = 0
) -> Convergence:
    """Gaps of pi among growing numbers of agents, exact where that is possible, else lower bounds, and their slope.

    The slope is of how far gaps are from the mean field's, above or below. There is none unless every gap is told apart
    from it: leaving out those that are not would favour chance.
    """
    populations = [FinitePopulation(game, n) for n in numbers]
    rows = tuple(p.gap(pi) if p.solvable else p.lower_bound(pi, games, seed) for p in populations)
    audit = game.audit(pi)
    limit = float(audit.exploitability)
    rounding = ROUNDING * max(1.0, abs(float(audit.value)), abs(float(audit.best_response_value)))
    N, away = np.array(numbers, float), np.array([row.gap - limit for row in rows])
    half = np.array([(row.high - row.low) / 2 for row in rows])
    alike = [row.n_agents for row, d, h in zip(rows, away, half, strict=True) if abs(d) <= max(h, rounding)]
    reason = ""
    if len(set(numbers)) < 2:
        reason = "fewer than 2 numbers of agents"
    elif alike:
        reason = f"N = {', '.join(map(str, alike))}: not told apart from the limit"
    elif (away > 0).any() and (away < 0).any():
        reason = "gaps on both sides of the limit"
    if reason:
        return Convergence(rows, limit, np.nan, np.nan, np.nan, reason)
    # least squares; what each gap adds to the slope
    x = np.log(N) - np.log(N).mean()
    weight = x / (x @ x)
    slope = float(weight @ np.log(np.abs(away)))
    width = float(np.sqrt(((weight * half / away) ** 2).sum()))
    return Convergence(rows, limit, slope, slope - width, slope + width, "")
