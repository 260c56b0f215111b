"""Values of one agent whose others play fixed policies, and the best that it can do: exact, for a batch at once.

With the others fixed, a game is one agent's decision process. Its `outcomes` in state s are an array [A, K + 1, B] for
A own actions, B policies of the others and K successors: the probability of each successor, then the reward. The batch
is the last axis, so that every step is arithmetic on long rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.markov.checks import Array
from envs.markov.layout import Index, Layout

TOLERANCE = 1e-12
"""Gains below this share of the values are rounding; policy iteration takes none of them."""
MOST_ROUNDS = 10_000


def outcomes(layout: Layout, transitions: Array, rewards: Array, agent: int, others: Array) -> list[Array]:
    """[A, K + 1, B] of every state.

    Args:
        transitions: [S, A_1, .., A_n, S]
        rewards: of the agent, [S, A_1, .., A_n]
        others: what the others play, [S, J, B] over their J joint actions in the order of agents.
    """
    found = []
    for s, after in enumerate(layout.successors):
        table = np.concatenate([transitions[s][..., after], rewards[s][..., None]], -1)
        # own actions, columns, the others' joint actions
        table = np.moveaxis(table, (agent, -1), (0, 1))
        own, columns = table.shape[:2]
        found.append((table.reshape(own * columns, -1) @ others[s]).reshape(own, columns, -1))
    return found


def policy_values(layout: Layout, discount: float, tables: Sequence[Array], own: Array) -> Array:
    """V[S, B] of an agent who plays own[S, A, B]."""
    values = np.empty((len(tables), tables[0].shape[-1]))
    for members in layout.components:
        if len(members) == 1:
            s = int(members[0])
            gain, again = _outcome(layout, discount, tables, values, s)
            values[s] = (own[s] * gain).sum(0) / (1 - (own[s] * again).sum(0))
        else:
            moves, gain = _system(layout, discount, tables, values, members)
            played = np.moveaxis(own[members], -1, 0)
            inside = np.einsum("bma,bmak->bmk", played, moves)
            values[members] = _solved(inside, np.einsum("bma,bma->bm", played, gain)).T
    return values


def best_values(layout: Layout, discount: float, tables: Sequence[Array], actions: Index | None = None) -> Array:
    """V*[S, B]; where `actions` [S, B] is given, what attains it is written there, the first of equal ones.

    A state that only leads back to itself is the best quotient over actions, since a stationary choice is optimal;
    larger sets are solved by policy iteration, until no action gains more than rounding.
    """
    shape = (len(tables), tables[0].shape[-1])
    values = np.empty(shape)
    for members in layout.components:
        if len(members) == 1:
            s = int(members[0])
            gain, again = _outcome(layout, discount, tables, values, s)
            quotient = gain / (1 - again)
            values[s] = quotient.max(0)
            if actions is not None:
                actions[s] = quotient.argmax(0)
        else:
            found, chosen = policy_iteration(*_system(layout, discount, tables, values, members))
            values[members] = found.T
            if actions is not None:
                actions[members] = chosen.T
    return values


def _outcome(
    layout: Layout, discount: float, tables: Sequence[Array], values: Array, s: int
) -> tuple[Array, Array | float]:
    """What each action of a state is worth until the state itself comes again, and its discounted probability."""
    table = tables[s]
    gain, again = table[:, -1].copy(), np.zeros(())
    for k, after in enumerate(layout.successors[s]):
        if after == s:
            again = discount * table[:, k]
        else:
            gain += table[:, k] * (discount * values[after])
    return gain, again


def _system(
    layout: Layout, discount: float, tables: Sequence[Array], values: Array, members: Index
) -> tuple[Array, Array]:
    """Of a set of m states: discounted moves inside it [B, m, A, m], and what actions are worth outside [B, m, A]."""
    (own, _, batch), m = tables[0].shape, len(members)
    moves, gain = np.zeros((batch, m, own, m)), np.empty((batch, m, own))
    where = {int(s): i for i, s in enumerate(members)}
    for i, s in enumerate(members):
        table = tables[s]
        outside = table[:, -1].copy()
        for k, after in enumerate(layout.successors[s]):
            if int(after) in where:
                moves[:, i, :, where[int(after)]] = discount * table[:, k].T
            else:
                outside += table[:, k] * (discount * values[after])
        gain[:, i] = outside.T
    return moves, gain


def _solved(inside: Array, gain: Array) -> Array:
    return np.asarray(np.linalg.solve(np.eye(gain.shape[1]) - inside, gain[..., None])[..., 0])


def policy_iteration(moves: Array, gain: Array) -> tuple[Array, Index]:
    """V*[B, m] and actions[B, m] (Howard 1960)."""
    actions = gain.argmax(2)
    values = np.empty(actions.shape)
    todo = np.arange(len(gain))
    for _ in range(MOST_ROUNDS):
        chosen = actions[todo][..., None]
        inside = np.take_along_axis(moves[todo], chosen[..., None], 2)[:, :, 0]
        now = _solved(inside, np.take_along_axis(gain[todo], chosen, 2)[..., 0])
        q = gain[todo] + np.einsum("bmak,bk->bma", moves[todo], now)
        values[todo] = now
        better = q.max(2) - now > TOLERANCE * (1 + np.abs(now).max(1, keepdims=True))
        actions[todo] = np.where(better, q.argmax(2), actions[todo])
        todo = todo[better.any(1)]
        if not len(todo):
            return values, actions
    raise RuntimeError(f"policy iteration did not settle in {MOST_ROUNDS} rounds; is the discount too near 1?")
