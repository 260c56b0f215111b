"""Loops of games on a graphon: those of the game at one place, told the field there instead of the distribution."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from envs.compiled import compiled
from envs.mean_field.kernel import Array
from envs.mean_field.loops import Loops, no_felt


def loops_at_places(loops: Loops, W: Array, sees_actions: bool) -> Loops:
    """Of W[M, M], for states u S + s; params are W and those of the game."""
    return Loops(
        _reward_at_places(loops.reward, loops.felt, sees_actions),
        (np.ascontiguousarray(W), loops.params),
        None if loops.law is None else _law_at_places(loops.law),
        None if loops.terminal is None else _terminal_at_places(loops.terminal),
    )


def _field(weights: Array, x: Array, out: Array) -> None:
    """z = sum_v weights(v) x_v of x[M S], in out[S]."""
    states = len(out)
    for s in range(states):
        seen = 0.0
        for v in range(len(weights)):
            seen += weights[v] * x[v * states + s]
        out[s] = seen


# one function of each game's, so that what is compiled of it is found again
@cache
def _reward_at_places(
    reward: Callable[..., None], felt: Callable[..., None] | None, sees_actions: bool
) -> Callable[..., None]:
    fill, field, fill_felt, feels = compiled(reward), compiled(_field), compiled(felt or no_felt), felt is not None

    def placed(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
        W, inner = params
        M, actions = len(W), x.shape[1]
        states = len(mu) // M
        z, told, seen = np.empty(states), np.empty(states), np.zeros((states, actions))
        for u in range(M):
            field(W[u], mu, z)
            if feels:
                fill_felt(z, told)
            if sees_actions:
                for a in range(actions):
                    field(W[u], x[:, a], seen[:, a])
            fill(t, told if feels else z, seen, inner, out[u * states : (u + 1) * states])

    return placed


@cache
def _law_at_places(law: Callable[..., None]) -> Callable[..., None]:
    fill, field = compiled(law), compiled(_field)

    def placed(t: int, mu: Array, params: Any, out: Array) -> None:
        W, inner = params
        states = len(mu) // len(W)
        z = np.empty(states)
        for u in range(len(W)):
            field(W[u], mu, z)
            fill(t, z, inner, out[u * states : (u + 1) * states])

    return placed


@cache
def _terminal_at_places(terminal: Callable[..., None]) -> Callable[..., None]:
    fill, field = compiled(terminal), compiled(_field)

    def placed(mu: Array, params: Any, out: Array) -> None:
        W, inner = params
        states = len(mu) // len(W)
        z = np.empty(states)
        for u in range(len(W)):
            field(W[u], mu, z)
            fill(z, inner, out[u * states : (u + 1) * states])

    return placed
