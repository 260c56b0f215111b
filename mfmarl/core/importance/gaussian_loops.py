"""What `gaussian` needs of discrete laws, as compiled loops: moments of actions, and ratios for everyone else."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled
from mfmarl.core.softmax_rows import exponentials
from mfmarl.core.tiles import Array

_CHUNK = 64
"""Rows at a time, whose probabilities stay in the cache."""


@compiled
def moments(log_probs: Array, mean: Array, variance: Array) -> None:
    """Write mean and variance [R] of the action index under log-probabilities [R, A]."""
    rows, actions = log_probs.shape
    # actions by rows, so that a step for all rows of a chunk is one of the processor's vectors
    z, probs = np.zeros(actions * _CHUNK, np.float32), np.empty(actions * _CHUNK, np.float32)
    middle, spread = np.empty(_CHUNK, np.float32), np.empty(_CHUNK, np.float32)
    for begin in range(0, rows, _CHUNK):
        count = min(_CHUNK, rows - begin)
        for i in range(count):
            row = log_probs[begin + i]
            for a in range(actions):
                z[a * _CHUNK + i] = row[a]
        exponentials(z, probs, z.size)
        middle[:] = 0
        spread[:] = 0
        for a in range(actions):
            each, index = probs[a * _CHUNK : (a + 1) * _CHUNK], np.float32(a)
            for i in range(_CHUNK):
                middle[i] += each[i] * index
        # about the mean, since in float32 the difference of two large squares would be noise
        for a in range(actions):
            each, index = probs[a * _CHUNK : (a + 1) * _CHUNK], np.float32(a)
            for i in range(_CHUNK):
                away = index - middle[i]
                spread[i] += each[i] * away * away
        for i in range(count):
            mean[begin + i], variance[begin + i] = middle[i], spread[i]


@compiled
def log_ratios(
    floor: float,
    added: float,
    out: NDArray[Any],
    new_mean: NDArray[Any],
    new_variance: NDArray[Any],
    old_mean: NDArray[Any],
    old_variance: NDArray[Any],
    value: NDArray[Any],
) -> None:
    """Write `gaussian_log_ratio` [M, N] with all others as neighbours: variances at least `floor`, `added` to them."""
    for m in range(value.shape[0]):
        new_away = old_away = new_spread = old_spread = 0.0
        for j in range(value.shape[1]):
            played = np.float64(value[m, j])
            new_away += played - new_mean[m, j]
            old_away += played - old_mean[m, j]
            new_spread += new_variance[m, j]
            old_spread += old_variance[m, j]
        for j in range(value.shape[1]):
            played = np.float64(value[m, j])
            new = new_away - (played - new_mean[m, j])
            old = old_away - (played - old_mean[m, j])
            now = max(new_spread - new_variance[m, j], floor) + added
            then = max(old_spread - old_variance[m, j], floor) + added
            out[m, j] = 0.5 * (old * old / then - new * new / now + np.log(then / now))
