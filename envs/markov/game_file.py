"""Games from YAML files: words, numbers, lists and keys are read and nothing else; every refusal names the file."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import yaml

from envs.markov.checks import BadGame
from envs.markov.described import described
from envs.markov.game import MarkovGame
from envs.plain_yaml import file_nodes

MAX_BYTES = 10_000_000
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read_game(path: str | Path) -> MarkovGame:
    """The game that a YAML file describes with the keys of `described`.

    Anchors, tags, keys that stand twice and deep nesting are refused. Numbers are decimal; `yes`, `010`, `0x1`, `.inf`
    stay words, which are refused where a number is wanted.

    Raises:
        BadGame: names the file, the line or key, what was got and what is wanted.
    """
    path = Path(path)
    nodes = file_nodes(path, BadGame, most=MAX_BYTES, too_large="build so large a game from arrays")
    found = _value(nodes, path)
    if not isinstance(found, dict):
        raise BadGame(f"{path}: want keys with values, e.g. `rewards: [[[1, 0], [0, 1]], [[1, 0], [0, 1]]]`")
    return described(found, str(path))


def _value(node: yaml.Node | None, path: Path) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, path) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if not isinstance(node, yaml.MappingNode):
        return None
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = f"{path} line {key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise BadGame(f"{line}: a key must be a word")
        if key.value in found:
            raise BadGame(f"{line}: key {key.value} stands there twice")
        found[str(key.value)] = _value(value, path)
    return found


def _scalar(node: yaml.ScalarNode) -> str | int | float:
    text = str(node.value)
    if node.style is None and _INT.fullmatch(text):
        return int(text)
    # 1e999 stays a word
    if node.style is None and _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text
