"""Policies that the exact mean field gives: tuned base stock and (s, S), the equilibrium, the planner."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache, partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field.best_response import NashConv, nash_conv
from envs.inventory.mean_field.equilibrium import equilibrium
from envs.inventory.mean_field.flow import Profile
from envs.inventory.mean_field.model import MeanFieldMarket, mean_field
from envs.inventory.mean_field.planner import Plan, planner
from envs.inventory.mean_field.play import profile_policy
from envs.inventory.mean_field.profiles import (
    base_stock_levels,
    base_stock_profile,
    constant_profile,
    nearest_action,
    random_profile,
    stationary,
    type_parameters,
)
from envs.inventory.mean_field.tuned import Pair, Rule, Tuned, common_tuned, nash_tuned, population_tuned, reorder_tuned
from envs.inventory.reference.fixed_cost import batches, order_quantity, s_S
from envs.inventory.reference.playing import Market, Policy
from envs.unsolvable import Unsolvable

Doubles = NDArray[np.float64]
Goal = Literal["nash", "population", "common", "reorder"]
ITERATIONS = 60
"""Of fictitious play and of the planner; `easy` has .26 % of its value left to gain then."""


@dataclass(frozen=True)
class Effort:
    """How long searches may go on; what they leave is told by `Solved.remark` and the NashConv."""

    nash: int
    """Rounds over the types."""
    population: int
    plan: int
    """Iterations."""


FULL, SHORT = Effort(30, 10, ITERATIONS), Effort(2, 1, 20)
"""Where the field moves no units, and where it does (scarce supply, spill-over): there a rule's flow hangs on everyone
else's and is played anew for every candidate, some 50 times as long."""


class Solved:
    """One market's mean field and what was solved of it so far; nothing is solved twice."""

    def __init__(self, game: MeanFieldMarket) -> None:
        """`game` as from `mean_field`."""
        self.game = game
        self.effort = SHORT if game.units_follow_field else FULL
        self.plan = cache(self._plan)
        self.profile = cache(self._profile)
        self.tuned = cache(self._tuned)
        self.exact = cache(self._exact)

    def _tuned(self, goal: Goal, rule: Rule) -> Tuned:
        if goal == "nash":
            return nash_tuned(self.game, rule=rule, sweeps=self.effort.nash)
        if goal == "common":
            return common_tuned(self.game)
        if goal == "reorder":
            return reorder_tuned(self.game)
        return population_tuned(self.game, rule=rule, sweeps=self.effort.population)

    def remark(self, name: str) -> str:
        """How far a search has come, in words; nothing where there was none."""
        if name == "planner":
            return f"the best answer at marginal prices promises {self.plan().residual:.2%} more"
        if name in TUNED and TUNED[name][0] == "nash":
            return f"another level brings an agent of some type ${self.tuned(*TUNED[name]).rule_gap:.2f} at most"
        return ""

    def _plan(self) -> Plan:
        return planner(self.game, iterations=self.effort.plan)

    def _exact(self, name: str) -> NashConv:
        """Value and NashConv of the reference policy `name`, jitter left out.

        Raises:
            ValueError: for a policy that is no profile of the mean field.
        """
        return nash_conv(self.game, self.profile(name))

    def _profile(self, name: str) -> Profile:
        game = self.game
        if name in TUNED:
            return self.tuned(*TUNED[name]).profile
        if name == "equilibrium":
            return equilibrium(game, iterations=ITERATIONS).profile
        if name == "planner":
            return self.plan().profile
        plain = {
            "random": random_profile,
            "constant": constant_profile,
            "base_stock": base_stock_profile,
            "r_nQ": r_nQ_profile,
        }
        if name not in plain:
            raise Unsolvable(f"{name} looks at more than an agent's own stock and orders, so it is no profile")
        return plain[name](game)


TUNED: dict[str, tuple[Goal, Rule]] = {
    "base_stock_nash": ("nash", "base_stock"),
    "base_stock_population": ("population", "base_stock"),
    "s_S_nash": ("nash", "s_S"),
    "s_S_population": ("population", "s_S"),
    "s_S_common": ("common", "s_S"),
    "s_S_reorder": ("reorder", "s_S"),
}


@lru_cache(maxsize=4)
def _solved(kind: type[MarketConfig], told: str, discount: float) -> Solved:
    return Solved(mean_field(kind.model_validate_json(told), gamma=discount))


def solved(config: MarketConfig, discount: float) -> Solved:
    """The mean field of `config`, kept for the four markets last asked for.

    Raises:
        Unsolvable: for a market without one, with the setting and what to set instead.
    """
    return _solved(type(config), config.model_dump_json(), discount)


def r_nQ_profile(game: MeanFieldMarket) -> Profile:
    """(R, nQ) of every type, as `r_nQ` plays it."""
    R = base_stock_levels(game) - 1
    Q = order_quantity(type_parameters(game), unmet=game.config.unmet, discount=game.gamma)
    policies = []
    for kind, low, batch in zip(game.types, R, Q, strict=True):
        wanted = batches(kind.inventory_position(), low, batch)
        policies.append(stationary(game, kind, nearest_action(kind, wanted)))
    return Profile(tuple(policies))


def levels_by_agent(
    levels: tuple[Pair, ...], mu: Doubles, agent_types: NDArray[np.int64], type_mu: Doubles
) -> tuple[Doubles, Doubles]:
    """s and S [N] of agents from those of their types [K]: as many periods of own mean demand, in whole units."""
    s, S = np.asarray(levels, float).T
    scale = mu / type_mu[agent_types]
    return np.rint(s[agent_types] * scale), np.rint(S[agent_types] * scale)


def _market(env: Market) -> InventoryMarket:
    if not isinstance(env, InventoryMarket):
        raise ValueError("the mean field is of the market, and this environment is none")
    return env


def tuned_rule(env: Market, seed: int, discount: float, *, goal: Goal, rule: Rule) -> Policy:
    """Levels tuned in the exact mean field without jitter, in periods of each agent's own mean demand.

    ``nash``: replies of one type at a time until no type gains by other levels; ``population``: the population's mean
    value, type after type. ``base_stock`` is (s, S) with s = S.

    Raises:
        ValueError: for a market without a mean field, with the setting and what to set instead.
    """
    market = _market(env)
    found = solved(market.config, discount)
    type_mu = np.array([kind.agent.mu for kind in found.game.types])
    s, S = levels_by_agent(found.tuned(goal, rule).levels, market.parameters.mu, market.agent_types, type_mu)
    return s_S(env, s, S)


def mean_field_policy(env: Market, seed: int, discount: float, *, name: str) -> Policy:
    """The mean field's ``equilibrium`` (fictitious play) or ``planner`` (Frank-Wolfe), played by N agents.

    Raises:
        ValueError: for a market without a mean field, with the setting and what to set instead.
    """
    market = _market(env)
    found = solved(market.config, discount)
    return profile_policy(found.game, found.profile(name), market, seed)


BUILDERS = {
    **{name: partial(tuned_rule, goal=goal, rule=rule) for name, (goal, rule) in TUNED.items()},
    # its orders are of the next level up, as only its profile knows
    **{name: partial(mean_field_policy, name=name) for name in ("s_S_reorder", "equilibrium", "planner")},
}
"""name -> (env, seed, discount) -> policy."""
