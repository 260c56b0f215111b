"""Policies that act on observations: rows as the market shows them, and profiles as the market plays them."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from envs.inventory.config import EASY_TYPES, MarketConfig
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import (
    MeanFieldMarket,
    base_stock_profile,
    evaluate,
    mean_field,
    nash_conv,
    random_profile,
)
from envs.inventory.mean_field.hidden import Holdings
from envs.inventory.mean_field.observer import Observer, Yesterday
from envs.inventory.mean_field.observing import observed_profile
from envs.inventory.mean_field.profiles import base_stock_levels, nearest_action
from envs.inventory.types import TYPES, AgentType
from envs.population import type_slices

Doubles = NDArray[np.float64]
MEDIUM_TYPES = ("convenience", "supermarket", "premium", "discounter")


def small(lead: int) -> AgentType:
    return AgentType(share=1, mu=3, cv2=0.2, p0=10, c=5, h=0.1, b=1, ell=1, K=1, L=lead)


MARKETS: dict[str, tuple[str, dict[str, Any]]] = {
    "easy": ("easy", {}),
    "medium": ("medium", {"types": {name: TYPES[name] for name in ("convenience", "premium")}, "season_period": 9}),
    "scarce": ("medium", {"types": {"a": small(1), "b": small(2)}, "capacity": 0.7, "initial_stock": 1.0}),
    "backlog": ("easy", {"unmet": "backlog", "ending": "finite", "stock_cap": 40.0}),
    "backlog, L = 2": ("easy", {"unmet": "backlog", "types": {"a": small(2), "b": small(0)}, "stock_cap": 60.0}),
    "scarce backlog": (
        "easy", {"unmet": "backlog", "types": {"a": small(1), "b": small(2)}, "capacity": 0.9, "stock_cap": 60.0}
    ),
    "sell all": ("easy", {"demand_mode": "sell_all", "price_signal": "stock"}),
    "perishable": ("perishable", {"price_signal": "orders", "ending": "finite"}),
    "three periods": ("easy", {"types": {"a": small(3)}, "action_grid": (0.0, 1.0, 2.0, 3.0)}),
}


def play_of(name: str, agents: int, **options: Any) -> tuple[InventoryMarket, MeanFieldMarket]:
    preset, of_market = MARKETS[name]
    settings = {"horizon": 10, "jitter": 0.0} | of_market | options
    market = cast(InventoryMarket, envs.make(f"inventory/market-{preset}", num_agents=agents, seed=3, **settings))
    return market, mean_field(market.config)


@pytest.mark.parametrize("name", MARKETS)
def test_observations_are_the_markets_bit_for_bit(name: str) -> None:
    # 90 agents split by the shares of all of these markets, so that m_ref and mean c are the mean field's
    env, game = play_of(name, 90)
    game = mean_field(env.config.model_copy(update={"types": {
        kind: env.config.types[kind].model_copy(update={"share": (env.agent_types == k).mean()})
        for k, kind in enumerate(env.type_names)
    }}))  # fmt: skip
    observer, rng, step = Observer(game), np.random.default_rng(0), env.reset(5)
    for t in range(9):
        held = env.get_state()
        before = Yesterday(*(float(held[key][0]) for key in ("last_order", "last_premium", "last_price", "last_fill")))
        shared = observer.shared(t, before)
        for k, part in enumerate(type_slices(env.agent_types)):
            lead, slots = int(env.parameters.L[part][0]), env.pipeline.shape[0]
            on_order = [env.pipeline[(t - lead + ahead) % slots, 0, part] for ahead in range(lead)]
            own = Holdings((env.stock - env.backlog)[0, part], held["last_demand"][0, part], on_order)
            rows = observer.rows(k, own, shared)
            assert rows.dtype == np.float32
            assert np.array_equal(rows, step.obs[0, part])
        step = env.step(rng.integers(env.order_levels.shape[1], size=(1, 90)))


class Shallow:
    """A random network a type: what it plays hangs on everything that it sees."""

    def __init__(self, game: MeanFieldMarket, types: int, seed: int) -> None:
        rng, size, actions = np.random.default_rng(seed), Observer(game).size, game.types[0].levels.size
        self.inside = rng.normal(0, 1.0, (types, size + actions * (1 + types), 24))
        self.out = rng.normal(0, 1.0, (types, 24, actions))

    def __call__(self, k: int, obs: Any, mean: Doubles, by_type: Doubles) -> Doubles:
        told = np.broadcast_to(np.concatenate([mean, by_type.ravel()]), (obs.shape[0], mean.size + by_type.size))
        logits = np.maximum(np.concatenate([obs, told], 1) @ self.inside[k], 0.0) @ self.out[k]
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        return np.asarray(weights / weights.sum(-1, keepdims=True))


@pytest.mark.parametrize("name", MARKETS)
def test_twenty_thousand_agents_do_what_the_forward_pass_says(name: str) -> None:
    agents = 19_980
    env, game = play_of(name, agents)
    kinds, actions = len(game.types), game.types[0].levels.size
    law, parts = Shallow(game, kinds, 1), type_slices(env.agent_types)
    seen = observed_profile(game, law)
    exact = evaluate(game, seen.profile)
    # with lost sales and L = 2 what was granted shows later to the process; backlog is cut off where its grid ends
    apart = {"scarce": 0.02, "scarce backlog": 1e-5, "backlog, L = 2": 1e-6}.get(name, 1e-9)
    np.testing.assert_allclose(exact.path.mean_order, seen.mean_order, rtol=0, atol=apart)
    assert exact.residual < 1e-4
    assert seen.pruned < 1e-6
    rng, step = np.random.default_rng(2), env.reset(7)
    taken, total = np.zeros((1, agents), np.int64), np.zeros(agents)
    for t in range(game.horizon):
        one_hot = np.eye(actions)[taken[0]] * (t > 0)
        by_type = np.stack([one_hot[part].mean(0) for part in parts])
        probs = [law(k, step.obs[0, part], one_hot.mean(0), by_type) for k, part in enumerate(parts)]
        below = np.cumsum(np.concatenate(probs), -1)
        taken[0] = np.minimum((rng.random((agents, 1)) >= below).sum(-1), actions - 1)
        step = env.step(taken)
        total += game.gamma**t * step.reward[0]
        orders = step.metrics["order"][0]
        error = float(orders.std()) / agents**0.5 + 1e-3
        assert orders.mean() == pytest.approx(seen.mean_order[t], abs=4.5 * error)
    for k, part in enumerate(parts):
        mine = total[part]
        # prices scatter by agents^-1/2 as well, all agents' alike; agents do not split exactly
        error = mine.std() / mine.size**0.5
        assert mine.mean() == pytest.approx(exact.values[k], abs=4 * error + 0.15)


def test_a_rule_that_is_read_off_observations_is_the_rules_profile() -> None:
    game = mean_field(MarketConfig(jitter=0.0))
    levels, eye = base_stock_levels(game), np.eye(11)

    def base_stock(k: int, obs: Any, mean: Doubles, by_type: Doubles) -> Doubles:
        position = np.rint((obs[:, 0] + obs[:, 3].astype(float)) * 4 * game.types[k].agent.mu)
        return eye[nearest_action(game.types[k], np.maximum(levels[k] - position, 0.0))]

    seen = observed_profile(game, base_stock)
    ours, theirs = nash_conv(game, seen.profile), nash_conv(game, base_stock_profile(game))
    np.testing.assert_allclose(ours.gaps, theirs.gaps, atol=1e-7)
    for mine, rule, stream in zip(
        seen.profile.policies, base_stock_profile(game).policies, theirs.evaluation.flows, strict=True
    ):
        # what is not put to the policy, of probability 1e-12 a row, orders like the average
        differs = stream.occupancy.sum(-1) * abs(mine - rule).max(-1)
        assert differs.sum(1).max() < 1e-8
        usual = stream.occupancy.sum(-1) > 1e-4
        np.testing.assert_allclose(mine[usual], rule[usual], atol=1e-6)


def test_uniform_orders_of_an_observer_are_the_random_profile() -> None:
    game = play_of("medium", 20)[1]
    seen = observed_profile(game, lambda k, obs, mean, by_type: np.full((len(obs), 11), 1 / 11, np.float32))
    ours, theirs = evaluate(game, seen.profile), evaluate(game, random_profile(game))
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-9)
    np.testing.assert_allclose(seen.price, theirs.path.price, rtol=1e-12)
    np.testing.assert_allclose(seen.mean_action, 1 / 11, rtol=1e-6)


def test_what_is_too_much_to_follow_is_refused() -> None:
    types = {"easy": EASY_TYPES["supermarket"], "slow": TYPES["discounter"].model_copy(update={"L": 3})}
    game = mean_field(MarketConfig(jitter=0.0, types=types, horizon=4, capacity=2.0))
    with pytest.raises(ValueError, match=r"slow: with L = 3 .* audit by learned and bound"):
        observed_profile(game, lambda k, obs, mean, by_type: np.full((len(obs), 11), 1 / 11))


def test_what_is_no_law_is_refused() -> None:
    game = mean_field(MarketConfig(jitter=0.0, horizon=2))
    with pytest.raises(ValueError, match="convenience: what its policy plays on observation"):
        observed_profile(game, lambda k, obs, mean, by_type: np.full((len(obs), 11), 0.1))
