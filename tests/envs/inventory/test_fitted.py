"""Seasonal counts: known parameters are found again, and recorded weeks that were held out are covered."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import envs
from envs.inventory.backend import backend
from envs.inventory.demand import CountDemand
from envs.inventory.fitted import LARGEST_CV2, SeasonalCounts, fit_counts
from envs.inventory.market import InventoryMarket
from envs.inventory.streams import episode_keys

Doubles = NDArray[np.float64]
SWING = 1 + 0.4 * np.sin(2 * np.pi * np.arange(52) / 52)


def simulated(demand: CountDemand, periods: int, seed: int = 0) -> Doubles:
    """One copy's units [T, N]."""
    episode = demand.episode(episode_keys(np.array([seed], np.uint64), 0), periods, backend("numpy"))
    return np.concatenate([episode.units(t) for t in range(periods)]).astype(float)


def log_season(phase: float, amplitude: float) -> Doubles:
    factors = np.exp(amplitude * np.sin(2 * np.pi * (np.arange(52) + phase) / 52))
    return np.asarray(factors / factors.mean())


def test_known_parameters_are_found_within_standard_errors() -> None:
    mu, cv2 = np.repeat([5.0, 40.0, 300.0], 60), np.tile([0.0, 0.1, 0.5, 2.0], 45)
    groups = np.repeat([0, 1, 0], 60)
    season = np.where(groups == 0, log_season(0, 0.3)[:, None], log_season(20, 0.6)[:, None])
    weeks = 520
    law = fit_counts(simulated(CountDemand(mu, cv2, season=season), weeks), groups)
    assert law.season.mean(0) == pytest.approx(np.ones(180))
    for group in (0, 1):
        same = law.season[:, groups == group]
        assert (same == same[:, :1]).all()
    # the total of 120 agents with noise of .04 of its mean a week, over 10 seasons
    np.testing.assert_allclose(law.season, season, rtol=0.04)
    means = mu * season[np.arange(weeks) % 52]
    error = np.sqrt((means + cv2 * means**2).sum(0)) / weeks
    scores = (law.mu - mu) / error
    assert np.abs(scores).max() < 4
    assert 0.7 < scores.std() < 1.3
    # 15 agents of each pair of mu and cv2: their mean estimate within 4 of its standard errors, and none far off
    for mean in (5.0, 40.0, 300.0):
        for spread in (0.1, 0.5, 2.0):
            found = law.cv2[(mu == mean) & (cv2 == spread)]
            assert found.mean() == pytest.approx(spread, abs=4 * found.std(ddof=1) / np.sqrt(found.size))
            assert found.std() < 0.25 * max(spread, 1 / mean)
    poisson = law.cv2[cv2 == 0]
    assert (poisson == 0).mean() > 0.3
    # 4 standard errors of the method of moments at its best: sqrt(2 / T) / mu
    assert (poisson < 4 * np.sqrt(2 / weeks) / mu[cv2 == 0]).all()


def test_dispersion_maximises_the_likelihood() -> None:
    units = simulated(CountDemand(np.array([30.0, 8.0]), np.array([0.4, 1.5])), 100)
    law = fit_counts(units, np.zeros(2, np.int64), harmonics=0)
    assert law.mu.tolist() == units.mean(0).tolist()

    def likelihood(cv2: Doubles) -> Doubles:
        return np.asarray(stats.nbinom.logpmf(units, 1 / cv2, 1 / (1 + cv2 * law.mu)).sum(0))

    for factor in (0.99, 1.01):
        assert (likelihood(law.cv2) > likelihood(factor * law.cv2)).all()


def test_dispersion_at_its_ends() -> None:
    # steadier than Poisson, and one sale in 100,000 weeks of 1,000 units
    steady, burst = np.full(2000, 7.0), np.zeros(2000)
    steady[::2], burst[5] = 8, 100_000
    law = fit_counts(np.column_stack([steady, burst]), np.zeros(2, np.int64), harmonics=0)
    assert law.cv2[0] == 0
    assert law.cv2[1] == pytest.approx(LARGEST_CV2)


def test_a_season_by_hand() -> None:
    # a record that is the season itself: mean 200 times exp of one wave
    wave = log_season(7, 0.5)
    record = np.rint(1000 * wave[np.arange(104) % 52])[:, None].repeat(2, 1)
    law = fit_counts(record, np.zeros(2, np.int64))
    np.testing.assert_allclose(law.season[:, 0], wave, rtol=1e-3)
    assert law.mu == pytest.approx([1000, 1000], rel=1e-3)
    # play goes on where the record ends, in the calendar as well
    start = law.demand(30)
    np.testing.assert_allclose(start.mu * start.factors[:10], law.means(30, 10))
    np.testing.assert_allclose(law.means(104, 52), law.means(0, 52))


@pytest.mark.parametrize(("weeks", "seasons"), [(77, 1), (78, 52)])
def test_a_season_needs_one_and_a_half(weeks: int, seasons: int) -> None:
    units = simulated(CountDemand(np.full(3, 20.0), season=SWING), weeks)
    law = fit_counts(units, np.zeros(3, np.int64))
    assert law.season.shape == (seasons, 3)


@pytest.mark.parametrize(
    ("units", "options", "message"),
    [
        (np.full((60, 2), 1.5), {}, "whole units, none negative"),
        (np.full((60, 2), -1.0), {}, "whole units, none negative"),
        (np.full((60, 2), np.nan), {}, "whole units, none negative"),
        (np.ones(60), {}, r"array \[periods, agents\]"),
        (np.column_stack([np.ones(60), np.zeros(60)]), {}, "agent 1 of the record sold nothing"),
        (np.ones((60, 2)), {"harmonics": 2, "period": 4}, "harmonics is 2; a season of 4 periods tells 0 to 1 apart"),
    ],
)
def test_refusals(units: Doubles, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_counts(units, np.zeros(2, np.int64), **options)


def orange_juice(**options: Any) -> InventoryMarket:
    return cast(InventoryMarket, envs.make("inventory/market-orange-juice", **{"seed": 0} | options))


def record_of(split: str) -> Doubles:
    market = orange_juice(split=split, demand_mode="series", horizon=91 if split == "train" else 30)
    return np.concatenate([market._demand.units(t) for t in range(market.horizon)]).astype(float)


def coverage(law: SeasonalCounts, units: Doubles, start: int, level: float = 0.9) -> float:
    """Share of recorded units inside the central interval of the law."""
    means = law.means(start, len(units))
    low, high = (
        stats.nbinom.ppf(p, 1 / law.cv2, 1 / (1 + law.cv2 * means)) for p in ((1 - level) / 2, (1 + level) / 2)
    )
    return float(((units >= low) & (units <= high)).mean())


def test_held_out_weeks_of_the_real_stores_are_covered() -> None:
    market = orange_juice()
    train, test = record_of("train"), record_of("test")
    law = fit_counts(train, market.agent_types)
    assert coverage(law, train, 0) == pytest.approx(0.904, abs=0.005)
    assert coverage(law, test, 91) == pytest.approx(0.902, abs=0.005)
    # without dispersion the interval would be far too narrow
    assert coverage(SeasonalCounts(law.mu, np.full(83, 1e-6), law.season), test, 91) < 0.2


def test_the_market_plays_the_fitted_law_and_shows_its_season() -> None:
    market, recorded = orange_juice(demand_mode="fitted", num_envs=50), orange_juice()
    law = fit_counts(record_of("train"), market.agent_types)
    np.testing.assert_array_equal(market.parameters.mu, law.mu)
    np.testing.assert_array_equal(market.parameters.cv2, law.cv2)
    assert market.known_demand is market.demand
    means = law.means(0, 3)
    for t in range(3):
        units = market._demand.units(t).astype(float)
        error = np.sqrt((means[t] + law.cv2 * means[t] ** 2) / 50)
        assert np.abs((units.mean(0) - means[t]) / error).max() < 5
    assert "season" in market.describe_observation()
    assert "season" not in recorded.describe_observation()
    # a test of the law plays on in the calendar
    held_out = orange_juice(demand_mode="fitted", split="test")
    demand = cast(CountDemand, held_out.demand)
    np.testing.assert_allclose(demand.mu * demand.factors[:30], law.means(91, 30))
    assert held_out.horizon == 30
