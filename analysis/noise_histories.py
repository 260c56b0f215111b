"""Histories of a common noise in words, and a few that show what it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.histories import Histories


@dataclass(frozen=True)
class Whole:
    """A history up to the last decision."""

    nodes: NDArray[np.int64]
    """[T], one of each step."""
    z: NDArray[np.int64]
    """[T]"""
    probability: float
    end: int
    """Which of the E whole histories it is."""


def paths(tree: Histories) -> list[tuple[int, ...]]:
    """z_0 .. z_t of every node."""
    found: list[tuple[int, ...]] = []
    for z, parent in zip(tree.z.tolist(), tree.parent.tolist(), strict=True):
        found.append((*(found[parent] if parent >= 0 else ()), z))
    return found


def told(z: Sequence[int]) -> str:
    """A history in words: what the noise begins with, and each change: `0; 1 from t=4`."""
    changes = [f"{now} from t={t}" for t, (before, now) in enumerate(pairwise(z), 1) if now != before]
    return "; ".join([str(z[0]), *changes])


def some_histories(tree: Histories, most: int = 4) -> list[Whole]:
    """At most so many whole histories: one without a change, where there is one, then changes from early to late.

    Of those that first change at the same step the most likely one.
    """
    nodes = np.empty((tree.ends, tree.horizon), np.int64)
    nodes[:, -1] = np.arange(tree.number - tree.ends, tree.number)
    for t in range(tree.horizon - 1, 0, -1):
        nodes[:, t - 1] = tree.parent[nodes[:, t]]
    z = tree.z[nodes]
    # 0 for none, since the first is no change
    first = (z != z[:, :1]).argmax(1)
    likely = np.lexsort((-tree.probability[nodes[:, -1]], first))
    chosen = likely[np.unique(first[likely], return_index=True)[1]]
    spread = np.unique(np.linspace(0, len(chosen) - 1, min(most, len(chosen))).round().astype(int))
    return [Whole(nodes[e], z[e], float(tree.probability[nodes[e, -1]]), int(e)) for e in chosen[spread]]
