"""One period, one order: the newsvendor under Poisson demand."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from envs.inventory.closed_forms.arguments import need, not_negative, positive


class Newsvendor(NamedTuple):
    """The best single-period order and its expected profit."""

    quantity: int
    """u."""
    profit: float
    """$ per period."""


def expected_short(mean: float, level: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """E(D - level)+ of Poisson demand: mean P(D >= level) - level P(D > level)."""
    return np.asarray(mean * stats.poisson.sf(np.asarray(level) - 1, mean) - level * stats.poisson.sf(level, mean))


def newsvendor_profit(quantity: int, mu: float, p: float, c: float, v: float = 0.0, ell: float = 0.0) -> float:
    """Expected profit p E min(D, q) + v E(q - D)+ - ell E(D - q)+ - c q, in $.

    Raises:
        ValueError: for a negative or fractional quantity, and as `newsvendor` does.
    """
    need(math.isfinite(quantity) and quantity >= 0 and int(quantity) == quantity, "quantity", quantity, "whole units")
    positive(mu=mu, p=p)
    not_negative(c=c, v=v, ell=ell)
    short = float(expected_short(mu, int(quantity)))
    sold = mu - short
    return p * sold + v * (quantity - sold) - ell * short - c * quantity


def newsvendor(mu: float, p: float, c: float, v: float = 0.0, ell: float = 0.0) -> Newsvendor:
    """The smallest q with P(D <= q) >= (p - c + ell) / (p - v + ell), and its profit.

    Args:
        mu: mean demand, u.
        p: retail price, $/u.
        c: unit cost, $/u.
        v: salvage value of what is left over, $/u; below c.
        ell: penalty of a lost sale, $/u.

    Raises:
        ValueError: for mu or p not above 0, a negative cost, or v not below c and p (every extra unit would then pay).
    """
    positive(mu=mu, p=p)
    not_negative(c=c, v=v, ell=ell)
    need(v < c and v < p, "v", v, f"below c ({c!r}) and below p ({p!r}), or no order is too large")
    ratio = max(0.0, (p - c + ell) / (p - v + ell))
    # scipy's quantile at 0 is -1
    quantity = max(0, int(stats.poisson.ppf(ratio, mu)))
    return Newsvendor(quantity, newsvendor_profit(quantity, mu, p, c, v, ell))
