"""Exploitability of batches of policies in machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from envs.mean_field.game import FiniteMFG, check_kind
from envs.mean_field.kernel import Array
from envs.mean_field.loops import exploitability_loop, tables
from envs.mean_field.stepwise import refusal, stepwise

AGREEMENT = 1e-8
"""Relative to the exploitability, where that is above 1."""


def machine_code(game: FiniteMFG) -> Callable[[ArrayLike], Array]:
    """`game.exploitability` in machine code: policies [..., T, S, A] -> shape of the batch, equal to 1e-10.

    One loop where the game has loops; else steps, with NumPy's rewards and laws of the whole batch between them.
    Compiles when made, some seconds; keep it where it is called often.

    Raises:
        ValueError: for more transitions than 32 bits count, or loops that give other numbers than the game: one whose
            rewards were replaced keeps its loops.
    """
    check_kind(game, "machine code")
    found = stepwise(game) if game.loops is None else _looped(game)
    pi = game.uniform_policy()
    loops, numpy = float(found(pi)), float(game.exploitability(pi))
    if not abs(loops - numpy) <= AGREEMENT * max(1.0, abs(numpy)):
        raise ValueError(
            f"{game.name}: its loops give an exploitability of {loops:.12g} of the uniform policy, its functions "
            f"{numpy:.12g}; give loops that fit its functions, or loops=None"
        )
    return found


def _looped(game: FiniteMFG) -> Callable[[ArrayLike], Array]:
    assert game.loops is not None
    shape, masked = game.shape, game.action_mask is not None
    successors, prob = game.kernel.rows(0, game.initial)
    loop = exploitability_loop(
        game.loops.reward, game.loops.law, game.loops.terminal, game.num_actions, successors.shape[2], masked
    )
    of, params = tables(game.initial, successors, prob, game.action_mask), _own(game.loops.params)
    index, numbers = of.index, of.numbers

    def exploitability(pi: ArrayLike) -> Array:
        policies = np.ascontiguousarray(pi, float)
        if policies.shape[-3:] != shape:
            game.check_policy(policies)
        lead = policies.shape[:-3]
        # one policy is the common case, and reshaping takes as long as a small game
        flat = policies.reshape(-1, *shape) if lead else policies[None]
        found = np.empty(len(flat))
        if not loop(flat, index, numbers, params, found):
            raise refusal(game, policies)
        if masked:
            game.check_policy(policies)
        return found.reshape(lead)

    return exploitability


def _own(given: Any) -> Any:
    """Copies of all arrays, of which one compiled loop serves all: it would not serve those that are read-only."""
    if isinstance(given, tuple):
        return tuple(map(_own, given))
    return np.array(given, order="C") if isinstance(given, np.ndarray) else given


def exploitabilities(game: FiniteMFG, pi: ArrayLike) -> Array:
    """`game.exploitability(pi)` of policies [..., T, S, A] by `machine_code`: the same numbers to 1e-10.

    Raises:
        BadPolicy: for what is no policy of this game.
    """
    return machine_code(game)(pi)
