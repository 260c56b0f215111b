"""Trajectories of single agents in a population, and the occupancies that are counted from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array


@dataclass(frozen=True)
class Trajectories:
    """What M agents went through, each on its own in the mean field."""

    states: NDArray[np.int64]
    """[M, T+1]"""
    actions: NDArray[np.int64]
    """[M, T]"""


def sample_trajectories(game: FiniteMFG, pi: ArrayLike, number: int, rng: np.random.Generator) -> Trajectories:
    """`number` independent agents who play pi [T, S, A] in a population that does: transitions see the exact mu^pi.

    Raises:
        BadPolicy: for what is no policy of this game.
        ValueError: for fewer than 1.
    """
    if number < 1:
        raise ValueError(f"{game.name}: {number} trajectories; want 1 or more")
    policy = game.check_policy(pi)
    mu = game.flow(policy)
    T = game.horizon
    states, actions = np.empty((number, T + 1), np.int64), np.empty((number, T), np.int64)
    states[:, 0] = drawn(np.broadcast_to(game.initial, (number, game.num_states)), rng.random(number))
    for t in range(T):
        now = states[:, t]
        actions[:, t] = drawn(policy[t, now], rng.random(number))
        successors, prob = game.kernel.rows(t, mu[t])
        chosen = drawn(prob[now, actions[:, t]], rng.random(number))
        states[:, t + 1] = successors[now, actions[:, t], chosen]
    return Trajectories(states, actions)


def empirical_occupancy(game: FiniteMFG, seen: Trajectories) -> Array:
    """x[T, S, A]: the share of trajectories in state s that choose a, at each step."""
    T, S, A = game.shape
    index = (np.arange(T) * S + seen.states[:, :-1]) * A + seen.actions
    return np.bincount(index.ravel(), minlength=T * S * A).reshape(T, S, A) / len(seen.states)


def empirical_flow(game: FiniteMFG, seen: Trajectories) -> Array:
    """mu[T+1, S]: the share of trajectories in each state, at each step."""
    steps, S = game.horizon + 1, game.num_states
    index = np.arange(steps) * S + seen.states
    return np.bincount(index.ravel(), minlength=steps * S).reshape(steps, S) / len(seen.states)


def drawn(rows: Array, u: Array) -> NDArray[np.int64]:
    """The index of each row [..., K] that the uniform number u[...] in [0, 1) draws with its probabilities."""
    total = rows.cumsum(-1)
    # the last entry is then exactly 1, above any draw, so that what has probability 0 is never drawn
    total = total / total[..., -1:]
    return np.asarray((total <= u[..., None]).sum(-1), np.int64)
