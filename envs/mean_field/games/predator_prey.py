"""Three populations on a plane, each hunting the next (Perolat et al. 2022, section 5.3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.games.crowd import EPSILON
from envs.mean_field.games.grid import MOVES, moves_on
from envs.mean_field.kernel import Array, sparse_kernel
from envs.mean_field.populations import Arrays, CoupledMFG, CoupledReward, Population
from envs.mean_field.ranges import check_probability, check_whole

HUNTS = {"fox": "hen", "hen": "snake", "snake": "fox"}


def predator_prey(size: int = 5, horizon: int = 10, noise: float = 0.1) -> CoupledMFG:
    """Foxes hunt hens, hens snakes, snakes foxes: r = mu_prey(x) - mu_hunter(x) - ln mu_own(x), on a torus.

    Each starts in a corner of its own.

    Raises:
        ValueError: for a setting out of its range.
    """
    check_whole("predator-prey", "size", size, least=2)
    check_probability("predator-prey", "noise", noise)
    _, successors, prob = moves_on(np.ones((size, size), bool), noise, ring=True)
    kernel = sparse_kernel(successors, prob)
    hunter = {prey: name for name, prey in HUNTS.items()}
    corners = dict(zip(HUNTS, (0, size - 1, size * (size - 1)), strict=True))
    populations = {
        name: Population(
            initial=np.eye(size * size)[corners[name]], kernel=kernel, reward=_reward(name, HUNTS[name], hunter[name])
        )
        for name in HUNTS
    }
    return CoupledMFG(name="predator-prey", horizon=horizon, populations=populations)


def _reward(own: str, prey: str, hunter: str) -> CoupledReward:
    def reward(t: NDArray[np.int64], mu: Arrays) -> Array:
        found = mu[prey] - mu[hunter] - np.log(mu[own] + EPSILON)
        return np.repeat(found[..., None], len(MOVES), -1)

    return reward
