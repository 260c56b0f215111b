"""Games by their rules: two players who want to meet, a zero-sum game with a corner that play never sees, matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from envs.markov.checks import BadGame, numbers
from envs.markov.game import MarkovGame


def one_step(rewards: ArrayLike, name: str = "game") -> MarkovGame:
    """A game of one state and one step from rewards [n, A_1, .., A_n].

    Raises:
        BadGame: for another shape, or rewards that are not finite.
    """
    pay = numbers(rewards, f"{name}: rewards", BadGame)
    n = pay.shape[0] if pay.ndim else 0
    if n < 2 or pay.ndim != n + 1 or not pay.size:
        raise BadGame(f"{name}: rewards have shape {pay.shape}; want [n, A_1, .., A_n] of n = 2 agents or more")
    stays = np.ones((1, *pay.shape[1:], 1))
    return MarkovGame(transitions=stays, rewards=pay[:, None], start=np.ones(1), discount=0.0, name=name)


def bimatrix(first: ArrayLike, second: ArrayLike, name: str = "bimatrix") -> MarkovGame:
    """A game of one step from the two players' rewards [A_1, A_2]; raises BadGame."""
    shapes = np.shape(first), np.shape(second)
    if shapes[0] != shapes[1]:
        raise BadGame(
            f"{name}: the players' rewards have shapes {shapes[0]} and {shapes[1]}; want two alike [A_1, A_2]"
        )
    return one_step(np.stack([np.asarray(first), np.asarray(second)]), name)


def coordination() -> MarkovGame:
    """One state, one step, actions A and B; both get 1 if they play the same.

    With p, q the probabilities of A: V = p q + (1 - p)(1 - q), NashConv = max(q, 1 - q) + max(p, 1 - p) - 2 V.
    """
    return bimatrix(np.eye(2), np.eye(2), "coordination")


def zero_sum(discount: float = 0.9) -> MarkovGame:
    """States s0, s1, s2, s3, X1, X2, C, three actions each, start s0; the reward is of the state that one is in.

    s0: (2, 2) -> s2, else -> s1. s1: (0, 0), (1, 1) -> X1; (0, 1), (1, 0) -> X2; else -> C. s2 -> s3. s3, X1, X2 and C
    stay. The first player gets +1 a step in X1 and -1 in X2, the second the negative. Who plays (2, 2) never sees s1,
    and how well it could be exploited is decided there: with K = discount^2 / (1 - discount) by K |q0 - q1| for the
    first player and K |p0 - p1| for the second.
    """
    names = ("s0", "s1", "s2", "s3", "X1", "X2", "C")
    s0, s1, s2, s3, x1, x2, c = range(7)
    after = np.zeros((7, 3, 3), int)
    after[s0] = s1
    after[s0, 2, 2] = s2
    after[s1] = c
    after[s1, [0, 1], [0, 1]] = x1
    after[s1, [0, 1], [1, 0]] = x2
    after[s2] = s3
    for stays in (s3, x1, x2, c):
        after[stays] = stays
    first = np.zeros(7)
    first[x1], first[x2] = 1, -1
    return MarkovGame(
        transitions=np.eye(7)[after],
        rewards=np.stack([first, -first]),
        start=np.eye(7)[s0],
        discount=discount,
        name="zero-sum",
        state_names=names,
    )


def zero_sum_garnet(
    states: int, actions: int, successors: int, seed: int, discount: float = 0.9, name: str = "zero-sum garnet"
) -> MarkovGame:
    """A random two-player zero-sum game that begins in its first state.

    Every joint action leads to `successors` different states with Dirichlet(1) probabilities; the first player's
    rewards are standard normal (Archibald, McKinnon and Thomas 1995).

    Raises:
        ValueError: for numbers below 1, or more successors than states.
    """
    if min(states, actions, successors) < 1 or successors > states:
        raise ValueError(
            f"{name}: {states} states, {actions} actions, {successors} successors; want 1 or more of each, and no more "
            "successors than states"
        )
    rng = np.random.default_rng(seed)
    places = rng.random((states, actions, actions, states)).argsort(-1)[..., :successors]
    moves = np.zeros((states, actions, actions, states))
    np.put_along_axis(moves, places, rng.dirichlet(np.ones(successors), (states, actions, actions)), -1)
    first = rng.normal(size=(states, actions, actions))
    return MarkovGame(
        transitions=moves,
        rewards=np.stack([first, -first]),
        start=np.eye(states)[0],
        discount=discount,
        name=name,
    )
