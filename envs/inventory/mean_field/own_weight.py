"""Gaps among N agents: a deviator is 1 / N of every mean, so its own orders and sales move the prices that it meets.

Agents who look at nothing but their own state are independent of each other, and prices are linear in the means, so an
agent of type k among N meets, in expectation, the prices that the other N - 1 make, and itself:

    E[m_t q_i] = E[q_i] E[m_t - q_i / N] + E[q_i^2] / N

The others' part is the mean field's path less 1 / N of what its own type does on average; the last term is an own cost,
slope q^2 / N for orders and p0 (price_coupling / m_ref) sold^2 / N for sales. So both the value of staying and that of
the best response are exact at any N that the types' shares split. The mean field is N to infinity.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.mean_field.best_response import NashConv, respond
from envs.inventory.mean_field.field import Path, Prices
from envs.inventory.mean_field.flow import Evaluation, Flow, value_of
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.process import TypeModel
from envs.inventory.mean_field.units import before_joining
from envs.inventory.types import counts_of
from envs.unsolvable import Unsolvable

Doubles = NDArray[np.float64]


def split(config: MarketConfig, num_agents: int) -> MarketConfig:
    """The market with shares as N agents are split into types; types without an agent are left out.

    Raises:
        ValueError: for fewer than two agents.
    """
    if num_agents < 2:
        raise ValueError(f"num_agents is {num_agents}; a population has at least 2 agents")
    counts = counts_of([kind.share for kind in config.types.values()], num_agents)
    pairs = zip(config.types.items(), counts, strict=True)
    types = {name: kind.model_copy(update={"share": n / num_agents}) for (name, kind), n in pairs if n > 0}
    return config.model_copy(update={"types": types})


def finite_gaps(game: MeanFieldMarket, found: Evaluation, num_agents: int) -> NashConv:
    """What an agent among N gains by its best response, the other N - 1 playing the profile of `found`.

    The evaluation that is returned has the values [K] of N agents, and the mean field's path.

    Args:
        game: of `split(config, num_agents)`, so that its shares are those of N agents.
        found: the profile's evaluation in `game`.

    Raises:
        ValueError: where the shares do not split N; for scarce supply and spill-over, whose units are not linear in the
            means; for retail prices that follow sales with backlog, or may come to their floor.
    """
    counts = game.shares * num_agents
    if abs(counts - np.rint(counts)).max() > 1e-9:
        raise ValueError(
            f"shares {game.shares.tolist()} do not split {num_agents} agents: take the game of split(config, N)"
        )
    _refuse(game, found.path, num_agents)
    values, bests = [], []
    for kind, stream in zip(game.types, found.flows, strict=True):
        prices = prices_of_others(game, found.path, kind, stream, num_agents)
        own = own_cost(game, kind, num_agents)
        passage = found.path.passages[game.types.index(kind)]
        states = stream.occupancy.reshape(game.horizon, kind.size, -1, kind.levels.size).sum(2)
        paid = float(game.discount @ (states * own).sum((1, 2)))
        values.append(value_of(game, stream, prices) - paid)
        bests.append(respond(game, kind, prices, passage, own).value)
    gaps = np.array(bests) - np.array(values)
    total, mean = float(game.shares @ gaps), float(game.shares @ np.array(values))
    evaluation = Evaluation(np.array(values), mean, found.path, found.flows, found.residual)
    return NashConv(gaps, total, total / abs(mean) if mean else float("nan"), evaluation)


def _refuse(game: MeanFieldMarket, path: Path, num_agents: int) -> None:
    if game.units_follow_field:
        raise Unsolvable(
            "an agent's own weight in scarce supply or spill-over is not worked out: leave num_agents out, which gives "
            "the gap among infinitely many, or audit by learned"
        )
    fall = game.config.price_coupling
    if fall > 0 and game.config.unmet == "backlog":
        raise Unsolvable(
            "an agent's own weight in retail prices is worked out for lost sales; with backlog set price_coupling=0, "
            "or leave num_agents out"
        )
    most = max(max(kind.room, float(kind.levels.max())) for kind in game.types)
    if fall > 0 and (path.price - fall * most / (game.reference * num_agents)).min() <= game.config.price_floor:
        raise Unsolvable(
            f"among {num_agents} agents one alone can press the retail price to its floor {game.config.price_floor:g}, "
            "where it is not linear: take more agents, or leave num_agents out"
        )


def prices_of_others(game: MeanFieldMarket, path: Path, kind: TypeModel, stream: Flow, num_agents: int) -> Prices:
    """What an agent of one type pays and earns for a unit, before its own weight, as the other N - 1 make it."""
    fall, own = game.config.price_coupling / game.reference, stream
    of_signal = {"sales": own.sold, "stock": own.offered, "orders": own.orders}[game.couplings.price_signal]
    none = np.zeros(game.horizon)
    return Prices(
        kind.agent.c + path.premium - game.slope * own.orders / num_agents,
        kind.agent.p0 * (path.price + fall * of_signal / num_agents),
        none,
        none,
    )


def own_cost(game: MeanFieldMarket, kind: TypeModel, num_agents: int) -> Doubles:
    """[T, n, A]: $ that an agent pays and does not earn for what it adds to the means itself, 1 / N of all."""
    cost = np.broadcast_to(game.slope * kind.levels**2, (game.horizon, kind.size, kind.levels.size)).copy()
    fall = kind.agent.p0 * game.config.price_coupling / game.reference
    signal = game.couplings.price_signal
    for t in range(game.horizon if fall > 0 else 0):
        sold = kind.sold_squared if signal == "sales" else kind.sold
        after, before = sold.after[t], sold.before[t]
        if signal == "stock":
            # of a known number on offer, the units that are sold
            after, before = kind.positions * after, kind.positions * before
        lost = before[:, None] + (before_joining(after, kind.levels) if kind.order_first else 0.0)
        cost[t] += fall * lost * (kind.levels if signal == "orders" else 1.0)
    return np.asarray(cost / num_agents)
