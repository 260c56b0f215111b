"""What an agent among N - 1 independent others expects to earn: sums over how many of them are where.

Where transitions do not see the population the others are independent, each with the law mu of the mean field. With n_p
of all N in place p, the agent itself in p, the others are there with probability
(N-1)! n_p / prod_j n_j! x prod_j mu_j^(n_j) / mu_p. Places are states, or, where rewards see actions, pairs (s, a).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations_with_replacement, islice
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from envs.mean_field.checks import occupancy
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array

LARGEST = 50_000_000
"""Rewards up to which they are summed: some seconds."""
AT_ONCE = 1_000_000
"""Of them, those that are held in memory."""


def summands(game: FiniteMFG, n_agents: int) -> int:
    """How many rewards the sums have, those of `local` ones left out: they are few."""
    T, S, A = game.shape
    of_rewards = 0 if game.local else _configurations(n_agents, S * A if game.sees_actions else S) * T * S * A
    return of_rewards + (0 if game.terminal is None else _configurations(n_agents, S) * S)


def expected_rewards(game: FiniteMFG, pi: Array, n_agents: int) -> Array:
    """r[T, S, A] of one agent among others who play pi[T, S, A], in expectation over those: the agent counts too.

    What the mask has not is 0.
    """
    mu = game.deciding(game.flow(pi))
    share = occupancy(mu, pi, game.name) if game.sees_actions else mu
    steps, found = np.arange(game.horizon), np.zeros(game.shape)
    mask = True if game.action_mask is None else game.action_mask
    at_once = max(1, AT_ONCE // found.size)
    for seen, weight in _alike(share, n_agents, at_once) if game.local else _counted(share, n_agents, at_once):
        weights = weight if game.sees_actions else weight[..., None]
        # what cannot happen may have rewards that are not finite
        r = np.where((weights > 0) & mask, game.reward(steps, seen), 0.0)
        found += (weights * r).sum(0)
    return found


def expected_terminals(game: FiniteMFG, pi: Array, n_agents: int) -> Array:
    """Rewards [S] after the last decision of one agent among others who play pi[T, S, A], in expectation over those."""
    found = np.zeros(game.num_states)
    if game.terminal is None:
        return found
    for seen, weight in _counted(game.flow(pi)[-1:], n_agents, max(1, AT_ONCE // game.num_states)):
        found += (weight * np.where(weight > 0, game.terminals(seen), 0.0)).sum((0, 1))
    return found


def _alike(share: Array, n_agents: int, at_once: int) -> Iterator[tuple[Array, Array]]:
    """Populations [C, *share] with the same share k / N in all places, and the probability of it in each place.

    For rewards that see their own place alone. Binomial(N - 1, share) others are in the agent's.
    """
    for first in range(0, n_agents, at_once):
        others = np.arange(first, min(first + at_once, n_agents)).reshape(-1, *[1] * share.ndim)
        seen = np.broadcast_to((others + 1) / n_agents, (len(others), *share.shape))
        # of shares that rounding puts above 1 there is no pmf
        yield seen, np.asarray(stats.binom.pmf(others, n_agents - 1, share.clip(0, 1)))


def _counted(share: Array, n_agents: int, at_once: int) -> Iterator[tuple[Array, Array]]:
    """Every population of N, [C, *share] of share[T, ...], and the probability of the others in it for each own place.

    Both [C, T, ...].
    """
    law = share.reshape(len(share), -1)
    reached = law > 0
    logs = np.log(np.where(reached, law, 1.0))
    for n in _populations(n_agents, law.shape[1], at_once):
        ways = special.gammaln(n_agents) - special.gammaln(n + 1).sum(-1)
        # the others are nowhere that mu does not reach; the agent itself may be
        astray = n @ (~reached).T.astype(np.int64)
        possible = (n > 0)[:, None] & (astray[..., None] == ~reached)
        found = ways[:, None, None] + (n @ logs.T)[..., None] - logs + np.log(np.maximum(n, 1))[:, None]
        weight = np.where(possible, np.exp(np.where(possible, found, 0.0)), 0.0)
        seen = np.broadcast_to((n / n_agents)[:, None], weight.shape)
        yield seen.reshape(-1, *share.shape), weight.reshape(-1, *share.shape)


def _configurations(n_agents: int, places: int) -> int:
    return comb(n_agents + places - 1, n_agents)


def _populations(n_agents: int, places: int, at_once: int) -> Iterator[NDArray[np.int64]]:
    """All counts [C, places] of N agents, `at_once` of them at a time."""
    # either where each agent is, or how many are in the first places: whichever is shorter
    by_agent = n_agents < places
    length, values = (n_agents, places) if by_agent else (places - 1, n_agents + 1)
    sorted_rows = combinations_with_replacement(range(values), length)
    while rows := list(islice(sorted_rows, at_once)):
        found = np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * length).reshape(len(rows), length)
        if by_agent:
            index = np.arange(len(rows))[:, None] * places + found
            yield np.bincount(index.ravel(), minlength=len(rows) * places).reshape(len(rows), places)
        else:
            yield np.diff(found, axis=1, prepend=0, append=n_agents)
