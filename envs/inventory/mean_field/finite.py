"""What N agents lose or gain against infinitely many: the exact 1 / N term of a profile's value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.flow import Evaluation, Flow
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.process import TypeModel
from envs.inventory.mean_field.units import joined

Doubles = NDArray[np.float64]


def finite_population_term(game: MeanFieldMarket, found: Evaluation) -> Doubles:
    """[K]: C in E value_N = value + C / N, for N agents who play the profile of `found`; $ per agent.

    Agents who look at nothing but their own state are independent of each other, so states, orders and sales have the
    mean field's means at any N. Only products of an agent's own quantity with the mean, in which it counts itself with
    1 / N, have not: E[m_t q_i] = E m_t E q_i + Var(q_i) / N. As prices are linear in the means, nothing else follows:

        C_k = - sum_t gamma^t (slope Var q_t + p0_k (price_coupling / m_ref) Var sold_t)

    It is exact where N can be split by the types' shares and the price floor is not reached.

    Raises:
        ValueError: for backlog, whose sales have another variance, and for other couplings than those two.
    """
    if game.config.unmet == "backlog":
        raise ValueError("the 1 / N term is worked out for lost sales; this market has backlog")
    if game.units_follow_field or game.couplings.price_signal != "sales":
        raise ValueError("the 1 / N term is worked out for prices that follow orders and sales, and for nothing else")
    fall = game.config.price_coupling / game.reference
    terms = [
        -float(game.discount @ (game.slope * var_q + kind.agent.p0 * fall * var_sold))
        for kind, (var_q, var_sold) in zip(game.types, map(_variances, game.types, found.flows), strict=True)
    ]
    return np.array(terms)


def _variances(kind: TypeModel, stream: Flow) -> tuple[Doubles, Doubles]:
    """Of one agent's order and sales in each period, [T] each."""
    horizon = stream.orders.size
    chosen = stream.occupancy.reshape(horizon, -1, kind.levels.size).sum(1)
    var_q = chosen @ kind.levels**2 - stream.orders**2
    squared = np.empty(horizon)
    for t, occupancy in enumerate(stream.occupancy):
        if kind.order_first:
            squared[t] = joined(occupancy, kind.levels) @ kind.sold_squared.after[t]
        else:
            squared[t] = occupancy.reshape(kind.size, -1).sum(1) @ kind.sold_squared.before[t]
    return var_q, squared - stream.sold**2
