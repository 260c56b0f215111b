"""The market on a sales table of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import envs
from envs.inventory.market import InventoryMarket
from envs.inventory.sales_table import BadTable
from envs.inventory.types import AgentType
from tests.envs.inventory.given import drawn

SALES = "agent,period,units\n" + "".join(
    f"{agent},{week},{units}\n"
    for agent, record in {"kiosk": [1, 2, 3, 2], "mall": [40, 60, 50, 50], "mart": [9, 11, 10, 10]}.items()
    for week, units in enumerate(record, 7)
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
    return cast(InventoryMarket, envs.make("inventory/market-easy", **given))


def test_agents_of_the_table_get_types_by_what_they_sell(tmp_path: Path) -> None:
    market = make(tmp_path)
    # shares 1 : 2 of three agents: those that sell least are small; agents are sorted by type
    assert market.agent_names == ["mall", "kiosk", "mart"]
    assert market.type_names == ["big", "small"]
    assert market.agent_types.tolist() == [0, 1, 1]
    assert market.parameters.mu.tolist() == [50, 2, 10]
    assert market.parameters.p0.tolist() == [10, 12, 12]
    assert market.parameters.L.tolist() == [2, 1, 1]
    assert drawn(market)[:, 0].tolist() == [[40, 1, 9], [60, 2, 11], [50, 3, 10], [50, 2, 10]]


def test_prices_scale_what_is_counted_in_dollars(tmp_path: Path) -> None:
    rows = [line + (",price" if i == 0 else ",20") for i, line in enumerate(SALES.splitlines())]
    market = make(tmp_path, "\n".join(rows) + "\n")
    p = market.parameters
    assert p.p0.tolist() == [20, 20, 20]
    np.testing.assert_allclose(p.c, [12, 5 * 20 / 12, 5 * 20 / 12])
    np.testing.assert_allclose(p.K, [8, 0, 0])
    assert p.mu.tolist() == [50, 2, 10]


def test_a_column_names_the_types(tmp_path: Path) -> None:
    def typed(kinds: dict[str, str]) -> str:
        head, *rows = SALES.splitlines()
        return "\n".join([head + ",type", *(row + "," + kinds[row.split(",")[0]] for row in rows)]) + "\n"

    market = make(tmp_path, typed({"kiosk": "big", "mall": "small", "mart": "small"}))
    assert market.agent_names == ["kiosk", "mall", "mart"]
    with pytest.raises(ValueError, match=r"unknown type of agent mart in .*sales\.csv 'smal': did you mean 'small'"):
        make(tmp_path, typed({"kiosk": "big", "mall": "big", "mart": "smal"}))
    text = typed({"kiosk": "big", "mall": "big", "mart": "small"}).replace("mart,7,9,small", "mart,7,9,big")
    with pytest.raises(BadTable, match="agent mart has the types big, small; one is allowed"):
        make(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (SALES, {"demand_mode": "counts"}, "demand_mode is counts, but `sales` is recorded"),
        (SALES, {"num_agents": 4}, r"num_agents is 4, but .*sales\.csv has 3 agents"),
        (SALES, {"horizon": 5}, "5 periods is longer than the record of 4"),
        (SALES + "mart,11,3\n", {}, r"sales\.csv: agent kiosk has no row for period 11"),
        (SALES + "mart,8,3\n", {}, r"sales\.csv: row 14: a second row for agent mart in period 8"),
        (SALES.replace("mart,8,11", "mart,8,-11"), {}, r"sales\.csv: row 11: units -11 is negative"),
        ("agent,period,units\na,1,3\na,2,3\na,3,3\na,4,3\n", {}, "one agent; a population has at least 2"),
        ("agent,period,units\na,1,3\nb,1,0\n", {"horizon": 1}, "agent b never sold anything"),
        ("agent,period,units,price\na,1,3,2\nb,1,1,0\n", {"horizon": 1}, "agent b has a mean price that is not"),
        (SALES, {"sales": "/nowhere/sales.csv"}, r"/nowhere/sales\.csv: there is no such file"),
    ],
)
def test_refusals(tmp_path: Path, text: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(tmp_path, text, **options)
