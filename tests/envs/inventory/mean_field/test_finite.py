"""N agents come near the mean field like C / N, with the C that is worked out."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.finite_population import easy_with_exact_shares, measure
from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import (
    base_stock_profile,
    equilibrium,
    evaluate,
    finite_population_term,
    mean_field,
    random_profile,
)


def test_gap_times_agents_is_the_constant_that_is_worked_out() -> None:
    game = mean_field(easy_with_exact_shares())
    solution = equilibrium(game, iterations=20)
    exact = float(game.shares @ finite_population_term(game, solution.evaluation))
    for num_agents, copies in ((30, 300), (100, 100), (300, 60)):
        gap = measure(game, solution.profile, num_agents, copies, seed=4)
        assert gap.plain == pytest.approx(exact, abs=4 * gap.plain_error)
        assert gap.controlled == pytest.approx(exact, abs=4 * gap.controlled_error)
        # so precise that 0 and half of it are far off
        assert abs(exact) > 8 * gap.controlled_error


def test_the_constant_of_random_orders_is_their_variance() -> None:
    # without retail coupling only orders count: slope Var(q) summed, q uniform on the 11 levels
    game = mean_field(MarketConfig(jitter=0.0, price_coupling=0.0))
    term = finite_population_term(game, evaluate(game, random_profile(game)))
    expected = [-game.slope * k.levels.var() * game.discount.sum() for k in game.types]
    np.testing.assert_allclose(term, expected, rtol=1e-12)


def test_no_coupling_no_gap() -> None:
    game = mean_field(MarketConfig(jitter=0.0, price_coupling=0.0, congestion=0.0))
    assert (finite_population_term(game, evaluate(game, base_stock_profile(game))) == 0).all()


def test_backlog_is_refused() -> None:
    game = mean_field(MarketConfig(jitter=0.0, unmet="backlog"))
    with pytest.raises(ValueError, match="lost sales"):
        finite_population_term(game, evaluate(game, base_stock_profile(game)))
