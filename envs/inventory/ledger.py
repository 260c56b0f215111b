"""What one period brought, item by item: computed when it is asked for, since training needs only the sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from envs.inventory.backend import Array


@dataclass(frozen=True)
class Period:
    """Units [B, N] that moved in a period, stock and backlog at its end, and its prices [B]."""

    order: Array
    allotted: Array
    """What the supplier granted of the order."""
    received: Array
    demand: Array
    """Of the agent's own customers."""
    sold: Array
    """Including what was sold to customers of others."""
    lost: Array
    spilled: Array | None
    """Unmet demand that tried another seller; None where there is none."""
    spill_sold: Array | None
    """Sold to customers who came from other sellers; None where there are none."""
    spoiled: Array
    scrapped: Array
    stock: Array
    backlog: Array
    premium: Array
    """[B], $ on every unit bought, beside the agent's own c."""
    price: Array
    """[B], retail price / p0."""
    worth: Array | None
    """[B, N], $: what the position is worth where the game ends in this period, else None."""
    visitors: Array | None = None
    """Customers of others who came, served or not; None where none can."""


UNITS = (
    "order", "allotted", "received", "demand", "sold", "lost", "spilled", "spill_sold", "spoiled", "scrapped",
    "stock", "backlog",
)  # fmt: skip
"""Metrics in units; stock and backlog are those at the end of the period."""

TERMS: Mapping[str, Callable[[Array, Period], Array]] = {
    "ledger/sales_revenue": lambda p, t: p[0] * t.price[:, None] * t.sold,
    "ledger/purchase_cost": lambda p, t: -(p[1] + t.premium[:, None]) * t.allotted,
    "ledger/order_cost": lambda p, t: -p[5] * (t.order > 0),
    "ledger/handling_cost": lambda p, t: -0.5 * p[6] * t.order * t.order,
    "ledger/holding_cost": lambda p, t: -p[2] * t.stock,
    "ledger/backlog_cost": lambda p, t: -p[3] * t.backlog,
    "ledger/lost_cost": lambda p, t: -p[4] * t.lost,
    "ledger/salvage": lambda p, t: p[8] * t.spoiled,
    "ledger/terminal_value": lambda p, t: 0 * t.stock if t.worth is None else t.worth,
}
"""The terms of the reward in $, signed so that they sum to it; p are the parameters [9, N] that `settle` takes."""


class Ledger(Mapping[str, Array]):
    """name -> [B, N] float32 of one period: the `TERMS` in $ and the `UNITS`."""

    def __init__(self, parameters: Array, period: Period, as_float32: Callable[[Array], Array]) -> None:
        self._parameters = parameters
        self.period = period
        self._as_float32 = as_float32

    def __getitem__(self, name: str) -> Array:
        if name in UNITS:
            units = getattr(self.period, name)
            return 0 * self.period.stock if units is None else units
        return self._as_float32(TERMS[name](self._parameters, self.period))

    def __iter__(self) -> Iterator[str]:
        return iter((*TERMS, *UNITS))

    def __len__(self) -> int:
        return len(TERMS) + len(UNITS)
