"""Order-up-to positions under backlog and Poisson demand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.inventory.closed_forms.arguments import lead_time, positive
from envs.inventory.closed_forms.newsvendor import expected_short


class BaseStock(NamedTuple):
    """The best order-up-to position and its long-run cost."""

    level: int
    """u."""
    cost: float
    """$ per period, holding and backlog."""


def period_cost(level: NDArray[np.int64] | int, mean: float, h: float, b: float) -> NDArray[np.float64]:
    """h E(y - D)+ + b E(D - y)+ at position y = level, in $."""
    short = expected_short(mean, level)
    return np.asarray(h * (level - mean + short) + b * short)


def base_stock_level(mu: float, L: int, h: float, b: float) -> BaseStock:
    """The smallest S with P(D_{L+1} <= S) >= b / (b + h), D_{L+1} the demand of L + 1 periods; and its cost.

    Args:
        mu: mean demand, u/period.
        L: lead time, periods.
        h: holding cost, $/u/period.
        b: backlog cost, $/u/period.

    Raises:
        ValueError: for mu, h or b not above 0, or L not a whole number of at least 0.
    """
    positive(mu=mu, h=h, b=b)
    lead_time(L)
    mean = mu * (L + 1)
    level = int(stats.poisson.ppf(b / (b + h), mean))
    return BaseStock(level, float(period_cost(level, mean, h, b)))
