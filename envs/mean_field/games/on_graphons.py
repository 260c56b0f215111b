"""Games at places that see more or less of each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs import UnknownName
from envs.mean_field.game import FiniteMFG
from envs.mean_field.games.crowd import beach_bar
from envs.mean_field.graphon import GRAPHONS, Graphon, at_places, on_graphon
from envs.mean_field.kernel import Array, moving


def sis_graphon(
    places: int = 10, horizon: int = 50, graphon: str = "uniform-attachment", infection: float = 0.8
) -> FiniteMFG:
    """Susceptible, ill; actions out, distance. r = -2 1{ill} - .5 1{distance} (Cui and Koeppl 2022, section 6).

    Out, one falls ill with probability `infection` x the share of ill around; the ill recover with probability .2, and
    half begin ill.
    """
    successors = np.broadcast_to(np.arange(2), (2, 2, 2)).copy()
    found = np.array([[0.0, -0.5], [-2.0, -2.5]])

    def law(t: int, z: Array) -> Array:
        out = np.zeros((*z.shape[:-1], 2, 2, 2))
        caught = infection * z[..., 1]
        out[..., 0, 0, 0], out[..., 0, 0, 1] = 1 - caught, caught
        out[..., 0, 1, 0] = 1.0
        out[..., 1, :, 0], out[..., 1, :, 1] = 0.2, 0.8
        return out

    def reward(t: NDArray[np.int64], z: Array) -> Array:
        return np.broadcast_to(found, (*z.shape, 2))

    plain = FiniteMFG(
        name="sis", horizon=horizon, initial=np.array([0.5, 0.5]), kernel=moving(successors, law), reward=reward
    )
    return on_graphon(plain, at_places(_graphon("sis-graphon", graphon), places), name="sis-graphon")


def beach_bar_graphon(
    places: int = 5, size: int = 10, horizon: int = 10, graphon: str = "ranked-attachment"
) -> FiniteMFG:
    """The bar of `beach_bar`, where agents mind those whom they see: - ln z_u(x), of the field at their place.

    How many they see does not change where they go (it adds a constant), only whom.
    """
    return on_graphon(
        beach_bar(size, horizon), at_places(_graphon("beach-bar-graphon", graphon), places), name="beach-bar-graphon"
    )


def _graphon(game: str, name: str) -> Graphon:
    if name not in GRAPHONS:
        raise UnknownName(f"graphon of {game}", name, sorted(GRAPHONS))
    return GRAPHONS[name]
