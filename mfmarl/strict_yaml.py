"""YAML that means what it looks like: no duplicate keys, no tags or aliases, `1e-3` a number, `no` and `010` refused.

YAML 1.1 reads `no` as false, `010` as 8, `1:30` as 90 and `1e-3` as text. Plain words that two readers could take
differently are errors here, which say how to write what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from envs.plain_yaml import PlainComposer, file_text
from mfmarl.errors import UserError

MAX_BYTES = 1_000_000

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_AMBIGUOUS_WORD = re.compile(r"y|n|yes|no|on|off|[-+]?\.?(inf|nan)|infinity", re.IGNORECASE)
_AMBIGUOUS_NUMBER = re.compile(
    r"[-+]?(0[0-9_]+|0[xob][0-9a-f_]+|[0-9][0-9_]*_[0-9_.]*|[0-9]+(:[0-9.]+)+)", re.IGNORECASE
)


@dataclass(frozen=True)
class Sourced:
    """A mapping as plain data, and for each path of keys where it was written."""

    value: dict[str, Any]
    where: dict[tuple[str, ...], str]


def read_yaml(path: Path) -> Sourced:
    """The mapping in a file, with the line of every key.

    Raises:
        UserError: names the file, the line, and what to write instead.
    """
    text = file_text(path, UserError, most=MAX_BYTES, too_large="this is no configuration")
    where: dict[tuple[str, ...], str] = {}
    value = _read(text, str(path), where)
    if value is None:
        value = {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: want keys with values, e.g. `method: is`; got {type(value).__name__}")
    return Sourced(value, where)


def read_value(text: str, source: str) -> Any:
    """One value, e.g. of a flag: a number, word, true, false, null, or a list [64, 64]."""
    return _read(text, source, None)


def read_documents(text: str, source: str) -> list[Any]:
    """Every document of a text that may hold several, as plain data.

    Raises:
        UserError: names the source, the line, and what to write instead.
    """
    with _composing(text, source, lines=True) as loader:
        found = []
        while loader.check_node():
            node = loader.get_node()
            # places are told by line, as in a file
            found.append(None if node is None else _value(node, source, (), {}))
        return found


def _read(text: str, source: str, where: dict[tuple[str, ...], str] | None) -> Any:
    with _composing(text, source, lines=where is not None) as loader:
        node = loader.get_single_node()
        return None if node is None else _value(node, source, (), where)


@contextmanager
def _composing(text: str, source: str, *, lines: bool) -> Iterator[PlainComposer]:
    """What reads the text's nodes; a parser's complaint comes out in plain words, with its line where `lines`."""
    loader = None
    try:
        loader = PlainComposer(text)
        yield loader
    except yaml.MarkedYAMLError as error:
        mark, told = _in_plain_words(error)
        line = f" line {mark.line + 1}" if mark is not None and lines else ""
        raise UserError(f"{source}{line}: {told}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{source}: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise UserError(f"{source}: nested too deep") from None
    finally:
        if loader is not None:
            loader.dispose()


def _in_plain_words(error: yaml.MarkedYAMLError) -> tuple[yaml.Mark | None, str]:
    """Where the mistake was made, and what PyYAML says of it without a parser's jargon."""
    context, problem = str(error.context or ""), " ".join(str(error.problem or error.context).split())
    began, met = error.context_mark, error.problem_mark
    for kind, opening, closing in (("flow sequence", "[", "]"), ("flow mapping", "{", "}")):
        if kind in context:
            got = problem.rpartition("got ")[2].strip("'")
            if got in ("]", "}"):
                return began, f"the {opening} is closed by {got}; write {closing}"
            if got == "<scalar>":
                return met, f"a comma is missing between the values in {opening} {closing}"
            return began, f"the {opening} is not closed; write {closing} after its last value"
    if "quoted scalar" in context and problem == "found unexpected end of stream":
        return began, "the quote is not closed"
    if problem == "found character '\\t' that cannot start any token":
        return met, "a tab; indent with spaces"
    if problem.endswith("that cannot start any token"):
        return met, f"a value cannot begin with {problem.split()[2].strip(chr(39))}; put it in quotes"
    told = {
        "mapping values are not allowed here": "a colon that belongs to no key: indent as the line before, which "
        "needs its own colon, or put a value with a colon in quotes",
        "but found another document": "a second document begins here; a file holds one",
        "could not find expected ':'": "a key without its colon; write `key: value`",
        "expected the node content, but found ']'": "a ] without its [",
        "expected the node content, but found '}'": "a } without its {",
        "expected the node content, but found ','": "a comma without a value before it",
    }.get(problem)
    if told is None and problem.startswith("expected <block end>"):
        told = "this line is not indented as the lines before it"
    return met, told or problem


def _value(node: yaml.Node, source: str, path: tuple[str, ...], where: dict[tuple[str, ...], str] | None) -> Any:
    place = f"{source} line {node.start_mark.line + 1}" if where is not None else source
    key = f"{'.'.join(path)}: " if path else ""
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, source, path, where) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        if node.style is not None:
            return str(node.value)
        return _plain(str(node.value), f"{place}: {key}")
    out: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = f"{source} line {key_node.start_mark.line + 1}" if where is not None else source
        if not isinstance(key_node, yaml.ScalarNode):
            raise UserError(f"{line}: a key must be a word")
        name = str(key_node.value)
        below = (*path, name)
        if name in out:
            raise UserError(f"{line}: key {'.'.join(below)} stands there twice")
        if where is not None:
            where[below] = line
        out[name] = _value(value_node, source, below, where)
    return out


def _plain(text: str, place: str) -> Any:
    """An unquoted scalar."""
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INT.fullmatch(text):
        if len(text) > 1000:
            raise UserError(f"{place}a number of {len(text)} digits is too long")
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise UserError(f"{place}got {text[:40]}; too large for a number")
        return value
    if _AMBIGUOUS_WORD.fullmatch(text):
        meant = {"y": "true", "yes": "true", "on": "true", "n": "false", "no": "false", "off": "false"}.get(
            text.lower()
        )
        remedy = f"write {meant}, or" if meant else "write a finite number, or"
        raise UserError(
            f"{place}got {text}, which YAML readers take differently; {remedy} '{text}' in quotes for the word"
        )
    if _AMBIGUOUS_NUMBER.fullmatch(text):
        plain = text.replace("_", "").lstrip("+-").lstrip("0")
        remedy = f"write {plain}, or" if plain.isdecimal() else "write a decimal number, or"
        raise UserError(
            f"{place}got {text}, which YAML readers take differently; {remedy} '{text}' in quotes for the word"
        )
    return text
