"""Penalised hindsight against the exact best response, all sequences of orders, and the market's own returns."""

from __future__ import annotations

from itertools import product
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field import best_response, constant_profile, evaluate, mean_field
from envs.inventory.mean_field.advantage import Advantage, OwnWeight, advantage
from envs.inventory.mean_field.couplings import season_of
from envs.inventory.mean_field.hindsight import Met, hindsight
from envs.inventory.mean_field.own_process import own_process
from envs.inventory.reference.clairvoyant import Field
from envs.inventory.types import AgentType

GAMMA = 0.9
MOST_VISITORS = 16
SHOP = {"mu": 5, "p0": 10, "c": 4, "h": 0.5, "b": 2, "ell": 1.5, "K": 3, "phi": 0.1}
KINDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"L": 0}, {}),
    ({"L": 0, "delta": 0.4, "v": 1}, {"price_signal": "stock", "stock_cap": 2.5}),
    ({"L": 0}, {"price_signal": "orders", "ending": "finite"}),
    ({"L": 1}, {"season_amplitude": 0.4, "season_period": 3}),
    ({"L": 1, "cv2": 0.3}, {"price_signal": "orders", "price_floor": 0.8}),
    ({"L": 2}, {"ending": "finite", "stock_cap": 3.0}),
    ({"L": 2, "delta": 0.2}, {"price_signal": "stock"}),
    ({"L": 0, "delta": 0.2, "v": 1}, {"spill": 0.8}),
    ({"L": 1}, {"spill": 0.6, "price_signal": "stock"}),
    ({"L": 2}, {"spill": 1.0, "price_signal": "orders"}),
    ({"L": 0, "delta": 1}, {"demand_mode": "sell_all", "initial_stock": 0.0}),
    ({"L": 0}, {"unmet": "backlog", "stock_cap": 1.5, "initial_stock": 1.0}),
    ({"L": 1, "delta": 0.3}, {"unmet": "backlog", "stock_cap": 1.5, "ending": "finite", "price_signal": "stock"}),
    ({"L": 2}, {"unmet": "backlog", "price_floor": 0.7, "initial_stock": 0.4}),
]


def settings(shop: dict[str, Any], options: dict[str, Any], **more: Any) -> dict[str, Any]:
    plain = {"jitter": 0.0, "horizon": 5, "action_mode": "absolute", "action_grid": (0.0, 4.0, 9.0)}
    return plain | {"types": {"shop": AgentType.model_validate(SHOP | shop)}} | options | more


def known_at(config: MarketConfig, premium: Any, ratio: Any, weight: OwnWeight) -> Advantage:
    agent = config.types["shop"]
    levels, most = np.asarray(config.action_grid, float), MOST_VISITORS if config.spill > 0 else 0
    process = own_process(agent, config, agent.mu * season_of(config), levels, most)
    premium, ratio = np.asarray(premium, float), np.asarray(ratio, float)
    return advantage(process, premium, ratio, weight, GAMMA, np.full(premium.size, config.spill))


@pytest.mark.parametrize(("shop", "options"), KINDS)
def test_its_value_is_the_best_response_where_prices_are_as_expected(
    shop: dict[str, Any], options: dict[str, Any]
) -> None:
    # the field's own process charges backlog before it arises and leaves the room out: another computation altogether
    options = {name: value for name, value in options.items() if name != "spill"}
    if options.get("unmet") == "backlog":
        options = options | {"stock_cap": 20.0}
        shop = shop | {"delta": 0.0}
    config = MarketConfig(**settings(shop, options, horizon=12))
    game = mean_field(config, gamma=GAMMA)
    path = evaluate(game, constant_profile(game)).path
    known = known_at(config, path.premium, path.price, OwnWeight(config.price_signal))
    assert known.value == pytest.approx(best_response(game, path, 0).value, abs=1e-7)
    assert known.loss.min() == 0
    np.testing.assert_array_equal(known.loss.min(-1), 0)
    # and in every episode of its own demand
    rng = np.random.default_rng(1)
    shape = (12, 7)
    demand = rng.poisson(game.types[0].agent.mu * season_of(config)[:, None], shape)
    premium, ratio = (np.repeat(part[:, None], 7, 1) for part in (path.premium, path.price))
    met = Met(demand, premium, ratio, ratio, rng.integers(3, size=shape), np.zeros(shape, int))
    found = hindsight(known, met, config.price_floor)
    np.testing.assert_allclose(found.best, known.value, atol=1e-7)
    assert (found.played < found.best).all()


@pytest.mark.parametrize(("shop", "options"), KINDS)
def test_it_is_the_best_of_all_sequences_of_orders(shop: dict[str, Any], options: dict[str, Any]) -> None:
    config = MarketConfig(**settings(shop, options))
    sequences = np.array(list(product(range(3), repeat=5))).T
    rng = np.random.default_rng(2)
    weight = OwnWeight(config.price_signal, 0.05, 0.01)
    known = known_at(config, rng.normal(0, 0.3, 5), rng.normal(1, 0.1, 5), weight)

    def the_same(values: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(values[:, None], sequences.shape[1], 1)

    ratio = the_same(rng.normal(1, 0.2, 5))
    # sold at the others' prices, so that what was played and what is best earn alike
    met = Met(
        the_same(rng.poisson(5, 5)), the_same(rng.normal(0, 1, 5)), ratio, np.maximum(ratio, config.price_floor),
        sequences, the_same(rng.integers(known.process.most_visitors + 1, size=5)),
    )  # fmt: skip
    found = hindsight(known, met, config.price_floor)
    np.testing.assert_allclose(found.best, found.played.max(), atol=1e-8)
    assert np.ptp(found.played) > 1


@pytest.mark.parametrize(("shop", "options"), KINDS)
def test_penalties_have_mean_zero_in_the_market_of_few(shop: dict[str, Any], options: dict[str, Any]) -> None:
    # two agents, so that an agent's own part in its prices is half of them; orders that fill the room now and then
    copies = 3_000
    chosen = settings(shop, options, congestion=0.3, price_coupling=0.3)
    market = cast(InventoryMarket, envs.make("inventory/market-easy", num_envs=copies, num_agents=2, seed=3, **chosen))
    field, returns = Field(market), np.zeros((copies, 2))
    rng, actions = np.random.default_rng(4), []
    for t in range(market.horizon):
        # who runs low orders more, so that orders hang on the demand of the past
        low = (market.inventory_position < rng.integers(2, 12, (copies, 2))).astype(int)
        actions.append(low * rng.integers(1, 3, (copies, 2)))
        step = market.step(actions[-1], observe=False)
        field.add(step)
        returns += GAMMA**t * step.reward
    weight = OwnWeight.among(market.config, 2, market.slope, market.mean_demand)
    known = known_at(market.config, [0.2, -0.1, 0.4, 0.0, 0.1], [0.9, 1.0, 1.1, 0.9, 1.0], weight)
    for agent in range(2):
        met = Met(
            field.demand[..., agent].astype(int), field.premium[..., agent], field.ratio[..., agent], field.price,
            np.array(actions)[..., agent], field.visitors[..., agent],
        )  # fmt: skip
        found = hindsight(known, met, market.config.price_floor)
        penalty = returns[:, agent] - found.played
        assert abs(penalty.mean()) < 4 * penalty.std() / np.sqrt(copies) + 1e-4
        assert found.played.std() < returns[:, agent].std() or market.config.demand_mode == "sell_all"
        assert (found.best >= found.played - 1e-6).all()


def whole(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return values.astype(np.int64)


def test_refusals() -> None:
    config = MarketConfig(**settings({"L": 1}, {}))
    known = known_at(config, np.zeros(5), np.ones(5), OwnWeight("sales"))
    shape = np.zeros((4, 2))
    with pytest.raises(ValueError, match="the episodes have 4 periods; the process has 5"):
        hindsight(known, Met(whole(shape), shape, shape, shape, whole(shape), whole(shape)), 0.0)
    wide = np.zeros((5, 2))
    with pytest.raises(ValueError, match=r"actions are 3\.\.3; allowed are 0\.\.2"):
        hindsight(known, Met(whole(wide), wide, wide, wide, whole(wide) + 3, whole(wide)), 0.0)
    with pytest.raises(ValueError, match="1 customers of others came; the process has 0 at most"):
        hindsight(known, Met(whole(wide), wide, wide, wide, whole(wide), whole(wide) + 1), 0.0)
    with pytest.raises(ValueError, match="the action grid needs a 0"):
        own_process(config.types["shop"].model_copy(update={"L": 2}), config, np.full(5, 5.0), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"needs tables of .* MiB, more than 512"):
        own_process(config.types["shop"].model_copy(update={"L": 8}), config, np.full(5, 5.0), np.arange(9.0))
