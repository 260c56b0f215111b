"""Demand processes: exact distributions, windows of records, quantiles."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from envs.inventory.backend import backend
from envs.inventory.count_law import log_probability
from envs.inventory.demand import CountDemand, Demand, Shock, quantile_table
from envs.inventory.streams import episode_keys
from envs.inventory.tensors import log_probability as tensor_log_probability
from envs.inventory.trace import TraceDemand

LOOPS = backend("numpy")


def drawn(demand: Demand, copies: int, periods: int, seed: int = 0) -> NDArray[np.float32]:
    """Units [T, B, N]."""
    keys = episode_keys(np.arange(seed, seed + copies, dtype=np.uint64), 0)
    episode = demand.episode(keys, periods, LOOPS)
    return np.stack([episode.units(t) for t in range(periods)])


def test_the_table_is_the_poisson_distribution_function() -> None:
    mu = np.array([0.01, 0.7, 6.0, 12.5, 300.0, 20_000.0])
    tables, _, lowests = quantile_table(mu, np.zeros(mu.size))
    for n, mean in enumerate(mu):
        lowest, table = int(lowests[n]), tables[n]
        size = int(np.argmax(table == 2**32 - 1))
        exact = stats.poisson.cdf(lowest + np.arange(size), mean)
        np.testing.assert_allclose(table[:size] / 2.0**32, exact, atol=2.0**-32)
        assert stats.poisson.cdf(lowest - 1, mean) < 2.0**-32
        assert stats.poisson.sf(lowest + size, mean) < 1.5 * 2.0**-32


MU = np.array([0.3, 6.0, 16.0, 400.0])


@pytest.mark.parametrize("cv2", [0.0, 0.15, 1.5])
@pytest.mark.parametrize("season", [(1.0,), (1.0, 1.0 + 1e-9)])
def test_counts_pass_a_chi_square_test(cv2: float, season: tuple[float, ...]) -> None:
    # the second season makes the means change in name only, so that units are searched for instead of looked up
    spread = np.full(MU.size, cv2)
    units = drawn(CountDemand(MU, spread, season=season), 200, 500).reshape(-1, MU.size)
    assert units.dtype == np.float32
    for n, mean in enumerate(MU):
        law = stats.nbinom(1 / cv2, 1 / (1 + cv2 * mean)) if cv2 else stats.poisson(mean)
        edges = np.unique(law.ppf(np.linspace(0.001, 0.999, 40)))
        probability = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]]))
        counts = np.bincount(np.searchsorted(edges, units[:, n]), minlength=edges.size + 1)
        assert stats.chisquare(counts, probability * len(units)).pvalue > 1e-3


def test_looking_up_and_searching_give_the_same_units() -> None:
    cv2 = np.array([0.0, 0.15, 0.0, 0.25])
    looked_up = drawn(CountDemand(MU, cv2), 50, 100)
    searched = drawn(CountDemand(MU, cv2, season=np.tile([[1.0], [1.0 + 1e-13]], (1, 4))), 50, 100)
    # one uniform in 2^32 may fall between two roundings of the distribution function
    assert (looked_up != searched).sum() <= 1


def test_agents_periods_and_copies_are_uncorrelated() -> None:
    units = drawn(CountDemand(np.full(2, 9.0)), 2, 50_000).astype(float)
    pairs = [(units[:, 0, 0], units[:, 0, 1]), (units[:-1, 0, 0], units[1:, 0, 0]), (units[:, 0, 0], units[:, 1, 0])]
    for one, other in pairs:
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(50_000)


def test_a_season_moves_the_mean_by_the_calendar() -> None:
    demand = CountDemand(np.array([10.0, 20.0]), season=(0.5, 1.0, 1.5))
    means = drawn(demand, 20_000, 6).mean(1)
    expected = np.array([0.5, 1.0, 1.5, 0.5, 1.0, 1.5])[:, None] * demand.mu
    assert (np.abs(means - expected) < 4 * np.sqrt(expected / 20_000)).all()
    episode = demand.episode(np.zeros(1, np.uint64), 6, LOOPS)
    assert [episode.season(t) for t in range(4)] == [0.5, 1.0, 1.5, 0.5]


def test_shocks_are_autoregressive_common_to_a_copy_and_of_mean_one() -> None:
    shock = Shock(0.8, 0.15)
    keys = episode_keys(np.arange(20_000, dtype=np.uint64), 0)
    logs = np.log(shock.path(keys, 4))
    variance = 0.15**2 / (1 - 0.8**2)
    for t in range(4):
        assert logs[t].var() == pytest.approx(variance, rel=4 * np.sqrt(2 / 20_000))
        assert np.exp(logs[t]).mean() == pytest.approx(1, abs=4 * np.sqrt(variance / 20_000) * 1.1)
    for lag in (1, 2, 3):
        assert np.corrcoef(logs[0], logs[lag])[0, 1] == pytest.approx(0.8**lag, abs=4 / np.sqrt(20_000))
    # two agents of a copy share it: Cov(D1, D2) = mu^2 Var(shock)
    units = drawn(CountDemand(np.full(2, 50.0), shock=shock), 20_000, 1)[0].astype(float)
    exact = 50**2 * (np.exp(variance) - 1)
    assert np.cov(units.T)[0, 1] == pytest.approx(exact, rel=0.08)


def test_dispersion_widens_the_quantile() -> None:
    demand = CountDemand(np.array([4.0, 4.0]), np.array([0.0, 0.25]))
    # Poisson(4 x 2) and a negative binomial of size 2 / .25 = 8 and mean 8
    levels = demand.quantile(np.array([0.9, 0.9]), np.array([2, 2]))
    assert levels.tolist() == [stats.poisson.ppf(0.9, 8), stats.nbinom.ppf(0.9, 8, 0.5)]


def test_bad_seasons_are_refused() -> None:
    with pytest.raises(ValueError, match=r"seasonal factors must be positive; the least is -1\.0"):
        CountDemand(np.ones(2), season=(1.0, -1.0))


def test_poisson_quantile_of_several_periods() -> None:
    demand = CountDemand(np.array([6.0, 10.0]))
    # Poisson(12) at .9749 and Poisson(10) at .9
    assert demand.quantile(np.array([7 / 7.18, 0.9]), np.array([2, 1])).tolist() == [19, 14]


RECORD = np.arange(20.0).reshape(10, 2)


@pytest.mark.parametrize(("mode", "starts"), [("series", {0}), ("window", set(range(7)))])
def test_consecutive_periods_of_a_record(mode: Literal["series", "window"], starts: set[int]) -> None:
    demand = TraceDemand(RECORD, mode)
    seen = set()
    played = drawn(demand, 100, 4)
    for b in range(100):
        units = played[:, b]
        start = int(units[0, 0]) // 2
        np.testing.assert_array_equal(units, RECORD[start : start + 4])
        seen.add(start)
    assert seen == starts


def test_bootstrap_draws_whole_periods() -> None:
    units = drawn(TraceDemand(RECORD, "bootstrap"), 1, 1000)[:, 0]
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
        drawn(TraceDemand(RECORD, "window"), 1, 12)
    for bad in (np.full((3, 2), -1.0), np.full((3, 2), np.nan), np.ones(3)):
        with pytest.raises(ValueError, match="finite units, none negative"):
            TraceDemand(bad, "series")


def test_a_window_for_quantiles_longer_than_the_record_is_refused() -> None:
    with pytest.raises(ValueError, match="11 periods are more than the 10 recorded"):
        TraceDemand(RECORD, "series").quantile(np.array([0.5, 0.5]), np.array([1, 11]))


NARROW, WIDE = (0.0, 1e-12, 1e-9, 1e-4), (0.0624, 0.0626, 0.5)
# wide laws of a million units have a hundred million terms
LAWS = [(mean, cv2) for mean in (0.3, 17.0, 1000.0) for cv2 in NARROW + WIDE] + [(1e6, cv2) for cv2 in NARROW]


@pytest.mark.parametrize(("mean", "cv2"), LAWS)
def test_the_searched_law_has_all_its_mass(mean: float, cv2: float) -> None:
    deviation = np.sqrt(mean + cv2 * mean**2)
    lowest = max(0, int(mean - 9 * deviation))
    k = lowest + np.arange(int(18 * deviation + 60 * cv2 * mean + 60), dtype=float)
    first = np.exp(log_probability(float(lowest), mean, cv2))
    ratios = mean * (1 + cv2 * k[:-1]) / ((1 + cv2 * mean) * (k[:-1] + 1))
    mass = first * (1 + np.cumprod(ratios).sum())
    assert mass == pytest.approx(1, abs=2.0**-34)
    k, m, spread = (torch.tensor(x, dtype=torch.float64) for x in (k[:2000], mean, cv2))
    same = [log_probability(float(x), mean, cv2) for x in k]
    np.testing.assert_allclose(tensor_log_probability(k, m, spread).numpy(), same, rtol=1e-12, atol=1e-11)


def test_a_dispersion_near_zero_is_drawn_in_time_and_as_poisson() -> None:
    # the season only makes the means change in name, so that units are searched for
    demand, poisson = (
        CountDemand(np.array([813.0, 1000.0]), np.full(2, cv2), season=(1.0, 1.0 + 1e-9)) for cv2 in (1e-12, 0.0)
    )
    np.testing.assert_array_equal(drawn(demand, 500, 2), drawn(poisson, 500, 2))
