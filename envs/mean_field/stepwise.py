"""Exploitability of batches step by step in machine code, for games whose rewards and laws are NumPy functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.compiled import compiled
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array
from envs.mean_field.loops import SUM_TOLERANCE

Index = NDArray[np.uint32]
"""Unsigned: machine code then need not look for negative ones."""


def stepwise(game: FiniteMFG) -> Callable[[ArrayLike], Array]:
    """`game.exploitability`: policies [..., T, S, A] -> shape of the batch. It holds the probabilities of all steps."""
    push, best = compiled(push_loop), compiled(best_loop)
    T, S, A = game.shape
    mask = np.array(np.ones((S, A), bool) if game.action_mask is None else game.action_mask)
    found, fixed = game.kernel.rows(0, game.initial)
    successors = np.array(found, np.uint32, order="C")

    def exploitability(pi: ArrayLike) -> Array:
        policies = game.check_policy(pi)
        flat = policies.reshape(-1, T, S, A)
        # steps before the batch, so that each is one piece of memory
        played = np.array(flat.swapaxes(0, 1), order="C")
        mu = np.empty((T + 1, len(flat), S))
        mu[0] = game.initial
        probs = []
        for t in range(T):
            prob = fixed if game.kernel.fixed else game.kernel.rows(t, mu[t])[1]
            # one for all, or one for each of the batch
            probs.append(np.require(prob.reshape(-1, *successors.shape), float, ["C", "W"]))
            push(mu[t], played[t], successors, probs[t], mu[t + 1])
        if not game.kernel.fixed and not np.abs(mu.sum(-1) - 1).max() <= SUM_TOLERANCE:
            raise refusal(game, policies)
        flow = np.ascontiguousarray(mu.swapaxes(0, 1))
        r = np.where(mask, game.rewards(flow, flat), 0.0)
        last = game.terminals(mu[T])
        if not (np.isfinite(r).all() and np.isfinite(last).all()):
            raise refusal(game, policies)
        own = (flow[:, :-1, :, None] * flat * r).sum((1, 2, 3)) + (mu[T] * last).sum(-1)
        earned = np.array(np.broadcast_to(r, flat.shape).swapaxes(0, 1), order="C")
        after, now = np.array(last, float, order="C"), np.empty(mu[T].shape)
        for t in reversed(range(T)):
            best(earned[t], after, successors, probs[t], mask, now)
            after, now = now, after
        return np.asarray(after @ game.initial - own).reshape(policies.shape[:-3])

    return exploitability


def refusal(game: FiniteMFG, pi: ArrayLike) -> ValueError:
    """What is wrong with policies [..., T, S, A], or their flows or rewards, as the game's own functions say it."""
    try:
        game.exploitability(pi)
    except ValueError as error:
        return error
    return ValueError(f"{game.name}: machine code's flows or gaps are not finite or no masses, and the game's own are")


def push_loop(mu: Array, pi: Array, successors: Index, prob: Array, out: Array) -> None:
    """Where mu[B, S] goes by pi[B, S, A] and prob[B or 1, S, A, K]: into out[B, S]."""
    B, S, A = pi.shape
    for b in range(B):
        row = prob[b if len(prob) > 1 else 0]
        for s in range(S):
            out[b, s] = 0.0
        for s in range(S):
            for a in range(A):
                x = mu[b, s] * pi[b, s, a]
                for k in range(successors.shape[2]):
                    out[b, successors[s, a, k]] += x * row[s, a, k]


def best_loop(r: Array, after: Array, successors: Index, prob: Array, mask: NDArray[np.bool_], out: Array) -> None:
    """The most of r[B, S, A] + E after[B, S'] over the actions of mask[S, A]: into out[B, S]."""
    B, S, A = r.shape
    for b in range(B):
        row = prob[b if len(prob) > 1 else 0]
        for s in range(S):
            top = -np.inf
            for a in range(A):
                if mask[s, a]:
                    q = r[b, s, a]
                    for k in range(successors.shape[2]):
                        q += row[s, a, k] * after[b, successors[s, a, k]]
                    top = max(top, q)
            out[b, s] = top
