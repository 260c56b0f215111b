"""What an imitation is asked for, checked before torch is imported, so that a mistake is told at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mfmarl.errors import UserError
from mfmarl.imitation.demonstrated import check_is_there, env_in
from mfmarl.imitation.environments import spec_of
from mfmarl.imitation.type_name import is_type_game
from mfmarl.strict_yaml import read_yaml

WORDS = "imitation.json"
"""What an imitation's folder has from its beginning on."""
BY_DEMONSTRATIONS = ("bc", "gail", "airl", "maxent_irl")
BY_SEVERAL = ("multi_expert", "safety_filter")
BY_UPDATES = ("bc", "maxent_irl")
"""Methods that play nothing, or need not: how long they learn is told in updates."""


def env_asked(
    method: str,
    *,
    env: str | None = None,
    config: Path | None = None,
    demonstrations: str | None = None,
    experts: Sequence[str] = (),
    barrier: str | None = None,
    every: int | None = None,
    interactions: int | None = None,
    updates: int | None = None,
) -> str:
    """The environment that is given, else the configuration file's, else the demonstrations'.

    Raises:
        UserError: for what a method cannot do without, or has no use for; where a file is not there, no environment is
            named, or gymnasium does not know it.
    """
    _check_fits(method, demonstrations, experts, barrier, interactions, updates)
    if every is not None and demonstrations is None:
        raise UserError("--every is of demonstrations; give --demonstrations, or leave it out")
    name = env or (None if config is None else read_yaml(config).value.get("env"))
    if name is None and demonstrations is not None:
        name = env_in(demonstrations)
    if not isinstance(name, str) or not name:
        others = "" if demonstrations is None else f"; {demonstrations} names none"
        raise UserError(f"{method} needs env: give --env, or --config with one{others}")
    check_env(name)
    if demonstrations is not None:
        check_is_there(demonstrations)
    return name


def check_env(name: str) -> None:
    """Whether gymnasium knows it; types of population games are looked up when they are made.

    Raises:
        UserError: where it does not.
    """
    if not is_type_game(name):
        spec_of(name)


def check_free(folder: Path) -> None:
    """Whether an imitation can begin there.

    Raises:
        UserError: where it has one.
    """
    if (folder / WORDS).exists():
        raise UserError(f"{folder} has an imitation; go on with it by --resume {folder}, or choose another --out")


def _check_fits(
    method: str,
    demonstrations: str | None,
    experts: Sequence[str],
    barrier: str | None,
    interactions: int | None,
    updates: int | None,
) -> None:
    """Refuse what a method cannot do without, and what it has no use for."""
    if method in BY_DEMONSTRATIONS:
        if demonstrations is None:
            raise UserError(f"{method} learns from demonstrations: give --demonstrations FILE.npz or minari:ID")
        if experts:
            raise UserError(f"{method} asks no expert; leave out --expert, or take dagger")
    elif method in BY_SEVERAL and len(experts) < 2:
        raise UserError(
            f"{method} asks several experts while it learns: give --expert twice or more; got {len(experts)}"
        )
    elif method not in BY_SEVERAL and len(experts) != 1:
        got = f"got {len(experts)}" if experts else "none is given"
        raise UserError(f"{method} asks one expert while it learns: give --expert once; {got}")
    if "ppo" in experts:
        raise UserError(
            "--expert ppo would be trained anew each time: record it by `mfmarl demonstrate --expert ppo`, imitate "
            "that by bc, and give the folder"
        )
    if (method == "safety_filter") != (barrier is not None):
        needs = "needs --barrier module:function, states -> h" if barrier is None else "has no --barrier; leave it out"
        raise UserError(f"{method} {needs}")
    if method == "bc" and interactions is not None:
        raise UserError("bc plays nothing while it learns; leave out --interactions, or give --updates")
    if method not in BY_UPDATES and updates is not None:
        raise UserError(f"{method} is told how long it learns by --interactions; leave out --updates")
