"""What one period of the network brought, item by item: computed when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from envs.inventory.backend import Array


@dataclass(frozen=True)
class Period:
    """Units [B, N] that moved in a period, stock and backlog at its end."""

    order: Array
    received: Array
    slipped: Array
    """Due in this period, but a period late."""
    demand: Array
    """Of customers at a leaf, of the children elsewhere."""
    sold: Array
    """Shipped to customers or children."""
    scrapped: Array
    stock: Array
    backlog: Array
    worth: Array | None
    """[B, N], $: what the position is worth where the game ends in this period, else None."""


UNITS = ("order", "received", "slipped", "demand", "sold", "lost", "spoiled", "scrapped", "stock", "backlog")
"""Metrics in units; stock and backlog are those at the end of the period. Nothing is lost or spoils."""

TERMS: Mapping[str, Callable[[Array, Period], Array]] = {
    "ledger/sales_revenue": lambda p, t: p[0] * t.sold,
    "ledger/purchase_cost": lambda p, t: -p[1] * t.order,
    "ledger/holding_cost": lambda p, t: -p[2] * abs(t.stock - p[4]),
    "ledger/backlog_cost": lambda p, t: -p[3] * t.backlog,
    "ledger/terminal_value": lambda p, t: 0 * t.stock if t.worth is None else t.worth,
}
"""The terms of the reward in $, signed so that they sum to it; p are the parameters [5, N] that `settle` takes."""


class Ledger(Mapping[str, Array]):
    """name -> [B, N] float32 of one period: the `TERMS` in $ and the `UNITS`."""

    def __init__(self, parameters: Array, period: Period, in_dollars: Callable[[Array], Array]) -> None:
        """`in_dollars` takes a term to float32, and shares it where rewards are shared."""
        self._parameters = parameters
        self._period = period
        self._in_dollars = in_dollars

    def __getitem__(self, name: str) -> Array:
        if name in ("lost", "spoiled"):
            return 0 * self._period.stock
        if name in UNITS:
            return getattr(self._period, name)
        return self._in_dollars(TERMS[name](self._parameters, self._period))

    def __iter__(self) -> Iterator[str]:
        return iter((*TERMS, *UNITS))

    def __len__(self) -> int:
        return len(TERMS) + len(UNITS)
