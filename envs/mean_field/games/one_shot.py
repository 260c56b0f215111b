"""Games of one decision whose equilibria are known: left or right, and rock, paper, scissors.

One state; rewards are of the shares of those who choose as oneself, and of the others.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, FixedKernel, dense


def left_right() -> FiniteMFG:
    """r(L) = -L, r(R) = -2 R of the shares that go left and right (Cui and Koeppl 2021). Equilibrium pi(L) = 2/3.

    Among N agents its gap there is 1 / (3 N).
    """

    def reward(t: NDArray[np.int64], x: Array) -> Array:
        return np.asarray(-x * np.array([1.0, 2.0]))

    return FiniteMFG(
        name="left-right",
        horizon=1,
        initial=np.ones(1),
        kernel=_one_state(2),
        reward=reward,
        sees_actions=True,
        local=True,
    )


def rock_paper_scissors() -> FiniteMFG:
    """r(R) = 2 s - p, r(P) = 4 r - 2 s, r(S) = 6 p - 3 r (Cui and Koeppl 2021). Equilibrium (26, 20, 31) / 77."""
    payoff = np.array([[0.0, -1.0, 2.0], [4.0, 0.0, -2.0], [-3.0, 6.0, 0.0]])

    def reward(t: NDArray[np.int64], x: Array) -> Array:
        return np.asarray(x @ payoff.T)

    return FiniteMFG(
        name="rock-paper-scissors",
        horizon=1,
        initial=np.ones(1),
        kernel=_one_state(3),
        reward=reward,
        sees_actions=True,
    )


def _one_state(actions: int) -> FixedKernel:
    return dense(np.ones((1, actions, 1)))
