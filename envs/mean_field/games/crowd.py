"""Crowd on a ring of cells: agents like the middle and dislike company."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, sparse_kernel
from envs.mean_field.loops import Loops

EPSILON = 1e-25


def crowd_1d(size: int = 10, horizon: int = 10) -> FiniteMFG:
    """Cells 0 to S-1 in a ring; actions -1, 0, 1 and noise uniform on them; r = 1 - |x - S//2| / (S//2) - ln mu(x).

    Perrin et al. (2020), section 4.2; OpenSpiel's `mfg_crowd_modelling` without its boundary at equality.

    Raises:
        ValueError: for a ring of fewer than 3 cells.
    """
    if size < 3:
        raise ValueError(f"crowd-1d: size is {size}; want 3 cells or more")
    cells = np.arange(size)
    steps = np.array([-1, 0, 1])
    successors = (cells[:, None, None] + steps[:, None] + steps) % size
    near = 1 - np.abs(cells - size // 2) / (size // 2)

    def reward(t: NDArray[np.int64], mu: Array) -> Array:
        found = near - np.log(mu + EPSILON)
        return np.repeat(found[..., None], 3, axis=-1)

    return FiniteMFG(
        name="crowd-1d",
        horizon=horizon,
        initial=np.full(size, 1 / size),
        kernel=sparse_kernel(successors, np.full(successors.shape, 1 / 3)),
        reward=reward,
        loops=Loops(_reward_loop, (near,)),
    )


def _reward_loop(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
    (near,) = params
    for s in range(len(mu)):
        found = near[s] - np.log(mu[s] + EPSILON)
        for a in range(3):
            out[s, a] = found
