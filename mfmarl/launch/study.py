"""A study: its file, and the cells that its grid expands to, each told by the hash of its configuration.

A cell is one run: the folder DIR/NAME/<12 hex of the configuration's SHA-256>/ is an ordinary run folder, and what it
holds is the truth about the cell. Cells are independent, so a study that gets further seeds or methods runs only these.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mfmarl.config import TrainConfig, config_from, config_hash, put
from mfmarl.errors import UserError
from mfmarl.launch.study_config import StudyConfig, train_keys
from mfmarl.model_text import one_line
from mfmarl.registry import suggestion
from mfmarl.settings_in_use import settings_in_use
from mfmarl.strict_yaml import Sourced, read_yaml

MAX_CELLS = 100_000


@dataclass(frozen=True)
class Cell:
    """One run of a study."""

    digest: str
    """Hash of the configuration, and name of the run folder."""
    config: TrainConfig
    point: Mapping[str, str]
    """Axis of the grid -> where on it the cell is."""

    @property
    def label(self) -> str:
        """Where it is in the grid, in words."""
        return ", ".join(f"{axis} {place}" for axis, place in self.point.items())


@dataclass(frozen=True)
class Study:
    """A study and its cells, in the order in which they are begun."""

    name: str
    config: StudyConfig
    axes: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class _Point:
    """One place on an axis: the keys it sets, dotted, each with the line where it says so."""

    label: str
    settings: Mapping[str, tuple[Any, str]]


def read_study(path: Path) -> Study:
    """The study in a YAML file, every cell checked.

    Raises:
        UserError: one line naming the file, the line, what was got and what is allowed.
    """
    source = read_yaml(path)
    try:
        config = StudyConfig.model_validate_json(json.dumps(source.value), strict=True)
    except ValidationError as error:
        raise UserError(_told(error, source, str(path))) from None
    where = source.where
    base = flat(config.base, ("base",), where)
    axes = {name: _axis(name, value, where) for name, value in config.grid.items()}
    _check_apart(axes, where)
    number = 1
    for places in axes.values():
        number *= len(places)
    if number > MAX_CELLS:
        raise UserError(f"{where['grid',]}: the grid has {number:,} cells; want at most {MAX_CELLS:,}")
    cells = []
    for points in itertools.product(*axes.values()):
        point = {axis: place.label for axis, place in zip(axes, points, strict=True)}
        cells.append(_cell(path, base, points, point))
    _check_distinct(path, cells)
    return Study(config.name, config, tuple(axes), tuple(cells))


def _told(error: ValidationError, source: Sourced, path: str) -> str:
    mistakes = error.errors(include_url=False)
    first = mistakes[0]
    if any(m["type"] == "extra_forbidden" for m in mistakes):
        return one_line(error, source.where, path, StudyConfig)
    if first["loc"] == ("name",) and first["type"] == "string_pattern_mismatch":
        got = json.dumps(first["input"])
        return f"{source.where['name',]}: name: got {got}; want up to 80 letters, digits and . _ + -, as of a folder"
    if first["loc"] == ("grid",) and first["type"] in ("missing", "too_short"):
        return f"{path}: grid is missing or empty; it says what differs, e.g. grid: {{method: [mf, is], seed: [1, 2]}}"
    return one_line(error, source.where, path, StudyConfig)


def flat(
    section: Mapping[str, Any], path: tuple[str, ...], where: Mapping[tuple[str, ...], str]
) -> dict[str, tuple[Any, str]]:
    """Dotted key -> (value, line) of a section whose keys may be dotted and nested."""
    found: dict[str, tuple[Any, str]] = {}
    for key, value, below in _leaves(section, path):
        line = where[below]
        if not all(part.isidentifier() for part in key.split(".")):
            raise UserError(f"{line}: {key!r} is no key; want one of a train configuration, e.g. importance.estimator")
        if key in found:
            raise UserError(f"{line}: {key} was set before ({found[key][1]}); give it once")
        found[key] = (value, line)
    return found


def _leaves(section: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Any, tuple[str, ...]]]:
    for name, value in section.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{key}", leaf, place) for key, leaf, place in _leaves(value, (*path, name)))
        else:
            yield name, value, (*path, name)


def _axis(name: str, value: Any, where: Mapping[tuple[str, ...], str]) -> list[_Point]:
    """The places on one axis: a key's values, or named groups of keys."""
    line = where["grid", name]
    known = train_keys()
    if isinstance(value, list):
        if name not in known and not name.startswith("env_options."):
            raise UserError(
                f"{line}: grid.{name}: a list has the values of a key, and no key is called {name}"
                f"{suggestion(name, known)}"
            )
        if not value:
            raise UserError(f"{line}: grid.{name}: the list is empty; want at least one, e.g. {name}: [1, 2, 3]")
        texts = [_text(v) for v in value]
        for n, text in enumerate(texts):
            if text in texts[:n]:
                raise UserError(f"{line}: grid.{name} has {text} twice; give it once")
        return [_Point(text, {name: (v, line)}) for text, v in zip(texts, value, strict=True)]
    if not isinstance(value, dict):
        got = _text(value)
        raise UserError(f"{line}: grid.{name}: got {got}; want a list of values, e.g. {name}: [{got}]")
    if name in known:
        raise UserError(
            f"{line}: grid.{name}: {name} is a key, so want a list of its values; or call these groups otherwise"
        )
    points = []
    for label, group in value.items():
        here = where["grid", name, label]
        if group is not None and not isinstance(group, dict):
            raise UserError(
                f"{here}: grid.{name}.{label}: got {_text(group)}; want the keys that {label} sets, e.g. {{method: is}}"
            )
        points.append(_Point(label, flat(group or {}, ("grid", name, label), where)))
    if not points:
        raise UserError(f"{line}: grid.{name} has no groups; want at least one, e.g. {name}: {{plain: {{method: mf}}}}")
    return points


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _check_apart(axes: Mapping[str, list[_Point]], where: Mapping[tuple[str, ...], str]) -> None:
    """Refuse axes that set the same key: which one holds would depend on their order."""
    owner: dict[str, str] = {}
    for axis, points in axes.items():
        for key in dict.fromkeys(key for point in points for key in point.settings):
            if key in owner:
                line = where["grid", axis]
                raise UserError(f"{line}: grid.{axis} and grid.{owner[key]} both set {key}; leave one out")
            owner[key] = axis


def _cell(path: Path, base: Mapping[str, tuple[Any, str]], points: tuple[_Point, ...], point: dict[str, str]) -> Cell:
    settings = dict(base)
    for place in points:
        settings |= place.settings
    source = Sourced({}, {})
    for key, (value, line) in settings.items():
        put(source, key, value, line)
    label = ", ".join(f"{axis} {place}" for axis, place in point.items())
    config = config_from(source.value, source.where, f"{path} (cell {label})")
    if config.seed is None:
        raise UserError(f"{path}: no seed; put seed: [1, 2, 3] or the like into grid")
    return Cell(config_hash(config), config, point)


def _check_distinct(path: Path, cells: list[Cell]) -> None:
    """Refuse cells that would compute the same, also where they differ in a setting that their method does not use."""
    seen: dict[str, Cell] = {}
    for cell in cells:
        config = cell.config
        computed = {"env": config.env, "num_agents": config.num_agents, "seed": config.seed}
        key = json.dumps(computed | settings_in_use(config), sort_keys=True)
        if key in seen:
            raise UserError(
                f"{path}: cells ({seen[key].label}) and ({cell.label}) compute the same; give what differs as named "
                "groups, e.g. grid: {variant: {mf: {method: mf}, is clipped: {method: is, importance.clip: 5}}}"
            )
        seen[key] = cell
