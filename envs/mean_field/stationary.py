"""Mean-field games without an end: the population is at rest, and agents discount what is to come.

Policies are pi[..., S, A], distributions mu[..., S], rewards r[..., S, A], values V[..., S]; the leading dots are a
batch. A population that plays pi has the stationary distribution of its own chain; its agents start from there and earn
sum_t discount^t r_t. Everything comes from linear solves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.audit import Audit
from envs.mean_field.chain import long_run, stationary
from envs.mean_field.checks import (
    alike,
    check_finite,
    check_mask,
    check_played,
    check_rewards,
    check_simplex,
    occupancy,
)
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, Kernel, check_rows
from envs.mean_field.loops import SUM_TOLERANCE
from envs.mean_field.ranges import check_number, check_whole
from envs.mean_field.settle import settled
from envs.mean_field.sweep import BestResponse

TIE = 1e-12
"""By how much, relative to the largest value, an action must be better to be preferred to the one before it."""


@dataclass(frozen=True, kw_only=True)
class StationaryMFG:
    """A stationary discounted game of one population.

    `reward(x) -> r[..., S, A]` where x is mu[..., S], or, with `sees_actions`, the occupancy L[..., S, A] = mu pi.
    """

    name: str
    kernel: Kernel
    """It is told step 0."""
    reward: Callable[[Array], Array]
    discount: float
    """0 or more, below 1."""
    sees_actions: bool = False
    action_mask: NDArray[np.bool_] | None = None
    """[S, A]: actions that a state has."""
    most_solves: int = 2000
    """For a population whose chain follows it, until it must be at rest."""

    def __post_init__(self) -> None:
        """Check the game once.

        Raises:
            BadPolicy: for a mask that does not fit.
            ValueError: for a discount out of range, rewards of a wrong shape, or that are not finite.
        """
        check_number(self.name, "discount", self.discount, least=0, below=1)
        check_whole(self.name, "most_solves", self.most_solves, least=1)
        check_mask(self.action_mask, self.shape, self.name)
        found = self.rewards(np.full(self.num_states, 1 / self.num_states), self.uniform_policy())
        check_rewards(found, self.shape, self.action_mask, self.name, "at the uniform mu")

    @property
    def num_states(self) -> int:
        """S."""
        return self.kernel.num_states

    @property
    def num_actions(self) -> int:
        """A."""
        return self.kernel.num_actions

    @property
    def shape(self) -> tuple[int, int]:
        """(S, A), of a policy."""
        return self.num_states, self.num_actions

    def uniform_policy(self) -> Array:
        """Every action that a state has, equally often: [S, A]."""
        return alike(self.action_mask, self.shape)

    def flow(self, pi: ArrayLike) -> Array:
        """mu[..., S] at rest when all play pi: one solve, or solves from the uniform distribution until it rests.

        Raises:
            BadPolicy: for what is no policy of this game.
            NoStationary: where the chain of pi has several stationary distributions.
            Unsettled: where the chain follows the population, which then does not come to rest.
        """
        pi = self.check_policy(pi)
        flat = pi.reshape(-1, *self.shape)
        if self.kernel.fixed:
            return self._at_rest(flat, None).reshape(pi.shape[:-1])
        start = np.full(flat.shape[:-1], 1 / self.num_states)
        found = settled(lambda mu: self._at_rest(flat, mu), start, self.most_solves, f"{self.name}: the population")
        return found.reshape(pi.shape[:-1])

    def _at_rest(self, pi: Array, mu: Array | None) -> Array:
        return stationary(self._chain(pi, mu), f"{self.name}: the policy")

    def flow_against(self, pi: ArrayLike, nu: ArrayLike) -> Array:
        """mu[..., S] in the long run of agents who begin as nu[..., S] and play pi, while the population stays at nu.

        The stationary distribution of their chain; where it has several, in the shares in which it ends in them.

        Raises:
            BadPolicy: for what is no policy or distribution of this game.
        """
        pi, nu = self.check_policy(pi), self.check_flow(nu)
        lead = np.broadcast_shapes(pi.shape[:-2], nu.shape[:-1])
        S = self.num_states
        chains = np.broadcast_to(self._chain(pi, nu), (*lead, S, S)).reshape(-1, S, S)
        starts = np.broadcast_to(nu, (*lead, S)).reshape(-1, S)
        found = [long_run(P, start, self.name) for P, start in zip(chains, starts, strict=True)]
        return np.reshape(found, (*lead, S))

    def deciding(self, mu: Array) -> Array:
        """All of it: [..., S]."""
        return mu

    @cached_property
    def _fixed(self) -> Array:
        """P[S, A, S'] of a kernel that does not follow the population."""
        return self._matrix(np.full(self.num_states, 1 / self.num_states))

    def _matrix(self, mu: Array) -> Array:
        # expectations of the indicators of all states
        return np.moveaxis(self.kernel.expect(0, np.eye(self.num_states), mu[..., None, :]), -3, -1)

    def transitions(self, mu: Array | None) -> Array:
        """P[..., S, A, S'] at mu[..., S]; without batch where it does not follow the population.

        Raises:
            BadKernel: for rows that are no distributions there.
        """
        if self.kernel.fixed or mu is None:
            return self._fixed
        found = self._matrix(mu)
        check_rows(found, f"{self.name}: ", slack=SUM_TOLERANCE)
        return found

    def _chain(self, pi: Array, mu: Array | None) -> Array:
        """[..., S, S']: of an agent who plays pi."""
        return np.asarray(np.einsum("...sa,...sak->...sk", pi, self.transitions(mu)))

    def rewards(self, mu: Array, pi: Array | None = None) -> Array:
        """r[..., S, A] in the population mu[..., S], whose policy is pi where the reward sees actions.

        Raises:
            ValueError: where the reward sees actions and no policy is given.
        """
        return self.reward(occupancy(mu, pi, self.name) if self.sees_actions else mu)

    def _seen(self, mu: Array, population: ArrayLike | None) -> Array:
        """Rewards, 0 for actions that a state has not."""
        r = self.rewards(mu, None if population is None else self.check_policy(population))
        check_finite(r, self.action_mask, self.name, "in this population", ("s", "a"))
        return r if self.action_mask is None else np.where(self.action_mask, r, 0.0)

    def evaluate(self, pi: ArrayLike, mu: ArrayLike, population: ArrayLike | None = None) -> Array:
        """Values V[..., S] of an agent who plays pi while the population, which plays `population`, is at mu[..., S].

        Raises:
            BadPolicy: for what is no policy or distribution of this game.
        """
        pi, mu = self.check_policy(pi), self.check_flow(mu)
        return self._values(pi, self._seen(mu, population), self.transitions(mu))

    def _values(self, pi: Array, r: Array, P: Array) -> Array:
        """(1 - discount P_pi)^-1 r_pi."""
        chain = np.einsum("...sa,...sak->...sk", pi, P)
        earned = (pi * r).sum(-1)
        return np.asarray(np.linalg.solve(np.eye(self.num_states) - self.discount * chain, earned[..., None])[..., 0])

    def value(self, pi: ArrayLike, mu: ArrayLike, population: ArrayLike | None = None) -> Array:
        """V(pi, mu) of an agent that starts from mu: shape of the batch."""
        return np.asarray((self.evaluate(pi, mu, population) * np.asarray(mu, float)).sum(-1))

    def best_response(self, mu: ArrayLike, population: ArrayLike | None = None) -> BestResponse:
        """What is best for one agent in the population mu[..., S], by policy iteration with linear solves.

        Raises:
            BadPolicy: for what is no distribution of this game.
        """
        mu = self.check_flow(mu)
        r, P = self._seen(mu, population), self.transitions(mu)
        r = np.broadcast_to(r, np.broadcast_shapes(r.shape, P.shape[:-1]))
        allowed = True if self.action_mask is None else self.action_mask
        choice = np.where(allowed, r, -np.inf).argmax(-1)
        while True:
            policy = np.zeros(r.shape)
            np.put_along_axis(policy, choice[..., None], 1.0, -1)
            values = self._values(policy, r, P)
            q = np.where(allowed, self._ahead(r, P, values), -np.inf)
            played = np.take_along_axis(q, choice[..., None], -1)[..., 0]
            better = q.max(-1) > played + TIE * np.maximum(1.0, np.abs(values).max(-1, keepdims=True))
            if not better.any():
                return BestResponse(policy, values, q)
            choice = np.where(better, q.argmax(-1), choice)

    def _ahead(self, r: Array, P: Array, values: Array) -> Array:
        """r + discount E V: [..., S, A]."""
        return np.asarray(r + self.discount * (P @ values[..., None, :, None])[..., 0])

    def action_values(self, pi: ArrayLike) -> Array:
        """Q[..., S, A] of one agent who plays pi among a population that does; 0 for actions that a state has not."""
        pi = self.check_policy(pi)
        mu = self.flow(pi)
        r, P = self._seen(mu, pi), self.transitions(mu)
        q = self._ahead(r, P, self._values(pi, r, P))
        return q if self.action_mask is None else np.where(self.action_mask, q, 0.0)

    def exploitability(self, pi: ArrayLike) -> Array:
        """mu^pi . (V* - V^pi), of discounted sums: shape of the batch. What is below zero is rounding."""
        return self.audit(pi).exploitability

    def audit(self, pi: ArrayLike) -> Audit:
        """Value, best response and exploitability of a population that plays pi; flows and values have no T here.

        Raises:
            BadPolicy: for what is no policy of this game.
            NoStationary: as `flow`, and Unsettled.
        """
        pi = self.check_policy(pi)
        mu = self.flow(pi)
        own, best = self._values(pi, self._seen(mu, pi), self.transitions(mu)), self.best_response(mu, pi)
        gain = best.values - own
        largest = float(np.abs([own, best.values]).max())
        solved = (self.num_states + self.num_actions) / (1 - self.discount)
        return Audit(
            name=self.name,
            value=np.asarray((mu * own).sum(-1)),
            best_response_value=np.asarray((mu * best.values).sum(-1)),
            exploitability=np.asarray((mu * gain).sum(-1)),
            per_state=gain,
            best_response=best,
            mu=mu,
            rounding=float(np.finfo(float).eps) * largest * solved,
        )

    def check_policy(self, pi: ArrayLike) -> Array:
        """A policy of this game as float64.

        Raises:
            BadPolicy: names the shapes, the first row that is no distribution, or an action that a state has not.
        """
        found = np.asarray(pi, float)
        check_simplex(found, self.shape, f"{self.name}: the policy")
        check_played(found, self.action_mask, f"{self.name}: the policy")
        return found

    def check_flow(self, mu: ArrayLike) -> Array:
        """A distribution of this game as float64; raises BadPolicy for what is none."""
        found = np.asarray(mu, float)
        check_simplex(found, (self.num_states,), f"{self.name}: the distribution")
        return found


def at_rest(game: FiniteMFG, discount: float, name: str = "") -> StationaryMFG:
    """The stationary game of a finite one whose rewards and transitions are the same at every step.

    Its horizon, initial distribution and terminal reward have no part in it.
    """
    first = np.zeros(1, np.int64)
    axis = -3 if game.sees_actions else -2

    def reward(x: Array) -> Array:
        return game.reward(first, np.expand_dims(x, axis))[..., 0, :, :]

    return StationaryMFG(
        name=name or f"{game.name}-stationary",
        kernel=game.kernel,
        reward=reward,
        discount=discount,
        sees_actions=game.sees_actions,
        action_mask=game.action_mask,
    )
