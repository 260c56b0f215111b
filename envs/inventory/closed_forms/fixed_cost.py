"""Orders with a fixed cost: (s, S) under Poisson demand and backlog, and the lot size under constant demand."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.inventory.closed_forms.arguments import lead_time, not_negative, positive
from envs.inventory.closed_forms.base_stock import base_stock_level
from envs.inventory.closed_forms.base_stock import period_cost as cost_at


class SSLevels(NamedTuple):
    """The best (s, S): when the position is at or below s, order up to S."""

    s: int
    S: int
    cost: float
    """$ per period: fixed, holding and backlog."""


class LotSize(NamedTuple):
    """The best order cycle under constant demand."""

    periods: int
    cost: float
    """$ per period: fixed and holding."""


def s_S_levels(mu: float, K: float, h: float, b: float, L: int) -> SSLevels:
    """The best (s, S) under backlog, exact, by Zheng and Federgruen (1991).

    With G(y) the cost of one period at position y and m(j) the expected number of periods that the demand since the
    last order stands at j, the renewal-reward cost is (K + sum_{j < S-s} m(j) G(S-j)) / sum_{j < S-s} m(j).

    Args:
        mu: mean demand, u/period.
        K: fixed cost of an order, $.
        h: holding cost, $/u/period.
        b: backlog cost, $/u/period.
        L: lead time, periods.

    Raises:
        ValueError: for mu, h or b not above 0, a negative K, or L not a whole number of at least 0.
    """
    positive(mu=mu, h=h, b=b)
    not_negative(K=K)
    lead_time(L)
    mean = mu * (L + 1)
    pmf: NDArray[np.float64] = stats.poisson.pmf(np.arange(int(stats.poisson.ppf(1 - 1e-15, mu)) + 2), mu)
    visits = np.zeros(64)
    known = 0

    def expected_visits(count: int) -> NDArray[np.float64]:
        nonlocal visits, known
        if count > visits.size:
            visits = np.concatenate([visits, np.zeros(count)])
        while known < count:
            reach = min(known, pmf.size - 1)
            stays = float(pmf[1 : reach + 1] @ visits[known - reach : known][::-1])
            visits[known] = ((known == 0) + stays) / (1 - pmf[0])
            known += 1
        return visits[:count]

    best_position = base_stock_level(mu, L, h, b).level
    reach = 64
    table = cost_at(best_position + np.arange(-reach, reach + 1), mean, h, b)

    def period_cost(first: int, last: int) -> NDArray[np.float64]:
        nonlocal reach, table
        if max(best_position - first, last - best_position) > reach:
            reach = 2 * max(best_position - first, last - best_position)
            table = cost_at(best_position + np.arange(-reach, reach + 1), mean, h, b)
        start = reach - best_position
        return table[start + first : start + last + 1]

    def cost(s: int, S: int) -> float:
        weight = expected_visits(S - s)
        return float((K + weight @ period_cost(s + 1, S)[::-1]) / weight.sum())

    S = best_position
    s = S - 1
    while cost(s, S) > period_cost(s, s)[0]:
        s -= 1
    best = cost(s, S)
    candidate = S + 1
    while period_cost(candidate, candidate)[0] <= best:
        if cost(s, candidate) < best:
            S = candidate
            while s + 1 < best_position and cost(s, S) <= period_cost(s + 1, s + 1)[0]:
                s += 1
            best = cost(s, S)
        candidate += 1
    return SSLevels(s, S, best)


def lot_size(d: float, K: float, h: float) -> LotSize:
    """Constant demand d without shortage: order n periods' demand at once, n least in K/n + h d (n - 1)/2.

    Raises:
        ValueError: for d or h not above 0, or a negative K.
    """
    positive(d=d, h=h)
    not_negative(K=K)

    def cost(n: int) -> float:
        return K / n + h * d * (n - 1) / 2

    # the continuous minimum; the cost is convex in n
    around = int(math.sqrt(2 * K / (h * d)))
    periods = min((max(1, around), around + 1), key=cost)
    return LotSize(periods, cost(periods))
