"""Exploitability of eight policies at a time, for games whose transitions are fixed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from envs.compiled import compiled, inlined
from envs.mean_field.kernel import Array
from envs.mean_field.lanes import LANES, alike, below, gather, larger, load, minus, plus, store, times
from envs.mean_field.loops import SUM_TOLERANCE, no_felt, no_terminal
from envs.mean_field.tables import unpacked


@cache
def lanes_loop(
    reward: Callable[..., None],
    terminal: Callable[..., None] | None,
    felt: Callable[..., None] | None,
    actions: int,
    width: int,
    masked: bool,
) -> Callable[..., bool]:
    """The compiled loop of one game's functions: `exploitability_loop`, of pi[B, T, S, A] into out[B], for B = 8 n.

    It returns whether all is well, and stops at the first eight with one that is not.
    """
    ends, feels = terminal is not None, felt is not None
    fill_reward = inlined(reward)
    fill_terminal, fill_felt, views = inlined(terminal or no_terminal), inlined(felt or no_felt), compiled(unpacked)

    def loop(pi: Array, table: Array, params: Any, out: Array) -> bool:
        B, T, S, _ = pi.shape
        initial, prob, arriving, landing, first, members, successors, since, origin, _, mask = views(
            table, S, actions, width
        )
        D, pairs = len(first) - 1, S * actions
        policies = pi.reshape(B * T * pairs)
        # the last axis is the policy, everywhere
        mu, told, best, after = np.empty(S * LANES), np.empty(S * LANES), np.empty(S * LANES), np.empty(S * LANES)
        x, r, landed = np.empty(pairs * LANES), np.empty(T * pairs * LANES), np.empty(D * LANES)
        seen = (told if feels else mu).reshape(S, LANES)
        occupancy, rewards = x.reshape(S, actions, LANES), r.reshape(T, S, actions, LANES)
        faults, zero = np.empty(LANES), alike(0.0)
        for b in range(0, B, LANES):
            own, wrong = zero, zero
            for s in range(S):
                store(mu, s * LANES, alike(initial[s]))
            for t in range(T):
                for s in range(S):
                    mass, total = load(mu, s * LANES), zero
                    for a in range(actions):
                        i = s * actions + a
                        p = gather(policies, (b * T + t) * pairs + i, T * pairs)
                        wrong = plus(wrong, below(p, zero))
                        if masked and not mask[i]:
                            wrong = plus(wrong, below(zero, p))
                        total = plus(total, p)
                        store(x, i * LANES, times(mass, p))
                    off = minus(total, alike(1.0))
                    wrong = plus(wrong, below(alike(SUM_TOLERANCE), larger(off, minus(zero, off))))
                if feels:
                    fill_felt(mu, told)
                for lane in range(LANES):
                    fill_reward(t, seen[:, lane], occupancy[:, :, lane], params, rewards[t, :, :, lane])
                for d in range(D):
                    together = zero
                    for j in range(first[d], first[d + 1]):
                        together = plus(together, load(x, members[j] * LANES))
                    store(landed, d * LANES, together)
                for s in range(S):
                    arrived = zero
                    for j in range(since[s], since[s + 1]):
                        arrived = plus(arrived, times(load(landed, origin[j] * LANES), alike(arriving[j])))
                    store(mu, s * LANES, arrived)
                for i in range(pairs):
                    if not masked or mask[i]:
                        own = plus(own, times(load(x, i * LANES), load(r, (t * pairs + i) * LANES)))
            for s in range(S):
                store(after, s * LANES, zero)
            if ends:
                for lane in range(LANES):
                    fill_terminal(mu.reshape(S, LANES)[:, lane], params, after.reshape(S, LANES)[:, lane])
                for s in range(S):
                    own = plus(own, times(load(mu, s * LANES), load(after, s * LANES)))
            for t in range(T - 1, -1, -1):
                for d in range(D):
                    ahead = zero
                    for k in range(d * width, (d + 1) * width):
                        ahead = plus(ahead, times(alike(prob[k]), load(after, successors[k] * LANES)))
                    store(landed, d * LANES, ahead)
                for s in range(S):
                    top = alike(-np.inf)
                    for a in range(actions):
                        i = s * actions + a
                        if not masked or mask[i]:
                            q = plus(load(r, (t * pairs + i) * LANES), load(landed, landing[i] * LANES))
                            top = larger(top, q)
                    store(best, s * LANES, top)
                best, after = after, best
            reached = zero
            for s in range(S):
                reached = plus(reached, times(load(after, s * LANES), alike(initial[s])))
            store(out, b, minus(reached, own))
            store(faults, 0, wrong)
            for lane in range(LANES):
                if faults[lane] != 0.0 or not np.isfinite(out[b + lane]):
                    return False
        return True

    return compiled(loop)
