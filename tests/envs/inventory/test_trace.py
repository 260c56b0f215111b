"""Blocks of recorded periods."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from envs.inventory.streams import episode_keys
from envs.inventory.trace import TraceDemand

KEYS = episode_keys(np.arange(400, dtype=np.uint64), 0)


def rows(record: NDArray[np.float64], block_length: int, periods: int) -> NDArray[np.int64]:
    """[T, B]"""
    return TraceDemand(record, "bootstrap", block_length).rows(KEYS, periods)


@pytest.mark.parametrize("block_length", [1, 3, 4, 10])
def test_blocks_are_consecutive_and_start_anywhere(block_length: int) -> None:
    # 11 periods: the last block is cut short where they do not divide
    drawn = rows(np.ones((10, 2)), block_length, 11)
    assert drawn.shape == (11, 400)
    steps = np.diff(drawn, axis=0)
    inside = np.arange(1, 11) % block_length != 0
    assert (steps[inside] == 1).all()
    starts = drawn[::block_length].ravel()
    counts = np.bincount(starts, minlength=10)
    possible = 10 - block_length + 1
    assert (counts[possible:] == 0).all()
    # uniform: within 4 standard errors
    expected = starts.size / possible
    assert (np.abs(counts[:possible] - expected) <= 4 * np.sqrt(expected)).all()


def test_blocks_of_one_copy_are_independent() -> None:
    drawn = rows(np.ones((50, 2)), 5, 10).astype(float)
    assert abs(np.corrcoef(drawn[0], drawn[5])[0, 1]) < 4 / np.sqrt(KEYS.size)


def test_blocks_keep_the_correlation_between_periods_and_single_draws_do_not() -> None:
    # AR(1) about 100 with coefficient .9
    rng = np.random.default_rng(0)
    path = np.empty(400)
    path[0] = rng.normal() / np.sqrt(1 - 0.9**2)
    for t in range(1, 400):
        path[t] = 0.9 * path[t - 1] + rng.normal()
    record = np.rint(100 + 10 * path).clip(0)[:, None].repeat(2, 1)

    def lag_one(units: NDArray[np.float64]) -> float:
        return float(np.corrcoef(units[1:].ravel(), units[:-1].ravel())[0, 1])

    whole = lag_one(record[:, :1])
    assert whole > 0.85
    # of 7 in 8 pairs both periods are of one block
    blocks = lag_one(record[rows(record, 8, 200), 0])
    assert blocks == pytest.approx(7 / 8 * whole, abs=0.03)
    singly = lag_one(record[rows(record, 1, 200), 0])
    assert abs(singly) < 4 / np.sqrt(200 * KEYS.size)


def test_blocks_longer_than_the_record_are_refused() -> None:
    for wrong in (0, 11):
        with pytest.raises(ValueError, match=f"block_length is {wrong}; a record of 10 periods has blocks of 1 to 10"):
            TraceDemand(np.ones((10, 2)), "bootstrap", wrong)
