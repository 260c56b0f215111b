"""Mirror descent finds the equilibrium that fictitious play finds."""

from __future__ import annotations

import numpy as np
import pytest

from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import MeanFieldMarket, best_response, equilibrium, evaluate, mean_field, nash_conv
from envs.inventory.mean_field.mirror_descent import action_values, mirror_descent
from envs.inventory.mean_field.profiles import base_stock_profile, random_profile
from envs.inventory.types import AgentType


@pytest.fixture(scope="module")
def game() -> MeanFieldMarket:
    """Two types, of twelve periods."""
    types = {
        "now": AgentType(share=2, mu=3, p0=12, c=6, h=0.12, ell=1, L=0),
        "soon": AgentType(share=3, mu=5, p0=10, c=6.5, h=0.08, ell=0.8, K=3, L=1),
    }
    return mean_field(MarketConfig(types=types, jitter=0, horizon=12))


def test_it_settles_where_fictitious_play_does(game: MeanFieldMarket) -> None:
    ours, theirs = mirror_descent(game, iterations=120), equilibrium(game, iterations=120)
    assert ours.residual < 0.004
    assert ours.gaps[-1] < ours.gaps[20] / 4
    assert ours.mean == pytest.approx(theirs.mean, rel=0.01)
    np.testing.assert_allclose(ours.evaluation.path.mean_order[:9], theirs.evaluation.path.mean_order[:9], atol=0.35)
    again = nash_conv(game, ours.profile)
    assert again.total == pytest.approx(ours.gaps[-1], abs=1e-9)
    assert (again.gaps >= -1e-9).all()


def test_action_values_are_what_a_best_response_and_a_policy_are_worth(game: MeanFieldMarket) -> None:
    profile = random_profile(game)
    found = evaluate(game, profile)
    for k, kind in enumerate(game.types):
        q = action_values(game, found, k, profile.policies[k])
        assert q.max() == 0.0
        # in the last period there is nothing to plan for, so the best action of any policy is the best response's
        answer = best_response(game, found.path, k).actions[-1]
        assert np.array_equal(q[-1].argmax(-1), answer)
        assert kind.levels[answer].max() == 0.0 or kind.order_first


def test_a_start_is_kept_to(game: MeanFieldMarket) -> None:
    start = base_stock_profile(game)
    found = mirror_descent(game, iterations=2, start=start)
    for mine, rule in zip(found.profile.policies, start.policies, strict=True):
        np.testing.assert_allclose(mine, rule, atol=1e-12)
    assert mirror_descent(game, tol=0.5).iterations < 20


def test_bad_settings_are_refused(game: MeanFieldMarket) -> None:
    for options in ({"iterations": 0}, {"step": 0.0}):
        with pytest.raises(ValueError, match="at least one iteration, and a step above 0"):
            mirror_descent(game, **options)  # type: ignore[arg-type]
