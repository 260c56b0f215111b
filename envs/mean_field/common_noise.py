"""Mean-field games with a common noise: a finite chain z_t that all agents see, exactly on the tree of its histories.

P and r depend on (t, s, a, mu, z_t). What the population does follows the whole history z_0 .. z_t, and so does what is
best for one agent: policies have a row block for every history, pi[..., N, S, A], of N in all (`Histories` has their
order). A policy pi[..., T, Z, S, A], which sees only the present z, is spread over them. Flows mu[..., N + E, S] hold
the distribution at every history, then that after the last step of each of the E whole ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.audit import Audit
from envs.mean_field.checks import (
    BadPolicy,
    alike,
    check_finite,
    check_mask,
    check_played,
    check_rewards,
    check_simplex,
    listed,
    occupancy,
)
from envs.mean_field.histories import Histories, histories
from envs.mean_field.kernel import Array, Kernel
from envs.mean_field.mass import Law, check_laws, check_mass
from envs.mean_field.ranges import check_whole
from envs.mean_field.sweep import BestResponse

NoisyReward = Callable[[NDArray[np.int64], Array, NDArray[np.int64]], Array]
"""(t[N], x[..., N, S] or x[..., N, S, A], z[N]) -> r[..., N, S, A], for all histories at once."""


@dataclass(frozen=True, kw_only=True)
class CommonNoiseMFG:
    """A game of one population and T decisions in which z_t, seen before deciding, changes rewards and transitions.

    `reward(t, x, z)`: x is mu[..., N, S], or, with `sees_actions`, the occupancy L[..., N, S, A] = mu pi.
    """

    name: str
    horizon: int
    """T, decisions."""
    initial: Array
    """mu0[S]"""
    kernels: tuple[Kernel, ...]
    """One for every z."""
    reward: NoisyReward
    noise: Array
    """[Z], the law of z_0."""
    noise_matrix: Array
    """[Z, Z'], the law of z_{t+1} given z_t."""
    sees_actions: bool = False
    terminal: Callable[[Array], Array] | None = None
    """mu[..., S] -> reward of the state after the last decision, [..., S]."""
    action_mask: NDArray[np.bool_] | None = None
    """[S, A]: actions that a state has."""

    def __post_init__(self) -> None:
        """Check the game once.

        Raises:
            BadPolicy: for an initial distribution, a mask or a noise that do not fit.
            TooManyHistories: for a tree of more than 100,000.
            BadKernel: for transitions that are no probabilities where all play alike.
            ValueError: for a horizon that is none, kernels that do not fit, rewards of a wrong shape, or not finite.
        """
        check_whole(self.name, "horizon", self.horizon, least=1)
        _, S, A = self.shape
        if len(self.kernels) != len(self.noise):
            raise ValueError(f"{self.name}: {len(self.kernels)} kernels; want one for each of {len(self.noise)} noises")
        if any((k.num_states, k.num_actions) != (S, A) for k in self.kernels):
            raise ValueError(f"{self.name}: kernels differ in their states or actions; want {S} and {A} in all")
        check_simplex(self.initial, (S,), f"{self.name}: the initial distribution")
        check_mask(self.action_mask, (S, A), self.name)
        mu = self.flow(self.uniform_policy())
        check_laws(self._laws(mu), self.name)
        found = self.rewards(mu, self.uniform_policy())
        check_rewards(found, self.shape, self.action_mask, self.name, "where all play alike", "history")

    @cached_property
    def tree(self) -> Histories:
        """What the noise may have been."""
        return histories(self.noise, self.noise_matrix, self.horizon, self.name)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(N, S, A), of a policy."""
        return self.tree.number, self.kernels[0].num_states, self.kernels[0].num_actions

    def uniform_policy(self) -> Array:
        """Every action that a state has, equally often: [N, S, A]."""
        return np.broadcast_to(alike(self.action_mask, self.shape[1:]), self.shape).copy()

    def spread(self, pi: ArrayLike) -> Array:
        """A policy that sees only the present noise, pi[..., T, Z, S, A], at every history: [..., N, S, A].

        Raises:
            BadPolicy: for another shape.
        """
        found = np.asarray(pi, float)
        want = (self.horizon, len(self.noise), *self.shape[1:])
        if found.shape[-4:] != want:
            raise BadPolicy(f"{self.name}: the policy has shape {found.shape}; want [..., {listed(want)}]")
        return np.asarray(found[..., self.tree.step, self.tree.z, :, :])

    def check_policy(self, pi: ArrayLike) -> Array:
        """A policy of this game as float64 [..., N, S, A]; one of [..., T, Z, S, A] is spread.

        Raises:
            BadPolicy: names the shapes, the first row that is no distribution, or an action that a state has not.
        """
        found = np.asarray(pi, float)
        present = found.shape[-4:] == (self.horizon, len(self.noise), *self.shape[1:])
        if present and found.shape[-3:] == self.shape:
            raise BadPolicy(
                f"{self.name}: shape {found.shape} may be a policy [T, Z, S, A] or a batch by histories; give "
                "spread(policy), or those of the batch one by one"
            )
        found = self.spread(found) if present else found
        check_simplex(found, self.shape, f"{self.name}: the policy by histories")
        check_played(found, self.action_mask, f"{self.name}: the policy")
        return found

    def check_flow(self, mu: ArrayLike) -> Array:
        """A flow [..., N + E, S] as float64; raises BadPolicy for what is none."""
        found = np.asarray(mu, float)
        check_simplex(found, (self.tree.number + self.tree.ends, self.shape[1]), f"{self.name}: the flow")
        return found

    def flow(self, pi: ArrayLike) -> Array:
        """mu[..., N + E, S] of a population that plays pi; raises BadPolicy for what is no policy."""
        return self._flow(self.check_policy(pi), None)

    def flow_against(self, pi: ArrayLike, nu: ArrayLike) -> Array:
        """mu[..., N + E, S] of agents who play pi while the population has the flow nu; raises BadPolicy."""
        return self._flow(self.check_policy(pi), self.check_flow(nu))

    def _flow(self, pi: Array, nu: Array | None) -> Array:
        tree = self.tree
        lead = pi.shape[:-3] if nu is None else np.broadcast_shapes(pi.shape[:-3], nu.shape[:-2])
        mu = np.empty((*lead, tree.number + tree.ends, self.shape[1]))
        mu[..., tree.at(0), :] = self.initial
        for t in range(self.horizon):
            nodes = tree.at(t)
            now = mu[..., nodes, :]
            seen = now if nu is None else nu[..., nodes, :]
            x = now[..., None] * pi[..., nodes, :, :]
            pushed = np.empty(now.shape)
            for z, members in self._by_noise(t):
                pushed[..., members, :] = self.kernels[z].push(t, x[..., members, :, :], seen[..., members, :])
            if t + 1 < self.horizon:
                after = tree.at(t + 1)
                mu[..., after, :] = pushed[..., tree.parent[after] - nodes.start, :]
            else:
                mu[..., tree.number :, :] = pushed
        if not all(kernel.fixed for kernel in self.kernels):
            check_mass(mu, self._laws(mu if nu is None else nu), self.name)
        return mu

    def _laws(self, mu: Array) -> Iterator[Law]:
        """What moves a population whose flow is mu[..., N + E, S], step by step."""
        for t in range(self.horizon):
            for z, members in self._by_noise(t):
                yield self.kernels[z], t, mu[..., self.tree.at(t).start + members, :]

    def _by_noise(self, t: int) -> list[tuple[int, NDArray[np.int64]]]:
        """(z, which nodes of step t have it, counted from its first), for the z that come at t."""
        here = self.tree.z[self.tree.at(t)]
        return [(z, np.flatnonzero(here == z)) for z in range(len(self.noise)) if (here == z).any()]

    def deciding(self, mu: Array) -> Array:
        """mu[..., N, S], the part of a flow in which agents decide."""
        return mu[..., : self.tree.number, :]

    def rewards(self, mu: Array, pi: Array | None = None) -> Array:
        """r[..., N, S, A] against the flow mu, and against its policy where the reward sees actions.

        Raises:
            ValueError: where the reward sees actions and no policy is given.
        """
        seen = self.deciding(mu)
        seen = occupancy(seen, pi, self.name) if self.sees_actions else seen
        return self.reward(self.tree.step, seen, self.tree.z)

    def _backward(
        self, mu: Array, population: Array | None, value: Callable[[slice, Array], Array], lead: tuple[int, ...]
    ) -> tuple[Array, Array]:
        """Q[..., N, S, A] and V[..., N + E, S] where value(nodes, Q of them) is their V."""
        tree, r = self.tree, self.rewards(mu, population)
        check_finite(r, self.action_mask, self.name, "against this flow", ("history", "s", "a"))
        N, S, A = self.shape
        q, values = np.empty((*lead, N, S, A)), np.empty((*lead, N + tree.ends, S))
        ends = mu[..., N:, :]
        values[..., N:, :] = np.zeros(ends.shape) if self.terminal is None else self.terminal(ends)
        for t in reversed(range(self.horizon)):
            nodes = tree.at(t)
            if t + 1 < self.horizon:
                after = tree.at(t + 1)
                # siblings stand together, by their parents
                first = np.searchsorted(tree.parent[after], np.arange(nodes.start, nodes.stop))
                ahead = np.add.reduceat(tree.given[after, None] * values[..., after, :], first, -2)
            else:
                ahead = values[..., N:, :]
            for z, members in self._by_noise(t):
                seen = mu[..., nodes.start + members, :]
                q[..., nodes.start + members, :, :] = self.kernels[z].expect(t, ahead[..., members, :], seen)
            q[..., nodes, :, :] += r[..., nodes, :, :]
            values[..., nodes, :] = value(nodes, q[..., nodes, :, :])
        return q, values

    def _own(self, pi: Array, mu: Array, population: Array | None) -> tuple[Array, Array]:
        allowed = True if self.action_mask is None else self.action_mask
        lead = np.broadcast_shapes(pi.shape[:-3], mu.shape[:-2])

        def value(nodes: slice, q: Array) -> Array:
            return np.asarray((pi[..., nodes, :, :] * np.where(allowed, q, 0.0)).sum(-1))

        q, values = self._backward(mu, population, value, lead)
        return np.where(allowed, q, 0.0), values

    def evaluate(self, pi: ArrayLike, mu: ArrayLike, population: ArrayLike | None = None) -> Array:
        """V[..., N + E, S] of an agent who plays pi while the population, which plays `population`, has the flow mu."""
        seen = None if population is None else self.check_policy(population)
        return self._own(self.check_policy(pi), self.check_flow(mu), seen)[1]

    def expected(self, values: Array) -> Array:
        """What V[..., N + E, S] is worth before z_0 and the first state are known: shape of the batch."""
        at = self.tree.at(0)
        return np.asarray((values[..., at, :] @ self.initial) @ self.tree.probability[at])

    def value(self, pi: ArrayLike, mu: ArrayLike, population: ArrayLike | None = None) -> Array:
        """V(pi, mu) in expectation over the noise: shape of the batch."""
        return self.expected(self.evaluate(pi, mu, population))

    def best_response(self, mu: ArrayLike, population: ArrayLike | None = None) -> BestResponse:
        """What is best for one agent, who sees the history, against the flow mu; raises BadPolicy for what is none."""
        mu = self.check_flow(mu)
        allowed = True if self.action_mask is None else self.action_mask
        seen = None if population is None else self.check_policy(population)
        q, values = self._backward(
            mu, seen, lambda nodes, q: np.asarray(np.where(allowed, q, -np.inf).max(-1)), mu.shape[:-2]
        )
        q = np.where(allowed, q, -np.inf)
        policy = np.zeros(q.shape)
        np.put_along_axis(policy, q.argmax(-1)[..., None], 1.0, -1)
        return BestResponse(policy, values, q)

    def action_values(self, pi: ArrayLike) -> Array:
        """Q[..., N, S, A] of one agent who plays pi among a population that does; 0 for actions a state has not."""
        pi = self.check_policy(pi)
        return self._own(pi, self._flow(pi, None), pi)[0]

    def exploitability(self, pi: ArrayLike) -> Array:
        """What one agent, who sees the history, could gain among a population that plays pi: shape of the batch."""
        return self.audit(pi).exploitability

    def audit(self, pi: ArrayLike) -> Audit:
        """Value, best response and exploitability of a population that plays pi; `per_state` is over z_0 too."""
        pi = self.check_policy(pi)
        mu = self._flow(pi, None)
        check_laws(self._laws(mu), self.name)
        own, best = self._own(pi, mu, pi)[1], self.best_response(mu, pi)
        at = self.tree.at(0)
        gain = (self.tree.probability[at, None] * (best.values - own)[..., at, :]).sum(-2)
        largest = float(np.abs([own, best.values]).max())
        return Audit(
            name=self.name,
            value=self.expected(own),
            best_response_value=self.expected(best.values),
            exploitability=np.asarray(gain @ self.initial),
            per_state=gain,
            best_response=best,
            mu=mu,
            rounding=float(np.finfo(float).eps) * largest * (self.horizon + 1) * sum(self.shape[1:]),
        )
