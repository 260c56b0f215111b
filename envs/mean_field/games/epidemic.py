"""An epidemic: keeping distance costs, being ill costs more, and who is ill makes others ill."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, moving


def sis(horizon: int = 50, ill: float = 0.6, imported: float = 0.0) -> FiniteMFG:
    """Susceptible, ill; actions out, distance. r = -1{ill} - .5 1{distance} (Cui and Koeppl 2021).

    Out, one falls ill with probability .9^2 mu(ill), here + `imported`; at a distance never. The ill recover with
    probability .3.

    Raises:
        ValueError: for more imported than leaves a probability.
    """
    if not 0 <= imported <= 0.19:
        raise ValueError(f"sis: imported is {imported}; want a probability, 0 to .19")
    successors = np.broadcast_to(np.arange(2), (2, 2, 2)).copy()
    found = np.array([[0.0, -0.5], [-1.0, -1.5]])

    def law(t: int, mu: Array) -> Array:
        out = np.zeros((*mu.shape[:-1], 2, 2, 2))
        caught = 0.9**2 * mu[..., 1] + imported
        out[..., 0, 0, 0], out[..., 0, 0, 1] = 1 - caught, caught
        out[..., 0, 1, 0] = 1.0
        out[..., 1, :, 0], out[..., 1, :, 1] = 0.3, 0.7
        return out

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        return np.broadcast_to(found, (*mu.shape, 2))

    return FiniteMFG(
        name="sis", horizon=horizon, initial=np.array([1 - ill, ill]), kernel=moving(successors, law), reward=reward
    )
