"""How near an imitator comes to its expert: returns, occupancies, actions, and how its episodes differ.

Intervals over seeds are `analysis.statistics.interval`'s, above this storey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.spatial.distance import cdist

from mfmarl.imitation.demonstrations import Episode
from mfmarl.imitation.spaces import Spaces

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Metrics:
    """Of some episodes of an imitator against some of its expert."""

    returns: Array
    """[E]"""
    success: float | None
    """Share of episodes whose return is at least what was asked for; None where nothing was."""
    mmd: float
    """Of state-action occupancies, states in the expert's standard deviations (`spread`)."""
    wasserstein: float
    """Likewise, sliced."""
    visitation: float
    """Total variation of states on a grid: 0 alike, 1 nothing in common."""
    diversity: float
    expert_diversity: float


def measured(
    own: Sequence[Episode], expert: Sequence[Episode], spaces: Spaces, seed: int, success: float | None = None
) -> Metrics:
    """All but what needs both sides' actions in the same states, `action_similarity`.

    Args:
        seed: of the rows that are compared, at most 1,000 of each side, and of directions.
        success: the least return that counts as one.
    """
    rng = np.random.default_rng(seed)
    returns = np.array([e.rewards.sum() for e in own])
    states, theirs = (np.concatenate([e.observations[:-1] for e in some]) for some in (own, expert))
    scale = spread(theirs, states)
    one, other = (_some(occupancy_rows(some, spaces, scale), rng) for some in (own, expert))
    return Metrics(
        returns=returns,
        success=None if success is None else float((returns >= success).mean()),
        mmd=mmd(one, other),
        wasserstein=sliced_wasserstein(one, other, rng),
        visitation=visitation_distance(states / scale, theirs / scale),
        diversity=diversity(own, scale),
        expert_diversity=diversity(expert, scale),
    )


def spread(expert: ArrayLike, own: ArrayLike) -> Array:
    """[D], that states are measured in: the standard deviation of the expert's [n, D].

    Where an entry of the expert's never varies it is that of both sides' states together, and 1 where that is 0 too.
    """
    theirs = np.asarray(expert, float)
    both = np.concatenate([theirs, np.asarray(own, float)])
    # rounding gives a constant a tiny deviation, its range is 0
    found = np.where(np.ptp(theirs, axis=0) > 0, theirs.std(0), both.std(0))
    return np.where(np.ptp(both, axis=0) > 0, found, 1.0)


def occupancy_rows(episodes: Sequence[Episode], spaces: Spaces, scale: ArrayLike) -> Array:
    """[n, D + A]: states over `scale`, actions one-hot or in halves of their range."""
    states = np.concatenate([e.observations[:-1] for e in episodes]) / np.asarray(scale, float)
    actions = np.concatenate([e.actions for e in episodes])
    if spaces.continuous:
        low, high = np.asarray(spaces.low), np.asarray(spaces.high)
        shown = (2 * actions - low - high) / (high - low)
    else:
        shown = np.eye(spaces.action_dim)[actions]
    return np.concatenate([states, shown], 1)


def mmd(one: ArrayLike, other: ArrayLike, bandwidth: float | None = None) -> float:
    """Maximum mean discrepancy of rows [n, d] and [m, d] (Gretton et al. 2012, equation 5): 0 of equal samples.

    The kernel is exp(-|x - y|^2 / (2 bandwidth^2)); the bandwidth is the median distance of all pairs where not given.
    """
    x, y = np.asarray(one, float), np.asarray(other, float)
    both = np.concatenate([x, y])
    apart = cdist(both, both)
    width = float(np.median(apart[np.triu_indices(len(both), 1)])) if bandwidth is None else bandwidth
    # all rows alike: any width will do
    kernel = np.exp(-0.5 * (apart / (width or 1.0)) ** 2)
    n = len(x)
    square = kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
    return float(np.sqrt(max(square, 0.0)))


def sliced_wasserstein(one: ArrayLike, other: ArrayLike, rng: np.random.Generator, directions: int = 64) -> float:
    """Mean Wasserstein-1 distance of rows [n, d] and [m, d] along random directions (Bonneel et al. 2015)."""
    x, y = np.asarray(one, float), np.asarray(other, float)
    ways = rng.normal(size=(directions, x.shape[1]))
    ways /= np.linalg.norm(ways, axis=1, keepdims=True)
    return float(np.mean([stats.wasserstein_distance(x @ way, y @ way) for way in ways]))


def visitation_distance(one: ArrayLike, other: ArrayLike, bins: int = 10) -> float:
    """Total variation of rows [n, d] and [m, d] on a grid: `bins` in each entry, from the least to the most of both."""
    x, y = np.asarray(one, float), np.asarray(other, float)
    both = np.concatenate([x, y])
    low, span = both.min(0), np.ptp(both, axis=0)
    cells = np.minimum(((both - low) / np.where(span > 0, span, 1.0) * bins).astype(int), bins - 1)
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    number, cell = int(cell.max()) + 1, cell.ravel()
    shares = [np.bincount(part, minlength=number) / len(part) for part in np.split(cell, [len(x)])]
    return float(0.5 * np.abs(shares[0] - shares[1]).sum())


def action_similarity(own: ArrayLike, expert: ArrayLike, spaces: Spaces) -> float:
    """1 where both sides act alike in the same states, 0 where nothing is shared.

    Of probabilities [n, A], or numbers [n], of numbered actions it is 1 less their mean total variation; of continuous
    actions [n, A] 1 less their mean distance as a share of the range.
    """
    if spaces.continuous:
        span = np.asarray(spaces.high) - np.asarray(spaces.low)
        return float(1 - (np.abs(np.asarray(own, float) - np.asarray(expert, float)) / span).mean())
    sides = [np.asarray(side) for side in (own, expert)]
    laws = [np.eye(spaces.action_dim)[side] if side.ndim == 1 else side for side in sides]
    return float(1 - 0.5 * np.abs(laws[0] - laws[1]).sum(-1).mean())


def empirical_laws(states: ArrayLike, actions: ArrayLike, spaces: Spaces) -> Array:
    """Of each of n states [n, D] with numbered actions [n], shares of what was done in it and equal ones: [n, A]."""
    _, which = np.unique(np.asarray(states), axis=0, return_inverse=True)
    which = which.ravel()
    counts = np.zeros((which.max() + 1, spaces.action_dim))
    np.add.at(counts, (which, np.asarray(actions)), 1.0)
    shares: Array = counts / counts.sum(1, keepdims=True)
    return shares[which]


def diversity(episodes: Sequence[Episode], scale: ArrayLike) -> float:
    """Mean distance of two episodes' states at the same step, over `scale`, of all pairs, as long as both last.

    0 for a single episode, as for equal ones.
    """
    by = np.asarray(scale, float)
    rows = [e.observations / by for e in episodes]
    apart = [
        float(np.linalg.norm(a[: min(len(a), len(b))] - b[: min(len(a), len(b))], axis=1).mean())
        for a, b in combinations(rows, 2)
    ]
    return float(np.mean(apart)) if apart else 0.0


def _some(rows: Array, rng: np.random.Generator, most: int = 1000) -> Array:
    return rows if len(rows) <= most else rows[rng.choice(len(rows), most, replace=False)]
