"""Episode metrics against figures by hand, and against the plain formulas on whole recorded episodes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from envs.inventory.metrics import METRICS, MISSING, EpisodeMetrics
from envs.population import Step

UNITS = ("order", "demand", "sold", "stock", "backlog", "lost", "spoiled", "scrapped")


def step(reward: float, ended: bool, **units: float) -> Step:
    """A step of one copy of one agent; what is not given is zero."""
    metrics = {name: np.array([[units.get(name, 0.0)]], np.float32) for name in UNITS}
    nothing = np.zeros((1, 1, 1), np.float32)
    over, never = np.array([ended]), np.array([False])
    return Step(nothing, nothing, np.array([[reward]], np.float32), never, over, final_obs=nothing, metrics=metrics)


def play(*steps: Step, discount: float = 0.5) -> dict[str, float]:
    metrics = EpisodeMetrics(1, 1, discount)
    for one in steps[:-1]:
        assert metrics.add(one) is None
    rows = metrics.add(steps[-1])
    assert rows is not None
    assert set(rows) == set(METRICS)
    assert all(value.shape == (1, 1) and value.dtype == np.float64 for value in rows.values())
    return {name: float(value[0, 0]) for name, value in rows.items()}


def test_lost_sales_by_hand() -> None:
    got = play(
        step(8, False, order=4, demand=5, sold=5, stock=3),
        step(4, False, order=0, demand=7, sold=3, lost=4, spoiled=1),
        step(-2, False, order=8, demand=0, stock=8, scrapped=2),
        step(6, True, order=4, demand=8, sold=8, stock=4),
    )
    assert got == pytest.approx(
        {
            "return": 8 + 4 / 2 - 2 / 4 + 6 / 8,
            "profit": 16 / 4,
            "stock": 15 / 4,
            "backlog": 0,
            "lost": 1,
            "order": 4,
            # deviations 0, 4, 4, 0
            "order_std": np.sqrt(8),
            "alpha_service": 3 / 4,
            "beta_fill": 1 - 4 / 20,
            "gamma_service": 1 - 4 / 20,
            # 15 unit-periods of stock, 20 units wanted
            "days_of_supply": 15 / 20,
            "turns": 16 / 15,
            # demand 5, 7, 0, 8: mean 5, deviations 0, 2, 5, 3
            "bullwhip": 8 / (38 / 4),
            "inventory_efficiency": 16 / (16 + 4 + 4 + 1),
            "spoiled": 1 / 4,
            "scrapped": 2 / 4,
        }
    )


def test_backlog_by_hand() -> None:
    # 6 wanted, 2 there: 4 wait two periods; in the second 1 more is wanted, which waits too
    got = play(
        step(0, False, demand=6, sold=2, backlog=4),
        step(0, False, demand=1, sold=0, backlog=5),
        step(0, True, order=9, demand=3, sold=8, stock=1),
    )
    assert got["backlog"] == 3
    assert got["alpha_service"] == pytest.approx(1 / 3)
    # 4 of the 6, the 1, none of the 3 came late
    assert got["beta_fill"] == pytest.approx(1 - 5 / 10)
    assert got["gamma_service"] == pytest.approx(1 - 9 / 10)


def test_what_cannot_be_computed_is_missing_with_a_reason() -> None:
    got = play(step(0, False), step(0, True))
    missing = {name for name, value in got.items() if np.isnan(value)}
    assert missing == set(MISSING)
    got = play(step(1, False, demand=3, sold=3), step(1, True, demand=3, sold=3))
    assert {name for name, value in got.items() if np.isnan(value)} == {"turns", "bullwhip"}


def test_copies_that_end_at_different_times_have_their_own_sums() -> None:
    metrics = EpisodeMetrics(2, 1, 1.0)

    def pair(reward: tuple[float, float], ended: tuple[bool, bool]) -> Step:
        units = {name: np.ones((2, 1), np.float32) for name in UNITS}
        nothing = np.zeros((2, 1, 1), np.float32)
        rewards = np.array(reward, np.float32)[:, None]
        return Step(nothing, nothing, rewards, np.array(ended), np.zeros(2, np.bool_), nothing, units)

    assert metrics.add(pair((1, 10), (False, False))) is None
    first = metrics.add(pair((2, 20), (False, True)))
    assert first is not None
    assert first["return"].tolist() == [[30]]
    second = metrics.add(pair((4, 40), (True, True)))
    assert second is not None
    assert second["return"].tolist() == [[7], [40]]
    assert second["profit"].tolist() == [[7 / 3], [40]]


@pytest.mark.parametrize("unmet", ["lost", "backlog"])
def test_running_sums_equal_the_formulas_on_whole_episodes(unmet: str) -> None:
    env: Any = envs.make("inventory/market-easy", num_envs=3, num_agents=6, seed=0, unmet=unmet, horizon=20)
    metrics = EpisodeMetrics(3, 6, 0.9)
    rng = np.random.default_rng(0)
    for _ in range(2):
        steps = [env.step(rng.integers(8, size=(3, 6))) for _ in range(20)]
        rows = [metrics.add(one) for one in steps]
        assert all(row is None for row in rows[:-1])
        got = rows[-1]
        assert got is not None

        def of(name: str, steps: list[Step] = steps) -> NDArray[np.float64]:
            return np.array([s.metrics[name] for s in steps], np.float64)

        reward = np.array([s.reward for s in steps], np.float64)
        np.testing.assert_allclose(got["return"], np.tensordot(0.9 ** np.arange(20), reward, 1))
        np.testing.assert_allclose(got["order_std"], of("order").std(0))
        np.testing.assert_allclose(got["bullwhip"], of("order").var(0) / of("demand").var(0))
        np.testing.assert_allclose(got["alpha_service"], ((of("lost") + of("backlog")) == 0).mean(0))
        sold, lost, spoiled = of("sold").sum(0), of("lost").sum(0), of("spoiled").sum(0)
        np.testing.assert_allclose(got["inventory_efficiency"], sold / (sold + of("stock")[-1] + lost + spoiled))


def test_metrics_so_far() -> None:
    metrics = EpisodeMetrics(1, 1, 0.5)
    assert all(np.isnan(values).all() for values in metrics.running().values())
    metrics.add(step(8, False, order=4, demand=5, sold=5, stock=3))
    metrics.add(step(4, False, order=0, demand=7, sold=3, lost=4))
    now = {name: float(value[0, 0]) for name, value in metrics.running().items()}
    assert (now["return"], now["profit"], now["order"]) == (10, 6, 2)
    assert now["beta_fill"] == pytest.approx(1 - 4 / 12)
    # asked for, not taken: the episode goes on
    rows = metrics.add(step(0, True, demand=4, sold=0, lost=4))
    assert rows is not None
    assert rows["return"].tolist() == [[10]]
    assert np.isnan(metrics.running()["profit"]).all()


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"discount is 1\.5; it lies in 0\.\.1"):
        EpisodeMetrics(1, 1, 1.5)
    metrics = EpisodeMetrics(1, 2, 0.9)
    with pytest.raises(ValueError, match=r"rewards have shape \(1, 1\); these metrics are of \(1, 2\)"):
        metrics.add(step(0, False))
    nothing = np.zeros((1, 2, 1), np.float32)
    never = np.zeros(1, np.bool_)
    with pytest.raises(ValueError, match=r"the step has no order, demand, sold, .* among its metrics"):
        metrics.add(Step(nothing, nothing, np.zeros((1, 2), np.float32), never, never))
