"""Games at places that see more or less of each other."""

from __future__ import annotations

import numpy as np

from envs import UnknownName
from envs.mean_field.games.crowd import beach_bar
from envs.mean_field.games.epidemic import epidemic
from envs.mean_field.graphon import GRAPHONS, Graphon, GraphonMFG, at_places, on_graphon
from envs.mean_field.ranges import check_probability, check_whole


def sis_graphon(
    places: int = 10, horizon: int = 50, graphon: str = "uniform-attachment", infection: float = 0.8
) -> GraphonMFG:
    """Susceptible, ill; actions out, distance. r = -2 1{ill} - .5 1{distance} (Cui and Koeppl 2022, section 6).

    Out, one falls ill with probability `infection` x the share of ill around; the ill recover with probability .2, and
    half begin ill.

    Raises:
        ValueError: for a setting out of its range.
        UnknownName: for a graphon that there is not; suggests the nearest.
    """
    check_whole("sis-graphon", "places", places, least=1)
    check_probability("sis-graphon", "infection", infection)
    rewards = np.array([[0.0, -0.5], [-2.0, -2.5]])
    plain = epidemic(horizon, 0.5, rewards, infection=infection, recovery=0.2, name="sis-graphon")
    return on_graphon(plain, at_places(_graphon("sis-graphon", graphon), places), name="sis-graphon")


def beach_bar_graphon(
    places: int = 5, size: int = 10, horizon: int = 10, graphon: str = "ranked-attachment"
) -> GraphonMFG:
    """The bar of `beach_bar`, where agents mind those whom they see: - ln z_u(x), of the field at their place.

    How many they see does not change where they go (it adds a constant), only whom.

    Raises:
        ValueError: for a setting out of its range.
        UnknownName: for a graphon that there is not; suggests the nearest.
    """
    name = "beach-bar-graphon"
    check_whole(name, "places", places, least=1)
    return on_graphon(beach_bar(size, horizon, name=name), at_places(_graphon(name, graphon), places), name=name)


def _graphon(game: str, name: str) -> Graphon:
    if name not in GRAPHONS:
        raise UnknownName(f"graphon of {game}", name, sorted(GRAPHONS))
    return GRAPHONS[name]
