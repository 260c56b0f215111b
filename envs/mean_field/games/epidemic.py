"""An epidemic: keeping distance costs, being ill costs more, and who is ill makes others ill."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, moving
from envs.mean_field.loops import Loops
from envs.mean_field.ranges import check_number, check_probability


def sis(horizon: int = 50, ill: float = 0.6, imported: float = 0.0, name: str = "sis") -> FiniteMFG:
    """Susceptible, ill; actions out, distance. r = -1{ill} - .5 1{distance} (Cui and Koeppl 2021).

    Out, one falls ill with probability .9^2 mu(ill), here + `imported`; at a distance never. The ill recover with
    probability .3.

    Raises:
        ValueError: for a setting out of its range, such as more imported than leaves a probability.
    """
    check_probability(name, "ill", ill)
    check_number(name, "imported", imported, least=0, most=0.19)
    rewards = np.array([[0.0, -0.5], [-1.0, -1.5]])
    return epidemic(horizon, ill, rewards, infection=0.9**2, imported=imported, recovery=0.3, name=name)


def epidemic(
    horizon: int,
    ill: float,
    rewards: Array,
    *,
    infection: float,
    imported: float = 0.0,
    recovery: float,
    name: str = "sis",
) -> FiniteMFG:
    """Of rewards[S, A]; `infection` is of those who go out, for each share of the ill."""
    successors = np.broadcast_to(np.arange(2), (2, 2, 2)).copy()

    def law(t: int, mu: Array) -> Array:
        out = np.zeros((*mu.shape[:-1], 2, 2, 2))
        caught = infection * mu[..., 1] + imported
        out[..., 0, 0, 0], out[..., 0, 0, 1] = 1 - caught, caught
        out[..., 0, 1, 0] = 1.0
        out[..., 1, :, 0], out[..., 1, :, 1] = recovery, 1 - recovery
        return out

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return np.broadcast_to(rewards, (*mu.shape, 2))

    return FiniteMFG(
        name=name,
        horizon=horizon,
        initial=np.array([1 - ill, ill]),
        kernel=moving(successors, law),
        reward=reward,
        local=True,
        loops=Loops(_table_loop, (rewards, float(infection), float(imported), float(recovery)), infection_loop),
    )


def _table_loop(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
    rewards = params[0]
    for s in range(2):
        for a in range(2):
            out[s, a] = rewards[s, a]


def infection_loop(t: int, mu: Array, params: Any, out: Array) -> None:
    """P of rewards, infection, imported and recovery."""
    _, infection, imported, recovery = params
    caught = infection * mu[1] + imported
    out[0, 0, 0], out[0, 0, 1] = 1 - caught, caught
    out[0, 1, 0], out[0, 1, 1] = 1.0, 0.0
    for a in range(2):
        out[1, a, 0], out[1, a, 1] = recovery, 1 - recovery
