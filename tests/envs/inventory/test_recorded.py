"""The market on a sales table of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

import envs
from envs.check import check
from envs.inventory.market import InventoryMarket
from envs.inventory.sales_table import BadTable
from envs.inventory.types import AgentType

RECORD = {"kiosk": [1, 2, 3, 2], "mall": [40, 60, 50, 50], "mart": [9, 11, 10, 10]}
SALES = "agent,period,units\n" + "".join(
    f"{agent},{week},{units}\n" for agent, record in RECORD.items() for week, units in enumerate(record, 7)
)
TYPES = {
    "big": AgentType(share=1, mu=30, p0=10, c=6, h=0.1, K=4, L=2),
    "small": AgentType(share=2, mu=5, p0=12, c=5, h=0.2, L=1),
}


def make(folder: Path, text: str = SALES, **options: Any) -> InventoryMarket:
    path = folder / "sales.csv"
    path.write_text(text)
    given: dict[str, Any] = {"sales": str(path), "types": TYPES, "demand_mode": "series", "horizon": 4, "seed": 0}
    given |= options
    given = {name: value for name, value in given.items() if value is not None}
    return cast(InventoryMarket, envs.make("inventory/market-easy", **given))


def with_column(name: str, values: dict[str, str]) -> str:
    head, *rows = SALES.splitlines()
    return "\n".join([f"{head},{name}", *(f"{row},{values[row.split(',')[0]]}" for row in rows)]) + "\n"


def played(market: InventoryMarket) -> list[list[float]]:
    return [market._demand.units(t)[0].tolist() for t in range(market.horizon)]


def test_agents_of_the_table_get_types_by_what_they_sell(tmp_path: Path) -> None:
    market = make(tmp_path)
    # log means .69, 3.91, 2.30 and variations .35, .14, .07: the kiosk stands apart; agents are sorted by type
    assert market.agent_names == ["mall", "mart", "kiosk"]
    assert market.type_names == ["big", "small"]
    assert market.agent_types.tolist() == [0, 0, 1]
    assert market.parameters.mu.tolist() == [50, 10, 2]
    assert market.parameters.p0.tolist() == [10, 10, 12]
    assert market.parameters.L.tolist() == [2, 2, 1]
    assert played(market) == [[40, 9, 1], [60, 11, 2], [50, 10, 3], [50, 10, 2]]
    assert make(tmp_path, num_types=1).type_names == ["small"]
    assert make(tmp_path, types={"only": TYPES["big"]}).agent_types.tolist() == [0, 0, 0]


def test_types_are_clusters_whatever_their_sizes(tmp_path: Path) -> None:
    # 9 quiet agents and 3 busy ones, with prices that say the same; shares 1 : 2 are not asked
    rng = np.random.default_rng(0)
    means = {f"shop_{i}": 400.0 if i in (2, 5, 11) else 20.0 for i in range(12)}
    rows = [
        (agent, week, rng.poisson(mean), 5 if mean > 100 else 8) for agent, mean in means.items() for week in range(30)
    ]
    text = pd.DataFrame(rows, columns=["agent", "period", "units", "price"]).to_csv(index=False)
    market = make(tmp_path, text)
    assert market.agent_names[:3] == ["shop_11", "shop_2", "shop_5"]
    assert market.agent_types.tolist() == [0] * 3 + [1] * 9


def test_prices_scale_what_is_counted_in_dollars(tmp_path: Path) -> None:
    p = make(tmp_path, with_column("price", dict.fromkeys(RECORD, "20"))).parameters
    assert p.p0.tolist() == [20, 20, 20]
    np.testing.assert_allclose(p.c, [12, 12, 5 * 20 / 12])
    np.testing.assert_allclose(p.K, [8, 8, 0])
    assert p.mu.tolist() == [50, 10, 2]


def test_a_column_names_the_types(tmp_path: Path) -> None:
    market = make(tmp_path, with_column("type", {"kiosk": "big", "mall": "small", "mart": "small"}))
    assert market.agent_names == ["kiosk", "mall", "mart"]
    with pytest.raises(ValueError, match=r"unknown type of agent mart in .*sales\.csv 'smal': did you mean 'small'"):
        make(tmp_path, with_column("type", {"kiosk": "big", "mall": "big", "mart": "smal"}))
    text = with_column("type", {"kiosk": "big", "mall": "big", "mart": "small"})
    with pytest.raises(BadTable, match="agent mart has the types big, small; one is allowed"):
        make(tmp_path, text.replace("mart,7,9,small", "mart,7,9,big"))
    with pytest.raises(ValueError, match=r"num_types is 2, but .* has a column type; leave one out"):
        make(tmp_path, text, num_types=2)


def test_the_last_periods_are_held_out(tmp_path: Path) -> None:
    options: dict[str, Any] = {"test_periods": 1, "demand_mode": None, "horizon": None}
    train = make(tmp_path, **options | {"horizon": 3})
    test = make(tmp_path, split="test", **options)
    assert (train.config.demand_mode, test.config.demand_mode, test.horizon) == ("window", "series", 1)
    # kiosk 1 2 3 | 2, mall 40 60 50 | 50, mart 9 11 10 | 10
    assert played(train) == [[40, 9, 1], [60, 11, 2], [50, 10, 3]]
    assert played(test) == [[50, 10, 2]]
    # what happens in the held-out period changes nothing that is known, fitted or clustered
    later = make(tmp_path, SALES.replace("kiosk,10,2", "kiosk,10,9000"), split="test", **options)
    assert played(later) == [[50, 10, 9000]]
    assert later.agent_names == test.agent_names
    for name in ("mu", "p0", "c"):
        assert getattr(later.parameters, name).tolist() == getattr(train.parameters, name).tolist()
    probability, periods = np.full(3, 0.9), np.ones(3, np.int64)
    np.testing.assert_array_equal(later.demand_quantile(probability, periods), [60, 11, 3])


def test_gaps_are_not_filled_from_held_out_periods(tmp_path: Path) -> None:
    text = SALES.replace("kiosk,9,3\n", "")
    options: dict[str, Any] = {"gaps": "interpolate", "horizon": 2, "test_periods": 1}
    options |= {"demand_mode": "series", "split": "train"}
    assert make(tmp_path, text, **options).parameters.mu[-1] == pytest.approx((1 + 2 + 2) / 3)
    moved = make(tmp_path, text.replace("kiosk,10,2", "kiosk,10,8"), **options)
    assert moved.parameters.mu[-1] == pytest.approx((1 + 2 + 2) / 3)


def test_every_preset_of_the_market_plays_a_table(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    path.write_text(SALES)
    for name in ("medium", "hard", "perishable", "decoupled", "orders-price"):
        market = envs.make(f"inventory/market-{name}", sales=str(path), test_periods=2, split="test", seed=0)
        assert np.isfinite(market.step(np.zeros((1, 3), np.int64)).reward).all()
    assert envs.has_held_out("inventory/market-easy", sales=str(path), test_periods=2)
    assert not envs.has_held_out("inventory/market-easy", sales=str(path))
    assert not envs.has_held_out("inventory/market-easy")
    assert envs.has_held_out("inventory/market-orange-juice")


@pytest.mark.parametrize("mode", ["window", "series", "bootstrap", "fitted"])
def test_every_way_to_play_passes_the_checker(tmp_path: Path, mode: str) -> None:
    weeks = np.random.default_rng(0).poisson(9, (60, 3))
    rows = [(f"shop_{n}", t, units) for n in range(3) for t, units in enumerate(weeks[:, n])]
    text = pd.DataFrame(rows, columns=["agent", "period", "units"]).to_csv(index=False)
    options = {"demand_mode": mode, "horizon": 5, "num_envs": 3, "season_period": 12}
    check(lambda: make(tmp_path, text, **options), episodes=2)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (SALES, {"demand_mode": "counts"}, "environment option demand_mode: Input should be 'window', 'series'"),
        (SALES, {"num_agents": 4}, r"num_agents is 4, but .*sales\.csv has 3 agents"),
        (SALES, {"horizon": 5}, "5 periods is longer than the record of 4"),
        (SALES, {"test_periods": 4}, r"test_periods is 4, but .*sales\.csv has 4 periods; leave some for training"),
        (SALES, {"split": "test"}, "split is test, but test_periods is 0"),
        (SALES, {"num_types": 3}, "num_types is 3, but there are costs for 2 types: big, small"),
        (SALES, {"jitter": 0.1}, r"environment option jitter: .*sales\.csv takes its agents from its data"),
        (SALES, {"shock_rho": 0.5}, r"environment option shock_rho: .*sales\.csv takes its agents from its data"),
        (SALES, {"demand_mode": "bootstrap", "block_length": 5}, "block_length is 5; a record of 4 periods has blocks"),
        (SALES + "mart,11,3\n", {}, r"sales\.csv: agent kiosk has no row for period 11"),
        (SALES + "mart,8,3\n", {}, r"sales\.csv: row 14: a second row for agent mart in period 8"),
        (SALES.replace("mart,8,11", "mart,8,-11"), {}, r"sales\.csv: row 11: units -11 is negative"),
        ("agent,period,units\na,1,3\na,2,3\na,3,3\na,4,3\n", {}, "one agent; a population has at least 2"),
        ("agent,period,units\na,1,3\nb,1,0\n", {"horizon": 1}, "agent b never sold anything in periods 1 to 1"),
        (SALES, {"sales": "/nowhere/sales.csv"}, r"/nowhere/sales\.csv: there is no such file"),
        (SALES, {"spill": 0.5, "unmet": "backlog"}, "^environment options: spill is of lost sales"),
    ],
)
def test_refusals(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(tmp_path, text, **options)


def test_settings_of_records_need_one() -> None:
    with pytest.raises(ValueError, match="environment option test_periods is of recorded demand: set `sales`"):
        envs.make("inventory/market-easy", test_periods=3)
    with pytest.raises(ValueError, match="demand_mode is fitted, which needs recorded demand"):
        envs.make("inventory/market-easy", demand_mode="fitted")
