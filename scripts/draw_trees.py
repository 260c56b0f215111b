"""Draws the published supply trees into docs/images/supply_trees.png.

    python scripts/draw_trees.py
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).parents[1]))

from envs.inventory.network.tree import PUBLISHED, Tree, published_tree

USES = {
    "5-node": "5 nodes x 10 products: network-50",
    "7-node": "7 nodes x 10: network-70",
    "10-node": "10 nodes x 3: network-30, x 10: network-100",
    "25-node": "25 nodes x 4: network-100-wide",
}
FACTORY, BETWEEN, SHOP = "#0072B2", "#999999", "#E69F00"


def across(tree: Tree) -> np.ndarray:
    """[J]: where each node stands from left to right: leaves in a row, parents above the middle of their children."""
    place = np.zeros(tree.size)
    row: list[int] = []

    def walk(node: int) -> None:
        children = np.flatnonzero(tree.parent == node)
        for child in children:
            walk(int(child))
        if children.size == 0:
            place[node] = len(row)
            row.append(node)
        else:
            place[node] = place[children].mean()

    walk(0)
    return place


def draw(tree: Tree, ax: Axes, title: str) -> None:
    """One tree, the factory on top."""
    x, y, leaf = across(tree), -tree.depth, tree.num_children == 0
    for node in range(1, tree.size):
        above = tree.parent[node]
        ax.plot([x[above], x[node]], [y[above], y[node]], color="#bbbbbb", linewidth=1.2, zorder=1)
    colours = [FACTORY if node == 0 else SHOP if leaf[node] else BETWEEN for node in range(tree.size)]
    ax.scatter(x, y, s=260, color=colours, zorder=2)
    for node, name in enumerate(tree.names):
        ax.text(x[node], y[node], name, ha="center", va="center", color="white", fontsize=9, weight="bold", zorder=3)
    ax.set_title(title, fontsize=10, loc="left")
    ax.set_yticks(-np.arange(tree.depth.max() + 1), [f"echelon {d}" for d in range(tree.depth.max() + 1)], fontsize=8)
    ax.tick_params(length=0)
    ax.set_xticks([])
    ax.set_xlim(x.min() - 0.8, x.max() + 0.8)
    ax.set_ylim(y.min() - 0.5, 0.5)
    for side in ax.spines.values():
        side.set_visible(False)


def main() -> None:
    """Draw the four trees side by side."""
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=(2, 3, 4))
    places = {"5-node": grid[0, 0], "7-node": grid[0, 1], "10-node": grid[0, 2], "25-node": grid[1, :]}
    for name in PUBLISHED:
        draw(published_tree(name), figure.add_subplot(places[name]), USES[name])
    figure.suptitle("factory (blue), depots (grey), shops with customers (orange)", fontsize=11, x=0.01, ha="left")
    path = Path(__file__).parents[1] / "docs" / "images" / "supply_trees.png"
    figure.savefig(path, dpi=110)
    print(path)


if __name__ == "__main__":
    main()
