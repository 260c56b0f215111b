"""How rewards and transitions change with the population, by differences: for solvers that need derivatives.

Games give their rewards as functions; central differences of them are exact for rewards that are affine in the
population, as most are, and right to about nine digits for others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.solution import Array

CHUNK = 2_000_000
"""Entries of rewards that are evaluated at once."""


@dataclass(frozen=True)
class Slopes:
    """d r_t(s, a) / d x_t(place), those that are not zero: entry i is `value[i]` at t[i], s[i], a[i], place[i]."""

    t: NDArray[np.int64]
    s: NDArray[np.int64]
    a: NDArray[np.int64]
    place: NDArray[np.int64]
    """A state s'; where rewards see actions, s' A + a'."""
    value: Array


def reward_slopes(game: FiniteMFG, mu: Array, pi: Array, step: Array) -> Slopes:
    """Slopes of rewards in mu[T+1, S], or, where they see actions, in the occupancy mu pi, by steps of step[T, S(, A)].

    A step that is larger than the mass is taken upward only: no mass is made negative.
    """
    T, S, A = game.shape
    now = mu[:-1, :, None] * pi if game.sees_actions else mu[:-1]
    now, h = now.reshape(T, -1), step.reshape(T, -1)
    places, low = now.shape[1], np.minimum(h, now)
    if game.local:
        found = _difference(game, now[None], h[None], low[None])[0]
        index = np.broadcast_to(np.arange(places).reshape(S, -1), (S, A))
        t, s, a = np.nonzero(found)
        return Slopes(t, s, a, index[s, a], found[t, s, a])
    at_once = max(1, CHUNK // (T * S * A))
    parts = []
    for first in range(0, places, at_once):
        which = np.arange(first, min(first + at_once, places))
        one = np.zeros((len(which), 1, places))
        one[np.arange(len(which)), 0, which] = 1.0
        found = _difference(game, now[None], h * one, low * one, which)
        p, t, s, a = np.nonzero(found)
        parts.append((t, s, a, which[p], found[p, t, s, a]))
    return Slopes(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _difference(game: FiniteMFG, now: Array, up: Array, down: Array, which: NDArray[np.int64] | None = None) -> Array:
    """(r(now + up) - r(now - down)) / (up + down): [B, T, S, A]; `which` place of each is the one that moves."""
    T, S, A = game.shape
    steps = np.arange(T)
    shape = (-1, T, S, A) if game.sees_actions else (-1, T, S)
    gained = game.reward(steps, (now + up).reshape(shape)) - game.reward(steps, (now - down).reshape(shape))
    total = up + down
    if which is None:
        width = total.reshape(-1, T, S, A if game.sees_actions else 1)
    else:
        width = total[np.arange(len(which)), :, which][:, :, None, None]
    # a place that cannot be moved has no slope
    return np.asarray(np.divide(gained, width, out=np.zeros(gained.shape), where=width > 0))


def terminal_slopes(game: FiniteMFG, mu: Array, step: Array) -> Array:
    """d terminal(s) / d mu_T(s'): [S, S'], at mu[T+1, S] by step[S]."""
    S = game.num_states
    if game.terminal is None:
        return np.zeros((S, S))
    low = np.minimum(step, mu[-1])
    gained = game.terminals(mu[-1] + np.diag(step)) - game.terminals(mu[-1] - np.diag(low))
    width = (step + low)[:, None]
    return np.asarray(np.divide(gained, width, out=np.zeros((S, S)), where=width > 0).T)


def law_slopes(game: FiniteMFG, t: int, mu: Array, step: Array) -> Array:
    """d P_t(next_k | s, a) / d mu(s'): [S, A, K, S'], at mu[S] by step[S]; zeros where transitions are fixed."""
    successors, _ = game.kernel.rows(t, mu)
    if game.kernel.fixed:
        return np.zeros((*successors.shape, game.num_states))
    low = np.minimum(step, mu)
    gained = game.kernel.rows(t, mu + np.diag(step))[1] - game.kernel.rows(t, mu - np.diag(low))[1]
    width = (step + low)[:, None, None, None]
    found = np.divide(gained, width, out=np.zeros(gained.shape), where=width > 0)
    return np.ascontiguousarray(np.moveaxis(found, 0, -1))
