"""What one imitation is to do: checked before anything is played, and stored so that it can be gone on with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from mfmarl.config import parse_set, put
from mfmarl.errors import UserError
from mfmarl.imitation.asked import BY_UPDATES, env_asked
from mfmarl.imitation.demonstrations import ARRAYS, Demonstrations
from mfmarl.imitation.expert_names import expert_of
from mfmarl.imitation.imported import function_named
from mfmarl.imitation.recording import read_demonstrations
from mfmarl.imitation.rollout import Act, spaces_of
from mfmarl.imitation.settings import at_least_one, checked, of_spaces
from mfmarl.imitation.spaces import Spaces
from mfmarl.registry import IMITATION, load, suggestion
from mfmarl.seeding import stream
from mfmarl.strict_yaml import Sourced, read_yaml

INTERACTIONS = {"gail": 60_000, "airl": 60_000, "maxent_irl": 0}
"""Where none are given; of methods that ask an expert 5,000."""
UPDATES = {"bc": 10_000, "maxent_irl": 100}
EVALUATIONS = 10
OF_PLAN = ("method", "env", "interactions", "evaluations", "updates")
"""Keys of a configuration file that are the plan's; all others are settings of the method."""


class Plan(BaseModel):
    """One imitation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    env: str
    seed: int = Field(ge=0, lt=2**63)
    config: dict[str, Any]
    interactions: int = Field(ge=0)
    updates: int = Field(ge=0)
    evaluations: int = Field(EVALUATIONS, ge=0)
    demonstrations: str | None = None
    episodes: int | None = None
    every: int | None = None
    """Every so many steps of an episode are learnt from, and all where it is None."""
    sha256: str | None = None
    experts: tuple[str, ...] = ()
    barrier: str | None = None

    @property
    def total(self) -> int:
        """Updates or interactions, by whichever it is told how far learning is."""
        return self.updates if self.method in BY_UPDATES else self.interactions


@dataclass(frozen=True)
class Given:
    """What the words of a plan stand for."""

    spaces: Spaces
    demonstrations: Demonstrations | None
    experts: tuple[Act, ...]
    barrier: Any


@dataclass(frozen=True)
class Settings:
    """What a configuration file and `--set` say."""

    of_plan: dict[str, Any]
    """Those of OF_PLAN that are given."""
    config: dict[str, Any]
    """All settings of the method, resolved."""
    where: dict[tuple[str, ...], str]

    @property
    def method(self) -> str:
        """Its name."""
        return str(self.of_plan["method"])


def plan_of(
    method: str,
    *,
    env: str | None,
    seed: int,
    config: Path | None = None,
    sets: Sequence[str] = (),
    demonstrations: str | None = None,
    episodes: int | None = None,
    every: int | None = None,
    experts: Sequence[str] = (),
    barrier: str | None = None,
    interactions: int | None = None,
    updates: int | None = None,
    evaluations: int | None = None,
) -> Plan:
    """Of what a command was given, the configuration file's and the defaults' for the rest.

    Raises:
        UserError: for anything that is missing, unknown, or does not fit; names it.
    """
    name = env_asked(
        method, env=env, config=config, demonstrations=demonstrations, experts=experts, barrier=barrier, every=every,
        interactions=interactions, updates=updates,
    )  # fmt: skip
    settings = settings_of(method, name, config, sets)
    flags = {"interactions": interactions, "updates": updates, "evaluations": evaluations}
    plan = checked(
        Plan,
        {
            "interactions": INTERACTIONS.get(method, 0 if method in BY_UPDATES else 5_000),
            "updates": UPDATES.get(method, 0),
            **settings.of_plan,
            **{key: value for key, value in flags.items() if value is not None},
            "seed": seed,
            "config": settings.config,
            "demonstrations": demonstrations,
            "episodes": episodes,
            "every": every,
            "experts": tuple(experts),
            "barrier": barrier,
        },
        settings.where,
        str(config or "imitate"),
    )
    at_least_one(plan.total, "updates" if method in BY_UPDATES else "interactions")
    shown = given_of(plan).demonstrations
    return plan if shown is None else plan.model_copy(update={"sha256": digest(shown)})


def settings_of(method: str | None, env: str | None, config: Path | None = None, sets: Sequence[str] = ()) -> Settings:
    """A method's settings in an environment, both of which the configuration file may name.

    Raises:
        UserError: for a key, value, method or environment that there is not; names where it was written.
    """
    source = Sourced({}, {}) if config is None else read_yaml(config)
    # methods that ask an expert have a setting of that name, the updates after a round
    others = OF_PLAN if (method or source.value.get("method")) in BY_UPDATES else OF_PLAN[:-1]
    of_plan = {key: source.value.pop(key) for key in others if key in source.value}
    if method is not None and of_plan.setdefault("method", method) != method:
        raise UserError(f"{config} is of method {of_plan['method']}; got {method}")
    of_plan |= {} if env is None else {"env": env}
    for key in ("method", "env"):
        if not isinstance(of_plan.get(key), str):
            raise UserError(f"{method or 'imitate'} needs {key}: give --{key}, or --config with one")
    name = of_plan["method"]
    if name not in IMITATION:
        raise UserError(f"unknown method {name!r}{suggestion(name, IMITATION)}; there are {', '.join(IMITATION)}")
    for text in sets:
        put(source, *parse_set(text), f"--set {text}")
    model = load(IMITATION, name).config_type
    own = {key: x for key, x in of_spaces(spaces_of(of_plan["env"])).items() if key in model.model_fields}
    told = str(config or "settings")
    for key in own:
        if key in source.value:
            raise UserError(f"{source.where.get((key,), told)}: {key} is the environment's own; leave it out")
    found = checked(model, own | source.value, source.where, told)
    return Settings(of_plan, found.model_dump(mode="json"), source.where)


def given_of(plan: Plan) -> Given:
    """The demonstrations, experts and barrier that a plan names.

    Raises:
        UserError: where one is not there, does not fit, or is not what it was when the imitation began.
        DamagedFile: for demonstrations that were cut short.
    """
    spaces = spaces_of(plan.env)
    shown = None
    if plan.demonstrations is not None:
        shown = read_demonstrations(plan.demonstrations, spaces)
        shown.check_fits(spaces, plan.env)
        if plan.episodes is not None:
            if plan.episodes > len(shown):
                raise UserError(f"--episodes {plan.episodes}: {plan.demonstrations} has {len(shown)}")
            shown = shown.chosen(range(plan.episodes))
        if plan.sha256 is not None and digest(shown) != plan.sha256:
            raise UserError(f"{plan.demonstrations} has changed since this imitation began; put back what it was")
        if plan.every is not None:
            shown = shown.subsample(plan.every, np.random.default_rng(stream(plan.seed, "every")))
    experts = tuple(expert_of(name, plan.env, plan.seed) for name in plan.experts)
    barrier = None if plan.barrier is None else function_named(plan.barrier, "--barrier")
    return Given(spaces, shown, experts, barrier)


def digest(demonstrations: Demonstrations) -> str:
    """SHA-256 of what was recorded, whatever file it is in."""
    sha = hashlib.sha256()
    for name in ARRAYS:
        sha.update(np.ascontiguousarray(getattr(demonstrations, name)).tobytes())
    return sha.hexdigest()
