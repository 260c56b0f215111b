"""83 real stores: the shipped data is the source's, and the market plays it."""

from __future__ import annotations

import hashlib
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import envs
from envs.check import check
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


def test_all_products_are_913_agents() -> None:
    market, one = make(product="all", demand_mode="series"), make(product=7, demand_mode="series")
    assert market.num_agents == 913
    assert market.type_names == one.type_names
    assert (np.diff(market.agent_types) >= 0).all()
    assert np.bincount(market.agent_types).tolist() == (11 * np.bincount(one.agent_types)).tolist()
    # each is the agent it is alone
    place = {name: i for i, name in enumerate(market.agent_names)}
    mine = [place[f"{name}/product_7"] for name in one.agent_names]
    np.testing.assert_array_equal(market.agent_types[mine], one.agent_types)
    np.testing.assert_array_equal(drawn(market)[:, :, mine], drawn(one))
    for field in ("mu", "p0", "c", "h", "K"):
        np.testing.assert_array_equal(getattr(market.parameters, field)[mine], getattr(one.parameters, field))


def test_types_may_be_products() -> None:
    market = make(product="all", types_by="product")
    assert market.type_names[0] == "tropicana_premium_64oz"
    assert np.bincount(market.agent_types).tolist() == [83] * 11
    for name, kind in zip(market.agent_names, market.agent_types, strict=True):
        assert name.endswith(f"/product_{kind + 1}")
    alone = make(product=5, types_by="product")
    assert alone.type_names == ["minute_maid_64oz"]
    assert alone.agent_names[:2] == ["store_2", "store_5"]


def test_held_out_weeks_do_not_reach_into_training() -> None:
    # stores without a row for the last training week: what they play there is their last row before it
    table = raw(4)
    market = make(horizon=91, demand_mode="series")
    units = drawn(market)[:, 0]
    found = 0
    for n, name in enumerate(market.agent_names):
        weeks = table.loc[int(name.removeprefix("store_"))]
        known = weeks[weeks.index <= TRAIN_WEEKS[1]]
        if known.index[-1] < TRAIN_WEEKS[1]:
            found += 1
            assert units[-1, n] == round(known["ounces"].iloc[-1] / 64)
    assert found > 0


MODES = ("window", "series", "bootstrap", "fitted")


@pytest.mark.parametrize("options", [*({"demand_mode": mode} for mode in MODES), {"split": "test"}])
def test_every_way_to_play_passes_the_checker(options: dict[str, Any]) -> None:
    check(lambda: make(num_envs=2, horizon=7, **options), episodes=2)


def test_all_products_pass_the_checker() -> None:
    check(lambda: make(num_envs=2, horizon=2, product="all"), episodes=1)


@pytest.mark.parametrize("options", [{"demand_mode": "bootstrap"}, {"demand_mode": "fitted", "types_by": "product"}])
def test_all_products_play_otherwise_too(options: dict[str, Any]) -> None:
    market = make(product="all", **options)
    for _ in range(3):
        assert np.isfinite(market.step(np.full((1, 913), 5)).reward).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"product": 12}, "environment option product: Input should be 1, 2, .* or 'all'; got 12"),
        ({"split": "validation"}, "environment option split: .*'train' or 'test'"),
        ({"gaps": "missing"}, r"sales\.csv\.gz: agent store_\d+ has no row for period \d+"),
        ({"jitter": 0.2}, "environment option jitter: market-orange-juice takes its agents from its data"),
        ({"split": "test", "horizon": 31}, "31 periods is longer than the record of 30"),
        ({"season_amplitude": 0.2}, "environment option season_amplitude: market-orange-juice takes its agents"),
        ({"types_by": "product", "num_types": 2}, "environment option num_types: types_by=product has a type for each"),
        ({"product": "all", "num_agents": 83}, "has 913 agents, one a store and product; num_agents is 83"),
        ({"demand_mode": "counts"}, "environment option demand_mode: Input should be 'window', 'series'"),
        ({"demand_mode": "bootstrap", "block_length": 92}, "block_length is 92; a record of 91 periods has"),
        ({"demand_mode": "fitted", "harmonics": 3, "season_period": 6}, "harmonics is 3; a season of 6 periods tells"),
        ({"produkt": 3}, "unknown environment option 'produkt': did you mean 'product'"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**options)
