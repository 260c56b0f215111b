"""Exploitability of a batch of policies in machine code, for games whose arithmetic is given as loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array
from envs.mean_field.loops import exploitability_loop


def exploitabilities(game: FiniteMFG, pi: ArrayLike) -> Array:
    """`game.exploitability(pi)` of policies [..., T, S, A] by one compiled loop: the same numbers to 1e-10.

    Raises:
        ValueError: where the game has no loops.
        BadPolicy: for what is no policy of this game.
    """
    if game.loops is None:
        raise ValueError(f"{game.name} has no loops for machine code; game.exploitability takes any game")
    policies = game.check_policy(pi)
    flat = np.ascontiguousarray(policies.reshape(-1, *game.shape))
    found = np.empty(len(flat))
    successors, prob = game.kernel.rows(0, game.initial)
    mask = np.ones(game.shape[1:], bool) if game.action_mask is None else game.action_mask
    loop = exploitability_loop(game.loops.reward, game.loops.law, game.loops.terminal)
    loop(flat, game.initial, successors, prob, mask, game.loops.params, found)
    return found.reshape(policies.shape[:-3])
