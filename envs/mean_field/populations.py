"""Games of several populations: each with its own states and actions, coupled through all their flows.

Policies, flows, values are mappings name -> array, shaped as in games of one population.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.audit import CoupledAudit, finite_audit
from envs.mean_field.checks import (
    BadPolicy,
    alike,
    check_finite,
    check_mask,
    check_played,
    check_rewards,
    check_simplex,
)
from envs.mean_field.kernel import Array, Kernel
from envs.mean_field.mass import Law, check_laws, check_mass
from envs.mean_field.ranges import check_whole
from envs.mean_field.sweep import BestResponse, Frozen, action_values_of, best_response_of, gains_of, values_of

Arrays = Mapping[str, Array]
CoupledReward = Callable[[NDArray[np.int64], Arrays], Array]
"""(t[T], name -> mu[..., T, S_k]) -> r[..., T, S, A] of one population."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """One of them; the law of a kernel that moves is told all distributions, name -> mu[..., S_k]."""

    initial: Array
    kernel: Kernel
    reward: CoupledReward
    terminal: Callable[[Arrays], Array] | None = None
    """name -> mu[..., S_k] gives rewards [..., S] after the last decision."""
    action_mask: NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(S, A)."""
        return self.kernel.num_states, self.kernel.num_actions


@dataclass(frozen=True, kw_only=True)
class CoupledMFG:
    """A mean-field game of several populations with the same decisions 0..T-1."""

    name: str
    horizon: int
    populations: Mapping[str, Population]

    def __post_init__(self) -> None:
        """Check the game once.

        Raises:
            BadPolicy: for an initial distribution or a mask that do not fit.
            BadKernel: for transitions that are no probabilities where all play alike.
            ValueError: for a horizon that is none, no population, rewards of a wrong shape, or that are not finite.
        """
        check_whole(self.name, "horizon", self.horizon, least=1)
        if not self.populations:
            raise ValueError(f"{self.name}: no population")
        for name, population in self.populations.items():
            check_simplex(population.initial, population.shape[:1], f"{self.name}: the initial distribution of {name}")
            check_mask(population.action_mask, population.shape, f"{self.name}, {name}")
        flows = self.flow(self.uniform_policy())
        for name, population in self.populations.items():
            check_laws(self._laws(name, flows), f"{self.name}, {name}")
            found, want = self._rewards(population, flows), (self.horizon, *population.shape)
            check_rewards(found, want, population.action_mask, f"{self.name}, {name}", "where all play alike")

    def uniform_policy(self) -> dict[str, Array]:
        """Every action that a state has, equally often."""
        return {
            name: np.broadcast_to(alike(p.action_mask, p.shape), (self.horizon, *p.shape)).copy()
            for name, p in self.populations.items()
        }

    def flow(self, pi: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """mu[..., T+1, S] of each population when all play pi.

        Raises:
            BadPolicy: for a population without a policy, or what is no policy of it.
        """
        return self._flow(self.check_policy(pi), None)

    def flow_against(self, pi: Mapping[str, ArrayLike], nu: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """mu[..., T+1, S] of agents of each population who play pi while the populations have the flows nu."""
        return self._flow(self.check_policy(pi), self.check_flow(nu))

    def _flow(self, pi: Arrays, nu: Arrays | None) -> dict[str, Array]:
        leads = [p.shape[:-3] for p in pi.values()] + [mu.shape[:-2] for mu in (nu or {}).values()]
        lead = np.broadcast_shapes(*leads)
        flows = {}
        for name, population in self.populations.items():
            flows[name] = np.empty((*lead, self.horizon + 1, population.shape[0]))
            flows[name][..., 0, :] = population.initial
        for t in range(self.horizon):
            seen = {name: mu[..., t, :] for name, mu in (flows if nu is None else nu).items()}
            for name, population in self.populations.items():
                x = flows[name][..., t, :, None] * pi[name][..., t, :, :]
                flows[name][..., t + 1, :] = population.kernel.push(t, x, seen)
        for name, population in self.populations.items():
            if not population.kernel.fixed:
                check_mass(flows[name], self._laws(name, flows if nu is None else nu), f"{self.name}, {name}")
        return flows

    def _laws(self, name: str, flows: Arrays) -> Iterator[Law]:
        """What moves a population step by step; the laws of a bad one are told bad masses of others after it."""
        kernel = self.populations[name].kernel
        return ((kernel, t, {other: mu[..., t, :] for other, mu in flows.items()}) for t in range(self.horizon))

    def _rewards(self, population: Population, flows: Arrays) -> Array:
        return population.reward(np.arange(self.horizon), {name: mu[..., :-1, :] for name, mu in flows.items()})

    def _frozen(self, name: str, flows: Arrays) -> Frozen:
        population = self.populations[name]
        ends = {other: mu[..., -1, :] for other, mu in flows.items()}
        terminal = np.zeros(ends[name].shape) if population.terminal is None else population.terminal(ends)
        r, told = self._rewards(population, flows), f"{self.name}, {name}"
        check_finite(r, population.action_mask, told, "against these flows")
        check_finite(terminal, None, told, "against these flows", ("s",))
        return Frozen(
            population.kernel,
            r,
            lambda t: {other: mu[..., t, :] for other, mu in flows.items()},
            terminal,
            population.action_mask,
        )

    def best_response(self, flows: Mapping[str, ArrayLike]) -> dict[str, BestResponse]:
        """What is best for one agent of each population against all flows."""
        given = self.check_flow(flows)
        return {name: best_response_of(self._frozen(name, given), mu.shape[:-2]) for name, mu in given.items()}

    def evaluate(self, pi: Mapping[str, ArrayLike], flows: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """V[..., T+1, S] of one agent of each population who plays pi against all flows."""
        policies, given = self.check_policy(pi), self.check_flow(flows)
        found = {}
        for name, policy in policies.items():
            lead = np.broadcast_shapes(policy.shape[:-3], given[name].shape[:-2])
            found[name] = values_of(self._frozen(name, given), policy, lead)
        return found

    def action_values(self, pi: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Q[..., T, S, A] of one agent of each population who plays pi as all do; 0 for actions a state has not."""
        policies = self.check_policy(pi)
        flows = self._flow(policies, None)
        return {
            name: action_values_of(self._frozen(name, flows), policy, flows[name].shape[:-2])
            for name, policy in policies.items()
        }

    def exploitability(self, pi: Mapping[str, ArrayLike]) -> Array:
        """The sum over populations of what one agent of each could gain: shape of the batch.

        Raises:
            BadPolicy: for a population without a policy, or what is no policy of it.
        """
        return np.asarray(sum(self.gains(pi).values()))

    def gains(self, pi: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """What one agent of each population could gain: shape of the batch."""
        policies = self.check_policy(pi)
        flows = self._flow(policies, None)
        return {
            name: gains_of(self._frozen(name, flows), policy, flows[name], self.populations[name].initial)
            for name, policy in policies.items()
        }

    def audit(self, pi: Mapping[str, ArrayLike]) -> CoupledAudit:
        """Values, best responses and gains of every population.

        Raises:
            BadPolicy: for a population without a policy, or what is no policy of it.
            BadKernel: for transitions that are no probabilities along the flows, also of actions that are not played.
        """
        policies = self.check_policy(pi)
        flows = self._flow(policies, None)
        best, own = self.best_response(flows), self.evaluate(policies, flows)
        parts = {}
        for name, population in self.populations.items():
            check_laws(self._laws(name, flows), f"{self.name}, {name}")
            parts[name] = finite_audit(name, own[name], best[name], flows[name], population.initial)
        return CoupledAudit(parts)

    def check_policy(self, pi: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Policies of all populations as float64.

        Raises:
            BadPolicy: for a name too many or missing, both shapes, the first row that is no distribution, or an action
                that a state has not.
        """
        found = self._checked(pi, lambda p: (self.horizon, *p.shape), "policy")
        for name, population in self.populations.items():
            check_played(found[name], population.action_mask, f"{self.name}: the policy of {name}")
        return found

    def check_flow(self, flows: Mapping[str, ArrayLike]) -> dict[str, Array]:
        """Flows of all populations as float64; raises BadPolicy as `check_policy`."""
        return self._checked(flows, lambda p: (self.horizon + 1, p.shape[0]), "flow")

    def _checked(
        self, arrays: Mapping[str, ArrayLike], shape: Callable[[Population], tuple[int, ...]], what: str
    ) -> dict[str, Array]:
        if not isinstance(arrays, Mapping) or set(arrays) != set(self.populations):
            got = ", ".join(map(str, arrays)) if isinstance(arrays, Mapping) else type(arrays).__name__
            raise BadPolicy(f"{self.name}: want a {what} of each of {', '.join(self.populations)}; got {got}")
        found = {name: np.asarray(arrays[name], float) for name in self.populations}
        for name, population in self.populations.items():
            check_simplex(found[name], shape(population), f"{self.name}: the {what} of {name}")
        return found
