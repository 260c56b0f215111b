"""A bar on the beach that may close: everyone sees it, and where they want to be changes (after Perrin et al. 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.common_noise import CommonNoiseMFG
from envs.mean_field.games.crowd import beach_bar
from envs.mean_field.kernel import Array

OPEN, CLOSED = 0, 1


def closing_bar(size: int = 10, horizon: int = 10, noise: float = 0.1, closes: float = 0.1) -> CommonNoiseMFG:
    """The `beach_bar`, open at first; after every step it closes for good with probability `closes`.

    While it is closed nobody minds how far it is: r = -|a| / S - ln mu(x). Histories are told apart by the step at
    which it closed: T (T + 1) / 2 in all.

    Raises:
        ValueError: for what is no probability.
    """
    if not 0 <= closes <= 1:
        raise ValueError(f"beach-bar-closing: closes is {closes}; want a probability")
    plain = beach_bar(size, horizon, noise)
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
