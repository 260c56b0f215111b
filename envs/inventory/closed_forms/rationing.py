"""Newsvendors who compete for scarce supply: how the rule of allocation makes their orders honest, or inflates them.

Cachon and Lariviere (1999), "Capacity choice and allocation": under proportional allocation an agent gets more by
asking for more, so that best replies run away; under uniform allocation it gains nothing by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from envs.inventory.closed_forms.arguments import need, not_negative, positive
from envs.inventory.closed_forms.newsvendor import newsvendor, newsvendor_profit

Allocation = Literal["proportional", "uniform", "linear"]
ALLOCATIONS = ("proportional", "uniform", "linear")
MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
"""Orders of the market's default actions, in periods of mean demand."""
TIE = 1e-9
"""$ by which a reply must be better; profits are sums of some hundred terms of some hundred dollars."""


class Rationing(NamedTuple):
    """Best replies of a symmetric population, one after the other."""

    orders: tuple[float, ...]
    """u: what everyone orders, from the start on; each but the first is the best reply to the one before."""
    settled: bool
    """Whether the last is a best reply to itself."""


def granted(order: float, others: float, capacity: float, allocation: Allocation) -> float:
    """Expected units of an order where each of infinitely many others orders `others` and `capacity` is there for each.

    Scarce supply gives ``proportional`` order x capacity / others, ``uniform`` min(order, capacity), and ``linear``
    max(order - (others - capacity), 0): everyone's order is cut by the same quantity.

    Raises:
        UnknownName: for another allocation.
        ValueError: for negative quantities.
    """
    from envs import UnknownName

    not_negative(order=order, others=others, capacity=capacity)
    if allocation not in ALLOCATIONS:
        raise UnknownName("allocation", allocation, list(ALLOCATIONS))
    if others <= capacity:
        return order
    if allocation == "proportional":
        return order * capacity / others
    if allocation == "uniform":
        return min(order, capacity)
    return max(order - (others - capacity), 0.0)


def rationing_best_replies(
    *,
    mu: float,
    p: float,
    c: float,
    capacity: float,
    allocation: Allocation,
    v: float = 0.0,
    ell: float = 0.0,
    orders: Sequence[float] | None = None,
    rounds: int = 50,
) -> Rationing:
    """From the newsvendor's order q* on, what all order when each round everyone replies best to the round before.

    Units granted are paid, sold for one period and salvaged, as in `newsvendor`. What is granted on average is given
    out in whole units by systematic rounding, the unit below or above it, so that profit is linear between whole units.
    Who loses nothing by staying stays; of other replies that are equally good the smallest is played.

    Args:
        mu: mean demand, u; p, c, v, ell as in `newsvendor`.
        capacity: u per agent and period that the supplier has.
        allocation: ``proportional``, ``uniform`` or ``linear``; see `granted`.
        orders: what can be ordered, u; the multiples of mu of the market's default actions where not given.
        rounds: replies at most.

    Raises:
        UnknownName: for another allocation.
        ValueError: for values out of range.
    """
    positive(capacity=capacity)
    need(rounds >= 1 and int(rounds) == rounds, "rounds", rounds, "a whole number of at least 1")
    choices = sorted(orders) if orders is not None else [round(multiple * mu) for multiple in MULTIPLES]
    if not choices:
        raise ValueError("orders is empty; give at least one quantity")
    not_negative(**{f"orders[{i}]": order for i, order in enumerate(choices)})

    def profit(units: float) -> float:
        below = math.floor(units)
        share = units - below
        low = newsvendor_profit(below, mu, p, c, v, ell)
        return low if share == 0 else (1 - share) * low + share * newsvendor_profit(below + 1, mu, p, c, v, ell)

    played: list[float] = [newsvendor(mu, p, c, v, ell).quantity]
    for _ in range(rounds):
        now = played[-1]
        worth = {order: profit(granted(order, now, capacity, allocation)) for order in (*choices, now)}
        best = max(worth.values()) - TIE
        if worth[now] >= best:
            return Rationing(tuple(played), True)
        played.append(next(order for order in choices if worth[order] >= best))
    return Rationing(tuple(played), False)
