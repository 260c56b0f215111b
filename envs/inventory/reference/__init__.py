"""Policies of the market that are computed, not learned: what trained policies are held against.

They act on what an agent can know (its stock, what it has on order, its own past demand, the last prices) for all
copies and agents at once. `POLICIES` is their table; `clairvoyant` has a bound on all of them, which cannot be played.
"""

from envs.inventory.reference.base_stock import base_stock_levels, critical_ratio
from envs.inventory.reference.playing import Market, Policy
from envs.inventory.reference.table import NAMES, POLICIES, Reference, reference_policy

__all__ = [
    "NAMES",
    "POLICIES",
    "Market",
    "Policy",
    "Reference",
    "base_stock_levels",
    "critical_ratio",
    "reference_policy",
]
