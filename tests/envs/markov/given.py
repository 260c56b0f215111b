"""Random games and profiles, and values worked out the slow way."""

from __future__ import annotations

import itertools

import numpy as np

from envs.markov import MarkovGame
from envs.markov.checks import Array


def random_game(
    rng: np.random.Generator, states: int, actions: tuple[int, ...], discount: float, successors: int = 2
) -> MarkovGame:
    """Few successors a state, so that there are sets of states of several sizes."""
    moves = np.zeros((states, *actions, states))
    for place in np.ndindex(states, *actions):
        low = place[0] if place[0] % 2 else 0
        after = rng.choice(np.arange(low, states), min(successors, states - low), replace=False)
        moves[place][after] = rng.dirichlet(np.ones(len(after)))
    pay = rng.normal(size=(len(actions), states, *actions))
    return MarkovGame(transitions=moves, rewards=pay, start=rng.dirichlet(np.ones(states)), discount=discount)


def random_profile(rng: np.random.Generator, game: MarkovGame, lead: tuple[int, ...] = ()) -> list[Array]:
    """Dirichlet rows."""
    return [rng.dirichlet(np.ones(a), (*lead, game.num_states)) for a in game.num_actions]


def slow_values(game: MarkovGame, joint: Array) -> Array:
    """V[n, S] of one joint policy by thousands of steps of iteration."""
    values = np.zeros((game.num_agents, game.num_states))
    for _ in range(3000):
        for i in range(game.num_agents):
            q = game.rewards[i] + game.discount * game.transitions @ values[i]
            values[i] = (joint * q).reshape(game.num_states, -1).sum(1)
    return values


def slow_best(game: MarkovGame, policies: list[Array], agent: int) -> Array:
    """V*[S] of an agent: the best of all its pure policies, each evaluated."""
    best = np.full(game.num_states, -np.inf)
    a = game.num_actions[agent]
    for choice in itertools.product(range(a), repeat=game.num_states):
        tried = [np.eye(a)[list(choice)] if i == agent else p for i, p in enumerate(policies)]
        moves = np.einsum("sj,sjk->sk", *flat(game, game.joint_policy(tried)))
        pay = (game.joint_policy(tried) * game.rewards[agent]).reshape(game.num_states, -1).sum(1)
        best = np.maximum(best, np.linalg.solve(np.eye(game.num_states) - game.discount * moves, pay))
    return best


def flat(game: MarkovGame, joint: Array) -> tuple[Array, Array]:
    """A joint policy [S, J] and transitions [S, J, S]."""
    return joint.reshape(game.num_states, -1), game.transitions.reshape(game.num_states, -1, game.num_states)
