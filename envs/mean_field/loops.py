"""Exploitability as one compiled loop: no array is made but the policy's flow and rewards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from envs.compiled import compiled, inlined
from envs.mean_field.kernel import Array
from envs.mean_field.tables import unpacked

SUM_TOLERANCE = 1e-9
"""Within which rows of policies and distributions sum to 1."""


@dataclass(frozen=True)
class Loops:
    """A game's arithmetic as loops for machine code: the same numbers as its NumPy functions.

    Arrays that a loop is given may be any that are strided.
    """

    reward: Callable[..., None]
    """(t, mu[S], L[S, A], params, out[S, A]): fills the rewards of step t; L is the population's occupancy."""
    params: tuple[Any, ...] = ()
    """Arrays and numbers that the loops read."""
    law: Callable[..., None] | None = None
    """(t, mu[S], params, out[S, A, K]): fills the transition probabilities of step t; None where they are fixed."""
    terminal: Callable[..., None] | None = None
    """(mu[S], params, out[S]): fills the rewards after the last decision; None where there are none."""
    felt: Callable[..., None] | None = None
    """(mu[n], out[n]): a function of one mass, such as its logarithm, of many at a time, which `reward` is then given
    in place of mu."""


@cache
def exploitability_loop(
    reward: Callable[..., None],
    law: Callable[..., None] | None,
    terminal: Callable[..., None] | None,
    felt: Callable[..., None] | None,
    actions: int,
    width: int,
    masked: bool,
    joined: int = 0,
    arrivals: int = 0,
) -> Callable[..., float]:
    """The compiled loop of one game's functions, for A actions of K successors each, which it unrolls.

    So it does with the pairs of each landing and the arrivals of each state where all have as many: `joined`,
    `arrivals`, or 0. Of pi[T, S, A] it gives the exploitability; NaN of a row that is no distribution, a flow that
    gains or loses mass, or a result that is not finite.
    """
    moves, ends, feels = law is not None, terminal is not None, felt is not None
    fill_reward, fill_law = inlined(reward), inlined(law or no_law)
    fill_terminal, fill_felt, views = inlined(terminal or no_terminal), inlined(felt or no_felt), compiled(unpacked)

    def loop(pi: Array, table: Array, params: Any) -> float:
        T, S, _ = pi.shape
        if table[0] != T or table[1] != S or pi.shape[2] != actions:
            return np.nan
        initial, fixed, arriving, landing, first, members, successors, since, origin, place, mask = views(
            table, S, actions, width
        )
        D, pairs, entries = len(first) - 1, S * actions, len(successors)
        mu, best, after, landed = np.empty(S), np.empty(S), np.empty(S), np.empty(D)
        x, r = np.empty((S, actions)), np.empty((T, S, actions))
        flat = x.reshape(pairs)
        probs = np.empty((T, S, actions, width)) if moves else np.empty((0, S, actions, width))
        # element by element: slices would have numba compile their error messages too, for seconds
        for s in range(S):
            mu[s] = initial[s]
        own = 0.0
        for t in range(T):
            for s in range(S):
                total = 0.0
                for a in range(actions):
                    p = pi[t, s, a]
                    # NaN is not 0 or more
                    if not p >= 0.0 or (masked and p > 0.0 and not mask[s * actions + a]):
                        return np.nan
                    total += p
                    x[s, a] = mu[s] * p
                if abs(total - 1.0) > SUM_TOLERANCE:
                    return np.nan
            # `best` has no other use before the sweep back
            if feels:
                fill_felt(mu, best)
            fill_reward(t, best if feels else mu, x, params, r[t])
            # what a population earns is what its occupancy meets: no second sweep is needed for it
            for s in range(S):
                earned = 0.0
                for a in range(actions):
                    if not masked or mask[s * actions + a]:
                        earned += x[s, a] * r[t, s, a]
                own += earned
            if moves:
                fill_law(t, mu, params, probs[t])
                row = probs[t].reshape(entries)
                mass = 0.0
                for s in range(S):
                    arrived = 0.0
                    for j in range(since[s], since[s + 1]):
                        arrived += flat[origin[j]] * row[place[j]]
                    mu[s] = arrived
                    mass += arrived
                if not abs(mass - 1.0) <= SUM_TOLERANCE:
                    return np.nan
            else:
                for d in range(D):
                    together = 0.0
                    start, stop = (d * joined, (d + 1) * joined) if joined else (first[d], first[d + 1])
                    for j in range(start, stop):
                        together += flat[members[j]]
                    landed[d] = together
                for s in range(S):
                    arrived = 0.0
                    start, stop = (s * arrivals, (s + 1) * arrivals) if arrivals else (since[s], since[s + 1])
                    for j in range(start, stop):
                        arrived += landed[origin[j]] * arriving[j]
                    mu[s] = arrived
        for s in range(S):
            after[s] = 0.0
        if ends:
            fill_terminal(mu, params, after)
            for s in range(S):
                own += mu[s] * after[s]
        for t in range(T - 1, -1, -1):
            row = probs[t].reshape(entries) if moves else fixed
            for d in range(D):
                ahead = 0.0
                for k in range(width):
                    ahead += row[d * width + k] * after[successors[d * width + k]]
                landed[d] = ahead
            for s in range(S):
                top = -np.inf
                for a in range(actions):
                    if not masked or mask[s * actions + a]:
                        top = max(top, r[t, s, a] + landed[landing[s * actions + a]])
                best[s] = top
            best, after = after, best
        reached = 0.0
        for s in range(S):
            reached += after[s] * initial[s]
        found = reached - own
        return found if np.isfinite(found) else np.nan

    return compiled(loop)


def no_law(t: int, mu: Array, params: Any, out: Array) -> None:
    """Of a kernel that is fixed; never called."""


def no_terminal(mu: Array, params: Any, out: Array) -> None:
    """Of a game that ends with nothing; never called."""


def no_felt(mu: Array, out: Array) -> None:
    """Of rewards that are given masses; never called."""
