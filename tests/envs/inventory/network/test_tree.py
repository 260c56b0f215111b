"""Supply trees: the published ones, and every way in which a tree is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import envs
from envs.inventory.network.layout import lay_out
from envs.inventory.network.tree import MAX_NODES, PUBLISHED, BadTree, Tree, published_tree, tree_of
from envs.inventory.network.tree_file import MAX_BYTES, read_tree
from tests.envs.inventory.network.games import trees


@pytest.mark.parametrize(
    ("name", "nodes", "leaves", "levels"),
    [("5-node", 5, [3, 4], 4), ("7-node", 7, [4, 5, 6], 4), ("10-node", 10, [5, 6, 8, 9], 5),
     ("25-node", 25, list(range(9, 25)), 4)],
)  # fmt: skip
def test_published_trees(name: str, nodes: int, leaves: list[int], levels: int) -> None:
    tree = published_tree(name)
    assert tree.size == nodes
    assert sorted(int(tree.names[i]) for i in tree.leaves) == leaves
    assert tree.depth.max() == levels - 1
    below = {tree.names[i]: [tree.names[j] for j in np.flatnonzero(tree.parent == i)] for i in range(nodes)}
    assert {int(k): [int(c) for c in v] for k, v in below.items() if v} == PUBLISHED[name]


def test_the_ten_node_tree_by_hand() -> None:
    tree = published_tree("10-node")
    assert tree.names == tuple("0123478569")
    assert tree.depth.tolist() == [0, 1, 2, 2, 3, 3, 3, 4, 4, 4]
    # indices, not names: node "9" is the tenth and hangs on "7", the sixth
    assert tree.parent.tolist() == [-1, 0, 1, 1, 2, 3, 3, 4, 4, 5]
    assert tree.num_children.tolist() == [1, 2, 1, 2, 2, 1, 0, 0, 0, 0]
    assert tree.first_child.tolist() == [1, 2, 4, 5, 7, 9, 10, 10, 10, 10]
    # the leaves are "8", "5", "6", "9"; node "2" serves "5" and "6"
    assert tree.served[2].tolist() == [False, True, True, False]
    assert tree.served.sum(1).tolist() == [4, 4, 2, 2, 2, 1, 1, 1, 1, 1]


@given(trees(), st.integers(1, 3), st.sampled_from(["echelon", "node", "agent"]))
def test_every_layout_is_consistent(tree: Tree, products: int, types: Any) -> None:
    layout = lay_out(tree, products, types)
    assert (np.diff(tree.depth) >= 0).all()
    assert np.isin(np.diff(layout.types), (0, 1)).all()
    assert layout.types[-1] + 1 == len(layout.type_names)
    assert not layout.neighbours.diagonal().any()
    np.testing.assert_array_equal(layout.neighbours, layout.neighbours.T)
    for n in range(len(layout.names)):
        children = [int(layout.first_child[n]) + i * products for i in range(layout.num_children[n])]
        assert children == np.flatnonzero(layout.parent == n).tolist()
        assert all(layout.names[c].split("/")[1] == layout.names[n].split("/")[1] for c in children)
        near = children + ([int(layout.parent[n])] if layout.parent[n] >= 0 else [])
        assert sorted(near) == np.flatnonzero(layout.neighbours[n]).tolist()
        # whoever has no children serves itself alone, the others whom their children serve
        below = layout.served[children].any(0) if children else np.array(layout.leaf_names) == layout.names[n]
        np.testing.assert_array_equal(layout.served[n], below)


def test_types() -> None:
    tree = tree_of({"mill": ["shop_a", "shop_b"]})
    assert lay_out(tree, 2, "echelon").type_names == ["echelon_0", "echelon_1"]
    assert lay_out(tree, 2, "echelon").types.tolist() == [0, 0, 1, 1, 1, 1]
    assert lay_out(tree, 2, "node").type_names == ["mill", "shop_a", "shop_b"]
    assert lay_out(tree, 2, "node").types.tolist() == [0, 0, 1, 1, 2, 2]
    assert lay_out(tree, 2, "agent").type_names == [
        "mill/product_0", "mill/product_1", "shop_a/product_0", "shop_a/product_1", "shop_b/product_0",
        "shop_b/product_1",
    ]  # fmt: skip


BAD = {
    "a cycle below a root": ("children: {0: [1], 2: [3], 3: [4], 4: [2]}", "in a cycle, 2 <- 4 <- 3 <- 2; take one"),
    "a cycle and no root": ("children: {0: [1], 1: [0]}", "in a cycle, 0 <- 1 <- 0; take one of these edges out"),
    "its own child": ("children: {0: [1], 1: [1]}", "node 1 is its own child, a cycle; leave it out"),
    "a second parent": ("children: {0: [1, 2], 2: [1]}", "node 1 is a child of both 0 and 2; one parent is allowed"),
    "a child twice": ("children: {0: [1, 1]}", "node 1 is a child of 0 twice; one parent is allowed"),
    "two roots": ("children: {0: [1], 2: [3]}", "nodes 0, 2 have no parent, so there are 2 roots; let one factory"),
    "a node without parent": ("nodes: [0, 1, 2]\nchildren: {0: [1]}", "nodes 0, 2 have no parent"),
    "an unknown child": ("nodes: [0, 1]\nchildren: {0: [1, 2]}", r"node 2 is not among `nodes` \(0, 1\); add it"),
    "an unknown parent": ("nodes: [a, b]\nchildren: {a: [b], c: []}", "node c is not among `nodes`"),
    "a node named twice": ("nodes: [0, 1, 0]\nchildren: {0: [1]}", "node 0 stands twice among `nodes`"),
    "one node": ("children: {0: []}", "1 node; a network has at least a factory and one node that it supplies"),
    "no node": ("children: {}", "0 nodes; a network has at least"),
    "an empty file": ("", "the file must be keys with values, .*; got nothing"),
    "a list": ("[1, 2]", "line 1: the file must be keys with values, .*; got a list"),
    "another key": ("childen: {0: [1]}", "unknown key 'childen'; known are children and nodes"),
    "no children": ("nodes: [1, 2]", "the key `children` is missing, e.g. `children: {0:"),
    "children as a list": ("children: [1, 2]", "line 1: `children` must be keys with values, .*; got a list"),
    "children as a word": ("children:\n  0: 1", r"line 2: the children of 0 must be a list of nodes, .*; got '1'"),
    "children as nothing": ("children:\n  0:", "line 2: the children of 0 must be a list of nodes, .*; got nothing"),
    "a child that is a list": ("children: {0: [[1]]}", "a node in the children of 0 must be a word or .*; got a list"),
    "a child that is a mapping": ("children: {0: [{1: [2]}]}", "must be a word or a whole number; got keys"),
    "a fraction": ("children: {0: [1.5]}", "a node in the children of 0 is '1.5'; names are whole numbers, or words"),
    "a negative number": ("children: {0: [-1]}", "is '-1'; names are"),
    "null": ("children: {0: [null]}", "is 'null'; names are"),
    "an odd word": ("children: {0: ['a/b']}", "is 'a/b'; names are"),
    "a long word": (f"children: {{0: [{'a' * 65}]}}", "names are whole numbers, or words of up to 64"),
    "a key that is a list": ("children: {[0]: [1]}", "a key must be a word or a whole number; got a list"),
    "a node's list twice": ("children:\n  0: [1]\n  0: [2]", "line 3: '0' stands there twice"),
    "nodes as a number": ("nodes: 3\nchildren: {0: [1]}", "line 1: `nodes` must be a list of nodes, .*; got '3'"),
    "an alias": ("children: {0: &x [1], 1: *x}", "line 1: anchors .* are not read"),
    "a tag": ("children: !!python/object:os.system {0: [1]}", "line 1: tags are not read"),
    "deep": ("children: " + "[" * 20 + "]" * 20, "nested deeper than"),
    "broken": ("children: {0: [1", "line 1: "),
    "two documents": ("children: {0: [1]}\n---\nchildren: {0: [1]}", "but found another document"),
    "too many": ("children: {0: [" + ", ".join(map(str, range(1, MAX_NODES + 1))) + "]}", "10001 nodes are more than"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_trees(kind: str, tmp_path: Path) -> None:
    text, message = BAD[kind]
    path = tmp_path / "tree.yaml"
    path.write_text(text)
    with pytest.raises(BadTree, match=message) as refused:
        read_tree(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "tree.yaml"
    with pytest.raises(BadTree, match=r"there is no such file in /.*; give the path of a YAML file, or one of 5-node"):
        read_tree(path)
    with pytest.raises(BadTree, match="cannot be read"):
        read_tree(tmp_path)
    path.write_bytes(b"children: {0: [\xff]}")
    with pytest.raises(BadTree, match="byte 15 is not UTF-8"):
        read_tree(path)
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(BadTree, match="larger than"):
        read_tree(path)


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "tree.yaml"
    path.write_text("nodes: [mill, 'no', depot-1, 7]\nchildren:\n  mill: [depot-1, 'no']\n  depot-1:\n    - 7\n")
    tree = read_tree(path)
    assert tree.names == ("mill", "depot-1", "no", "7")
    assert tree.parent.tolist() == [-1, 0, 0, 1]
    assert lay_out(tree, 1, "node").names == ["mill/product_0", "depot-1/product_0", "no/product_0", "node_7/product_0"]


def test_agents_that_would_share_a_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "tree.yaml"
    path.write_text("children: {1: [node_1, node_2]}")
    with pytest.raises(BadTree, match="the agents of nodes 1 and node_1 would both be called node_1; rename one"):
        envs.make("inventory/network", seed=0, tree=str(path))


def test_more_agents_than_neighbours_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="10 nodes x 1001 products are 10010 agents, more than 10000"):
        envs.make("inventory/network-30", seed=0, products=1001)
