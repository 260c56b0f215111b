"""What one agent of the network could earn at most, whatever the others do: exact values of games that favour it.

In both the agent pays for a unit received in period t as if it had ordered it in period t - lead_time, the latest there
is, and receives any number of units when it likes from that period on: neither its supplier's backlog, nor a slip, nor
`order_cap` keeps any from it. Whatever it receives in the network it can receive there, at no higher cost.

- A leaf meets its customers, whose demand of a period nobody knows before it receives: `leaf_value`.
- What the others order from an inner node hangs on how it served them, so there it chooses demand itself, up to the
  most that its children can order: `inner_value`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Doubles = NDArray[np.float64]
DEEP = 4
"""Periods of the largest demand, beside the lead time's, that backlog is tabled for; below it worth is linear."""


@dataclass(frozen=True)
class Node:
    """What counts of an agent of the network."""

    price: float
    """$/u shipped."""
    cost: float
    """$/u ordered."""
    h: float
    """$/u/period between stock and `target`."""
    b: float
    """$/u/period of backlog."""
    target: float
    """u."""
    lead_time: int
    stock_cap: int
    """u."""
    initial_stock: int
    """u."""
    end_worth: float
    """$ for a unit of inventory position after the last period; at most `cost`."""


def leaf_value(node: Node, laws: Sequence[Doubles], gamma: float) -> float:
    """The most that any policy of a leaf earns in expectation, discounted $.

    Args:
        node: its figures.
        laws: for every period the probabilities of 0, 1, 2, ... units of demand, independent of the past.
        gamma: discount per period.
    """
    most = max(law.size for law in laws) - 1

    def meet(worth: Doubles, t: int) -> Doubles:
        law = laws[t]
        met = np.convolve(worth, law)[most : worth.size]
        return met + gamma**t * node.price * float(law @ np.arange(law.size))

    return _value(node, len(laws), most, gamma, meet, np.zeros(len(laws)))


def inner_value(node: Node, horizon: int, most_asked: int, most_ordered: int, gamma: float) -> float:
    """The most that an inner node earns when its children ask for what suits it best, discounted $.

    Of two relaxations the lesser: one without a limit on what it receives, and one in which it pays a rent for every
    unit, its margin, and gets the rent of all that it can have ordered: a Lagrangian of the limit on the sum of orders.

    Args:
        node: its figures.
        horizon: T.
        most_asked: by all its children together in a period, u.
        most_ordered: by itself in a period, u.
        gamma: discount per period.
    """
    t = np.arange(horizon)

    def meet(worth: Doubles, t: int) -> Doubles:
        sale = gamma**t * node.price
        stock = np.arange(worth.size)
        # the best of worth[y - d] + sale d over d = 0..most_asked
        before = most_asked - (most_asked + 1) // 2
        shifted = ndimage.maximum_filter1d(
            worth - sale * stock, most_asked + 1, mode="constant", cval=-np.inf, origin=before
        )
        return np.asarray((shifted + sale * stock)[most_asked:])

    free = _value(node, horizon, most_asked, gamma, meet, np.zeros(horizon))
    margin = gamma**t * node.price - np.where(t >= node.lead_time, gamma ** (t - node.lead_time), 0) * node.cost
    # what a unit is let for may not rise with time, or units would be worth keeping back
    rent = np.minimum.accumulate(np.maximum(margin, 0.0))
    limited = _value(node, horizon, most_asked, gamma, meet, rent)
    return min(free, limited + most_ordered * float(rent[node.lead_time :].sum()))


def _value(
    node: Node, horizon: int, most: int, gamma: float, meet: Callable[[Doubles, int], Doubles], rent: Doubles
) -> float:
    """Backward induction over net stock; `meet` takes the worth of what demand leaves to that of what meets it.

    A unit is sold when it is shipped: revenue of a period is p (D + B - B') with the backlog before and after, so that
    B' earns gamma p of the next period less p of this one.
    """
    low = -(node.lead_time + DEEP) * most
    # what demand leaves of low..top, and the net stock that periods begin with
    left = np.arange(low - most, node.stock_cap + most + 1)
    kept, owed = np.clip(left, 0, node.stock_cap), np.maximum(-left, 0)
    begun = np.arange(low, node.stock_cap + 1)
    value = gamma ** (horizon - 1) * node.end_worth * begun
    for t in range(horizon - 1, -1, -1):
        later = gamma ** (t + 1) if t + 1 < horizon else 0.0
        period = gamma**t * (-node.h * abs(kept - node.target) - node.b * owed) + node.price * (later - gamma**t) * owed
        deeper = value[0] - (value[1] - value[0]) * np.arange(most, 0, -1)
        beyond = np.full(most, value[-1])
        worth = meet(period + np.concatenate([deeper, value, beyond]), t)
        if t >= node.lead_time:
            unit = gamma ** (t - node.lead_time) * node.cost + rent[t]
            reached = np.arange(low, low + worth.size)
            worth = np.maximum.accumulate((worth - unit * reached)[::-1])[::-1] + unit * reached
        value = worth[: begun.size]
    return float(value[node.initial_stock - low])
