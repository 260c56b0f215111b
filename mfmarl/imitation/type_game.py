"""One type of a population game as an environment to imitate in: the game, the type, and who plays everyone else.

Its name is ``GAME[,option=value...]:TYPE[@PROFILE]``. GAME is an environment of `envs` or a run folder; PROFILE is a
reference policy or a run folder, and where it is left out a run's own policies, else the ``equilibrium``:
``inventory/market-easy,jitter=0:discounter``, ``inventory/market-easy:discounter@base_stock``, ``runs/mfq:discounter``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import envs
from envs.population import PopulationEnv, type_slices
from mfmarl.errors import UserError
from mfmarl.imitation.type_env import TypeVectorEnv
from mfmarl.imitation.type_name import TypeName, type_name_of
from mfmarl.players import shown_sight
from mfmarl.registry import suggestion
from mfmarl.subject import Subject, reference_subject, run_subject

if TYPE_CHECKING:
    from mfmarl.deviation import Sight

EQUILIBRIUM = "equilibrium"


@dataclass(frozen=True)
class TypeGame:
    """A type in its game."""

    name: str
    """As it was asked for."""
    env: str
    """The game's own name."""
    options: Mapping[str, Any]
    num_agents: int | None
    type_name: str
    profile: str
    """A reference policy, or ``trained``."""
    subject: Subject = field(repr=False)
    """The profile in its game."""

    @cached_property
    def one(self) -> PopulationEnv:
        """One copy, to read the game off; it is not to be played."""
        return self.subject.make(1)

    @property
    def kind(self) -> int:
        """Number of the type."""
        return list(self.one.type_names).index(self.type_name)

    @property
    def agents(self) -> int:
        """How many the type has."""
        part = type_slices(self.one.agent_types)[self.kind]
        return int(part.stop - part.start)

    @property
    def horizon(self) -> int:
        """Periods of an episode."""
        return int(cast(Any, self.one).horizon)

    @cached_property
    def sight(self) -> Sight:
        """What is seen of the others."""
        from mfmarl.deviation import observed_mean

        trained = self.subject.trained
        return observed_mean if trained is None else shown_sight(trained.network)

    def slots(self, num_envs: int, seed: int) -> TypeVectorEnv:
        """So many of the type's agents as learners."""
        return TypeVectorEnv(self.subject.make, self.subject.player, self.kind, self.sight, num_envs, seed)


@lru_cache(maxsize=8)
def type_game(name: str) -> TypeGame:
    """The game of a name; the eight last ones are kept, as an equilibrium takes seconds.

    Raises:
        UserError: for a name of another form, and a game, option, type or profile that does not exist.
    """
    told = type_name_of(name)
    found = _found(name, told)
    known = list(found.one.type_names)
    if told.type_name not in known:
        there = f"there are {', '.join(known)}{suggestion(told.type_name, known)}"
        raise UserError(f"{name}: {told.game} has no type {told.type_name!r}; {there}")
    return found


def types_of_game(game: str, profile: str | None = None) -> tuple[TypeGame, ...]:
    """Every type of GAME[,option=value...], in the game's order; what plays everyone is `profile` as in a type's name.

    Raises:
        UserError: as `type_game` does.
    """
    if ":" in game:
        raise UserError(f"{game}: got one type; want the game alone, {game.split(':')[0]}, as all of its types imitate")
    after = "" if profile is None else f"@{profile}"
    found = _found(game, type_name_of(f"{game}:all{after}"))
    return tuple(replace(found, name=f"{game}:{one}{after}", type_name=one) for one in found.one.type_names)


def _found(name: str, told: TypeName) -> TypeGame:
    try:
        return _of_run(name, told) if Path(told.game).is_dir() else _of_game(name, told)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from error


def _of_run(name: str, told: TypeName) -> TypeGame:
    from mfmarl.runs.schema import open_run

    run = Path(told.game)
    if told.options:
        raise UserError(f"{name}: options are of named games; a run has its own")
    config = open_run(run).config
    if told.profile is None or Path(told.profile) == run:
        return TypeGame(
            name, config.env, config.env_options, config.num_agents, told.type_name, "trained", run_subject(run)
        )
    subject = reference_subject(
        told.profile, config.env, num_agents=config.num_agents, options=config.env_options, discount=config.discount
    )
    return TypeGame(name, config.env, config.env_options, config.num_agents, told.type_name, told.profile, subject)


def _of_game(name: str, told: TypeName) -> TypeGame:
    options = dict(told.options)
    agents = options.pop("num_agents", None)
    if told.game not in envs.names():
        raise envs.UnknownName("environment", told.game, envs.names())
    if told.profile is not None and Path(told.profile).is_dir():
        raise UserError(f"{name}: a run is played in its own game; write {told.profile}:{told.type_name}")
    profile = told.profile or EQUILIBRIUM
    subject = reference_subject(profile, told.game, num_agents=agents, options=options)
    return TypeGame(name, told.game, options, agents, told.type_name, profile, subject)
