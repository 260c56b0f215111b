"""Supply trees: which node orders from which. The root is the factory, the leaves sell to customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
MAX_NODES = 10_000

_TEN = {0: [1], 1: [2, 3], 2: [4], 3: [7, 8], 4: [5, 6], 7: [9]}
PUBLISHED: Mapping[str, Mapping[int, list[int]]] = {
    "5-node": {0: [1], 1: [2, 3], 2: [4]},
    "7-node": {0: [1], 1: [2, 3], 2: [4], 3: [5, 6]},
    "10-node": _TEN,
    "25-node": {
        0: [1, 2], 1: [3, 4, 5], 2: [6, 7, 8], 3: [9, 10, 11], 4: [12, 13, 14], 5: [15, 16], 6: [17, 18, 19],
        7: [20, 21, 22], 8: [23, 24],
    },
}  # fmt: skip
"""name -> node: its children. The first three are the published ones; the wide one is two regions of three depots that
serve 16 shops, and is ours."""


class BadTree(ValueError):
    """A supply tree that is none: where it stands, which node, and how to mend it."""


@dataclass(frozen=True)
class Tree:
    """J nodes, level by level from the root, a parent's children next to each other in the order they were given."""

    names: tuple[str, ...]
    parent: Integers
    """[J]: index of the parent; -1 for the root, which is node 0."""
    depth: Integers
    """[J]: steps from the root."""

    @property
    def size(self) -> int:
        """J."""
        return len(self.names)

    @property
    def num_children(self) -> Integers:
        """[J]"""
        return np.bincount(self.parent[1:], minlength=self.size).astype(np.int64)

    @property
    def first_child(self) -> Integers:
        """[J]: index of the first child; the others follow it. J for a leaf."""
        first = np.full(self.size, self.size, np.int64)
        np.minimum.at(first, self.parent[1:], np.arange(1, self.size))
        return first

    @property
    def leaves(self) -> Integers:
        """Indices of the nodes without children."""
        return np.flatnonzero(self.num_children == 0)

    @property
    def served(self) -> NDArray[np.bool_]:
        """[J, leaves]: whether a leaf is below a node, or is that node."""
        served = np.zeros((self.size, self.leaves.size), np.bool_)
        served[self.leaves, np.arange(self.leaves.size)] = True
        # children come after their parents
        for node in range(self.size - 1, 0, -1):
            served[self.parent[node]] |= served[node]
        return served


def published_tree(name: str) -> Tree:
    """One of `PUBLISHED`."""
    return tree_of(PUBLISHED[name], source=f"tree {name}")


def tree_of(children: Mapping[Any, Sequence[Any]], *, nodes: Sequence[Any] | None = None, source: str = "tree") -> Tree:
    """The tree of a mapping from nodes to their children; leaves need no entry.

    Args:
        nodes: all nodes, where they are to be checked; otherwise every node that is named exists.
        source: what a refusal starts with.

    Raises:
        BadTree: for a node that is not among `nodes`, a second parent, a cycle, no root, several roots or one node.
    """
    below = {str(node): [str(child) for child in listed] for node, listed in children.items()}
    named = list(dict.fromkeys([*below, *(child for listed in below.values() for child in listed)]))
    if nodes is not None:
        _check_known(named, [str(node) for node in nodes], source)
        named = list(dict.fromkeys([*named, *(str(node) for node in nodes)]))
    if len(named) > MAX_NODES:
        raise BadTree(f"{source}: {len(named)} nodes are more than {MAX_NODES}")
    above = _parents(below, source)
    roots = [node for node in named if node not in above]
    if len(roots) > 1:
        raise BadTree(
            f"{source}: nodes {', '.join(roots[:5])} have no parent, so there are {len(roots)} roots; "
            "let one factory supply them, or leave all but one out"
        )
    _check_cycles(named, above, source)
    if len(named) < 2:
        nodes = "1 node" if len(named) == 1 else f"{len(named)} nodes"
        raise BadTree(f"{source}: {nodes}; a network has at least a factory and one node that it supplies")
    return _ordered(below, above, roots[0])


def _check_known(named: list[str], nodes: list[str], source: str) -> None:
    twice = [node for i, node in enumerate(nodes) if node in nodes[:i]]
    if twice:
        raise BadTree(f"{source}: node {twice[0]} stands twice among `nodes`; leave one out")
    unknown = [node for node in named if node not in nodes]
    if unknown:
        raise BadTree(
            f"{source}: node {unknown[0]} is not among `nodes` ({', '.join(nodes[:20])}); add it, or mend its name"
        )


def _parents(below: Mapping[str, list[str]], source: str) -> dict[str, str]:
    """child -> parent."""
    above: dict[str, str] = {}
    for node, listed in below.items():
        for child in listed:
            if child == node:
                raise BadTree(f"{source}: node {node} is its own child, a cycle; leave it out of its children")
            if child in above:
                both = f"{above[child]} twice" if above[child] == node else f"both {above[child]} and {node}"
                raise BadTree(f"{source}: node {child} is a child of {both}; one parent is allowed, leave one out")
            above[child] = node
    return above


def _check_cycles(named: list[str], above: Mapping[str, str], source: str) -> None:
    safe: set[str] = set()
    for start in named:
        path: dict[str, None] = {}
        node: str | None = start
        while node is not None and node not in safe:
            if node in path:
                cycle = list(path)[list(path).index(node) :]
                told = " <- ".join([*cycle[:10], node])
                raise BadTree(f"{source}: nodes supply each other in a cycle, {told}; take one of these edges out")
            path[node] = None
            node = above.get(node)
        safe.update(path)


def _ordered(below: Mapping[str, list[str]], above: Mapping[str, str], root: str) -> Tree:
    names = [root]
    for node in names:
        names.extend(below.get(node, []))
    index = {node: i for i, node in enumerate(names)}
    parent = np.array([-1, *(index[above[node]] for node in names[1:])], np.int64)
    depth = np.zeros(len(names), np.int64)
    for i in range(1, len(names)):
        depth[i] = depth[parent[i]] + 1
    return Tree(tuple(names), parent, depth)
