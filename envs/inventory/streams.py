"""Random numbers by address: which copy and episode, which channel, period and agent.

SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators") as a counter: nothing is
stored between periods, a copy draws the same numbers alone and among others, and every backend draws the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled

Keys = NDArray[np.uint64]
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 / golden ratio, the step between the states of SplitMix64."""
FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""The multipliers of its output function."""
DEMAND, SHOCK, ROUNDING, SPILL, SPILL_TO, START, SLIP = range(7)
"""Channels: what a number is drawn for, so that one more use of one does not move the others."""


@compiled
def mixed(state: np.uint64) -> np.uint64:
    """SplitMix64's output at a state."""
    state = (state ^ (state >> np.uint64(30))) * FIRST
    state = (state ^ (state >> np.uint64(27))) * SECOND
    return state ^ (state >> np.uint64(31))


@compiled
def stream(key: np.uint64, channel: int, t: int) -> np.uint64:
    """The stream of one channel in period t, for `uniform32` to count agents in."""
    return mixed(mixed(key + GOLDEN * np.uint64(channel + 1)) + GOLDEN * np.uint64(t + 1))


@compiled
def uniform32(stream: np.uint64, n: int) -> np.uint32:
    """The n-th 32 random bits of a stream."""
    return np.uint32(mixed(stream + GOLDEN * np.uint64(n + 1)) >> np.uint64(32))


@compiled
def episode_keys(seeds: Keys, episode: int) -> Keys:
    """[B]: the keys of the copies' episode; `seeds` [B] are the copies' own."""
    keys = np.empty_like(seeds)
    for b in range(seeds.size):
        keys[b] = mixed(mixed(seeds[b]) + GOLDEN * np.uint64(episode + 1))
    return keys


@compiled
def copy_uniforms(keys: Keys, channel: int, t: int) -> NDArray[np.float64]:
    """[B]: one number in (0, 1) a copy, of 52 bits."""
    drawn = np.empty(keys.size)
    for b in range(keys.size):
        bits = mixed(stream(keys[b], channel, t) + GOLDEN) >> np.uint64(12)
        drawn[b] = (np.float64(bits) + 0.5) * 2.0**-52
    return drawn


def seed_keys(paths: list[tuple[int, ...]]) -> Keys:
    """[B]: 64 bits of each seed path."""
    return np.array([np.random.SeedSequence(path).generate_state(1, np.uint64)[0] for path in paths], np.uint64)
