"""Groups of agents by what sets them apart."""

from __future__ import annotations

import numpy as np

from envs.inventory.grouping import grouped, standardised

CORNERS = np.array([[0.0, 0], [1, 0], [0, 1000]])


def test_features_count_alike_whatever_their_units() -> None:
    z = standardised(np.array([[1.0, 500, 3], [3.0, 900, 3]]))
    assert z.tolist() == [[-1, -1, 0], [1, 1, 0]]


def test_clear_groups_are_found() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.integers(3, size=90)
    features = CORNERS[kinds] + rng.normal(size=(90, 2)) * [0.05, 50]
    labels = grouped(features, 3, starts=5)
    # the same partition, whatever the numbers
    assert len({(int(a), int(b)) for a, b in zip(kinds, labels, strict=True)}) == 3
    assert (labels == grouped(features, 3, starts=5)).all()


def test_no_more_groups_than_differ() -> None:
    features = np.repeat(CORNERS, [4, 3, 2], axis=0)
    assert np.unique(grouped(features, 8, starts=5)).tolist() == [0, 1, 2]
    assert grouped(np.ones((5, 2)), 3).tolist() == [0] * 5
    assert np.unique(grouped(np.arange(4.0)[:, None], 1)).tolist() == [0]
