"""What one period brought, item by item: computed when it is asked for, since training needs only the sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.inventory.types import Parameters

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Period:
    """Units [B, N] that moved in a period, stock and backlog at its end, and its prices [B]."""

    order: Floats
    received: Floats
    demand: Floats
    sold: Floats
    lost: Floats
    spoiled: Floats
    scrapped: Floats
    stock: Floats
    backlog: Floats
    premium: NDArray[np.float64]
    """[B], $ on every unit ordered, beside the agent's own c."""
    price: NDArray[np.float64]
    """[B], retail price / p0."""


UNITS = ("order", "received", "demand", "sold", "lost", "spoiled", "scrapped", "stock", "backlog")
"""Metrics in units; stock and backlog are those at the end of the period."""

TERMS: Mapping[str, Callable[[Parameters, Period], NDArray[Any]]] = {
    "ledger/sales_revenue": lambda p, t: p.p0 * t.price[:, None] * t.sold,
    "ledger/purchase_cost": lambda p, t: -(p.c + t.premium[:, None]) * t.order,
    "ledger/order_cost": lambda p, t: -p.K * (t.order > 0),
    "ledger/handling_cost": lambda p, t: -0.5 * p.phi * t.order.astype(np.float64) ** 2,
    "ledger/holding_cost": lambda p, t: -p.h * t.stock,
    "ledger/backlog_cost": lambda p, t: -p.b * t.backlog,
    "ledger/lost_cost": lambda p, t: -p.ell * t.lost,
    "ledger/salvage": lambda p, t: p.v * t.spoiled,
}
"""The terms of the reward in $, signed so that they sum to it."""


class Ledger(Mapping[str, Floats]):
    """name -> [B, N] float32 of one period: the `TERMS` in $ and the `UNITS`."""

    def __init__(self, parameters: Parameters, period: Period) -> None:
        self._parameters = parameters
        self._period = period

    def __getitem__(self, name: str) -> Floats:
        if name in UNITS:
            units: Floats = getattr(self._period, name)
            return units
        return TERMS[name](self._parameters, self._period).astype(np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter((*TERMS, *UNITS))

    def __len__(self) -> int:
        return len(TERMS) + len(UNITS)
