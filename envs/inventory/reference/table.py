"""The table of reference policies: names, how each is computed in a line, and its builder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from envs import UnknownName
from envs.inventory.reference.base_stock import base_stock
from envs.inventory.reference.fixed_cost import r_nQ
from envs.inventory.reference.plain import constant_order, random_orders
from envs.inventory.reference.playing import Market, Policy
from envs.inventory.reference.smoothing import smoothing

Builder = Callable[[Market, int, float], Policy]
"""(environment, seed of the policy's own draws, discount) -> policy."""


@dataclass(frozen=True)
class Reference:
    """One reference policy."""

    build: Builder
    does: str


def _myopic(env: Market, seed: int, discount: float) -> Policy:
    from envs.inventory.reference.myopic import myopic

    return myopic(env, seed, discount)


def _from_mean_field(env: Market, seed: int, discount: float, *, name: str) -> Policy:
    # the mean field itself is computed from these policies' levels, so it comes in late
    from envs.inventory.reference.mean_field import BUILDERS

    return BUILDERS[name](env, seed, discount)


def _late(name: str, does: str) -> Reference:
    return Reference(partial(_from_mean_field, name=name), does)


POLICIES: Mapping[str, Reference] = {
    "random": Reference(random_orders, "every action equally likely"),
    "constant": Reference(constant_order, "mean demand mu, every period"),
    "base_stock": Reference(base_stock, "order up to the newsvendor's quantile of demand over L + 1 periods"),
    "base_stock_nash": _late("base_stock_nash", "base stock from which no type gains by another level"),
    "base_stock_population": _late("base_stock_population", "base stock that earns the population most"),
    "s_S_nash": _late("s_S_nash", "(s, S) from which no type gains by another, as far as replies find it"),
    "s_S_population": _late("s_S_population", "(s, S) per type that earns the population most"),
    "s_S_common": _late("s_S_common", "one (s, S) in periods of demand that earns the population most"),
    "s_S_reorder": _late("s_S_reorder", "S of base stock, s tuned for the population in one pass over the types"),
    "r_nQ": Reference(r_nQ, "economic order quantities, as many as lift the position to base stock"),
    "myopic": Reference(_myopic, "one-step best reply to the last observed prices"),
    "smoothing": Reference(smoothing, "order up to an exponentially smoothed forecast of own demand"),
    "equilibrium": _late("equilibrium", "equilibrium of the exact mean field, by fictitious play"),
    "planner": _late("planner", "what earns the population most in the exact mean field"),
}
"""name -> policy; weakest idea first."""

NAMES = ("random", "constant", "base_stock")
"""The ones that trained policies are always held against; they can be played on every environment."""


_READ = ("config", "parameters", "order_levels", "inventory_position", "demand_quantile")


def reference_policy(name: str, env: Market, seed: int, *, discount: float = 0.99) -> Policy:
    """The policy `name` for all agents of `env`; it reads the market's state at the time it is called.

    Args:
        name: of `POLICIES`, where every builder's docstring says how its policy is computed.
        seed: of the policy's own draws; only ``random``, ``equilibrium`` and ``planner`` draw.
        discount: gamma, of the levels and values that the policy is computed from.

    Raises:
        UnknownName: for another name.
        ValueError: where the policy cannot be played on `env`, with the reason.
    """
    if name not in POLICIES:
        raise UnknownName("reference policy", name, list(POLICIES))
    absent = [attribute for attribute in _READ if not hasattr(env, attribute)]
    if absent:
        raise ValueError(f"the environment has no {', '.join(absent)}, which reference policies read")
    if not isinstance(env.inventory_position, np.ndarray):
        raise ValueError("reference policies are computed on NumPy arrays: make the environment with backend='numpy'")
    return POLICIES[name].build(env, seed, discount)
