"""The ledger: a mapping that computes its terms when they are asked for."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from envs.inventory.ledger import TERMS, UNITS, Ledger, Period
from envs.inventory.loops import as_float32
from envs.inventory.market import REWARD_PARAMETERS


def test_terms_and_units_by_hand() -> None:
    figures = {"p0": 8, "c": 3, "h": 0.5, "b": 2, "ell": 1, "K": 6, "phi": 0.5, "delta": 0, "v": 4}
    parameters = np.array([[figures[name]] * 2 for name in REWARD_PARAMETERS], float)
    units: dict[str, Any] = {name: np.array([[i, 2 * i]], np.float32) for i, name in enumerate(UNITS)}
    assert list(units) == [f.name for f in fields(Period)][:12]
    # order 0 and 0, allotted 1 and 2, sold 4 and 8, lost 5 and 10, spoiled 8 and 16, stock 10 and 20, backlog 11, 22
    period = Period(**units, premium=np.array([0.25]), price=np.array([1.5]), worth=None)
    ledger = Ledger(parameters, period, as_float32)
    expected = {
        "sales_revenue": [48, 96],
        "purchase_cost": [-3.25, -6.5],
        "order_cost": [0, 0],
        "handling_cost": [0, 0],
        "holding_cost": [-5, -10],
        "backlog_cost": [-22, -44],
        "lost_cost": [-5, -10],
        "salvage": [32, 64],
        "terminal_value": [0, 0],
    }
    for name, value in expected.items():
        assert ledger[f"ledger/{name}"].tolist() == [value]
        assert ledger[f"ledger/{name}"].dtype == np.float32
    units["order"][:] = [[4, 0]]
    assert ledger["ledger/order_cost"].tolist() == [[-6, 0]]
    assert ledger["ledger/handling_cost"].tolist() == [[-4, 0]]
    assert list(ledger) == [*TERMS, *UNITS]
    assert len(ledger) == 21
    with pytest.raises(KeyError):
        ledger["ledger/tax"]


def test_what_did_not_happen_is_zero_and_what_the_end_is_worth_counts() -> None:
    units: dict[str, Any] = {name: np.ones((1, 2), np.float32) for name in UNITS}
    units |= {"spilled": None, "spill_sold": None}
    worth = np.array([[3.0, -1.0]], np.float32)
    ledger = Ledger(np.ones((9, 2)), Period(**units, premium=np.ones(1), price=np.ones(1), worth=worth), as_float32)
    assert ledger["spilled"].tolist() == ledger["spill_sold"].tolist() == [[0, 0]]
    assert ledger["ledger/terminal_value"].tolist() == [[3, -1]]
