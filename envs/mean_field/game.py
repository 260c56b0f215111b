"""Finite mean-field games: the flow of a policy, values, best responses and exploitability, exactly.

Arrays are float64: policies pi[..., T, S, A], flows mu[..., T+1, S], rewards r[..., T, S, A], values V[..., T+1, S],
where T is the number of decisions and the leading dots are a batch. The reward of step t sees mu[t], that of t = 0 the
initial distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.audit import Audit, finite_audit
from envs.mean_field.checks import (
    alike,
    check_finite,
    check_mask,
    check_played,
    check_rewards,
    check_simplex,
    occupancy,
)
from envs.mean_field.kernel import Array, Kernel
from envs.mean_field.loops import Loops
from envs.mean_field.mass import Law, check_laws, check_mass
from envs.mean_field.ranges import check_whole
from envs.mean_field.sweep import BestResponse, Frozen, action_values_of, best_response_of, gains_of, values_of

Reward = Callable[[NDArray[np.int64], Array], Array]
"""(t[T], x[..., T, S] or x[..., T, S, A]) -> r[..., T, S, A], for all steps at once."""


@dataclass(frozen=True, kw_only=True)
class FiniteMFG:
    """A mean-field game of one population with finitely many states, actions and decisions.

    `reward(t, x)` gives the rewards of all steps at once: x is mu[..., T, S], or, with `sees_actions`, the occupancy
    L[..., T, S, A] = mu pi of the population.
    """

    name: str
    horizon: int
    """T, decisions."""
    initial: Array
    """mu0[S]"""
    kernel: Kernel
    reward: Reward
    sees_actions: bool = False
    local: bool = False
    """Whether the reward of a place depends on the population in that place alone."""
    terminal: Callable[[Array], Array] | None = None
    """mu[..., S] -> reward of the state after the last decision, [..., S]."""
    action_mask: NDArray[np.bool_] | None = None
    """[S, A]: actions that a state has."""
    loops: Loops | None = None
    """Its arithmetic as loops, for machine code; without them NumPy's is used between compiled steps."""

    def __post_init__(self) -> None:
        """Check the game once.

        Raises:
            BadPolicy: for an initial distribution or a mask that do not fit.
            BadKernel: for transitions that are no probabilities, at the initial mu or later where all play alike.
            ValueError: for a horizon that is none, rewards of a wrong shape, or that are not finite.
        """
        S, A = self.num_states, self.num_actions
        check_whole(self.name, "horizon", self.horizon, least=1)
        check_simplex(self.initial, (S,), f"{self.name}: the initial distribution")
        check_mask(self.action_mask, (S, A), self.name)
        found = self.rewards(np.broadcast_to(self.initial, (self.horizon + 1, S)), self.uniform_policy())
        check_rewards(found, self.shape, self.action_mask, self.name, "at the initial mu")
        last = self.terminals(self.initial)
        if last.shape != (S,):
            raise ValueError(f"{self.name}: terminal rewards have shape {last.shape}; want {(S,)}")
        check_finite(last, None, self.name, "at the initial mu", ("s",))
        check_laws([(self.kernel, 0, self.initial)], self.name)
        if not self.kernel.fixed:
            check_laws(self._laws(self._flow(self.uniform_policy(), None)), self.name)

    @property
    def num_states(self) -> int:
        """S."""
        return self.kernel.num_states

    @property
    def num_actions(self) -> int:
        """A."""
        return self.kernel.num_actions

    @property
    def shape(self) -> tuple[int, int, int]:
        """(T, S, A), of a policy."""
        return self.horizon, self.num_states, self.num_actions

    def uniform_policy(self) -> Array:
        """Every action that a state has, equally often: [T, S, A]."""
        return np.broadcast_to(alike(self.action_mask, self.shape[1:]), self.shape).copy()

    def flow(self, pi: ArrayLike) -> Array:
        """mu[..., T+1, S] of a population that plays pi.

        Raises:
            BadPolicy: for what is no policy of this game.
        """
        return self._flow(self.check_policy(pi), None)

    def flow_against(self, pi: ArrayLike, nu: ArrayLike) -> Array:
        """mu[..., T+1, S] of agents who play pi while the population has the flow nu.

        Raises:
            BadPolicy: for what is no policy or flow of this game.
        """
        return self._flow(self.check_policy(pi), self.check_flow(nu))

    def _flow(self, pi: Array, nu: Array | None) -> Array:
        lead = pi.shape[:-3] if nu is None else np.broadcast_shapes(pi.shape[:-3], nu.shape[:-2])
        mu = np.empty((*lead, self.horizon + 1, self.num_states))
        mu[..., 0, :] = self.initial
        for t in range(self.horizon):
            now = mu[..., t, :]
            seen = now if nu is None else nu[..., t, :]
            mu[..., t + 1, :] = self.kernel.push(t, now[..., None] * pi[..., t, :, :], seen)
        if not self.kernel.fixed:
            check_mass(mu, self._laws(mu if nu is None else nu), self.name)
        return mu

    def _laws(self, mu: Array) -> Iterator[Law]:
        """What moves a population whose flow is mu[..., T+1, S], step by step."""
        return ((self.kernel, t, mu[..., t, :]) for t in range(self.horizon))

    def rewards(self, mu: Array, pi: Array | None = None) -> Array:
        """r[..., T, S, A] against the flow mu, and against its policy where the reward sees actions.

        Raises:
            ValueError: where the reward sees actions and no policy is given.
        """
        seen = self.deciding(mu)
        return self.reward(np.arange(self.horizon), occupancy(seen, pi, self.name) if self.sees_actions else seen)

    def terminals(self, mu: Array) -> Array:
        """Rewards [..., S] of the states after the last decision, whose distribution is mu[..., S]."""
        return np.zeros(mu.shape) if self.terminal is None else self.terminal(mu)

    def evaluate(self, pi: ArrayLike, mu: ArrayLike, population: ArrayLike | None = None) -> Array:
        """Values V[..., T+1, S] of an agent who plays pi while the population has the flow mu.

        `population` is the policy behind that flow, for rewards that see actions.

        Raises:
            BadPolicy: for what is no policy or flow of this game.
        """
        pi, mu = self.check_policy(pi), self.check_flow(mu)
        lead = np.broadcast_shapes(pi.shape[:-3], mu.shape[:-2])
        return values_of(self._frozen(mu, population), pi, lead)

    def value(self, pi: ArrayLike, mu: ArrayLike, population: ArrayLike | None = None) -> Array:
        """V(pi, mu) from the initial distribution: shape of the batch."""
        return np.asarray(self.evaluate(pi, mu, population)[..., 0, :] @ self.initial)

    def best_response(self, mu: ArrayLike, population: ArrayLike | None = None) -> BestResponse:
        """What is best for one agent while the population has the flow mu, by backward induction.

        Raises:
            BadPolicy: for what is no flow of this game.
        """
        mu = self.check_flow(mu)
        return best_response_of(self._frozen(mu, population), mu.shape[:-2])

    def action_values(self, pi: ArrayLike) -> Array:
        """Q[..., T, S, A] of one agent who plays pi among a population that does; 0 for actions that a state has not.

        Raises:
            BadPolicy: for what is no policy of this game.
        """
        pi = self.check_policy(pi)
        return action_values_of(self._frozen(self._flow(pi, None), pi), pi, pi.shape[:-3])

    def deciding(self, mu: Array) -> Array:
        """mu[..., T, S], the part of a flow in which agents decide."""
        return mu[..., :-1, :]

    def _frozen(self, mu: Array, population: ArrayLike | None) -> Frozen:
        pi = None if population is None else self.check_policy(population)
        r, last = self.rewards(mu, pi), self.terminals(mu[..., -1, :])
        check_finite(r, self.action_mask, self.name, "against this flow")
        check_finite(last, None, self.name, "against this flow", ("s",))
        return Frozen(self.kernel, r, lambda t: mu[..., t, :], last, self.action_mask)

    def exploitability(self, pi: ArrayLike) -> Array:
        """max V(., mu^pi) - V(pi, mu^pi) from the initial distribution: shape of the batch.

        Zero exactly at a Nash equilibrium; what is below zero is rounding, and is not cut off.

        Raises:
            BadPolicy: for what is no policy of this game.
        """
        pi = self.check_policy(pi)
        mu = self._flow(pi, None)
        return gains_of(self._frozen(mu, pi), pi, mu, self.initial)

    def audit(self, pi: ArrayLike) -> Audit:
        """Value, best response and exploitability of a population that plays pi.

        Raises:
            BadPolicy: for what is no policy of this game.
            BadKernel: for transitions that are no probabilities along its flow, also of actions that are not played.
        """
        pi = self.check_policy(pi)
        mu = self._flow(pi, None)
        if not self.kernel.fixed:
            check_laws(self._laws(mu), self.name)
        return finite_audit(self.name, self.evaluate(pi, mu, pi), self.best_response(mu, pi), mu, self.initial)

    def check_policy(self, pi: ArrayLike) -> Array:
        """A policy of this game as float64.

        Raises:
            BadPolicy: names the shapes, or the first row that is no distribution.
        """
        found = np.asarray(pi, float)
        check_simplex(found, self.shape, f"{self.name}: the policy")
        check_played(found, self.action_mask, f"{self.name}: the policy")
        return found

    def check_flow(self, mu: ArrayLike) -> Array:
        """A flow of this game as float64.

        Raises:
            BadPolicy: names the shapes, or the first distribution that is none.
        """
        found = np.asarray(mu, float)
        check_simplex(found, (self.horizon + 1, self.num_states), f"{self.name}: the flow")
        return found


def check_kind(game: object, what: str) -> None:
    """Refuse games of other kinds for `what`, which takes these alone.

    Raises:
        ValueError: names the game and its kind.
    """
    if not isinstance(game, FiniteMFG):
        name, kind = getattr(game, "name", repr(game)), type(game).__name__
        raise ValueError(f"{name} is a {kind}; {what} takes games of one population and a last decision")
