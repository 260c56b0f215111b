"""Exploitability of batches of policies in machine code, for games whose arithmetic is given as loops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array
from envs.mean_field.loops import arrivals, exploitability_loop


def machine_code(game: FiniteMFG) -> Callable[[ArrayLike], Array]:
    """`game.exploitability` as one compiled loop: policies [..., T, S, A] -> shape of the batch, equal to 1e-10.

    Compiles at its first call, some seconds; keep it where it is called often.

    Raises:
        ValueError: where the game has no loops.
    """
    if game.loops is None:
        raise ValueError(f"{game.name} has no loops for machine code; game.exploitability takes any game")
    shape, masked = game.shape, game.action_mask is not None
    successors, prob = game.kernel.rows(0, game.initial)
    into = arrivals(successors)
    loop = exploitability_loop(
        game.loops.reward, game.loops.law, game.loops.terminal, game.num_actions, successors.shape[2], masked
    )
    mask = np.ones((1, 1), bool) if game.action_mask is None else np.ascontiguousarray(game.action_mask)
    given = (
        np.ascontiguousarray(game.initial), successors.astype(np.uint32), into.first, into.origin, into.entry,
        np.ascontiguousarray(prob), mask, game.loops.params,
    )  # fmt: skip

    def exploitability(pi: ArrayLike) -> Array:
        policies = np.ascontiguousarray(pi, float)
        if policies.shape[-3:] != shape:
            game.check_policy(policies)
        flat = policies.reshape(-1, *shape)
        found = np.empty(len(flat))
        if not loop(flat, *given, found) or masked:
            # says what is wrong, where something is
            game.check_policy(policies)
        return found.reshape(policies.shape[:-3])

    return exploitability


def exploitabilities(game: FiniteMFG, pi: ArrayLike) -> Array:
    """`game.exploitability(pi)` of policies [..., T, S, A] by one compiled loop: the same numbers to 1e-10.

    Raises:
        ValueError: where the game has no loops.
        BadPolicy: for what is no policy of this game.
    """
    return machine_code(game)(pi)
