"""Games of one decision whose equilibria are known: left or right, and rock, paper, scissors.

One state; rewards are of the shares of those who choose as oneself, and of the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG, Reward
from envs.mean_field.kernel import Array, dense


def left_right() -> FiniteMFG:
    """r(L) = -L, r(R) = -2 R of the shares that go left and right (Cui and Koeppl 2021). Equilibrium pi(L) = 2/3."""

    def reward(t: NDArray[np.int64], x: Array) -> Array:
        return np.asarray(-x * np.array([1.0, 2.0]))

    return _one_decision("left-right", 2, reward)


def rock_paper_scissors() -> FiniteMFG:
    """r(R) = 2 s - p, r(P) = 4 r - 2 s, r(S) = 6 p - 3 r (Cui and Koeppl 2021). Equilibrium (26, 20, 31) / 77."""
    payoff = np.array([[0.0, -1.0, 2.0], [4.0, 0.0, -2.0], [-3.0, 6.0, 0.0]])

    def reward(t: NDArray[np.int64], x: Array) -> Array:
        return np.asarray(x @ payoff.T)

    return _one_decision("rock-paper-scissors", 3, reward)


def _one_decision(name: str, actions: int, reward: Reward) -> FiniteMFG:
    return FiniteMFG(
        name=name,
        horizon=1,
        initial=np.ones(1),
        kernel=dense(np.ones((1, actions, 1))),
        reward=reward,
        sees_actions=True,
    )
