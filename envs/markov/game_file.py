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
from envs.plain_yaml import PlainComposer

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
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise BadGame(f"{path}: there is no such file in {Path.cwd()}") from None
    except OSError as error:
        raise BadGame(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > MAX_BYTES:
        raise BadGame(f"{path}: larger than {MAX_BYTES} bytes; build so large a game from arrays")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadGame(f"{path}: byte {error.start} is not UTF-8 text") from None
    found = _value(_composed(text, path), path)
    if not isinstance(found, dict):
        raise BadGame(f"{path}: want keys with values, e.g. `rewards: [[[1, 0], [0, 1]], [[1, 0], [0, 1]]]`")
    return described(found, str(path))


def _composed(text: str, path: Path) -> yaml.Node | None:
    loader = None
    try:
        loader = PlainComposer(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" line {error.problem_mark.line + 1}"
        raise BadGame(f"{path}{line}: {' '.join(str(error.problem or error.context).split())}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BadGame(f"{path}: {' '.join(str(error).split())}") from None
    finally:
        if loader is not None:
            loader.dispose()


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
