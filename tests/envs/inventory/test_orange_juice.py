"""83 real stores: the shipped data is the source's, and the market plays it."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.orange_juice import DATA, TEST_WEEKS, TRAIN_WEEKS, store_types
from tests.envs.inventory.given import drawn


def make(**options: Any) -> InventoryMarket:
    return cast(InventoryMarket, envs.make("inventory/market-orange-juice", **{"seed": 0} | options))


def raw(product: int) -> pd.DataFrame:
    table = pd.read_csv(DATA / "sales.csv.gz")
    return table[table["brand"] == product].set_index(["store", "week"])


def test_the_data_is_whole_and_carries_its_notice() -> None:
    names = ("sales.csv.gz", "brands.csv", "stores.csv")
    digests = [hashlib.sha256((DATA / name).read_bytes()).hexdigest()[:12] for name in names]
    assert digests == ["fc9553c858f0", "f9fa6a6458ec", "b2b909e8a50e"]
    notice = (DATA / "README.md").read_text()
    assert "GPL-2 or later" in notice
    assert "Keep this notice with any copy" in notice


def test_stores_are_the_agents() -> None:
    market = make()
    assert market.num_agents == 83
    assert len(set(market.agent_names)) == 83
    assert all(name.startswith("store_") for name in market.agent_names)
    assert market.horizon == 52
    assert market.order_levels.shape == (83, 11)
    with pytest.raises(ValueError, match="has 83 agents, one a store; num_agents is 50"):
        make(num_agents=50)


def test_types_are_clusters_with_names_of_their_own() -> None:
    ids, kinds, names = store_types(3)
    assert kinds == sorted(kinds)
    assert set(kinds) == {0, 1, 2}
    assert len(set(names)) == 3
    assert store_types(3) == (ids, kinds, names)
    # numbered by income, the poorest first
    stores = pd.read_csv(DATA / "stores.csv").set_index("store")
    income = [stores["income"][[i for i, k in zip(ids, kinds, strict=True) if k == kind]].mean() for kind in range(3)]
    assert income == sorted(income)
    for number in (1, 2, 5, 8):
        assert make(num_types=number).type_names == store_types(number)[2]


def test_demand_is_the_recorded_cartons() -> None:
    market, table = make(product=4, split="test"), raw(4)
    assert market.horizon == 30
    units = drawn(market)
    store = int(market.agent_names[17].removeprefix("store_"))
    for t, week in enumerate(range(TEST_WEEKS[0], TEST_WEEKS[1] + 1)):
        if (store, week) in table.index:
            assert units[t, 0, 17] == round(table["ounces"][store, week] / 64)


def test_windows_start_anywhere_in_the_training_weeks_only() -> None:
    market = make(num_envs=100)
    record, units = drawn(make(horizon=91, demand_mode="series"))[:, 0], drawn(market)
    assert record.shape == (TRAIN_WEEKS[1] - TRAIN_WEEKS[0] + 1, 83)
    starts = set()
    for b in range(100):
        fits = [s for s in range(40) if (units[:, b] == record[s : s + 52]).all()]
        assert len(fits) == 1
        starts |= set(fits)
    assert len(starts) > 25


def test_prices_and_costs_are_means_of_the_training_weeks() -> None:
    market, table = make(product=4), raw(4).reset_index()
    store = int(market.agent_names[5].removeprefix("store_"))
    mine = table[(table["store"] == store) & (table["week"] <= TRAIN_WEEKS[1])]
    price = (mine["price_per_ounce"] * 64).mean()
    assert market.parameters.p0[5] == pytest.approx(price)
    assert market.parameters.c[5] == pytest.approx(price * (1 - mine["gross_margin_percent"].mean() / 100))
    np.testing.assert_allclose(market.parameters.h, 0.02 * market.parameters.c)


def test_what_is_known_beforehand_ends_with_the_training_weeks() -> None:
    train, test = make(), make(split="test")
    np.testing.assert_array_equal(train.parameters.mu, test.parameters.mu)
    probability, periods = np.full(83, 0.9), np.full(83, 2)
    levels = train.demand_quantile(probability, periods)
    np.testing.assert_array_equal(levels, test.demand_quantile(probability, periods))


@pytest.mark.parametrize("product", range(1, 12))
def test_every_product_plays(product: int) -> None:
    for split in ("train", "test"):
        market = make(product=product, split=split)
        assert (market.parameters.mu > 5).all()
        assert (market.parameters.c > 0).all()
        assert (market.parameters.c < market.parameters.p0).all()
        step = market.step(np.full((1, 83), 4))
        assert np.isfinite(step.reward).all()
        assert market.observation_space.contains(step.obs[0, 0])


def test_bootstrap_keeps_weeks_whole() -> None:
    market = make(demand_mode="bootstrap", horizon=100)
    weeks, units = drawn(make(horizon=91, demand_mode="series"))[:, 0], drawn(market)
    for t in range(100):
        assert (weeks == units[t, 0]).all(1).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"product": 12}, "environment option product: Input should be less than or equal to 11; got 12"),
        ({"split": "validation"}, "environment option split: .*'train' or 'test'"),
        ({"gaps": "missing"}, r"sales\.csv\.gz: agent \d+ has no row for period \d+"),
        ({"jitter": 0.2}, "environment option jitter: market-orange-juice takes its agents from its data"),
        ({"split": "test", "horizon": 31}, "31 periods is longer than the record of 30"),
        ({"produkt": 3}, "unknown environment option 'produkt': did you mean 'product'"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)
