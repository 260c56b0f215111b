"""Inventory problems with a known answer: what simulations and learned policies are held against.

Units as in the market: u (units), $ and period. Demand is Poisson unless a function says otherwise, and a period's
order is placed before its demand, so that an order of lead time L has to cover L + 1 periods of demand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats


class Newsvendor(NamedTuple):
    """The best single-period order and its expected profit."""

    quantity: int
    """u."""
    profit: float
    """$ per period."""


class BaseStock(NamedTuple):
    """The best order-up-to position and its long-run cost."""

    level: int
    """u."""
    cost: float
    """$ per period, holding and backlog."""


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


class Cournot(NamedTuple):
    """The Nash equilibrium of sellers who sell all they order."""

    quantities: NDArray[np.float64]
    """[K], u per agent of each type."""
    mean_quantity: float
    price: float
    """$ per u."""


class LinearQuadratic(NamedTuple):
    """Steady stock and the factors by which a distance from it shrinks every period."""

    steady_stock: float
    individual_rate: float
    """Of one agent's own stock, the field given."""
    field_rate: float
    """Of the whole population's mean stock."""


def _need(condition: bool, name: str, value: float, allowed: str) -> None:
    if not condition:
        raise ValueError(f"{name} is {value!r}; it must be {allowed}")


def _positive(**values: float) -> None:
    for name, value in values.items():
        _need(math.isfinite(value) and value > 0, name, value, "a finite number above 0")


def _not_negative(**values: float) -> None:
    for name, value in values.items():
        _need(math.isfinite(value) and value >= 0, name, value, "a finite number of at least 0")


def _lead_time(L: int) -> None:
    _need(math.isfinite(L) and L >= 0 and int(L) == L, "L", L, "a whole number of periods, at least 0")


def _expected_short(mean: float, level: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """E(D - level)+ of Poisson demand: mean P(D >= level) - level P(D > level)."""
    return np.asarray(mean * stats.poisson.sf(np.asarray(level) - 1, mean) - level * stats.poisson.sf(level, mean))


def newsvendor_profit(quantity: int, mu: float, p: float, c: float, v: float = 0.0, ell: float = 0.0) -> float:
    """Expected profit p E min(D, q) + v E(q - D)+ - ell E(D - q)+ - c q, in $.

    Raises:
        ValueError: for a negative or fractional quantity, and as `newsvendor` does.
    """
    _need(math.isfinite(quantity) and quantity >= 0 and int(quantity) == quantity, "quantity", quantity, "whole units")
    _positive(mu=mu, p=p)
    _not_negative(c=c, v=v, ell=ell)
    short = float(_expected_short(mu, int(quantity)))
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
    _positive(mu=mu, p=p)
    _not_negative(c=c, v=v, ell=ell)
    _need(v < c and v < p, "v", v, f"below c ({c!r}) and below p ({p!r}), or no order is too large")
    ratio = max(0.0, (p - c + ell) / (p - v + ell))
    # scipy's quantile at 0 is -1
    quantity = max(0, int(stats.poisson.ppf(ratio, mu)))
    return Newsvendor(quantity, newsvendor_profit(quantity, mu, p, c, v, ell))


def _period_cost(level: NDArray[np.int64] | int, mean: float, h: float, b: float) -> NDArray[np.float64]:
    """h E(y - D)+ + b E(D - y)+ at position y = level, in $."""
    short = _expected_short(mean, level)
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
    _positive(mu=mu, h=h, b=b)
    _lead_time(L)
    mean = mu * (L + 1)
    level = int(stats.poisson.ppf(b / (b + h), mean))
    return BaseStock(level, float(_period_cost(level, mean, h, b)))


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
    _positive(mu=mu, h=h, b=b)
    _not_negative(K=K)
    _lead_time(L)
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
    table = _period_cost(best_position + np.arange(-reach, reach + 1), mean, h, b)

    def period_cost(first: int, last: int) -> NDArray[np.float64]:
        nonlocal reach, table
        if max(best_position - first, last - best_position) > reach:
            reach = 2 * max(best_position - first, last - best_position)
            table = _period_cost(best_position + np.arange(-reach, reach + 1), mean, h, b)
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
    _positive(d=d, h=h)
    _not_negative(K=K)

    def cost(n: int) -> float:
        return K / n + h * d * (n - 1) / 2

    # the continuous minimum; the cost is convex in n
    around = int(math.sqrt(2 * K / (h * d)))
    periods = min((max(1, around), around + 1), key=cost)
    return LotSize(periods, cost(periods))


def cournot(
    *, alpha: float, beta: float, phi: float, costs: Sequence[float], shares: Sequence[float], num_agents: int
) -> Cournot:
    """Equilibrium of N sellers at price alpha - beta qbar and cost c_k q + phi q^2 / 2, each with 1/N of qbar.

    q_k = (alpha - beta qbar - c_k) / (phi + beta / N), qbar = (alpha - cbar) / (phi + beta + beta / N).

    Args:
        alpha: price at zero supply, $/u.
        beta: price slope, $/u per u of the mean quantity.
        phi: handling cost, $/u^2.
        costs: c_k of the K types, $/u.
        shares: the types' shares of the population, which sum to 1.
        num_agents: N.

    Raises:
        ValueError: for values out of range, shares that do not sum to 1, or a type that would not produce (the formula
            holds only where every quantity is positive).
    """
    _positive(alpha=alpha, beta=beta)
    _not_negative(phi=phi)
    _need(num_agents >= 2 and int(num_agents) == num_agents, "num_agents", num_agents, "a whole number of at least 2")
    c, share = np.asarray(costs, float), np.asarray(shares, float)
    if c.ndim != 1 or c.shape != share.shape or c.size == 0:
        raise ValueError(f"costs and shares must be two lists of equal length; got shapes {c.shape} and {share.shape}")
    if not np.isfinite(c).all() or (c < 0).any():
        raise ValueError(f"costs are {c.tolist()}; every cost must be a finite number of at least 0")
    if not (share > 0).all() or abs(share.sum() - 1) > 1e-9:
        raise ValueError(f"shares are {share.tolist()}; they must be above 0 and sum to 1")
    mean_quantity = float((alpha - share @ c) / (phi + beta + beta / num_agents))
    price = alpha - beta * mean_quantity
    quantities = (price - c) / (phi + beta / num_agents)
    if (quantities <= 0).any():
        idle = int(np.argmin(quantities))
        raise ValueError(
            f"type {idle} with cost {c[idle]:g} would order nothing at price {price:g}: leave it out, or lower its cost"
        )
    return Cournot(quantities, mean_quantity, price)


def linear_quadratic(*, c: float, beta: float, phi: float, h: float, gamma: float, mu: float) -> LinearQuadratic:
    """The mean-field game of stage cost (c + beta ubar) u + phi u^2 / 2 + h x'^2 / 2 with x' = x + u - mu.

    Moving a unit of order from one period to the next gives, with k = phi for one agent and phi + beta for the
    population, gamma k r^2 - (k + gamma k + h) r + k = 0, of which the rate is the root below 1; at rest u = mu.

    Raises:
        ValueError: for phi or h not above 0, beta, c or mu negative, or gamma outside (0, 1].
    """
    _positive(phi=phi, h=h)
    _not_negative(c=c, beta=beta, mu=mu)
    _need(0 < gamma <= 1, "gamma", gamma, "in (0, 1]")

    def rate(k: float) -> float:
        middle = k + gamma * k + h
        return (middle - math.sqrt(middle**2 - 4 * gamma * k * k)) / (2 * gamma * k)

    return LinearQuadratic(-(1 - gamma) * (c + (phi + beta) * mu) / h, rate(phi), rate(phi + beta))


def substitution_quantity(*, mean: float, std: float, critical_ratio: float, omega: float) -> float:
    """The symmetric equilibrium order, in u, where a fraction omega of unmet Normal demand tries another seller.

    In a large population the inflow is its mean, so q = F^{-1}(critical ratio) + omega E(D - q)+.

    Raises:
        ValueError: for mean or std not above 0, a critical ratio outside (0, 1), or omega outside [0, 1].
    """
    _positive(mean=mean, std=std)
    _need(0 < critical_ratio < 1, "critical_ratio", critical_ratio, "in (0, 1)")
    _need(0 <= omega <= 1, "omega", omega, "in [0, 1]")
    alone = mean + std * float(stats.norm.ppf(critical_ratio))

    def excess(q: float) -> float:
        z = (q - mean) / std
        return q - alone - omega * std * float(stats.norm.pdf(z) - z * stats.norm.sf(z))

    # excess rises in q, is at most 0 at `alone`; the inflow there bounds the solution
    return float(optimize.brentq(excess, alone, alone - excess(alone) + std * 1e-9, xtol=1e-10))
