"""Exploitability as one compiled loop over a batch of policies: no array is made but one policy's flow and rewards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Loops:
    """A game's arithmetic as loops for machine code: the same numbers as its NumPy functions."""

    reward: Callable[..., None]
    """(t, mu[S], L[S, A], params, out[S, A]): fills the rewards of step t; L is the population's occupancy."""
    params: tuple[Any, ...] = ()
    """Arrays and numbers that the loops read."""
    law: Callable[..., None] | None = None
    """(t, mu[S], params, out[S, A, K]): fills the transition probabilities of step t; None where they are fixed."""
    terminal: Callable[..., None] | None = None
    """(mu[S], params, out[S]): fills the rewards after the last decision; None where there are none."""


@cache
def exploitability_loop(
    reward: Callable[..., None], law: Callable[..., None] | None, terminal: Callable[..., None] | None
) -> Callable[..., None]:
    """The compiled loop of one game's functions."""
    fill_reward = compiled(reward)
    moves = law is not None
    fill_law = compiled(_no_law if law is None else law)
    fill_terminal = compiled(_no_terminal if terminal is None else terminal)

    def loop(
        pi: Array, initial: Array, successors: NDArray[np.int64], fixed: Array, mask: NDArray[np.bool_], params: Any,
        out: Array,
    ) -> None:  # fmt: skip
        B, T, S, A = pi.shape
        K = successors.shape[2]
        mu = np.empty((T + 1, S))
        r = np.empty((T, S, A))
        x = np.empty((S, A))
        probs = np.empty((T if moves else 1, S, A, K))
        if not moves:
            probs[0] = fixed
        best, own, best_next, own_next = np.empty(S), np.empty(S), np.empty(S), np.empty(S)
        for b in range(B):
            mu[0] = initial
            for t in range(T):
                for s in range(S):
                    for a in range(A):
                        x[s, a] = mu[t, s] * pi[b, t, s, a]
                    mu[t + 1, s] = 0.0
                p = t if moves else 0
                if moves:
                    fill_law(t, mu[t], params, probs[p])
                fill_reward(t, mu[t], x, params, r[t])
                for s in range(S):
                    for a in range(A):
                        for k in range(K):
                            mu[t + 1, successors[s, a, k]] += x[s, a] * probs[p, s, a, k]
            fill_terminal(mu[T], params, best_next)
            own_next[:] = best_next
            for t in range(T - 1, -1, -1):
                p = t if moves else 0
                for s in range(S):
                    top, mean = -np.inf, 0.0
                    for a in range(A):
                        if not mask[s, a]:
                            continue
                        q = q_own = r[t, s, a]
                        for k in range(K):
                            after = successors[s, a, k]
                            q += probs[p, s, a, k] * best_next[after]
                            q_own += probs[p, s, a, k] * own_next[after]
                        top = max(top, q)
                        mean += pi[b, t, s, a] * q_own
                    best[s], own[s] = top, mean
                best, best_next = best_next, best
                own, own_next = own_next, own
            gap = 0.0
            for s in range(S):
                gap += (best_next[s] - own_next[s]) * initial[s]
            out[b] = gap

    return compiled(loop)


def _no_law(t: int, mu: Array, params: Any, out: Array) -> None:
    """Of a kernel that is fixed; never called."""


def _no_terminal(mu: Array, params: Any, out: Array) -> None:
    out[:] = 0.0
