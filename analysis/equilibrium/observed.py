"""Policies that act on observations as profiles of the mean field: trained networks, and imitators among others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field import MeanFieldMarket, Profile, evaluate
from envs.inventory.mean_field.observer import Observer
from envs.inventory.mean_field.observing import Law, Observed, observed_in_time, observed_profile
from envs.unsolvable import Unsolvable
from mfmarl.errors import UserError
from mfmarl.imitation.imitated import Imitated, ImitatedTypes
from mfmarl.imitation.type_experts import ProfileExpert, states_of
from mfmarl.policy import Policy

INSTEAD = "audit it by learned and bound"


@dataclass(frozen=True)
class ExactProfile:
    """What is audited, as a profile of the mean field."""

    profile: Profile
    notes: tuple[str, ...]
    """What was left out or how it was found."""
    watchful: bool = False
    """Whether what is played depends on the mean action of the period before."""


def trained_profile(game: MeanFieldMarket, policy: Policy, observer: Observer) -> ExactProfile:
    """Trained policies as a profile of `game`, observing in the layout of `observer`.

    Raises:
        UserError: for policies of another game.
        Unsolvable: for policies that have no law a type.
    """
    _check_fit(game, policy, observer)
    found = _seen(game, observed_profile(game, policy.probs_of_type, observer))
    return ExactProfile(found.profile, found.notes, watchful=policy.network.shape.mean_action != "none")


def imitated_profile(game: MeanFieldMarket, played: Imitated | ImitatedTypes, observer: Observer) -> ExactProfile:
    """Imitators of one type or of several among others as a profile of `game`; they are told the period.

    Raises:
        UserError: for a type that the market has not, and trained policies of another game.
        Unsolvable: for trained policies that have no law a type.
    """
    parts = {one.game.type_name: one for one in (played.parts if isinstance(played, ImitatedTypes) else (played,))}
    own, others = {name: one.law for name, one in parts.items()}, next(iter(parts.values())).others
    for type_name in own:
        if type_name not in observer.type_names:
            known = ", ".join(observer.type_names)
            raise UserError(f"the imitator is of {type_name}; types of this market are {known}")
    rules: dict[str, ProfileExpert] = {}
    if isinstance(others, Policy):
        _check_fit(game, others, observer)
    else:
        rules = {kind.name: ProfileExpert(game, others, k, game.reference) for k, kind in enumerate(game.types)}

    def law_at(t: int) -> Law:
        def law(
            k: int, obs: NDArray[np.float32], mean: NDArray[np.float64], by_type: NDArray[np.float64]
        ) -> NDArray[np.floating]:
            name = observer.type_names[k]
            if name in own:
                return own[name](states_of(obs, parts[name].shown(mean, by_type), t, game.horizon))
            if isinstance(others, Policy):
                return others.probs_of_type(k, obs, mean, by_type)
            return rules[name].law(states_of(obs, np.asarray(mean, np.float32), t, game.horizon))

        return law

    found = _seen(game, observed_in_time(game, law_at, observer))
    return ExactProfile(found.profile, found.notes, watchful=True)


def _check_fit(game: MeanFieldMarket, policy: Policy, observer: Observer) -> None:
    shape = policy.network.shape
    if shape.num_actions is None or shape.sharing == "agent":
        what = "play continuous actions" if shape.num_actions is None else "are one network an agent (sharing=agent)"
        raise Unsolvable(f"these policies {what}, so no type has one law in the mean field", INSTEAD)
    wanted = (len(observer.type_names), observer.size, game.types[0].levels.size)
    got = (len(shape.types), shape.observations, shape.num_actions)
    if wanted != got:
        raise UserError(
            f"the policies are of another game: they have {got[0]} types, {got[1]} observed entries and {got[2]} "
            f"actions; this market has {wanted[0]}, {wanted[1]} and {wanted[2]}"
        )


def _seen(game: MeanFieldMarket, seen: Observed) -> ExactProfile:
    """What policies that act on observations are, with what that leaves out."""
    notes = ["the field that agents observe is its mean: how N agents' means scatter is left out"]
    if seen.pruned > 1e-6:
        notes.append(f"observations of probability {seen.pruned:.2g}, summed over periods, stand for their neighbours")
    drift = abs(evaluate(game, seen.profile).path.mean_order - seen.mean_order).max()
    if drift > 1e-6 * game.reference:
        why = (
            "backlog is cut off where the grid of positions ends"
            if game.config.unmet == "backlog"
            else "what was granted is known to networks at once, to the decision process when it arrives"
        )
        notes.append(f"{why}: mean orders of the two differ by up to {drift:.2g} u")
    return ExactProfile(seen.profile, tuple(notes))
