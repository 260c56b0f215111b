"""Runs are grouped by the paths of their mean actions."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.equilibrium.several import clusters, path_distances


def test_two_equilibria_are_two_clusters() -> None:
    rng = np.random.default_rng(0)
    high, low = np.array([0.1, 0.9]), np.array([0.8, 0.2])
    played = [high, low, high, high, low]
    paths = np.stack([rng.multinomial(4000, law, size=20) / 4000 for law in played])
    found = clusters(paths, [10.0, 4.0, 11.0, 12.0, 5.0], [0.1, 0.0, 0.2, 0.3, 0.4])
    assert [one.members for one in found.clusters] == [(0, 2, 3), (1, 4)]
    assert [one.value for one in found.clusters] == [11.0, 4.5]
    assert [one.gap for one in found.clusters] == pytest.approx([0.2, 0.2])
    np.testing.assert_allclose(found.clusters[0].path, paths[[0, 2, 3]].mean(0))


def test_distance_is_the_mean_total_variation() -> None:
    a = np.tile([1.0, 0.0, 0.0], (4, 1))
    b = a.copy()
    b[:2] = [0.5, 0.5, 0.0]
    np.testing.assert_allclose(path_distances(np.stack([a, b])), [[0, 0.25], [0.25, 0]])


def test_one_run_is_one_cluster_and_bad_input_is_told() -> None:
    path = np.full((1, 3, 2), 0.5)
    assert clusters(path, [1.0]).clusters[0].members == (0,)
    assert np.isnan(clusters(path, [1.0]).clusters[0].gap)
    with pytest.raises(ValueError, match="one of each"):
        clusters(path, [1.0, 2.0])
    with pytest.raises(ValueError, match="run 1"):
        clusters(np.stack([path[0], 2 * path[0]]), [1.0, 1.0])
    with pytest.raises(ValueError, match="shape"):
        clusters(path[0], [1.0])
