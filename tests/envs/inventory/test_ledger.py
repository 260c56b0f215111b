"""The ledger: a mapping that computes its terms when they are asked for."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from envs.inventory.ledger import TERMS, UNITS, Ledger, Period
from envs.inventory.types import Parameters


def test_terms_and_units_by_hand() -> None:
    figures = {"mu": 10, "p0": 8, "c": 3, "h": 0.5, "b": 2, "ell": 1, "K": 6, "phi": 0.5, "delta": 0, "v": 4}
    columns = {name: np.full(2, float(value)) for name, value in figures.items()}
    parameters = Parameters(**columns, L=np.zeros(2, np.int64))
    units = {name: np.array([[i, 2 * i]], np.float32) for i, name in enumerate(UNITS)}
    assert list(units) == [f.name for f in fields(Period)][:9]
    # order 0 and 0, sold 3 and 6, lost 4 and 8, spoiled 5 and 10, stock 7 and 14, backlog 8 and 16
    period = Period(**units, premium=np.array([0.25]), price=np.array([1.5]))
    ledger = Ledger(parameters, period)
    expected = {
        "sales_revenue": [36, 72],
        "purchase_cost": [0, 0],
        "order_cost": [0, 0],
        "handling_cost": [0, 0],
        "holding_cost": [-3.5, -7],
        "backlog_cost": [-16, -32],
        "lost_cost": [-4, -8],
        "salvage": [20, 40],
    }
    for name, value in expected.items():
        assert ledger[f"ledger/{name}"].tolist() == [value]
        assert ledger[f"ledger/{name}"].dtype == np.float32
    units["order"][:] = [[4, 0]]
    assert ledger["ledger/purchase_cost"].tolist() == [[-13, 0]]
    assert ledger["ledger/order_cost"].tolist() == [[-6, 0]]
    assert ledger["ledger/handling_cost"].tolist() == [[-4, 0]]
    assert list(ledger) == [*TERMS, *UNITS]
    assert len(ledger) == 17
    with pytest.raises(KeyError):
        ledger["ledger/tax"]
