"""The inventory game: its market, its demand, and the inventory problems whose answers are known exactly."""

from envs.inventory.closed_forms import (
    base_stock_level,
    cournot,
    linear_quadratic,
    lot_size,
    newsvendor,
    newsvendor_profit,
    rationing_best_replies,
    s_S_levels,
    substitution_quantity,
)

__all__ = [
    "base_stock_level",
    "cournot",
    "linear_quadratic",
    "lot_size",
    "newsvendor",
    "newsvendor_profit",
    "rationing_best_replies",
    "s_S_levels",
    "substitution_quantity",
]
