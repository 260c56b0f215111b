"""Several equilibria: runs of several seeds grouped by the paths that their mean actions take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Cluster:
    """Runs whose mean actions take the same path, as far as the tolerance tells."""

    members: tuple[int, ...]
    """Numbers of the runs."""
    path: Doubles
    """[T, A]: mean over the members."""
    value: float
    """Mean of the members' values."""
    gap: float
    """Mean of the members' gaps; NaN where none was given."""


@dataclass(frozen=True)
class Clusters:
    """Groups of runs, the largest first."""

    clusters: tuple[Cluster, ...]
    distances: Doubles
    """[S, S]: mean over periods of the total variation between the runs' mean actions, in [0, 1]."""
    tolerance: float
    """Runs of a cluster are nearer than this on average."""


def path_distances(paths: Doubles) -> Doubles:
    """[S, S]: mean over periods of the total-variation distance between mean actions [S, T, A]."""
    steps = np.stack([0.5 * abs(paths - path).sum(-1).mean(-1) for path in paths])
    return np.asarray((steps + steps.T) / 2)


def clusters(
    paths: Doubles, values: Sequence[float], gaps: Sequence[float] | None = None, *, tolerance: float = 0.1
) -> Clusters:
    """Group runs by average linkage of `path_distances`, cut at `tolerance`.

    Args:
        paths: [S, T, A]: each run's mean one-hot action by period, averaged over enough episodes that what is left of
            their noise is small against the tolerance.
        values, gaps: [S], of each run.

    Raises:
        ValueError: for paths that are no laws of actions, or numbers of runs that differ.
    """
    paths = np.asarray(paths, float)
    if paths.ndim != 3 or not len(paths):
        raise ValueError(f"paths have shape {paths.shape}; want runs, periods, actions")
    if not (paths >= 0).all() or not (abs(paths.sum(-1) - 1) < 1e-4).all():
        run = int(np.argmax(~(abs(paths.sum(-1) - 1) < 1e-4).all(1) | (paths < 0).any((1, 2))))
        raise ValueError(f"run {run}: mean actions are shares of actions, which sum to 1 in every period")
    told = np.full(len(paths), np.nan) if gaps is None else np.asarray(gaps, float)
    if len(values) != len(paths) or len(told) != len(paths):
        raise ValueError(f"{len(paths)} paths, {len(values)} values and {len(told)} gaps: give one of each a run")
    distances = path_distances(paths)
    labels = np.ones(1, int)
    if len(paths) > 1:
        tree = linkage(squareform(distances, checks=False), "average")
        labels = fcluster(tree, tolerance, "distance")
    worth, found = np.asarray(values, float), []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        value, gap = float(worth[members].mean()), float(told[members].mean())
        found.append(Cluster(tuple(members.tolist()), paths[members].mean(0), value, gap))
    found.sort(key=lambda one: (-len(one.members), one.members))
    return Clusters(tuple(found), distances, tolerance)
