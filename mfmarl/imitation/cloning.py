"""Behavioural cloning by counting: play what the expert was seen to play."""

from __future__ import annotations

import numpy as np

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array


def cloned(game: FiniteMFG, seen: Array) -> Array:
    """pi[..., T, S, A] with the frequencies of the occupancy seen[..., T, S, A].

    In a state that was not seen at a step nothing is known: there it is uniform over the actions that the state has.
    """
    visits = seen.sum(-1, keepdims=True)
    frequencies: Array = seen / np.where(visits > 0, visits, 1.0)
    return np.where(visits > 0, frequencies, game.uniform_policy())
