"""Supply trees from YAML files: nothing but words and lists is read, and every refusal names file and line."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from envs.inventory.network.tree import PUBLISHED, BadTree, Tree, tree_of
from envs.plain_yaml import file_nodes

MAX_BYTES = 1_000_000
KEYS = ("children", "nodes")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
EXAMPLE = "e.g. `children: {0: [1], 1: [2, 3]}`"


def read_tree(path: str | Path) -> Tree:
    """The tree in a YAML file.

    The file has the key `children`, a mapping from a node to the list of its children, and may have `nodes`, the list
    of all nodes, against which misspelt ones are found. Names are words or whole numbers.

    Raises:
        BadTree: names the file, the line or node, and what to write instead.
    """
    path = Path(path)
    missing = f"; give the path of a YAML file, or one of {', '.join(PUBLISHED)}"
    root = file_nodes(path, BadTree, most=MAX_BYTES, too_large="this is no tree", missing=missing)
    top = _mapping(root, str(path), "the file")
    for key in top:
        if key not in KEYS:
            raise BadTree(f"{path}: unknown key {key!r}; known are {' and '.join(KEYS)}, {EXAMPLE}")
    if "children" not in top:
        raise BadTree(f"{path}: the key `children` is missing, {EXAMPLE}")
    children = {
        node: _names(below, str(path), f"the children of {node}")
        for node, below in _mapping(top["children"], str(path), "`children`").items()
    }
    nodes = _names(top["nodes"], str(path), "`nodes`") if "nodes" in top else None
    return tree_of(children, nodes=nodes, source=str(path))


def _mapping(node: yaml.Node | None, source: str, what: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise BadTree(f"{_place(source, node)}: {what} must be keys with values, {EXAMPLE}; got {_kind(node)}")
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = _name(key, source, "a key")
        if name in found:
            raise BadTree(f"{_place(source, key)}: {name!r} stands there twice; write one list of its children")
        found[name] = value
    return found


def _names(node: yaml.Node, source: str, what: str) -> list[str]:
    if not isinstance(node, yaml.SequenceNode):
        raise BadTree(f"{_place(source, node)}: {what} must be a list of nodes, e.g. [1, 2]; got {_kind(node)}")
    return [_name(item, source, f"a node in {what}") for item in node.value]


def _name(node: yaml.Node, source: str, what: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise BadTree(f"{_place(source, node)}: {what} must be a word or a whole number; got {_kind(node)}")
    name = str(node.value)
    if not _NAME.fullmatch(name) or (node.style is None and name == "null"):
        raise BadTree(
            f"{_place(source, node)}: {what} is {name[:40]!r}; names are whole numbers, or words of up to 64 letters, "
            "digits, - and _"
        )
    return name


def _place(source: str, node: yaml.Node | None) -> str:
    return source if node is None else f"{source} line {node.start_mark.line + 1}"


def _kind(node: yaml.Node | None) -> str:
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if isinstance(node, yaml.MappingNode):
        return "keys with values"
    return "nothing" if node is None or node.value == "" else f"{str(node.value)[:40]!r}"
