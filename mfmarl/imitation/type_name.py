"""Names of types of population games, taken apart; what they are of is looked up in `type_game` alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mfmarl.errors import UserError
from mfmarl.registry import ENV_FAMILIES
from mfmarl.strict_yaml import read_value

FORM = "GAME[,option=value...]:TYPE[@PROFILE]"


@dataclass(frozen=True)
class TypeName:
    """The parts of a name."""

    game: str
    options: Mapping[str, Any]
    type_name: str
    profile: str | None


def is_type_game(env: object) -> bool:
    """Whether this names a type of a population game, and no environment of gymnasium (``module:Id``)."""
    if not isinstance(env, str) or ":" not in env:
        return False
    game = env.split(":")[0].split(",")[0]
    return game.split("/")[0] in ENV_FAMILIES or Path(game).is_dir()


def type_name_of(name: str) -> TypeName:
    """The parts of a name.

    Raises:
        UserError: for a name of another form.
    """
    where, _, who = name.partition(":")
    type_name, at, profile = who.partition("@")
    game, *pairs = where.split(",")
    if not type_name or (at and not profile):
        raise UserError(f"{name}: want {FORM}, e.g. inventory/market-easy:discounter")
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UserError(f"{name}: got {pair!r}; want option=value, in {FORM}")
        options[key] = read_value(value, f"{name}: {key}")
    return TypeName(game, options, type_name, profile or None)
