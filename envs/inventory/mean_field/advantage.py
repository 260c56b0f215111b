"""What an order costs an agent against the best one: exact dynamic programming at given prices, own weight included."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.mean_field.own_process import OwnProcess
from envs.inventory.mean_field.process import position_of
from envs.inventory.mean_field.units import before_joining

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class OwnWeight:
    """What an agent's own units do to the prices that it meets; zeros among infinitely many."""

    signal: str
    """What the retail price falls with: sales, stock or orders."""
    wholesale: float = 0.0
    """$/u on every unit it buys, per unit it orders: slope / N."""
    retail: float = 0.0
    """Fall of retail price / p0 per unit of its own signal: price_coupling / (m_ref N)."""

    @classmethod
    def among(cls, config: MarketConfig, num_agents: int, slope: float, mean_demand: float) -> OwnWeight:
        """Of one of N agents in a market whose wholesale price rises by `slope` per unit of mean order."""
        return cls(config.price_signal, slope / num_agents, config.price_coupling / (mean_demand * num_agents))


@dataclass(frozen=True)
class Advantage:
    """The exact best response of one agent to a path of prices, and what every other order loses."""

    process: OwnProcess
    premium: Doubles
    """[T]: wholesale price less c that the others make, $/u."""
    ratio: Doubles
    """[T]: retail price / p0 that the others make."""
    visitors: Doubles
    """[T]: customers of others who come on average, u."""
    weight: OwnWeight
    gamma: float
    value: float
    """Of the best response from the start, discounted $."""
    loss: NDArray[np.float32]
    """[V + 1, T, n, P, A]: the best order's value less this order's, discounted $, where so many customers of others
    come in the period; never negative where none ever do. P are the orders listed beside the net stock, the next to
    arrive counting most; 1 where there are none."""


def advantage(
    process: OwnProcess, premium: Doubles, ratio: Doubles, weight: OwnWeight, gamma: float,
    visitors: Doubles | None = None,
) -> Advantage:  # fmt: skip
    """Backward induction over the states of `process` at the others' prices [T] and with `visitors` [T] on average.

    Own units move the agent's own prices by `weight`, without the floor; with backlog its own part in the retail price
    is left out. Where unmet demand waits, a unit is sold when it is shipped: revenue of a period is p (D + B - B') with
    the backlog before and after, so that B' earns gamma p of the next period less p of this one.
    """
    p, L = process, process.agent.L
    horizon, actions = p.means.size, p.levels.size
    discount = gamma ** np.arange(horizon, dtype=float)
    earned = trade_worth(p, discount * p.agent.p0 * ratio)
    fall = np.zeros(horizon) if p.backlog else discount * p.agent.p0 * weight.retail
    cost = discount[:, None] * _order_costs(p, premium, weight)
    came = np.zeros(horizon) if visitors is None else np.minimum(visitors, p.most_visitors)
    loss = np.empty((p.most_visitors + 1, horizon, p.size, actions**p.pipeline, actions), np.float32)
    value = p.end_worth * discount[-1] * position_of(p.low + np.arange(p.size, dtype=float), [p.levels] * L)
    for t in range(horizon - 1, -1, -1):
        if L > 0 and t < horizon - 1:
            # [n, next to arrive, ..., action]: an order joins what demand leaves
            value = before_joining(value, p.joining)
        worths = []
        for served in range(p.most_visitors + 1):
            # of what is left visitors are served, and some of the rest spoils
            left = value[p.kept[np.maximum(np.arange(p.size) - served, 0)]] if served else value[p.kept]
            met = (p.kernels[p.kernel_of[t]] @ left.reshape(p.size, -1)).reshape(left.shape)
            at = float(earned[t]), float(discount[t]), float(fall[t])
            worths.append(_worth(p, t, served, met, *at, weight) - cost[t])
        few = min(int(came[t]), p.most_visitors)
        more = float(came[t]) - few
        expected = worths[few] if more == 0 else (1 - more) * worths[few] + more * worths[few + 1]
        value = expected.max(-1)
        for served, worth in enumerate(worths):
            loss[served, t] = (value[..., None] - worth).reshape(loss.shape[2:])
    first = float(value[(p.start, *(int(np.argmax(p.levels == 0)),) * p.pipeline)])
    certain = float(discount * p.agent.p0 * ratio @ p.means) if p.backlog else 0.0
    return Advantage(p, premium, ratio, came, weight, gamma, first + certain, loss)


def trade_worth(process: OwnProcess, sale: Doubles) -> Doubles:
    """[T, ...]: $ for each unit of what `process` trades, at retail prices [T, ...] in discounted $.

    A unit sold earns the price. With backlog a unit left unmet earns the next period's price less this one's, or less
    this one's only when the game is over.
    """
    if not process.backlog:
        return sale
    return np.concatenate([sale[1:], np.zeros_like(sale[:1])]) - sale


def _order_costs(process: OwnProcess, premium: Doubles, weight: OwnWeight) -> Doubles:
    """[T, A]: $ of an order, undiscounted."""
    agent, q = process.agent, process.levels
    return (agent.c + premium[:, None]) * q + agent.K * (q > 0) + (agent.phi / 2 + weight.wholesale) * q * q


def _worth(
    process: OwnProcess, t: int, visitors: int, met: Doubles, earned: float, discount: float, fall: float,
    weight: OwnWeight,
) -> Doubles:  # fmt: skip
    """[n, ..., A]: worth of orders before they are paid, where what demand leaves is worth `met`, [n, ...]."""
    law = process.kernel_of[t]
    traded = process.traded[law][visitors]
    worth = earned * traded + discount * process.money[law][visitors]
    if weight.signal == "sales":
        worth = worth - fall * process.traded_squared[law][visitors]
    elif weight.signal == "stock":
        worth = worth - fall * np.arange(process.size) * traded
    beside = (-1, *(1,) * (met.ndim - 1))
    met = met + worth.reshape(beside)
    if process.agent.L == 0:
        met, traded = before_joining(met, process.joining), before_joining(traded, process.joining)
    else:
        traded = traded.reshape(beside)
    return met - fall * traded * process.levels if weight.signal == "orders" else met
