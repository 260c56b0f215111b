"""The field: what the population does on average over time, and what this makes of prices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.units import Passage

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Prices:
    """What a unit of one type is worth in each period, $/u, undiscounted: [T] each.

    For an agent only what it buys and sells counts; a planner also answers for the prices that it moves.
    """

    buy: Doubles
    """Paid for a unit granted."""
    sale: Doubles
    """Earned with a unit sold."""
    order: Doubles
    """Paid for a unit asked for."""
    offer: Doubles
    """Earned with a unit on offer."""


@dataclass(frozen=True)
class Path:
    """The field over time, per agent: [T] each."""

    mean_order: Doubles
    """u asked for."""
    mean_bought: Doubles
    """u granted."""
    mean_sales: Doubles
    mean_offered: Doubles
    revenue: Doubles
    """Mean of p0 x units sold, $ at list price."""
    premium: Doubles
    """Wholesale price less c, $/u."""
    price: Doubles
    """Retail price / p0."""
    passages: tuple[Passage, ...]
    """Of each type."""


def premium_of(game: MeanFieldMarket, mean_order: Doubles) -> Doubles:
    """$ on every unit bought."""
    return game.slope * (mean_order - game.reference)


def price_of(game: MeanFieldMarket, sales: Doubles, offered: Doubles, orders: Doubles) -> Doubles:
    """Retail price / p0."""
    signal = {"sales": sales, "stock": offered, "orders": orders}[game.couplings.price_signal]
    ratio = 1 - game.config.price_coupling * (signal / game.reference - 1)
    return np.maximum(ratio, game.config.price_floor)


def private_prices(game: MeanFieldMarket, path: Path, k: int) -> Prices:
    """What an agent of type k pays and earns on the path."""
    agent, none = game.types[k].agent, np.zeros(game.horizon)
    return Prices(agent.c + path.premium, agent.p0 * path.price, none, none)


def marginal_prices(game: MeanFieldMarket, path: Path, k: int) -> Prices:
    """What one more unit of type k changes in the population's total, itself included.

    An order raises the wholesale price of all that is bought by slope / N; a unit of what the retail price follows
    lowers the price of all that is sold by p0 price_coupling / (m_ref N), unless it stands at its floor.
    """
    own = private_prices(game, path, k)
    moves = path.price > game.config.price_floor
    fall = np.where(moves, game.config.price_coupling / game.reference * path.revenue, 0.0)
    none = np.zeros(game.horizon)
    by = {signal: fall if signal == game.couplings.price_signal else none for signal in ("sales", "stock", "orders")}
    asked = game.slope * path.mean_bought + by["orders"]
    return Prices(own.buy, own.sale - by["sales"], asked, -by["stock"])
