"""Inventory problems with a known answer: what simulations and learned policies are held against.

Units as in the market: u (units), $ and period. Demand is Poisson unless a function says otherwise, and a period's
order is placed before its demand, so that an order of lead time L has to cover L + 1 periods of demand.
"""

from envs.inventory.closed_forms.base_stock import BaseStock, base_stock_level
from envs.inventory.closed_forms.cournot import Cournot, cournot
from envs.inventory.closed_forms.fixed_cost import LotSize, SSLevels, lot_size, s_S_levels
from envs.inventory.closed_forms.linear_quadratic import LinearQuadratic, linear_quadratic
from envs.inventory.closed_forms.newsvendor import Newsvendor, newsvendor, newsvendor_profit
from envs.inventory.closed_forms.rationing import Rationing, granted, rationing_best_replies
from envs.inventory.closed_forms.substitution import substitution_quantity

__all__ = [
    "BaseStock",
    "Cournot",
    "LinearQuadratic",
    "LotSize",
    "Newsvendor",
    "Rationing",
    "SSLevels",
    "base_stock_level",
    "cournot",
    "granted",
    "linear_quadratic",
    "lot_size",
    "newsvendor",
    "newsvendor_profit",
    "rationing_best_replies",
    "s_S_levels",
    "substitution_quantity",
]
