"""Rollouts of tabular policies in a small Markov game, for many runs at once; each run draws from its own generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.magail.joint import LETTERS
from mfmarl.imitation.soft_values import Array

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Arena:
    """What is played in: rewards are not used."""

    actions: tuple[int, ...]
    """A_1..A_n: how many each agent has."""
    start: Array
    """[S]: law of the first state."""
    discount: float = 0.0
    """After every step a rollout goes on with this probability; 0: games of one step."""
    transitions: Array | None = None
    """P[S, A_1..A_n, S], or None where nobody comes to a second step."""
    features: Array | None = None
    """[S, F]: what perceptrons see of a state, or None where they see which one it is."""

    def __post_init__(self) -> None:
        if not 0 <= self.discount < 1:
            raise UserError(f"arena: discount is {self.discount}; want 0 or more, and below 1")
        if self.start.ndim != 1 or (self.start < 0).any() or abs(self.start.sum() - 1) > 1e-9:
            raise UserError("arena: start is no law over states; want [S], entries of 0 or more that sum to 1")
        if self.features is not None and (self.features.ndim != 2 or len(self.features) != self.states):
            raise UserError(f"arena: features have shape {self.features.shape}; want [{self.states}, F]")
        if self.transitions is None:
            if self.discount:
                raise UserError(f"arena: no transitions at discount {self.discount}; want [S, A_1..A_n, S]")
            return
        want = (self.states, *self.actions, self.states)
        if self.transitions.shape != want:
            raise UserError(f"arena: transitions have shape {self.transitions.shape}; want {want}")
        if (self.transitions < 0).any() or not np.allclose(self.transitions.sum(-1), 1.0, atol=1e-9):
            raise UserError("arena: a row of transitions is no law; want entries of 0 or more that sum to 1")

    @property
    def states(self) -> int:
        """S."""
        return len(self.start)

    @property
    def seen(self) -> Array:
        """[S, F]: the features, or one-hot states."""
        return np.eye(self.states) if self.features is None else self.features


@dataclass(frozen=True)
class Walks:
    """The steps of all rollouts of all runs one after another, rollout by rollout."""

    cells: Counts
    """[steps]: place of (run, state, joint action) in [R, S, A_1..A_n] made flat."""
    first: Counts
    """[R N]: where a rollout starts in `cells`, longest rollouts first."""
    alive: Counts
    """[T]: how many rollouts have a step t."""

    def to_go(self, rewards: Array) -> Array:
        """[steps]: what was paid from each step on."""
        out: Array = rewards.reshape(-1)[self.cells]
        for t in range(len(self.alive) - 2, -1, -1):
            later = self.first[: self.alive[t + 1]] + t + 1
            out[later - 1] += out[later]
        return out


@dataclass(frozen=True)
class Rollouts:
    """N rollouts of each of R runs."""

    counts: Counts
    """[R, S, A_1..A_n]"""
    walks: Walks | None
    """None of games of one step, where counts say all."""
    picked: Counts | None = None
    """Places in `walks.cells` of the steps that count, where not all do."""

    @property
    def steps(self) -> Counts:
        """[R]"""
        out: Counts = self.counts.reshape(len(self.counts), -1).sum(1)
        return out

    def returns(self, rewards: Array) -> Array:
        """[R, S, A_1..A_n]: sums over the steps there of what was paid from that step on, at rewards of that shape.

        Sums are not discounted: that a rollout ends with probability 1 - discount after every step is the discount,
        and a discount on top of it would be one too many.
        """
        if self.walks is None:
            paid: Array = self.counts * rewards
            return paid
        cells, to_go = self.walks.cells, self.walks.to_go(rewards)
        if self.picked is not None:
            cells, to_go = cells[self.picked], to_go[self.picked]
        sums = np.bincount(cells, to_go, self.counts.size)
        out: Array = sums.reshape(self.counts.shape).astype(np.float64)
        return out

    def whole_returns(self, rewards: Array) -> tuple[Array, Array]:
        """How many rollouts began there, and the sum of all that they were paid, both [R, S, A_1..A_n]."""
        if self.walks is None:
            return self.counts.astype(np.float64), self.counts * rewards
        first, to_go = self.walks.first, self.walks.to_go(rewards)
        cells = self.walks.cells[first]
        begun, sums = np.bincount(cells, minlength=self.counts.size), np.bincount(cells, to_go[first], self.counts.size)
        return begun.reshape(self.counts.shape).astype(np.float64), sums.reshape(self.counts.shape).astype(np.float64)

    def batch(self, size: int, generators: Sequence[np.random.Generator]) -> Rollouts:
        """`size` of each run's steps without replacement, or all where there are no more; returns are the whole
        rollouts'."""
        R, steps = len(self.counts), self.steps
        sizes = [min(size, int(k)) for k in steps]
        if self.walks is None:
            rows = self.counts.reshape(R, -1)
            drawn = zip(generators, rows, sizes, strict=True)
            counts = np.stack([rng.multivariate_hypergeometric(row, k) for rng, row, k in drawn])
            return Rollouts(counts.reshape(self.counts.shape), None)
        begins = np.cumsum(steps) - steps
        own = zip(generators, steps, sizes, begins, strict=True)
        picked = np.concatenate([begin + rng.permutation(k)[:few] for rng, k, few, begin in own])
        counts = np.bincount(self.walks.cells[picked], minlength=self.counts.size)
        return Rollouts(counts.reshape(self.counts.shape), self.walks, picked)


def rolled_out(
    arena: Arena,
    policies: Sequence[Array],
    rollouts: int,
    generators: Sequence[np.random.Generator],
    start: Array | None = None,
) -> Rollouts:
    """Exactly `rollouts` of each run, from policies pi_i[R, S, A_i]; their lengths are Geometric(1 - discount), from 1.

    So every step is as likely to be met as the discounted occupancy has it. Of games of one step only counts are drawn.

    Args:
        start: [R, S], law of the first state, where each run has its own.
    """
    if arena.discount:
        return walked(arena, policies, rollouts, generators, start)
    letters = LETTERS[: len(policies)]
    told = ",".join(f"yz{x}" for x in letters)
    begin = "z" if start is None else "yz"
    law = np.einsum(f"{begin},{told}->yz{letters}", arena.start if start is None else start, *policies)
    rows = law.reshape(len(law), -1)
    counts = np.stack([rng.multinomial(rollouts, row) for rng, row in zip(generators, rows, strict=True)])
    return Rollouts(counts.reshape(law.shape), None)


def walked(
    arena: Arena,
    policies: Sequence[Array],
    rollouts: int,
    generators: Sequence[np.random.Generator],
    start: Array | None = None,
) -> Rollouts:
    """The same step by step, all rollouts of all runs at once."""
    R, n, S = len(generators), len(policies), arena.states
    lengths = np.concatenate([rng.geometric(1 - arena.discount, rollouts) for rng in generators])
    steps = lengths.reshape(R, rollouts).sum(1)
    uniforms = np.concatenate([rng.random((k, n + 1)) for rng, k in zip(generators, steps, strict=True)])
    longest = np.argsort(-lengths, kind="stable")
    first = (np.cumsum(lengths) - lengths)[longest]
    alive = np.array([np.count_nonzero(lengths > t) for t in range(lengths.max())])
    run = np.repeat(np.arange(R), rollouts)[longest]
    joint = int(np.prod(arena.actions))
    begins = np.cumsum(np.broadcast_to(arena.start if start is None else start, (R, S)), -1)[:, :-1]
    leads = None if arena.transitions is None else np.cumsum(arena.transitions.reshape(-1, S), -1)[:, :-1]
    chances = [np.cumsum(pi, -1)[..., :-1].reshape(R * S, -1) for pi in policies]
    cells = np.empty(len(uniforms), np.int64)
    place = np.empty(0, np.int64)
    for t, k in enumerate(alive):
        u = uniforms[first[:k] + t]
        bounds = begins[run[:k]] if t == 0 or leads is None else leads[place[:k]]
        state = (u[:, n, None] >= bounds).sum(1)
        row = run[:k] * S + state
        action = np.zeros(k, np.int64)
        for i in range(n):
            action = action * arena.actions[i] + (u[:, i, None] >= chances[i][row]).sum(1)
        place = state * joint + action
        cells[first[:k] + t] = run[:k] * (S * joint) + place
    shape = (R, S, *arena.actions)
    counts = np.bincount(cells, minlength=R * S * joint).reshape(shape)
    return Rollouts(counts, Walks(cells, first, alive))
