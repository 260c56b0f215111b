"""MaxEnt IRL in the market: its process is the mean field's, and what it finds has the expert's features."""

from __future__ import annotations

import numpy as np
import pytest

from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import evaluate, mean_field
from envs.inventory.mean_field.profiles import random_profile
from envs.inventory.types import TYPES
from mfmarl.errors import UserError
from mfmarl.imitation.demonstrations import Demonstrations
from mfmarl.imitation.market_irl import DISCOUNT, RIDGE, process_of, recovered, seen_features
from mfmarl.imitation.maxent_irl import feature_expectation
from mfmarl.imitation.rollout import episodes, spaces_of
from mfmarl.imitation.soft_values import occupancy
from mfmarl.imitation.type_experts import expert_of
from mfmarl.imitation.type_game import type_game

NAME = "inventory/market-easy,jitter=0,num_agents=15,horizon=30:convenience"


@pytest.mark.parametrize("lead", [0, 1])
@pytest.mark.parametrize("delta", [0.0, 0.5])
def test_positions_move_as_in_the_mean_field(lead: int, delta: float) -> None:
    kind = TYPES["convenience"].model_copy(update={"L": lead, "delta": delta})
    game = mean_field(MarketConfig(types={"one": kind}, jitter=0, horizon=6))
    process = process_of(game.types[0])
    np.testing.assert_allclose(process.transitions.sum(-1), 1, atol=1e-12)
    flow = evaluate(game, random_profile(game)).flows[0]
    mu = process.start
    for t in range(6):
        ours, theirs = mu, flow.occupancy[t].sum(-1)
        if not game.types[0].order_first or t == 0:
            np.testing.assert_allclose(ours, theirs, atol=1e-12)
        assert flow.sold[t] == pytest.approx(float((mu @ process.features[:, :, 0]).mean()) * 6, abs=1e-9)
        mu = (mu @ process.transitions.mean(1).reshape(len(mu), -1)).reshape(-1)


def test_what_is_found_has_the_experts_features() -> None:
    game = type_game(NAME)
    shown = Demonstrations.from_episodes(episodes(NAME, expert_of(game), 10, 0, 5), spaces_of(NAME), NAME)
    found, reader = recovered(game, shown)
    assert found.matched
    process = process_of(reader.model)
    seen = seen_features(process, reader.places(shown.transitions.states)[0], shown)
    mine = feature_expectation(occupancy(process.transitions, found.policy, process.start, DISCOUNT), process.features)
    # the ridge leaves its share of theta
    np.testing.assert_allclose(seen - mine, RIDGE * found.theta, atol=1e-6)
    assert found.mismatch < 0.01


def test_a_longer_state_is_refused() -> None:
    game = mean_field(MarketConfig(types={"slow": TYPES["online"]}, jitter=0, horizon=3))
    with pytest.raises(UserError, match="slow: its state is more than a position"):
        process_of(game.types[0])
