"""Exact gaps: best responses by backward induction on the field path that a profile makes among infinitely many.

Whatever is audited is first made an ordinary mean-field profile: a reference policy that is a rule on an agent's own
state, a profile that was solved for, or a trained network by the causal forward pass of
`envs.inventory.mean_field.observing`. All that follows is exact for the game that it is of; `Gaps.notes` says which.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import envs
from analysis.equilibrium.gaps import Estimate, Gaps, TypeGap, check_gaps
from analysis.equilibrium.observed import INSTEAD, ExactProfile, imitated_profile, trained_profile
from envs.inventory.config import MarketConfig
from envs.inventory.mean_field import MeanFieldMarket, NashConv, Profile, evaluate, mean_field
from envs.inventory.mean_field.best_response import gaps_of
from envs.inventory.mean_field.observer import Observer
from envs.inventory.mean_field.own_weight import finite_gaps, split
from envs.inventory.presets import preset_of
from envs.inventory.reference import POLICIES
from envs.inventory.reference.mean_field import solved
from envs.settings import checked_settings
from envs.unsolvable import Unsolvable
from mfmarl.imitation.imitated import Imitated, ImitatedTypes
from mfmarl.policy import Policy

Played = str | Policy | Profile | Imitated | ImitatedTypes
"""What is audited: a reference policy by name, trained policies, a mean-field profile, or imitators among others."""
SCATTERED = (
    "at small N a learned gap can lie a little above the exact one: its deviator sees how N agents' means scatter, and "
    "can use it"
)
MUCH = 1e-3
"""Periods in which a bound of the grid would have bound, from which on values are not to be used."""


def market_config(env: str, options: Mapping[str, Any] | None = None) -> MarketConfig:
    """The settings of the market `env`, e.g. ``inventory/market-easy``.

    Raises:
        UnknownName: for an environment or option that does not exist.
        Unsolvable: for an environment that is no market, which has no exact mean field.
    """
    if env not in envs.names():
        raise envs.UnknownName("environment", env, envs.names())
    family, _, name = env.partition("/")
    preset = preset_of(name, options or {}) if family == "inventory" else None
    if preset is None or not issubclass(preset.kind, MarketConfig):
        raise Unsolvable(f"{env} has no exact mean field, which markets have", INSTEAD)
    config = checked_settings(preset.kind, {**preset.defaults, **(options or {})})
    assert isinstance(config, MarketConfig)
    return config


def exact_gaps(
    env: str | MarketConfig,
    played: Played,
    *,
    options: Mapping[str, Any] | None = None,
    discount: float = 0.99,
    num_agents: int | None = None,
) -> Gaps:
    """What an agent of each type gains by its best response, exactly.

    Args:
        env: a market by name, e.g. ``inventory/market-easy``, or its settings; jitter is left out.
        played: by everyone: see `Played`.
        options: settings of a named market that differ from the preset's.
        discount: gamma.
        num_agents: how many agents the deviator is one of; its own weight in the means counts then. Infinitely many
            where not given.

    Raises:
        UserError: for policies of another game.
        Unsolvable: for a market or policy that cannot be solved exactly; says why and what to use instead.
        ImpossibleGap: where staying beats the best response, which is a fault of this program.
    """
    config = market_config(env, options) if isinstance(env, str) else env
    if num_agents is not None:
        config = split(config, num_agents)
    game = mean_field(config, gamma=discount)
    exact = exact_profile(game, played)
    return gaps_in(game, exact, num_agents)


def gaps_in(game: MeanFieldMarket, exact: ExactProfile, num_agents: int | None = None) -> Gaps:
    """The gaps of a profile in `game`; see `exact_gaps`."""
    found = evaluate(game, exact.profile)
    if found.residual > MUCH:
        raise Unsolvable(
            f"a bound of the exact mean field's grid of positions would bind in {found.residual:.3g} periods, so its "
            "values are not this market's",
            INSTEAD,
        )
    result = gaps_of(game, found) if num_agents is None else finite_gaps(game, found, num_agents)
    size = "infinitely many agents"
    if num_agents is not None:
        size = f"{num_agents} agents, the deviator's own weight in the means included"
    left_out = [f"left out: {what}" for what in game.left_out]
    above = [SCATTERED] if exact.watchful and num_agents is not None else []
    notes = (f"of {size}, exactly", *exact.notes, *above, *left_out)
    return check_gaps(Gaps("unilateral gap", "exact", tuple(_of_types(game, result)), notes))


def _of_types(game: MeanFieldMarket, result: NashConv) -> list[TypeGap]:
    exactly = Estimate.exactly
    pairs = zip(game.types, result.evaluation.values, result.gaps, strict=True)
    return [
        TypeGap(kind.name, kind.share, exactly(float(base)), exactly(float(base + gap)), exactly(float(gap)))
        for kind, base, gap in pairs
    ]


def exact_profile(game: MeanFieldMarket, played: Played, observer: Observer | None = None) -> ExactProfile:
    """What is played, as a profile of `game`.

    Args:
        observer: in whose layout trained policies observe; that of `game` where not given.

    Raises:
        UnknownName: for a reference policy that does not exist.
        UserError: for policies of another game.
        Unsolvable: for policies that are no profile of the mean field, with the reason.
    """
    if isinstance(played, Profile):
        return ExactProfile(played, ())
    if isinstance(played, str):
        if played not in POLICIES:
            raise envs.UnknownName("reference policy", played, list(POLICIES))
        try:
            return ExactProfile(solved(game.config, game.gamma).profile(played), ())
        except Unsolvable as error:
            raise Unsolvable(str(error), INSTEAD) from error
    observer = observer or Observer(game)
    if isinstance(played, Imitated | ImitatedTypes):
        return imitated_profile(game, played, observer)
    return trained_profile(game, played, observer)
