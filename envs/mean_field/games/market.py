"""The inventory market with infinitely many sellers of one type, as a finite game."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, dense
from envs.mean_field.loops import Loops
from envs.mean_field.ranges import check_number, check_numbers

ORDER_MULTIPLES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0)
"""Of mean demand: the orders of the inventory market."""


def inventory_market(
    demand: float = 6.0,
    price: float = 12.0,
    cost: float = 6.0,
    holding: float = 0.12,
    lost: float = 1.0,
    fixed: float = 0.0,
    handling: float = 0.0,
    lead: int = 1,
    congestion: float = 0.2,
    price_coupling: float = 0.3,
    stock_cap: float = 9.0,
    initial_stock: float | None = None,
    horizon: int = 52,
    multiples: tuple[float, ...] = ORDER_MULTIPLES,
) -> FiniteMFG:
    """Sellers with stock s = 0..room who order q = round(multiple x demand), Poisson demand D, lost sales.

    r = p sold - w q - K[q > 0] - phi q^2 / 2 - h left - ell unmet, in expectation over D, where
    w = c (1 + congestion (m / demand - 1)) of the mean order m of all, and
    p = max(p0 (1 - price_coupling (mean sales / demand - 1)), 0). With z on offer, for lead time 1 z = s and
    s' = min((z - D)+ + q, room), as the order joins what demand leaves; for lead time 0 z = min(s + q, room) and
    s' = (z - D)+.

    The same as in `inventory/market-easy` (one type; the defaults are its `convenience`): rewards, couplings, orders,
    room, first stock of lead + 1 periods, Poisson demand without truncation, T, no discount, no worth of what is left
    at T. Not the same: one type instead of three, no jitter of its parameters, infinitely many sellers. Backlog, lead
    times above 1, spoilage, capacity, spill-over, seasons and dispersed demand of the other markets are not here.

    Args:
        demand: mean, u/period; also the reference of both prices.
        price: p0, $/u.
        cost: c, $/u, where the mean order is the mean demand.
        holding: h, $/u/period.
        lost: ell, $/u.
        fixed: K, $ for an order.
        handling: phi, $/u^2.
        lead: periods from order to demand, 0 or 1.
        congestion: relative rise of w when the mean order doubles.
        price_coupling: relative fall of p when mean sales double.
        stock_cap: room, in periods of demand.
        initial_stock: in periods of demand; lead + 1 where not given.
        horizon: T, periods.
        multiples: of demand, that can be ordered.

    Raises:
        ValueError: for a setting out of its range, or room for less than a unit.
    """
    game = "inventory-market"
    if isinstance(lead, bool) or lead not in (0, 1):
        raise ValueError(f"{game}: lead is {lead!r}; want 0 or 1")
    check_number(game, "demand", demand, above=0)
    of_money = {"price": price, "cost": cost, "holding": holding, "lost": lost, "fixed": fixed, "handling": handling}
    for setting, value in (of_money | {"congestion": congestion, "price_coupling": price_coupling}).items():
        check_number(game, setting, value, least=0)
    check_number(game, "stock_cap", stock_cap, above=0)
    check_numbers(game, "multiples", multiples, least=0)
    if initial_stock is not None:
        check_number(game, "initial_stock", initial_stock, least=0, most=stock_cap)
    room = int(np.rint(stock_cap * demand))
    if room < 1:
        raise ValueError(f"{game}: stock_cap is {stock_cap} of demand {demand}; want room for a unit or more")
    orders = np.rint(np.asarray(multiples, float) * demand)
    first = min(int(np.rint((lead + 1 if initial_stock is None else initial_stock) * demand)), room)
    left_of, sold_of = _period(demand, room)
    stock = np.arange(room + 1)
    joined = np.minimum(stock[:, None] + orders.astype(np.int64), room)
    if lead == 0:
        # [S, A, S'], of what is on offer after the order has come
        P, sold, left = left_of[joined], sold_of[joined], (left_of @ stock)[joined]
    else:
        P = np.stack([left_of @ np.eye(room + 1)[joined[:, a]] for a in range(len(orders))], 1)
        sold, left = np.repeat(sold_of[:, None], len(orders), 1), np.repeat((left_of @ stock)[:, None], len(orders), 1)
    numbers = (float(demand), float(price), float(cost), float(congestion), float(price_coupling))
    own = -fixed * (orders > 0) - handling * orders**2 / 2 - holding * left - lost * (demand - sold)

    def reward(t: NDArray[np.int64], x: Array) -> Array:
        ordered, sales = (x * orders).sum((-2, -1)), (x * sold).sum((-2, -1))
        wholesale = cost * (1 + congestion * (ordered / demand - 1))
        retail = price * np.maximum(1 - price_coupling * (sales / demand - 1), 0.0)
        return np.asarray(own + retail[..., None, None] * sold - wholesale[..., None, None] * orders)

    return FiniteMFG(
        name="inventory-market",
        horizon=horizon,
        initial=np.eye(room + 1)[first],
        kernel=dense(P),
        reward=reward,
        sees_actions=True,
        loops=Loops(market_loop, (own, np.ascontiguousarray(sold), orders, *numbers)),
    )


def market_loop(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
    """r = own + p sold - w q, of own[S, A], sold[S, A], orders[A], demand, price, cost and both couplings."""
    own, sold, orders, demand, price, cost, congestion, coupling = params
    states, actions = own.shape
    ordered = sales = 0.0
    for s in range(states):
        for a in range(actions):
            ordered += x[s, a] * orders[a]
            sales += x[s, a] * sold[s, a]
    wholesale = cost * (1 + congestion * (ordered / demand - 1))
    retail = price * max(1 - coupling * (sales / demand - 1), 0.0)
    for s in range(states):
        for a in range(actions):
            out[s, a] = own[s, a] + retail * sold[s, a] - wholesale * orders[a]


def _period(demand: float, room: int) -> tuple[Array, Array]:
    """With z = 0..room on offer: probabilities [Z, S] of what is left, and the mean units sold [Z].

    Demand above z counts as z, so nothing is truncated.
    """
    units = np.arange(room + 1)
    pmf, above = stats.poisson.pmf(units, demand), stats.poisson.sf(units, demand)
    left = np.zeros((room + 1, room + 1))
    for z in units:
        left[z, 1 : z + 1] = pmf[:z][::-1]
        left[z, 0] = above[z - 1] if z else 1.0
    # E min(z, D) is the sum of P(D > j) over j < z
    return left, np.concatenate([[0.0], np.cumsum(above[:-1])])
