"""Agents put into groups by what sets them apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import ClusterError, kmeans2

Doubles = NDArray[np.float64]


def standardised(features: Doubles) -> Doubles:
    """Features [N, F] with mean 0 and standard deviation 1; those that are the same for all are 0."""
    spread = features.std(0)
    return np.asarray((features - features.mean(0)) / np.where(spread > 0, spread, 1.0))


def grouped(features: Doubles, number: int, *, starts: int = 1) -> NDArray[np.int64]:
    """[N]: groups 0..G - 1 by k-means on the standardised features, the tightest of several starts.

    G is `number`, or as many as there are agents that differ. The starts are fixed, so that the groups are the data's.
    """
    z = standardised(features)
    groups = min(number, len(np.unique(z.round(9), axis=0)))
    best, tightest = np.zeros(len(z), np.int64), np.inf
    for start in range(starts):
        try:
            rng = np.random.default_rng(start)
            centres, labels = kmeans2(z, groups, minit="++", rng=rng, iter=100, missing="raise")
        except ClusterError:
            # this start left a group empty
            continue
        spread = float(((z - centres[labels]) ** 2).sum())
        if spread < tightest - 1e-9:
            best, tightest = labels.astype(np.int64), spread
    return best
