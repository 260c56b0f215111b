"""Numbered states as a table: P[S, A, S'] of an environment that has one, or counted from what was played."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import Demonstrations, Transitions
from mfmarl.imitation.environments import MakeEnv, maker
from mfmarl.imitation.soft_values import Array


@dataclass(frozen=True)
class TabularModel:
    """States that end the task are absorbing: every action stays there, so what follows an end goes on for ever."""

    transitions: Array
    """P[S, A, S']"""
    start: Array
    """[S]"""
    rewards: Array | None = None
    """r[S, A], the environment's own expected ones, where it tells; 0 after the end."""


def model_of(env: str | MakeEnv) -> TabularModel | None:
    """Of gymnasium's toy texts and whatever else has `P` and `initial_state_distrib`; None of others.

    Raises:
        UserError: where a state both ends the task and does not.
    """
    made = maker(env)()
    bare: Any = made.unwrapped
    table, start = getattr(bare, "P", None), getattr(bare, "initial_state_distrib", None)
    made.close()  # type: ignore[no-untyped-call]
    if not isinstance(table, Mapping) or start is None:
        return None
    S, A = len(table), len(table[0])
    P, r, ends = np.zeros((S, A, S)), np.zeros((S, A)), np.zeros((S, A, S), bool)
    for s, a in np.ndindex(S, A):
        for probability, after, reward, done in table[s][a]:
            P[s, a, after] += probability
            r[s, a] += probability * reward
            ends[s, a, after] |= bool(done)
    first = np.asarray(start, float)
    return _with_ends(P, first / first.sum(), ends, r)


def _with_ends(P: Array, start: Array, ends: NDArray[np.bool_], r: Array) -> TabularModel:
    """With ends made absorbing, judged by what can be reached: rows that are never played may say anything."""
    S = len(start)
    reached, frontier = start > 0, start > 0
    over = np.zeros(S, bool)
    while frontier.any():
        moves = P[frontier] > 0
        found = ends[frontier]
        over |= (moves & found).any((0, 1))
        ahead = (moves & ~found).any((0, 1))
        frontier = ahead & ~reached
        reached |= ahead
    if (over & reached).any():
        at = int(np.argmax(over & reached))
        raise UserError(f"state {at} both ends the task and goes on; want ends that are states of their own")
    P, r = P.copy(), r.copy()
    P[over], r[over] = np.eye(S)[over][:, None], 0.0
    return TabularModel(P, start, r)


def counted(demonstrations: Demonstrations, played: Transitions | None) -> tuple[TabularModel, int]:
    """P by frequencies of demonstrations and other steps, and how many pairs were never seen: these stay put."""
    shown = demonstrations.transitions
    S, A = demonstrations.spaces.state_dim, demonstrations.spaces.action_dim
    seen, ends = np.zeros((S, A, S)), np.zeros(S, bool)
    for steps in (shown, played) if played is not None else (shown,):
        after = numbers(steps.next_states)
        np.add.at(seen, (numbers(steps.states), steps.actions, after), 1.0)
        ends[after[steps.terminated]] = True
    seen[ends] = 0.0
    visits = seen.sum(-1, keepdims=True)
    unseen = int((visits == 0).sum()) - int(ends.sum()) * A
    P = np.where(visits > 0, seen / np.where(visits > 0, visits, 1.0), np.eye(S)[:, None])
    first = numbers(np.stack([demonstrations[i].observations[0] for i in range(len(demonstrations))]))
    return TabularModel(P, np.bincount(first, minlength=S) / len(first)), unseen


def expert_occupancy(demonstrations: Demonstrations, discount: float) -> Array:
    """x[S, A] of demonstrations: (1 - discount) sum_t discount^t, a mean over episodes; sums to 1.

    What follows the task's end counts as an endless stay, whatever is done there. What follows a truncation is not
    known: weights of what was seen stand for it. Of a subsample each step stands for as many as were left out.
    """
    S, A = demonstrations.spaces.state_dim, demonstrations.spaces.action_dim
    steps, lengths = demonstrations.transitions, demonstrations.lengths
    x = np.zeros((S, A))
    each = lengths.sum() / demonstrations.steps
    np.add.at(x, (numbers(steps.states), steps.actions), each * (1 - discount) * discount**demonstrations.ages)
    over = demonstrations.terminated
    np.add.at(x, numbers(demonstrations.last)[over], (discount ** lengths[over])[:, None] / A)
    total: Array = x / x.sum()
    return total


def numbers(states: NDArray[np.float32]) -> NDArray[np.int64]:
    """Of one-hot rows [n, S]: [n].

    Raises:
        UserError: for rows that are none.
    """
    plain = ((states == 0) | (states == 1)).all(1) & (states.sum(1) == 1)
    if not plain.all():
        row = states[int(np.argmin(plain))].tolist()
        raise UserError(f"maxent_irl takes numbered states, one-hot; got {row[:8]}: want an environment with Discrete")
    return np.asarray(states.argmax(1), np.int64)


def optimal_actions(model: TabularModel, discount: float = 0.999) -> NDArray[np.int64]:
    """[S], best by the environment's own rewards: policy iteration.

    Raises:
        UserError: where the rewards are not known.
    """
    if model.rewards is None:
        raise UserError("the best policy needs rewards; this environment does not tell them")
    P, r, S = model.transitions, model.rewards, len(model.start)
    best = np.zeros(S, np.int64)
    while True:
        rows = np.arange(S)
        V = np.linalg.solve(np.eye(S) - discount * P[rows, best], r[rows, best])
        Q = r + discount * P @ V
        # ties stay as they are, or it would never end
        better = Q.max(1) > Q[rows, best] + 1e-10
        if not better.any():
            return best
        best = np.where(better, Q.argmax(1), best)
