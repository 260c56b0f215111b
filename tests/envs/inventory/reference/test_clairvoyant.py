"""The clairvoyant bound against brute force over all sequences of orders, and above what policies earn."""

from __future__ import annotations

from itertools import product
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.reference import reference_policy
from envs.inventory.reference.clairvoyant import Field, clairvoyant_bound
from envs.inventory.types import AgentType
from envs.population import Step
from tests.envs.inventory.given import with_demand

GAMMA = 0.9


def recorded(market: InventoryMarket, play: Any, step: Step) -> tuple[Field, NDArray[np.float64]]:
    """The field of an episode under a policy, and its discounted returns [B, N]."""
    field, returns = Field(market), np.zeros((market.num_envs, market.num_agents))
    for t in range(market.horizon):
        step = market.step(play(step))
        field.add(step)
        returns += GAMMA**t * step.reward
    return field, returns


PLAIN = {"mu": 5, "p0": 10, "c": 4, "h": 0.5, "b": 2, "ell": 1.5}


SEQUENCES = np.array(list(product(range(3), repeat=5))).T
"""[T, copies]: all that can be played with three orders in five periods."""


def small(preset: str, agents: int, shop: dict[str, Any], **options: Any) -> InventoryMarket:
    """One type, five periods, three orders, a copy for each sequence, all on the same demand."""
    copies = SEQUENCES.shape[1]
    settings = {"jitter": 0.0, "horizon": 5, "action_mode": "absolute", "action_grid": (0.0, 4.0, 9.0)} | options
    types = {"shop": AgentType.model_validate(PLAIN | shop)}
    market = envs.make(
        f"inventory/market-{preset}", num_envs=copies, num_agents=agents, seed=0, types=types, **settings
    )
    market.reset([7] * copies)
    return cast(InventoryMarket, market)


@pytest.mark.parametrize(
    ("shop", "options"),
    [
        ({"L": 0}, {}),
        ({"L": 1, "K": 8, "delta": 0.3}, {}),
        ({"L": 2, "phi": 0.2}, {}),
        ({"L": 0, "K": 8, "delta": 0.4, "v": 1}, {"stock_cap": 2.0}),
        ({"L": 0, "K": 20}, {"unmet": "backlog", "initial_stock": 0.0}),
        ({"L": 1, "phi": 0.1}, {"unmet": "backlog", "initial_stock": 0.2}),
        ({"L": 1}, {"ending": "finite"}),
        ({"L": 0, "delta": 1}, {"demand_mode": "sell_all", "initial_stock": 0.0}),
    ],
)
def test_it_is_the_best_of_all_sequences_of_orders(shop: dict[str, Any], options: dict[str, Any]) -> None:
    market = small("decoupled", 2, shop, **options)
    returns, field = np.zeros((market.num_envs, 2)), Field(market)
    for orders in SEQUENCES:
        step = market.step(np.stack([orders, orders], 1))
        field.add(step)
        returns += GAMMA ** (market.t - 1 if market.t else 4) * step.reward
    bound = clairvoyant_bound(market, field, discount=GAMMA)
    np.testing.assert_allclose(bound, np.broadcast_to(returns.max(0), bound.shape), rtol=1e-5, atol=1e-4)
    assert np.ptp(returns[:, 0]) > 1


def test_prices_that_move_and_units_left_at_the_end() -> None:
    # little ordered by the others makes units cheaper than what they are worth at the end; the agent's own part in the
    # prices is .36 x 9 / 1000 $ a unit, less than .2 $ in five periods
    market = small("easy", 1_000, {"L": 1, "c": 2}, ending="finite", congestion=0.9)
    returns, field = np.zeros(market.num_envs), Field(market)
    for t, orders in enumerate(SEQUENCES):
        actions = np.ones((market.num_envs, 1_000), int)
        actions[:, 0] = orders
        step = market.step(actions, observe=False)
        field.add(step)
        returns += GAMMA**t * step.reward[:, 0]
    bound = clairvoyant_bound(market, field, discount=GAMMA)[:, 0]
    best = int(returns.argmax())
    assert SEQUENCES[4, best] == 2
    assert bound[best] == pytest.approx(returns[best], abs=0.2)


@pytest.mark.parametrize("spill", [0.5, 1.0])
def test_customers_of_others_are_served_too(spill: float) -> None:
    # the others have no stock after the first period, so that all their customers look elsewhere
    market = small("decoupled", 200, {"L": 0, "ell": 0.0}, spill=spill, initial_stock=0.0)
    returns, field = np.zeros(market.num_envs), Field(market)
    for t, orders in enumerate(SEQUENCES):
        actions = np.zeros((market.num_envs, 200), int)
        actions[:, 0] = orders
        step = market.step(actions, observe=False)
        field.add(step)
        returns += GAMMA**t * step.reward[:, 0]
    bound = clairvoyant_bound(market, field, discount=GAMMA)[:, 0]
    # who comes hangs on the agent's own customers by one in a period at most
    assert abs(bound - returns.max()).max() < 5 * (10 - 4)
    best = int(returns.argmax())
    assert bound[best] >= returns[best] - 1e-3
    alone = clairvoyant_bound(market, without_visitors(field), discount=GAMMA)[:, 0]
    assert alone.max() < returns.max() - 20


def without_visitors(field: Field) -> Field:
    field._visitors = [0 * came for came in field._visitors]
    return field


@pytest.mark.parametrize("preset", ["easy", "perishable", "medium", "hard", "orders-price"])
@pytest.mark.parametrize("name", ["base_stock", "random"])
def test_no_policy_earns_more(preset: str, name: str) -> None:
    market = cast(InventoryMarket, envs.make(f"inventory/market-{preset}", num_envs=2, num_agents=20, seed=3))
    step = market.reset(5)
    field, returns = recorded(market, reference_policy(name, market, 0), step)
    bound = clairvoyant_bound(market, field, discount=GAMMA)
    assert (bound >= returns - 1e-3).all()


@pytest.mark.parametrize("mode", ["order_up_to", "continuous"])
def test_orders_that_are_no_grid_of_quantities_are_bounded_too(mode: str) -> None:
    market = cast(
        InventoryMarket,
        envs.make(
            "inventory/market-easy", num_agents=6, seed=3, action_mode=mode, horizon=8, action_grid=(0.0, 18.0, 40.0)
        ),
    )
    step = market.reset(5)
    field, returns = recorded(market, reference_policy("base_stock", market, 0), step)
    assert (clairvoyant_bound(market, field, discount=GAMMA) >= returns - 1e-3).all()


def test_refusals() -> None:
    medium: Any = envs.make("inventory/market-medium", num_agents=4, seed=0, horizon=2)
    field, _ = recorded(medium, lambda step: np.zeros((1, 4), int), medium.reset(0))
    easy: Any = envs.make("inventory/market-easy", num_agents=4, seed=0, horizon=3)
    with pytest.raises(ValueError, match=r"the field is \(2, 1, 4\); want one episode, \(3, 1, 4\)"):
        clairvoyant_bound(easy, field, discount=0.99)
    with pytest.raises(ValueError, match="does not say its prices"):
        field.add(easy.reset(0))


def test_units_that_spoil_at_a_tie_spoil_in_the_bound_as_they_do_in_the_market() -> None:
    # .15 x 190 = 28.5 lies between two whole units: the market and the bound must round it alike
    market = cast(
        InventoryMarket,
        envs.make(
            "inventory/market-decoupled", num_envs=1, num_agents=2, seed=0, jitter=0.0, horizon=2, initial_stock=19.0,
            stock_cap=20.0, action_mode="absolute", action_grid=(0.0, 1e-9),
            types={"shop": AgentType.model_validate({"mu": 10, "p0": 10, "c": 4, "h": 0.1, "L": 0, "delta": 0.15})},
        ),
    )  # fmt: skip
    with_demand(market, [[0, 0], [200, 200]])
    field, earned = Field(market), np.zeros((1, 2))
    for t in range(2):
        step = market.step(np.zeros((1, 2), int))
        field.add(step)
        earned += GAMMA**t * step.reward
    np.testing.assert_allclose(clairvoyant_bound(market, field, discount=GAMMA), earned, rtol=1e-6)
