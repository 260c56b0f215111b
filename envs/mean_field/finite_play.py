"""N agents in play: one of them sampled, the others as counts, so that the cost does not depend on N.

The one plays several policies, each in a world of its own. The worlds have common random numbers: they
part only where what the one does in some of them makes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, MovingKernel
from envs.mean_field.sampling import drawn
from envs.mean_field.sweep import BestResponse, Frozen, best_response_of

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Moment:
    """One time of `games` games in W worlds; of the others there is one world where they cannot see the one."""

    t: int
    others: Counts
    """[W or 1, games, S]"""
    chosen: Counts
    """[W or 1, games, S, A], what they do; nothing at T."""
    state: NDArray[np.int64]
    """[W, games] of the one."""
    action: NDArray[np.int64]
    """[W, games]"""


def play(
    game: FiniteMFG, n_agents: int, pi: Array, own: Array, games: int, rng: np.random.Generator
) -> Iterator[Moment]:
    """Times 0..T of N - 1 agents who play pi[T, S, A] and one who plays own[W, T, S, A]."""
    W, (T, S, A) = len(own), game.shape
    world, each = np.arange(W)[:, None], np.arange(games)
    first = np.broadcast_to(game.initial, (1, games, S))
    _, others = _divided(rng, np.full((1, games), n_agents - 1), first)
    others = np.repeat(others, 1 if game.kernel.fixed else W, 0)
    state = np.repeat(drawn(first, rng.random(games)), W, 0)
    for t in range(T):
        chosen = np.zeros((*others.shape, A), np.int64)
        cells, parts = _divided(rng, others, np.broadcast_to(pi[t], chosen.shape))
        chosen[cells] = parts
        action = drawn(own[world, t, state], rng.random(games))
        yield Moment(t, others, chosen, state, action)
        successors, prob = game.kernel.rows(t, (others + np.eye(S)[state]) / n_agents)
        prob = np.broadcast_to(prob, (W, games, *successors.shape))
        went = drawn(prob[world, each, state, action], rng.random(games))
        (_, g, s, a), parts = _divided(rng, chosen, prob[: len(chosen)])
        index = (np.arange(len(chosen))[:, None, None] * games + g[:, None]) * S + successors[s, a]
        others = np.bincount(index.ravel(), parts.ravel(), others.size).astype(np.int64).reshape(others.shape)
        state = successors[state, action, went]
    yield Moment(T, others, np.zeros((*others.shape, A), np.int64), state, np.zeros_like(state))


def gains(game: FiniteMFG, n_agents: int, pi: Array, deviations: Array, games: int, rng: np.random.Generator) -> Array:
    """[D, games]: what the one earns more by deviations[D, T, S, A] than by pi, among N - 1 who play pi."""
    own = np.concatenate([pi[None], deviations])
    world, each = np.arange(len(own))[:, None], np.arange(games)
    earned = np.zeros((len(own), games))
    for now in play(game, n_agents, pi, own, games, rng):
        if now.t == game.horizon:
            last = game.terminals((now.others + np.eye(game.num_states)[now.state]) / n_agents)
            earned += last[world, each, now.state]
            continue
        if game.sees_actions:
            seen = now.chosen + _ones(game.shape[1:])[now.state, now.action]
        else:
            seen = now.others + np.eye(game.num_states)[now.state]
        r = game.reward(np.array([now.t]), np.expand_dims(seen / n_agents, 2))
        earned += r[world, each, 0, now.state, now.action]
    return np.asarray(earned[1:] - earned[0])


def averaged_response(game: FiniteMFG, n_agents: int, pi: Array, games: int, rng: np.random.Generator) -> BestResponse:
    """What is best for one agent whose rewards and transitions are means over simulated others, itself counted.

    As games grow, the best response among N - 1 who play pi where transitions do not see the population; elsewhere it
    leaves out that what the agent did before says something about where the others are.
    """
    T, S, A = game.shape
    places, ones, s = np.arange(S * A), _ones((S, A)).reshape(S * A, S, A), np.arange(S)
    r, P, last = np.empty(game.shape), [], np.zeros(S)
    for now in play(game, n_agents, pi, pi[None], games, rng):
        # [games, own state, S]
        mu = (now.others[0][:, None] + np.eye(S)) / n_agents
        if now.t == T:
            last = game.terminals(mu)[:, s, s].mean(0)
            continue
        step = np.array([now.t])
        if game.sees_actions:
            x = (now.chosen[0][:, None] + ones) / n_agents
            found = game.reward(step, x[:, :, None]).reshape(games, S * A, S * A)
            r[now.t] = found[:, places, places].mean(0).reshape(S, A)
        else:
            r[now.t] = game.reward(step, mu[:, :, None])[:, s, 0, s].mean(0)
        if not game.kernel.fixed:
            P.append(game.kernel.rows(now.t, mu)[1][:, s, s].mean(0))
    flow = game.flow(pi)
    kernel = game.kernel
    if not kernel.fixed:
        kernel = MovingKernel(kernel.rows(0, flow[0])[0], lambda t, _: P[t])
    return best_response_of(Frozen(kernel, r, lambda t: flow[t], last, game.action_mask), ())


def _ones(shape: tuple[int, ...]) -> Array:
    """A one in each place: [*shape, *shape]."""
    size = int(np.prod(shape))
    return np.eye(size).reshape(*shape, *shape)


def _divided(rng: np.random.Generator, n: Counts, p: Array) -> tuple[tuple[Any, ...], Counts]:
    """How n[W, ...] agents divide by p[W, ..., K]: the index of cells in which there are any, and counts [W, cells, K].

    A chain of binomials.
    """
    index: tuple[Any, ...] = (slice(None), *np.nonzero(n.any(0)))
    left, rows = n[index], p[index]
    # what is left for k and those after it: exactly p_k for the last that has any, which so takes all that are left
    rest = rows[..., ::-1].cumsum(-1)[..., ::-1]
    chance = np.divide(rows, rest, out=np.zeros(rows.shape), where=rest > 0)
    found = np.empty(rows.shape, np.int64)
    for k in range(rows.shape[-1] - 1):
        found[..., k] = coupled_binomial(rng, left, chance[..., k])
        left = left - found[..., k]
    found[..., -1] = left
    return index, found


def coupled_binomial(rng: np.random.Generator, n: Counts, p: Array) -> Counts:
    """Binomial(n, p) in each of W worlds [W, cells]: agents that all worlds have, by the least of p, are shared."""
    least, chance = n.min(0), p.min(0)
    shared = rng.binomial(least, chance)
    more = np.divide(p - chance, 1 - chance, out=np.zeros(p.shape), where=chance < 1)
    found = shared + rng.binomial(least - shared, more.clip(0, 1)) + rng.binomial(n - least, p)
    return np.asarray(found, np.int64)
