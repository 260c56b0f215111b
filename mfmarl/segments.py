"""Stretches of consecutive population steps from the replay, for learners that look along time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mfmarl.replay import PopulationReplay, PopulationSample, RunnerRing


@dataclass(frozen=True)
class Segments:
    """S segments of T steps; every step has its predecessor's actions and what followed it."""

    steps: PopulationSample
    """M = T S population steps, by time, then by segment."""
    known: Tensor
    """bool [T, S]: false where a runner died at that step, so that what followed it is lost."""

    @property
    def continues(self) -> Tensor:
        """bool [T, S]: the segment's next step belongs to the same episode, and what followed that one is known."""
        follows = self.known & ~self.steps.ended.view(self.known.shape)
        # errors of a step whose successor is lost must not reach the steps before it
        follows[:-1] &= self.known[1:]
        return follows


def newest_segments(replay: PopulationReplay, length: int) -> Segments | None:
    """The newest `length` steps of every copy whose successors are known; None before there are so many.

    The last step of the newest fragment waits for the next one, which begins with its successor: one step later, and
    in exchange no value is guessed. All steps are the newest once.
    """
    parts = []
    for _, ring in sorted(replay.rings.items()):
        if ring.size < length + 2:
            return None
        first = (ring.position - length - 1) % ring.capacity
        copies = ring.columns["action"].shape[1]
        parts.append(_gathered(ring, np.full(copies, first), np.arange(copies), length))
    return joined(parts) if parts else None


def drawn_segments(replay: PopulationReplay, length: int, number: int, rng: np.random.Generator) -> Segments | None:
    """`number` segments that begin anywhere in the replay, uniformly with replacement; None where none fits."""
    rings = [ring for _, ring in sorted(replay.rings.items())]
    # the oldest slot lacks its predecessor, the newest its successor
    room = [max(0, ring.size - 1 - length) * ring.columns["action"].shape[1] for ring in rings]
    bounds = np.cumsum([0, *room])
    if bounds[-1] == 0 or number == 0:
        return None
    draw = rng.integers(bounds[-1], size=number)
    parts = []
    for ring, low, high in zip(rings, bounds[:-1], bounds[1:], strict=True):
        mine = draw[(draw >= low) & (draw < high)] - low
        if mine.size:
            late, copy = np.divmod(mine, ring.columns["action"].shape[1])
            first = (ring.position - ring.size + 1 + late) % ring.capacity
            parts.append(_gathered(ring, first, copy, length))
    return joined(parts)


def joined(parts: Sequence[Segments]) -> Segments:
    """Side by side; all of one length."""
    if len(parts) == 1:
        return parts[0]
    length = parts[0].known.shape[0]

    def side_by_side(columns: Sequence[Tensor]) -> Tensor:
        return torch.cat([c.view(length, -1, *c.shape[1:]) for c in columns], 1).flatten(0, 1)

    named = {n: [getattr(p.steps, n) for p in parts] for n in PopulationSample.__dataclass_fields__}
    steps = PopulationSample(**{n: side_by_side(c) for n, c in named.items() if c[0] is not None})
    return Segments(steps, torch.cat([p.known for p in parts], 1))


def _gathered(ring: RunnerRing, first: NDArray[np.int64], copy: NDArray[np.int64], length: int) -> Segments:
    slot = (first + np.arange(length)[:, None]) % ring.capacity
    ended = ring.flags["terminated"][slot, copy] | ring.flags["truncated"][slot, copy]
    known = ended | ~ring.flags["cut"][slot, copy]
    flat = slot * ring.columns["action"].shape[1] + copy
    return Segments(ring.gather(flat.ravel()), torch.from_numpy(known).to(ring.device))
