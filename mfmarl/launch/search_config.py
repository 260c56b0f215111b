"""What a search file holds: the settings that are tried, and how a trial is scored; free of torch and Ray."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mfmarl.config import TrainConfig, config_from, put
from mfmarl.errors import UserError
from mfmarl.launch.study import flat
from mfmarl.launch.study_config import Resources, train_keys
from mfmarl.model_text import one_line
from mfmarl.registry import suggestion
from mfmarl.strict_yaml import Sourced, read_yaml

Point = Mapping[str, Any]
"""Dotted key -> the value that a trial gives it."""


class Evaluation(BaseModel):
    """How the networks of a trial are played."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    episodes: int = Field(20, ge=1, le=1_000_000, description="episodes of each policy")
    split: Literal["train", "test"] | None = Field(
        None, description="part of the data to score on; without it that of `mfmarl evaluate`: test, where there is one"
    )


class SearchConfig(BaseModel):
    """One search: a base configuration, what varies, and what is best."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,79}$", description="the folder of its runs: runs/NAME, or DIR/NAME"
    )
    base: dict[str, Any] = Field(default_factory=dict, description="keys of a train configuration that all trials have")
    space: dict[str, Any] = Field(
        min_length=1, description="dotted key -> {low, high, log}, {low, high, step} of whole numbers, or a list"
    )
    metric: str = Field(
        "return", description="of evaluation; a score is the mean of trained policies over episodes, agents, seeds"
    )
    mode: Literal["max", "min"] = Field("max", description="whether large or small scores are good")
    trials: int = Field(20, ge=1, le=10_000, description="points that are tried, those that fail among them")
    seeds: tuple[int, ...] = Field((1,), min_length=1, description="each trial is trained once with each of them")
    resources: Resources = Field(default_factory=Resources, description="what one run takes")
    retries: int = Field(1, ge=0, le=100, description="further attempts at a run that failed, in one call")
    evaluation: Evaluation = Field(default_factory=Evaluation, description="how trained runs are played")
    seed: int = Field(0, ge=0, lt=2**31, description="of what is drawn from the space")


class _Range(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float
    high: int | float
    log: bool = False
    step: int | None = Field(None, ge=1)


@dataclass(frozen=True)
class Floats:
    """A number from low to high, even in its logarithm where `log`."""

    low: float
    high: float
    log: bool

    def has(self, value: Any) -> bool:
        """Whether a value lies in it."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that the configuration must take, if it takes all."""
        return self.low, self.high


@dataclass(frozen=True)
class Integers:
    """A whole number: low, low + step, ... up to high."""

    low: int
    high: int
    step: int
    log: bool

    def has(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return isinstance(value, int) and value in range(self.low, self.high + 1, self.step)

    @property
    def ends(self) -> tuple[Any, ...]:
        """The values that the configuration must take, if it takes all."""
        return self.low, range(self.low, self.high + 1, self.step)[-1]


@dataclass(frozen=True)
class Choices:
    """One of some values, lists and words among them."""

    values: tuple[Any, ...]

    def has(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return json.dumps(value) in map(json.dumps, self.values)

    @property
    def ends(self) -> tuple[Any, ...]:
        """All of them."""
        return self.values


Domain = Floats | Integers | Choices


@dataclass(frozen=True)
class Search:
    """A search file, checked."""

    path: Path
    config: SearchConfig
    base: Mapping[str, tuple[Any, str]]
    """Dotted key -> (value, line)"""
    space: Mapping[str, Domain]
    where: Mapping[str, str]
    """Key of the space -> its line."""

    def settings(self, point: Point, seed: int | None) -> Sourced:
        """The keys of a trial's run as a train file has them."""
        source = Sourced({}, {})
        for key, (value, line) in self.base.items():
            put(source, key, value, line)
        for key, value in point.items():
            put(source, key, value, self.where[key])
        if seed is not None:
            put(source, "seed", seed, f"{self.path}: seeds")
        return source

    def run_config(self, point: Point, seed: int) -> TrainConfig:
        """The configuration of a trial's run with one seed.

        Raises:
            UserError: where the point is none that can be trained.
        """
        source = self.settings(point, seed)
        return config_from(source.value, source.where, str(self.path))


def read_search(path: Path) -> Search:
    """The search in a YAML file; both ends of every range and every choice are tried on the configuration.

    Raises:
        UserError: one line naming the file, the line, what was got and what is allowed.
    """
    source = read_yaml(path)
    try:
        config = SearchConfig.model_validate_json(json.dumps(source.value), strict=True)
    except ValidationError as error:
        raise UserError(one_line(error, source.where, str(path), SearchConfig)) from None
    where = source.where
    if len(set(config.seeds)) != len(config.seeds) or min(config.seeds) < 0:
        place = where.get(("seeds",), str(path))
        raise UserError(f"{place}: seeds: got {list(config.seeds)}; want whole numbers of 0 or more, each once")
    base = flat(config.base, ("base",), where)
    if "seed" in base:
        raise UserError(f"{base['seed'][1]}: base has no seed here; give seeds: [{base['seed'][0]}]")
    lines = {key: where["space", key] for key in config.space}
    space = {key: _domain(key, value, lines[key]) for key, value in config.space.items()}
    for key in space:
        if key in base:
            raise UserError(f"{lines[key]}: {key} is in base too ({base[key][1]}); leave one out")
        if key.endswith(".discount") and config.metric == "return":
            raise UserError(
                f"{lines[key]}: return is discounted by each trial's own {key}, so that scores do not compare; take "
                "metric: profit"
            )
    search = Search(path, config, base, dict(space), lines)
    first = {key: domain.ends[0] for key, domain in space.items()}
    for key, domain in space.items():
        tried = [search.run_config(first | {key: value}, config.seeds[0]) for value in domain.ends]
        if isinstance(domain, Choices):
            # as runs keep them, so that these are known again: 1 of a decimal number is 1.0
            space[key] = Choices(_distinct([setting(run, key) for run in tried], key, lines[key]))
    return replace(search, space=space)


def setting(config: TrainConfig, key: str) -> Any:
    """What a configuration has at a dotted key, as plain data.

    Raises:
        KeyError: where it has no such key, as an option of environments that was not given.
    """
    found: Any = config.model_dump(mode="json")
    for name in key.split("."):
        if not isinstance(found, dict):
            raise KeyError(key)
        found = found[name]
    return found


def _distinct(choices: list[Any], key: str, line: str) -> tuple[Any, ...]:
    if not choices or len(set(map(json.dumps, choices))) != len(choices):
        raise UserError(f"{line}: space.{key}: got {json.dumps(choices)}; want choices, each once, e.g. [32, 64]")
    return tuple(choices)


def _domain(key: str, value: Any, line: str) -> Domain:
    known = train_keys()
    if key == "seed":
        raise UserError(f"{line}: space.seed: a seed is no setting; give seeds: [1, 2, 3], over which scores are means")
    if key not in known and not key.startswith("env_options."):
        raise UserError(f"{line}: space.{key}: there is no such key{suggestion(key, known)}")
    if isinstance(value, list):
        return Choices(_distinct(value, key, line))
    example = "want {low: 1e-4, high: 1e-2, log: true}, {low: 1, high: 9, step: 2}, or a list of choices"
    try:
        found = _Range.model_validate_json(json.dumps(value), strict=True)
    except ValidationError:
        raise UserError(f"{line}: space.{key}: got {json.dumps(value)}; {example}") from None
    low, high = found.low, found.high
    if not low < high:
        raise UserError(f"{line}: space.{key}: low {low} is not less than high {high}")
    if found.log and low <= 0:
        raise UserError(f"{line}: space.{key}: low {low} has no logarithm; want more than 0, or leave log out")
    if isinstance(low, int) and isinstance(high, int) and not _takes_fractions(key):
        if found.log and found.step not in (None, 1):
            raise UserError(f"{line}: space.{key}: step and log do not go together; leave one out")
        return Integers(low, high, found.step or 1, found.log)
    if found.step is not None:
        raise UserError(f"{line}: space.{key}: step is of whole numbers; leave it out, or give a list of choices")
    return Floats(float(low), float(high), found.log)


def _takes_fractions(key: str) -> bool:
    """Whether the setting is a decimal number by its own type; of environments' settings that is not known."""
    model: Any = TrainConfig
    kinds: Iterator[str] = iter(key.split("."))
    for name in kinds:
        field = getattr(model, "model_fields", {}).get(name)
        if field is None:
            return False
        model = field.annotation
    return "float" in str(model)
