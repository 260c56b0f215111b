"""Which agent is where: node by node from the root, products inside a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from envs.inventory.network.tree import BadTree, Tree

Integers = NDArray[np.int64]
MAX_AGENTS = 10_000
"""Who is whose neighbour is a square of this size."""


@dataclass(frozen=True)
class Layout:
    """N = nodes x products agents, sorted by echelon, node and product, so that every choice of types is a slice."""

    products: int
    names: list[str]
    """[N], e.g. node_9/product_0."""
    types: Integers
    """[N]"""
    type_names: list[str]
    depth: Integers
    """[N]: steps from the root."""
    parent: Integers
    """[N]: the agent that it orders from; -1 at the root."""
    first_child: Integers
    """[N]: its other children come `products` further each."""
    num_children: Integers
    """[N]"""
    neighbours: NDArray[np.bool_]
    """[N, N]: parent and children, of the same product."""
    served: NDArray[np.bool_]
    """[N, leaf agents]: whose customers are below an agent."""

    @property
    def leaf_names(self) -> list[str]:
        """Of the leaf agents."""
        return [self.names[n] for n in np.flatnonzero(self.num_children == 0)]


def lay_out(tree: Tree, products: int, types: Literal["echelon", "node", "agent"]) -> Layout:
    """The agents of a tree with so many products, and what makes agents one type.

    Raises:
        BadTree: for two nodes whose agents would have the same names.
        ValueError: for more than `MAX_AGENTS` agents.
    """
    if tree.size * products > MAX_AGENTS:
        raise ValueError(
            f"{tree.size} nodes x {products} products are {tree.size * products} agents, more than {MAX_AGENTS}: "
            "lower `products`"
        )
    node = np.repeat(np.arange(tree.size), products)
    product = np.arange(node.size) % products
    labels = [f"node_{name}" if name.isdigit() else name for name in tree.names]
    if len(set(labels)) < len(labels):
        one = next(name for name in tree.names if name.isdigit() and f"node_{name}" in tree.names)
        raise BadTree(f"tree: the agents of nodes {one} and node_{one} would both be called node_{one}; rename one")
    names = [f"{label}/product_{p}" for label in labels for p in range(products)]
    above = tree.parent[node]
    parent = np.where(above >= 0, above * products + product, -1)
    neighbours = np.zeros((node.size, node.size), np.bool_)
    below = np.flatnonzero(parent >= 0)
    neighbours[below, parent[below]] = neighbours[parent[below], below] = True
    kinds = {
        "echelon": (tree.depth[node], [f"echelon_{depth}" for depth in range(int(tree.depth.max()) + 1)]),
        "node": (node, labels),
        "agent": (np.arange(node.size), names),
    }
    return Layout(
        products=products,
        names=names,
        types=kinds[types][0],
        type_names=kinds[types][1],
        depth=tree.depth[node],
        parent=parent,
        first_child=tree.first_child[node] * products + product,
        num_children=tree.num_children[node],
        neighbours=neighbours,
        served=np.kron(tree.served, np.eye(products, dtype=np.bool_)),
    )
