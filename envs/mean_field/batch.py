"""Exploitability of batches of policies in machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from envs.mean_field.game import FiniteMFG, check_kind
from envs.mean_field.kernel import Array
from envs.mean_field.lanes import LANES
from envs.mean_field.lanes_loop import lanes_loop
from envs.mean_field.loops import exploitability_loop
from envs.mean_field.stepwise import refusal, stepwise
from envs.mean_field.tables import regular, tables, unpacked

AGREEMENT = 1e-8
"""Relative to the exploitability, where that is above 1."""


def machine_code(game: FiniteMFG) -> Callable[[ArrayLike], Any]:
    """`game.exploitability` in machine code, equal to 1e-10: policies [..., T, S, A] -> shape of the batch, or a float.

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


def _looped(game: FiniteMFG) -> Callable[[ArrayLike], Any]:
    assert game.loops is not None
    shape, loops = game.shape, game.loops
    successors, prob = game.kernel.rows(0, game.initial)
    built = (game.num_actions, successors.shape[2], game.action_mask is not None)
    table = tables(game.horizon, game.initial, successors, prob, game.action_mask, loops.law is not None)
    first, since = (unpacked(table, *shape[1:], built[1])[i] for i in (4, 7))
    one = exploitability_loop(
        loops.reward, loops.law, loops.terminal, loops.felt, *built, regular(first), regular(since)
    )
    lanes = None if loops.law else lanes_loop(loops.reward, loops.terminal, loops.felt, *built)
    params = _own(loops.params)

    def exploitability(pi: ArrayLike) -> Any:
        policies = np.ascontiguousarray(pi, float)
        # one policy is the common case, and what a batch needs takes as long as a small game
        if policies.ndim == 3:
            found = one(policies, table, params)
            if found != found:
                raise refusal(game, policies)
            return found
        if policies.shape[-3:] != shape:
            game.check_policy(policies)
        lead = policies.shape[:-3]
        flat = policies.reshape(-1, *shape)
        gaps = np.empty(len(flat))
        together = len(flat) - len(flat) % LANES if lanes else 0
        if lanes and together and not lanes(flat[:together], table, params, gaps):
            raise refusal(game, policies)
        for b in range(together, len(flat)):
            gaps[b] = one(flat[b], table, params)
        if not np.isfinite(gaps).all():
            raise refusal(game, policies)
        return gaps.reshape(lead)

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
    return np.asarray(machine_code(game)(pi))
