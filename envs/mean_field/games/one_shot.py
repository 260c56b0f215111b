"""Games of one decision whose equilibria are known: left or right, and rock, paper, scissors.

One state; rewards are of the shares of those who choose as oneself, and of the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, dense
from envs.mean_field.loops import Loops


def left_right() -> FiniteMFG:
    """r(L) = -L, r(R) = -2 R of the shares that go left and right (Cui and Koeppl 2021). Equilibrium pi(L) = 2/3.

    Among N agents its gap there is 1 / (3 N).
    """
    return _one_shot("left-right", np.diag([-1.0, -2.0]), local=True)


def rock_paper_scissors() -> FiniteMFG:
    """r(R) = 2 s - p, r(P) = 4 r - 2 s, r(S) = 6 p - 3 r (Cui and Koeppl 2021). Equilibrium (26, 20, 31) / 77."""
    payoff = np.array([[0.0, -1.0, 2.0], [4.0, 0.0, -2.0], [-3.0, 6.0, 0.0]])
    return _one_shot("rock-paper-scissors", payoff, local=False)


def _one_shot(name: str, payoff: Array, *, local: bool) -> FiniteMFG:
    """r(a) = sum_b payoff(a, b) x(b) of the shares x."""

    def reward(t: NDArray[np.int64], x: Array) -> Array:
        return np.asarray(x @ payoff.T)

    return FiniteMFG(
        name=name,
        horizon=1,
        initial=np.ones(1),
        kernel=dense(np.ones((1, len(payoff), 1))),
        reward=reward,
        sees_actions=True,
        local=local,
        loops=Loops(_payoff_loop, (payoff,)),
    )


def _payoff_loop(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
    (payoff,) = params
    for a in range(len(payoff)):
        earned = 0.0
        for b in range(len(payoff)):
            earned += payoff[a, b] * x[0, b]
        out[0, a] = earned
