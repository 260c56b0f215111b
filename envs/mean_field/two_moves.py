"""Games whose transitions see what the population does, not only where it is: every decision in two moves.

A kernel of this folder is told mu; where P depends on the population's occupancy L = mu pi, an agent first moves from s
to (s, a), where nothing happens yet, and goes on from there. The distribution over the pairs is L, so both reward and
transition see it in the second move. Values and exploitability are those of the game meant; states are S + S A (first
the S, then s A + a), decisions 2 T, of which the second of each has no choice.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.mean_field.checks import BadPolicy
from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, moving

OccupancyReward = Callable[[NDArray[np.int64], Array], Array]
"""(t[T], L[..., T, S, A]) -> r[..., T, S, A], for all steps at once."""
OccupancyLaw = Callable[[int, Array], Array]
"""(t, L[..., S, A]) -> P[..., S, A, S']."""


def two_moves(
    *, name: str, horizon: int, initial: Array, actions: int, reward: OccupancyReward, law: OccupancyLaw
) -> FiniteMFG:
    """The game of `horizon` decisions whose rewards and transitions see L.

    Raises:
        BadKernel: for rows of the law at the first occupancy that are no distributions.
        BadPolicy, ValueError: as `FiniteMFG`.
    """
    S, A = len(initial), actions
    places = S + S * A
    pairs = np.arange(S, places).reshape(S, A)
    # S successors each; a pair's are the states, a state's the pair alone
    successors = np.broadcast_to(np.arange(S), (places, A, S)).copy()
    successors[:S, :, 0] = pairs
    certain = np.zeros((places, A, S))
    certain[..., 0] = 1.0
    mask = np.ones((places, A), bool)
    mask[S:, 1:] = False

    def moves(t: int, mu: Array) -> Array:
        found = np.broadcast_to(certain, (*mu.shape[:-1], *certain.shape)).copy()
        if t % 2:
            P = law(t // 2, mu[..., S:].reshape(*mu.shape[:-1], S, A))
            found[..., S:, :, :] = P.reshape(*P.shape[:-3], S * A, 1, S)
        return found

    def rewards(t: NDArray[np.int64], mu: Array) -> Array:
        found = np.zeros((*mu.shape, A))
        second = t % 2 == 1
        L = mu[..., second, S:].reshape(*mu.shape[:-2], int(second.sum()), S, A)
        r = reward(t[second] // 2, L)
        found[..., second, S:, :] = r.reshape(*r.shape[:-2], S * A, 1)
        return found

    start = np.concatenate([initial, np.zeros(S * A)])
    return FiniteMFG(
        name=name,
        horizon=2 * horizon,
        initial=start,
        kernel=moving(successors, moves),
        reward=rewards,
        action_mask=mask,
    )


def in_two_moves(pi: ArrayLike) -> Array:
    """A policy pi[..., T, S, A] of the game meant, for the game in two moves: [..., 2 T, S + S A, A].

    Where a decision cannot come up it is uniform, and in the second move the one choice there is.
    """
    given = np.asarray(pi, float)
    *lead, T, S, A = given.shape
    found = np.zeros((*lead, 2 * T, S + S * A, A))
    found[..., S:, 0] = 1.0
    found[..., 0::2, :S, :] = given
    found[..., 1::2, :S, :] = 1 / A
    return found


def in_one_move(pi: ArrayLike) -> Array:
    """What a policy [..., 2 T, S + S A, A] of the game in two moves does in the game meant: pi[..., T, S, A].

    Raises:
        BadPolicy: for another shape.
    """
    given = np.asarray(pi, float)
    T, places, A = given.shape[-3:]
    if T % 2 or places % (A + 1):
        raise BadPolicy(f"a policy in two moves has shape {given.shape}; want [..., 2 T, S + S A, A]")
    return given[..., 0::2, : places // (A + 1), :].copy()
