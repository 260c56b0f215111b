"""Demand processes: exact distributions, windows of records, quantiles."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from scipy import stats

from envs.inventory.demand import PoissonDemand, TraceDemand


def test_the_table_is_the_poisson_distribution_function() -> None:
    mu = np.array([0.01, 0.7, 6.0, 12.5, 300.0, 20_000.0])
    demand = PoissonDemand(mu)
    for n, mean in enumerate(mu):
        lowest, table = int(demand._lowest[n]), demand._table[n]
        size = int(np.argmax(table == 2**32 - 1))
        exact = stats.poisson.cdf(lowest + np.arange(size), mean)
        np.testing.assert_allclose(table[:size] / 2.0**32, exact, atol=2.0**-32)
        assert stats.poisson.cdf(lowest - 1, mean) < 2.0**-32
        assert stats.poisson.sf(lowest + size, mean) < 1.5 * 2.0**-32


def test_poisson_demand_passes_a_chi_square_test() -> None:
    mu = np.array([0.3, 6.0, 16.0])
    units = PoissonDemand(mu).draw(100_000, np.random.default_rng(0))
    assert units.dtype == np.float32
    for n, mean in enumerate(mu):
        # pool the tails so that every class expects more than 5
        low, high = (int(stats.poisson.ppf(p, mean)) for p in (1e-3, 1 - 1e-3))
        edges = np.arange(low, high + 1)
        probability = stats.poisson.pmf(edges, mean)
        probability[0], probability[-1] = stats.poisson.cdf(low, mean), stats.poisson.sf(high - 1, mean)
        counts = np.bincount(units[:, n].clip(low, high).astype(int) - low)
        assert stats.chisquare(counts, probability * 100_000).pvalue > 1e-3


def test_agents_and_periods_are_uncorrelated() -> None:
    units = PoissonDemand(np.full(2, 9.0)).draw(50_000, np.random.default_rng(1)).astype(float)
    assert abs(np.corrcoef(units[:, 0], units[:, 1])[0, 1]) < 4 / np.sqrt(50_000)
    assert abs(np.corrcoef(units[:-1, 0], units[1:, 0])[0, 1]) < 4 / np.sqrt(50_000)


def test_poisson_quantile_of_several_periods() -> None:
    demand = PoissonDemand(np.array([6.0, 10.0]))
    # Poisson(12) at .9749 and Poisson(10) at .9
    assert demand.quantile(np.array([7 / 7.18, 0.9]), np.array([2, 1])).tolist() == [19, 14]


RECORD = np.arange(20.0).reshape(10, 2)


@pytest.mark.parametrize(("mode", "starts"), [("series", {0}), ("window", set(range(7)))])
def test_consecutive_periods_of_a_record(mode: Literal["series", "window"], starts: set[int]) -> None:
    demand = TraceDemand(RECORD, mode)
    rng = np.random.default_rng(0)
    seen = set()
    for _ in range(100):
        units = demand.draw(4, rng)
        start = int(units[0, 0]) // 2
        np.testing.assert_array_equal(units, RECORD[start : start + 4])
        seen.add(start)
    assert seen == starts


def test_bootstrap_draws_whole_periods() -> None:
    units = TraceDemand(RECORD, "bootstrap").draw(1000, np.random.default_rng(0))
    # what agents have in common stays in common
    np.testing.assert_array_equal(units[:, 1], units[:, 0] + 1)
    assert np.bincount(units[:, 0].astype(int))[::2].min() > 60


def test_empirical_quantile_by_hand() -> None:
    record = np.array([[3.0, 1], [1, 1], [2, 5], [8, 1]])
    demand = TraceDemand(record, "series")
    # one period: 1 2 3 8 at .5 is 2; two periods: 2, 6, 6 at .5 is 6
    assert demand.quantile(np.array([0.5, 0.5]), np.array([1, 2])).tolist() == [2, 6]
    assert demand.quantile(np.array([1.0, 0.0]), np.array([1, 2])).tolist() == [8, 2]


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"12 periods is longer than the record of 10.*demand_mode=bootstrap"):
        TraceDemand(RECORD, "window").draw(12, np.random.default_rng(0))
    for bad in (np.full((3, 2), -1.0), np.full((3, 2), np.nan), np.ones(3)):
        with pytest.raises(ValueError, match="finite units, none negative"):
            TraceDemand(bad, "series")


def test_a_window_for_quantiles_longer_than_the_record_is_refused() -> None:
    with pytest.raises(ValueError, match="11 periods are more than the 10 recorded"):
        TraceDemand(RECORD, "series").quantile(np.array([0.5, 0.5]), np.array([1, 11]))
