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
Index = NDArray[np.uint32]
"""Unsigned: machine code then need not look for negative ones."""

SUM_TOLERANCE = 1e-9
"""Within which rows of policies and distributions sum to 1."""


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


@dataclass(frozen=True)
class Tables:
    """A game's transitions as two arrays: every further array that machine code is given takes it .15 us to receive."""

    index: Index
    """next[S, A, K]; where mass comes from, sorted by where it arrives: first[S + 1], of which entries first[s] to
    first[s + 1] lead to s, origin[S A K], the s A + a of each, entry[S A K], its place in prob; the mask [S, A]."""
    numbers: Array
    """initial[S], prob[S, A, K], the same in the order of arrival."""


def tables(initial: Array, successors: NDArray[np.int64], prob: Array, mask: NDArray[np.bool_] | None) -> Tables:
    """Of next[S, A, K]: mass is then summed up where it arrives, in a register, and not added to memory entry by entry.

    Raises:
        ValueError: for more entries than 32 bits count.
    """
    states, actions, width = successors.shape
    if 3 * successors.size >= 2**32:
        raise ValueError(f"{successors.size} transitions are too many for machine code; want fewer than 2^32 / 3")
    order = np.argsort(successors.ravel(), kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(successors.ravel(), minlength=states))])
    allowed = np.ones((states, actions), bool) if mask is None else mask
    index = np.concatenate([successors.ravel(), first, order // width, order, allowed.ravel()]).astype(np.uint32)
    return Tables(index, np.concatenate([initial, prob.ravel(), prob.ravel()[order]]))


@cache
def exploitability_loop(
    reward: Callable[..., None],
    law: Callable[..., None] | None,
    terminal: Callable[..., None] | None,
    actions: int,
    width: int,
    masked: bool,
) -> Callable[..., bool]:
    """The compiled loop of one game's functions, for A actions of K successors each, which it unrolls.

    It returns whether all is well, and stops at the first policy with a row that is no distribution, a flow that gains
    or loses mass, or a result that is not finite.
    """
    fill_reward = compiled(reward)
    moves, ends = law is not None, terminal is not None
    fill_law = compiled(_no_law if law is None else law)
    fill_terminal = compiled(_no_terminal if terminal is None else terminal)

    def loop(pi: Array, index: Index, numbers: Array, params: Any, out: Array) -> bool:
        B, T, S, _ = pi.shape
        pairs, entries = S * actions, S * actions * width
        successors = index[:entries].reshape(S, actions, width)
        first, lists = index[entries : entries + S + 1], index[entries + S + 1 :]
        origin, entry, mask = lists[:entries], lists[entries : 2 * entries], lists[2 * entries :].reshape(S, actions)
        initial, fixed = numbers[:S], numbers[S : S + entries].reshape(S, actions, width)
        arriving = numbers[S + entries :]
        mu, r, x = np.empty(S), np.empty((T, S, actions)), np.empty((S, actions))
        flat = x.reshape(pairs)
        probs = np.empty((T if moves else 1, S, actions, width))
        best, after = np.empty(S), np.empty(S)
        for b in range(B):
            # element by element: slices would have numba compile their error messages too, for seconds
            for s in range(S):
                mu[s] = initial[s]
            own = 0.0
            for t in range(T):
                for s in range(S):
                    total = 0.0
                    for a in range(actions):
                        p = pi[b, t, s, a]
                        # NaN is not 0 or more
                        if not p >= 0.0:
                            return False
                        total += p
                        x[s, a] = mu[s] * p
                    if abs(total - 1.0) > SUM_TOLERANCE:
                        return False
                fill_reward(t, mu, x, params, r[t])
                if moves:
                    fill_law(t, mu, params, probs[t])
                # what a population earns is what its occupancy meets: no second sweep is needed for it
                for s in range(S):
                    earned = 0.0
                    for a in range(actions):
                        if not masked or mask[s, a]:
                            earned += x[s, a] * r[t, s, a]
                    own += earned
                row = probs[t].reshape(entries) if moves else arriving
                mass = 0.0
                for s in range(S):
                    arrived = 0.0
                    for j in range(first[s], first[s + 1]):
                        arrived += flat[origin[j]] * (row[entry[j]] if moves else row[j])
                    mu[s] = arrived
                    mass += arrived
                if moves and not abs(mass - 1.0) <= SUM_TOLERANCE:
                    return False
            if ends:
                fill_terminal(mu, params, after)
                for s in range(S):
                    own += mu[s] * after[s]
            else:
                for s in range(S):
                    after[s] = 0.0
            for t in range(T - 1, -1, -1):
                prob = probs[t] if moves else fixed
                for s in range(S):
                    top = -np.inf
                    for a in range(actions):
                        if masked and not mask[s, a]:
                            continue
                        q = r[t, s, a]
                        for k in range(width):
                            q += prob[s, a, k] * after[successors[s, a, k]]
                        top = max(top, q)
                    best[s] = top
                best, after = after, best
            reached = 0.0
            for s in range(S):
                reached += after[s] * initial[s]
            out[b] = reached - own
            if not np.isfinite(out[b]):
                return False
        return True

    return compiled(loop)


def _no_law(t: int, mu: Array, params: Any, out: Array) -> None:
    """Of a kernel that is fixed; never called."""


def _no_terminal(mu: Array, params: Any, out: Array) -> None:
    """Of a game that ends with nothing; never called."""
