"""Finite Markov games: values, best responses and distances from equilibrium, exactly and for many profiles at once.

S states, n agents with A_1, .., A_n actions. A profile is a list of policies [..., S, A_i], one for each agent; a joint
policy [..., S, A_1, .., A_n] may correlate them. Leading axes are a batch and are broadcast against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from envs.markov.checks import Array, BadGame, BadPolicy, check_rows, numbers
from envs.markov.layout import Index, Layout, layout
from envs.markov.solving import best_values, outcomes, policy_values

PIECE = 8192
"""Profiles that are worked out at once: few enough for the processor's cache."""


@dataclass(frozen=True)
class BestResponses:
    """Of each agent, against the others' part of a profile."""

    values: Array
    """[..., n, S]"""
    policies: list[Array]
    """[..., S, A_i] of each: one action with certainty, the first of equal ones."""


@dataclass(frozen=True)
class Occupancy:
    """How much of discounted play is where: (1 - discount) sum_t discount^t P(.), which sums to 1."""

    states: Array
    """[..., S]"""
    joint: Array
    """[..., S, A_1, .., A_n]"""


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkovGame:
    """A game of n agents, n >= 2, who see the state and choose at once."""

    transitions: Array
    """[S, A_1, .., A_n, S]"""
    rewards: Array
    """[n, S, A_1, .., A_n]; [n, S] where they are of the state alone."""
    start: Array
    """[S]"""
    discount: float
    """0 or more, below 1. With 0 the game is of one step."""
    name: str = "game"
    state_names: tuple[str, ...] = ()
    """Numbers from 0 where not given."""

    def __post_init__(self) -> None:
        """Check the game once; its arrays are copies that cannot be written.

        Raises:
            BadGame: names the array, the entry or both shapes, and what is wanted.
        """
        name = self.name
        moves = numbers(self.transitions, f"{name}: transitions", BadGame)
        if moves.ndim < 4 or moves.shape[0] != moves.shape[-1] or not moves.size:
            raise BadGame(
                f"{name}: transitions have shape {moves.shape}; want [S, A_1, .., A_n, S] of 2 agents or more"
            )
        check_rows(moves, f"{name}: transitions", BadGame)
        states, n, joint = moves.shape[0], moves.ndim - 2, moves.shape[:-1]
        pay = numbers(self.rewards, f"{name}: rewards", BadGame)
        if pay.shape == (n, states):
            pay = np.broadcast_to(pay.reshape(n, states, *[1] * n), (n, *joint)).copy()
        if pay.shape != (n, *joint):
            raise BadGame(
                f"{name}: rewards have shape {pay.shape}; want {(n, *joint)}, or {(n, states)} of states alone"
            )
        start = numbers(self.start, f"{name}: start", BadGame)
        if start.shape != (states,):
            raise BadGame(f"{name}: start has shape {start.shape}; want {(states,)}")
        check_rows(start, f"{name}: start", BadGame)
        number = isinstance(self.discount, int | float | np.number) and not isinstance(self.discount, bool)
        if not number or not 0 <= self.discount < 1:
            raise BadGame(f"{name}: discount is {self.discount!r}; want a number 0 or more, below 1")
        named = tuple(self.state_names) or tuple(map(str, range(states)))
        if len(set(named)) != states:
            raise BadGame(f"{name}: {len(set(named))} different names of states; want {states}")
        for key, array in (("transitions", moves), ("rewards", pay), ("start", start)):
            array.flags.writeable = False
            object.__setattr__(self, key, array)
        object.__setattr__(self, "discount", float(self.discount))
        object.__setattr__(self, "state_names", named)

    @property
    def num_states(self) -> int:
        """S."""
        return int(self.transitions.shape[0])

    @property
    def num_agents(self) -> int:
        """n."""
        return self.transitions.ndim - 2

    @property
    def num_actions(self) -> tuple[int, ...]:
        """A_1, .., A_n."""
        return self.transitions.shape[1:-1]

    @property
    def horizon(self) -> Literal["one_step", "endless"]:
        """Whether rewards after the first count."""
        return "endless" if self.discount else "one_step"

    @cached_property
    def layout(self) -> Layout:
        """The order in which its states are worked out."""
        return layout(self.transitions, self.discount)

    def uniform_policies(self) -> list[Array]:
        """Every action equally often, of each agent: [S, A_i]."""
        return [np.full((self.num_states, a), 1 / a) for a in self.num_actions]

    def joint_policy(self, policies: Sequence[ArrayLike]) -> Array:
        """The product [..., S, A_1, .., A_n] of a profile; raises BadPolicy."""
        found = np.ones(())
        for i, policy in enumerate(self.check_policies(policies)):
            ones = [1] * (self.num_agents - 1)
            shape = (*policy.shape[:-1], *ones[:i], policy.shape[-1], *ones[i:])
            found = found * policy.reshape(shape)
        return np.asarray(found)

    def state_values(self, policies: Sequence[ArrayLike]) -> Array:
        """V[..., n, S] of a profile; raises BadPolicy."""
        return self._solved(policies, best=False)[0]

    def best_responses(self, policies: Sequence[ArrayLike]) -> BestResponses:
        """Values and policies of the best responses to a profile; raises BadPolicy."""
        actions: list[Index] = []
        _, values = self._solved(policies, best=True, actions=actions)
        chosen = [np.eye(a)[chosen] for a, chosen in zip(self.num_actions, actions, strict=True)]
        return BestResponses(values, chosen)

    def values(self, policies: Sequence[ArrayLike]) -> Array:
        """[..., n]: discounted return of each agent from the start; raises BadPolicy."""
        return np.asarray(self.state_values(policies) @ self.start)

    def best_response_values(self, policies: Sequence[ArrayLike]) -> Array:
        """[..., n]: the most that each agent could have from the start while the others stay; raises BadPolicy."""
        return np.asarray(self._solved(policies, best=True)[1] @ self.start)

    def gaps(self, policies: Sequence[ArrayLike]) -> Array:
        """[..., n]: what each agent gains by its best response, each with its own value; raises BadPolicy."""
        values, best = self._solved(policies, best=True)
        return np.asarray((best - values) @ self.start)

    def nash_conv(self, policies: Sequence[ArrayLike]) -> Array:
        """[...]: the sum of all gaps, 0 in a Nash equilibrium; raises BadPolicy."""
        return np.asarray(self.gaps(policies).sum(-1))

    def exploitability(self, policies: Sequence[ArrayLike]) -> Array:
        """[...]: the largest gap; of two agents with zero sum max(BR_1 - V, BR_2 + V). Raises BadPolicy."""
        return np.asarray(self.gaps(policies).max(-1))

    def joint_values(self, joint: ArrayLike) -> Array:
        """[..., n]: discounted return of each agent from the start under a joint policy; raises BadPolicy."""
        return np.asarray(self._joint_solved(joint)[0] @ self.start)

    def joint_gaps(self, joint: ArrayLike) -> Array:
        """[..., n]: what each agent gains by leaving a joint policy before it is told what to play there.

        The others go on with their marginal of it. Below 0 where to leave costs, which needs correlation.

        Raises:
            BadPolicy: for what is no joint policy.
        """
        values, best = self._joint_solved(joint)
        return np.asarray((best - values) @ self.start)

    def cce_gap(self, joint: ArrayLike) -> Array:
        """[...]: the largest of `joint_gaps`, 0 or less in a coarse correlated equilibrium; raises BadPolicy."""
        return np.asarray(self.joint_gaps(joint).max(-1))

    def occupancy(self, policies: Sequence[ArrayLike]) -> Occupancy:
        """Of a profile; raises BadPolicy."""
        return self.joint_occupancy(self.joint_policy(policies))

    def joint_occupancy(self, joint: ArrayLike) -> Occupancy:
        """Of a joint policy, from d = (1 - discount) start + discount P^T d; raises BadPolicy."""
        played = self.check_joint(joint)
        lead, S = played.shape[: -self.num_agents - 1], self.num_states
        rows = played.reshape(*lead, S, 1, -1)
        moves = (rows @ self.transitions.reshape(S, -1, S))[..., 0, :]
        system = np.eye(S) - self.discount * np.swapaxes(moves, -1, -2)
        begins = np.broadcast_to((1 - self.discount) * self.start, (*lead, S))
        states = np.asarray(np.linalg.solve(system, begins[..., None])[..., 0])
        return Occupancy(states, states.reshape(*lead, S, *[1] * self.num_agents) * played)

    def check_policies(self, policies: Sequence[ArrayLike]) -> list[Array]:
        """A profile in float64, all leading axes alike.

        Raises:
            BadPolicy: for another number of policies, another shape, or rows that are no distributions; says whose.
        """
        if len(policies) != self.num_agents:
            raise BadPolicy(
                f"{self.name}: {len(policies)} policies; want a list of {self.num_agents}, one for each agent"
            )
        found = []
        for i, (policy, a) in enumerate(zip(policies, self.num_actions, strict=True)):
            array = np.asarray(policy, float)
            if array.shape[-2:] != (self.num_states, a) or not array.size:
                want = f"[.., {self.num_states}, {a}]"
                raise BadPolicy(f"{self.name}: the policy of agent {i} has shape {array.shape}; want {want}")
            check_rows(array, f"{self.name}: the policy of agent {i}", BadPolicy)
            found.append(array)
        try:
            lead = np.broadcast_shapes(*(policy.shape[:-2] for policy in found))
        except ValueError:
            shapes = ", ".join(str(policy.shape) for policy in found)
            raise BadPolicy(f"{self.name}: leading axes of policies do not fit each other: {shapes}") from None
        return [np.broadcast_to(policy, (*lead, *policy.shape[-2:])) for policy in found]

    def check_joint(self, joint: ArrayLike) -> Array:
        """A joint policy in float64; raises BadPolicy for another shape or rows that are no distributions."""
        shape = self.transitions.shape[:-1]
        found = np.asarray(joint, float)
        if found.shape[-len(shape) :] != shape or not found.size:
            raise BadPolicy(
                f"{self.name}: the joint policy has shape {found.shape}; want [.., S, A_1, .., A_n] = {shape}"
            )
        check_rows(found, f"{self.name}: the joint policy", BadPolicy, axes=self.num_agents)
        return found

    def _solved(
        self, policies: Sequence[ArrayLike], *, best: bool, actions: list[Index] | None = None
    ) -> tuple[Array, Array]:
        """V and, with `best`, V*, each [..., n, S]; best actions [..., S] of each agent go into `actions`."""
        found = self.check_policies(policies)
        lead, S, n = found[0].shape[:-2], self.num_states, self.num_agents
        flat = [policy.reshape(-1, S, policy.shape[-1]) for policy in found]
        size = math.prod(lead)
        values, most = np.empty((n, S, size)), np.empty((n, S, size if best else 0))
        chosen = None if actions is None else np.empty((n, S, size), np.int64)
        for at in range(0, size, PIECE):
            piece = slice(at, at + PIECE)
            rows = [np.ascontiguousarray(np.moveaxis(policy[piece], 0, -1)) for policy in flat]
            for i in range(n):
                tables = outcomes(self.layout, self.transitions, self.rewards[i], i, _others(rows, i))
                values[i, :, piece] = policy_values(self.layout, self.discount, tables, rows[i])
                if best:
                    into = None if chosen is None else chosen[i, :, piece]
                    most[i, :, piece] = best_values(self.layout, self.discount, tables, into)
        if actions is not None and chosen is not None:
            actions += [one.T.reshape(*lead, S) for one in chosen]
        return _led(values, lead), _led(most, lead) if best else most

    def _joint_solved(self, joint: ArrayLike) -> tuple[Array, Array]:
        """V and V*, each [..., n, S]: others who play their marginal of a joint policy [..., S, A_1, .., A_n]."""
        played = self.check_joint(joint)
        lead, S, n = played.shape[: -self.num_agents - 1], self.num_states, self.num_agents
        flat = np.moveaxis(played.reshape(-1, *played.shape[len(lead) :]), 0, -1)
        size = flat.shape[-1]
        values, best = np.empty((n, S, size)), np.empty((n, S, size))
        for i in range(n):
            # one agent without a choice, among all joint actions
            alone = [np.expand_dims(array, 1) for array in (self.transitions, self.rewards[i])]
            tables = outcomes(self.layout, alone[0], alone[1], 0, flat.reshape(S, -1, size))
            values[i] = policy_values(self.layout, self.discount, tables, np.ones((S, 1, size)))
            others = flat.sum(1 + i).reshape(S, -1, size)
            tables = outcomes(self.layout, self.transitions, self.rewards[i], i, others)
            best[i] = best_values(self.layout, self.discount, tables)
        return _led(values, lead), _led(best, lead)


def _others(rows: Sequence[Array], agent: int) -> Array:
    """What all but one play together, [S, J, B], of rows [S, A_i, B]."""
    found = np.ones((1, 1, 1))
    for i, row in enumerate(rows):
        if i != agent:
            found = (found[:, :, None] * row[:, None]).reshape(row.shape[0], -1, row.shape[-1])
    return found


def _led(found: Array, lead: tuple[int, ...]) -> Array:
    """[..., n, S] of [n, S, B]."""
    return np.moveaxis(found, -1, 0).reshape(*lead, *found.shape[:2])
