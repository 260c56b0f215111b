"""Leave-type-out: the game without one type, exactly. What do the others lose or gain, and how stable are they then?

The shares of the types that stay are scaled up to 1, and with them the market's m_ref and slope, as it does for any
population. Nobody learns again: the others play on, networks on what they observe of the market without the type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.equilibrium.exact import Played, exact_profile, gaps_in, market_config
from analysis.equilibrium.gaps import Gaps
from analysis.equilibrium.observed import ExactProfile
from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import MeanFieldMarket, Profile, mean_field
from envs.inventory.mean_field.observer import Observer
from mfmarl.errors import UserError
from mfmarl.policy import Policy
from mfmarl.registry import suggestion


@dataclass(frozen=True)
class LeaveOut:
    """The market with and without one type."""

    left_out: str
    with_it: Gaps
    """Gaps and values of the types that stay, in the whole market; shares as they are there."""
    without_it: Gaps
    """Of the same types in the same order, without the other; their shares sum to 1."""

    @property
    def changes(self) -> dict[str, float]:
        """Type -> by how much its value rises where the other type is left out, $ per agent."""
        pairs = zip(self.with_it.types, self.without_it.types, strict=True)
        return {before.type_name: after.base.value - before.base.value for before, after in pairs}


def leave_type_out(
    env: str | MarketConfig,
    played: Played,
    type_name: str,
    *,
    options: Mapping[str, Any] | None = None,
    discount: float = 0.99,
) -> LeaveOut:
    """Values and gaps of the other types with and without the type `type_name`; arguments as for `exact_gaps`.

    Raises:
        UserError: for a type that does not exist, or the only one there is.
        Unsolvable: as `exact_gaps`.
    """
    config = market_config(env, options) if isinstance(env, str) else env
    names = list(config.types)
    if type_name not in names:
        raise UserError(f"unknown type {type_name!r}{suggestion(type_name, names)}; there are {', '.join(names)}")
    if len(names) == 1:
        raise UserError(f"{type_name} is the only type: without it there is no market")
    whole = mean_field(config, gamma=discount)
    types = {name: kind for name, kind in config.types.items() if name != type_name}
    rest = mean_field(config.model_copy(update={"types": types}), gamma=discount)
    exact = exact_profile(whole, played)
    stay = [k for k, name in enumerate(names) if name != type_name]
    with_it = gaps_in(whole, exact)
    without_it = gaps_in(rest, _without(whole, rest, played, exact, stay))
    return LeaveOut(type_name, Gaps(with_it.what, with_it.by, tuple(with_it.types[k] for k in stay)), without_it)


def _without(
    whole: MeanFieldMarket, rest: MeanFieldMarket, played: Played, exact: ExactProfile, stay: list[int]
) -> ExactProfile:
    """What the types that stay play in the market without the other."""
    if isinstance(played, Policy):
        return exact_profile(rest, played, Observer(rest, whole))
    return ExactProfile(Profile(tuple(exact.profile.policies[k] for k in stay)), exact.notes)
