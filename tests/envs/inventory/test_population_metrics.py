"""Metrics of whole populations and of types, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from envs.inventory.metrics import EpisodeMetrics
from envs.inventory.population_metrics import (
    POPULATION_METRICS,
    POPULATION_MISSING,
    PopulationMetrics,
    by_type,
    gini,
    total_variation,
)
from envs.population import Step


def test_gini_by_hand() -> None:
    # pairs of (1, 3): |1 - 3| twice over 2 x 4 x 2; one of four gets all: 1 - 1/4; all alike: 0
    assert gini(np.array([[3.0, 1.0]])).tolist() == [0.25]
    assert gini(np.array([[0.0, 8, 0, 0], [5, 5, 5, 5]])).tolist() == [0.75, 0]
    assert np.isnan(gini(np.array([[1.0, -1], [-2, -3]]))).all()


def test_gini_is_the_mean_difference_of_all_pairs() -> None:
    profits = np.random.default_rng(0).lognormal(size=(3, 50))
    pairs = abs(profits[:, :, None] - profits[:, None, :]).mean((1, 2))
    np.testing.assert_allclose(gini(profits), pairs / (2 * profits.mean(1)))


def test_total_variation_by_hand() -> None:
    p, q = np.array([[0.5, 0.5, 0], [1, 0, 0]]), np.array([[0.25, 0.25, 0.5], [0, 0, 1]])
    assert total_variation(p, q).tolist() == [0.5, 1]
    assert total_variation(p, p).tolist() == [0, 0]


def test_means_by_type_leave_out_agents_without_a_value() -> None:
    rows = {"a": np.array([[1.0, 3, 10, np.nan]]), "b": np.array([[2.0, 2, np.nan, np.nan]])}
    found = by_type(rows, np.array([0, 0, 1, 1]))
    assert found["a"].tolist() == [[2, 10]]
    assert found["b"][0, 0] == 2
    assert np.isnan(found["b"][0, 1])
    with pytest.raises(ValueError, match=r"a has shape \(1, 4\); want \[episodes, 3\]"):
        by_type(rows, np.array([0, 0, 1]))


def step(reward: list[list[float]], order: list[list[float]], ended: list[bool]) -> Step:
    rewards = np.array(reward, np.float32)
    nothing = np.zeros((*rewards.shape, 1), np.float32)
    over = np.array(ended)
    metrics = {"order": np.array(order, np.float32)}
    return Step(nothing, nothing, rewards, over, np.zeros_like(over), None, metrics)


def test_two_copies_by_hand() -> None:
    metrics = PopulationMetrics(2, 2, 3)
    first = step([[1, 1], [4, 0]], [[2, 4], [0, 0]], [False, False])
    assert metrics.add(first, np.array([[0, 1], [2, 2]])) is None
    rows = metrics.add(step([[0, 2], [4, 0]], [[6, 0], [3, 3]], [True, False]), np.array([[1, 1], [0, 1]]))
    assert rows is not None
    assert set(rows) == set(POPULATION_METRICS)
    # profits 1 and 3; histograms (1/2, 1/2, 0) then (0, 1, 0); orders 2, 4 and 6, 0
    assert {name: value.tolist() for name, value in rows.items()} == {
        "gini": [0.25], "drift": [0.5], "mean_order": [3], "order_spread": [2],
    }  # fmt: skip
    # the second copy goes on; the first begins anew, and its first period drifts from nothing
    rows = metrics.add(step([[9, 9], [0, 0]], [[1, 1], [6, 6]], [True, True]), np.array([[2, 2], [0, 1]]))
    assert rows is not None
    assert rows["gini"].tolist() == [0, 0.5]
    np.testing.assert_allclose(rows["mean_order"], [1, 3])
    assert np.isnan(rows["drift"][0])
    # everyone at 2, then one each at 0 and 1: distance 1; then no change
    assert rows["drift"][1] == 0.5
    assert "one period" in POPULATION_MISSING["drift"]
    assert np.isnan(metrics.running()["mean_order"]).all()


@pytest.mark.parametrize("copies", [1, 3])
def test_drift_is_that_of_recorded_histograms(copies: int) -> None:
    env: Any = envs.make("inventory/market-easy", num_envs=copies, num_agents=7, seed=0, horizon=6)
    metrics = PopulationMetrics(copies, 7, 11)
    agents = EpisodeMetrics(copies, 7, 1.0)
    actions = np.random.default_rng(0).integers(11, size=(6, copies, 7))
    for now in actions:
        played = env.step(now)
        rows, mine = metrics.add(played, now), agents.add(played)
    assert rows is not None
    assert mine is not None
    abar: NDArray[np.float64] = (actions[..., None] == np.arange(11)).mean(2)
    np.testing.assert_allclose(rows["drift"], abs(np.diff(abar, axis=0)).sum(2).mean(0) / 2)
    np.testing.assert_allclose(rows["mean_order"], mine["order"].mean(1))
    np.testing.assert_allclose(rows["gini"], gini(mine["profit"]), rtol=1e-6)


def test_continuous_actions_have_no_histogram() -> None:
    metrics = PopulationMetrics(1, 2, None)
    for ended in (False, True):
        rows = metrics.add(step([[1, 1]], [[2, 2]], [ended]), np.array([[0.5, 0.5]]))
    assert rows is not None
    assert np.isnan(rows["drift"]).all()
    assert rows["order_spread"].tolist() == [0]


def test_refusals() -> None:
    metrics = PopulationMetrics(1, 2, 3)
    with pytest.raises(ValueError, match=r"actions \(1, 3\); these metrics are of \(1, 2\)"):
        metrics.add(step([[1, 1]], [[2, 2]], [True]), np.zeros((1, 3), int))
    bare = step([[1, 1]], [[2, 2]], [True])
    with pytest.raises(ValueError, match="no order among its metrics"):
        metrics.add(Step(bare.obs, bare.obs, bare.reward, bare.terminated, bare.truncated), np.zeros((1, 2), int))
