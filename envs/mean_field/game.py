"""Finite mean-field games: the flow of a policy, values, best responses and exploitability, exactly.

Arrays are float64: policies pi[..., T, S, A], flows mu[..., T+1, S], rewards r[..., T, S, A], values V[..., T+1, S],
where T is the number of decisions and the leading dots are a batch. The reward of step t sees mu[t], that of t = 0 the
initial distribution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.kernel import Array, Kernel
from envs.mean_field.loops import SUM_TOLERANCE, Loops
from envs.mean_field.sweep import BestResponse, Frozen, best_response_of, gains_of, values_of

Reward = Callable[[NDArray[np.int64], Array], Array]
"""(t[T], x[..., T, S] or x[..., T, S, A]) -> r[..., T, S, A], for all steps at once."""


class BadPolicy(ValueError):
    """An array that is no policy, flow or distribution of the game: says which entry, or both shapes."""


@dataclass(frozen=True)
class Audit:
    """How far a policy is from an equilibrium."""

    value: Array
    """V(pi, mu^pi), shape of the batch."""
    best_response_value: Array
    exploitability: Array
    """Their difference: what one agent could gain."""
    per_state: Array
    """[..., S]: what it could gain from each initial state."""
    best_response: BestResponse
    mu: Array
    """[..., T+1, S], the policy's own flow."""
    reached: NDArray[np.bool_]
    """[..., T+1, S]: states that the flow has mass in."""
    rounding: float
    """What of the exploitability may be rounding: it is never below minus this."""

    @property
    def nash_conv(self) -> Array:
        """The exploitability; the sum over populations where there are several."""
        return self.exploitability


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
            ValueError: for rewards of a wrong shape, or that are not finite.
        """
        S, A = self.num_states, self.num_actions
        if self.horizon < 1:
            raise ValueError(f"{self.name}: horizon is {self.horizon}; want 1 or more decisions")
        check_simplex(self.initial, (S,), f"{self.name}: the initial distribution")
        if self.action_mask is not None:
            if self.action_mask.shape != (S, A) or self.action_mask.dtype != bool:
                raise BadPolicy(f"{self.name}: the action mask has shape {self.action_mask.shape}; want bool {(S, A)}")
            if not self.action_mask.any(1).all():
                raise BadPolicy(f"{self.name}: state {int(np.argmin(self.action_mask.any(1)))} has no action")
        pi = self.uniform_policy()
        found = self.rewards(np.broadcast_to(self.initial, (self.horizon + 1, S)), pi)
        if found.shape != (self.horizon, S, A):
            raise ValueError(f"{self.name}: rewards have shape {found.shape}; want {(self.horizon, S, A)}")
        last = self.terminals(self.initial)
        if last.shape != (S,) or not np.isfinite(last).all():
            raise ValueError(f"{self.name}: terminal rewards have shape {last.shape}; want {(S,)}, finite")
        allowed = found if self.action_mask is None else found[:, self.action_mask]
        if not np.isfinite(allowed).all():
            t, s, a = (int(i) for i in np.argwhere(~np.isfinite(found))[0])
            raise ValueError(f"{self.name}: the reward of t={t}, s={s}, a={a} is {found[t, s, a]} at the initial mu")

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
        allowed = np.ones((self.num_states, self.num_actions)) if self.action_mask is None else self.action_mask
        row = allowed / allowed.sum(1, keepdims=True)
        return np.broadcast_to(row, self.shape).copy()

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
        return mu

    def rewards(self, mu: Array, pi: Array | None = None) -> Array:
        """r[..., T, S, A] against the flow mu, and against its policy where the reward sees actions.

        Raises:
            ValueError: where the reward sees actions and no policy is given.
        """
        steps = np.arange(self.horizon)
        if not self.sees_actions:
            return self.reward(steps, mu[..., :-1, :])
        if pi is None:
            raise ValueError(f"{self.name}: rewards depend on the population's actions too; give its policy")
        return self.reward(steps, mu[..., :-1, :, None] * pi)

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
        mu = self._flow(pi, None)
        values, r = self.evaluate(pi, mu, pi), self.rewards(mu, pi)
        steps = [
            r[..., t, :, :] + self.kernel.expect(t, values[..., t + 1, :], mu[..., t, :]) for t in range(self.horizon)
        ]
        q = np.stack(steps, -3)
        return q if self.action_mask is None else np.where(self.action_mask, q, 0.0)

    def deciding(self, mu: Array) -> Array:
        """mu[..., T, S], the part of a flow in which agents decide."""
        return mu[..., :-1, :]

    def _frozen(self, mu: Array, population: ArrayLike | None) -> Frozen:
        pi = None if population is None else self.check_policy(population)
        last = self.terminals(mu[..., -1, :])
        return Frozen(self.kernel, self.rewards(mu, pi), lambda t: mu[..., t, :], last, self.action_mask)

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
        """
        pi = self.check_policy(pi)
        mu = self._flow(pi, None)
        own, best = self.evaluate(pi, mu, pi), self.best_response(mu, pi)
        gain = best.values[..., 0, :] - own[..., 0, :]
        largest = float(np.abs(np.concatenate([own, best.values], axis=-1)).max())
        return Audit(
            value=np.asarray(own[..., 0, :] @ self.initial),
            best_response_value=np.asarray(best.values[..., 0, :] @ self.initial),
            exploitability=np.asarray(gain @ self.initial),
            per_state=gain,
            best_response=best,
            mu=mu,
            reached=mu > 0,
            rounding=float(np.finfo(float).eps) * largest * (self.horizon + 1) * (self.num_states + self.num_actions),
        )

    def check_policy(self, pi: ArrayLike) -> Array:
        """A policy of this game as float64.

        Raises:
            BadPolicy: names the shapes, or the first row that is no distribution.
        """
        found = np.asarray(pi, float)
        check_simplex(found, self.shape, f"{self.name}: the policy")
        if self.action_mask is not None and (played := (found > 0) & ~self.action_mask).any():
            place = np.argwhere(played)[0]
            raise BadPolicy(f"{self.name}: the policy plays action {place[-1]} in state {place[-2]}, which has it not")
        return found

    def check_flow(self, mu: ArrayLike) -> Array:
        """A flow of this game as float64.

        Raises:
            BadPolicy: names the shapes, or the first distribution that is none.
        """
        found = np.asarray(mu, float)
        check_simplex(found, (self.horizon + 1, self.num_states), f"{self.name}: the flow")
        return found


def check_simplex(rows: Array, shape: tuple[int, ...], what: str) -> None:
    """Refuse rows[..., *shape] whose last axis is no distribution.

    Raises:
        BadPolicy: prints both shapes, or the first row that is wrong and what is wrong with it.
    """
    if rows.shape[rows.ndim - len(shape) :] != shape:
        raise BadPolicy(f"{what} has shape {rows.shape}; want {'[..., ' if len(shape) > 1 else '['}{listed(shape)}]")
    total = rows.sum(-1)
    # NaN compares false
    if rows.size and rows.min() >= 0 and (np.abs(total - 1) <= SUM_TOLERANCE).all():
        return
    wrong = ~((rows >= 0).all(-1) & (np.abs(total - 1) <= SUM_TOLERANCE))
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    row = rows[place]
    told = f"sums to {row.sum():.12g}"
    if not np.isfinite(row).all():
        told = f"holds {row[~np.isfinite(row)][0]}"
    elif (row < 0).any():
        told = f"holds {row[row < 0][0]:.12g}"
    at = f" at {list(place)}" if place else ""
    raise BadPolicy(f"{what}{at} {told}; want a distribution (0 or more, sum 1 within {SUM_TOLERANCE:g})")


def listed(shape: tuple[int, ...]) -> str:
    """A shape without its brackets, for messages."""
    return ", ".join(map(str, shape))
