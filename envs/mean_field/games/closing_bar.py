"""A bar on the beach that may close: everyone sees it, and where they want to be changes (after Perrin et al. 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.common_noise import CommonNoiseMFG
from envs.mean_field.games.crowd import beach_bar
from envs.mean_field.kernel import Array
from envs.mean_field.ranges import check_probability

OPEN, CLOSED = 0, 1


def closing_bar(size: int = 10, horizon: int = 10, noise: float = 0.1, closes: float = 0.1) -> CommonNoiseMFG:
    """The `beach_bar`, open at first; after every step it closes for good with probability `closes`.

    While it is closed nobody minds how far it is: r = -|a| / S - ln mu(x). Histories are told apart by the step at
    which it closed: T (T + 1) / 2 in all.

    Raises:
        ValueError: for a setting out of its range.
    """
    check_probability("beach-bar-closing", "closes", closes)
    plain = beach_bar(size, horizon, noise, "beach-bar-closing")
    way = np.abs(np.arange(size) - size // 2)[:, None] / size

    def reward(t: NDArray[np.int64], mu: Array, z: NDArray[np.int64]) -> Array:
        return np.asarray(plain.reward(t, mu) + (z == CLOSED)[:, None, None] * way)

    return CommonNoiseMFG(
        name="beach-bar-closing",
        horizon=horizon,
        initial=plain.initial,
        kernels=(plain.kernel, plain.kernel),
        reward=reward,
        noise=np.array([1.0, 0.0]),
        noise_matrix=np.array([[1 - closes, closes], [0.0, 1.0]]),
    )
