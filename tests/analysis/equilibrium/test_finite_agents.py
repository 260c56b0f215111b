"""N agents approach the mean field as C/N, with the constant that is worked out."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.equilibrium.finite_agents import finite_agents
from analysis.equilibrium.rates import Size, fitted_rates
from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import base_stock_profile, evaluate, finite_population_term, mean_field


def test_base_stock_among_few_agents_is_off_by_the_constant_over_n() -> None:
    config = MarketConfig(jitter=0.0, horizon=12)
    game = mean_field(config)
    profile = base_stock_profile(game)
    found = finite_agents(config, profile, sizes=(15, 30, 60), agents=60_000, seed=3)
    exact = float(game.shares @ finite_population_term(game, evaluate(game, profile)))
    by_n = found.rates[0]
    # 15, 30 and 60 agents have the preset's shares, so that one constant serves all
    assert abs(by_n.constant - exact) < 4 * by_n.constant_error
    assert by_n.constant_error < 0.1 * abs(exact)
    assert by_n.p_value > 0.001
    assert all(one.limit == pytest.approx(evaluate(game, profile).mean) for one in found.sizes)


@pytest.mark.parametrize("power", [-1.0, -0.5])
def test_the_power_that_gaps_follow_is_found(power: float) -> None:
    rng = np.random.default_rng(0)
    n = np.array([10, 30, 100, 300, 1000, 3000, 10_000])
    covered = 0
    for _ in range(200):
        errors = 0.02 * 100.0 * n**power
        gaps = 100.0 * n**power + errors * rng.normal(size=n.size)
        sizes = [Size(int(k), 10, float(g), float(e), 0.0) for k, g, e in zip(n, gaps, errors, strict=True)]
        by_n, by_root, free = fitted_rates(sizes)
        covered += abs(free.power - power) < 1.96 * free.power_error
        right, wrong = (by_n, by_root) if power == -1 else (by_root, by_n)
        assert wrong.p_value < 1e-6 < right.p_value
    assert 175 <= covered <= 200


def test_bad_sizes_are_told() -> None:
    profile = base_stock_profile(mean_field(MarketConfig(jitter=0.0, horizon=4)))
    with pytest.raises(ValueError, match="3 or more"):
        finite_agents(MarketConfig(horizon=4), profile, sizes=(10, 30))
