"""Networks as the tests play them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

import envs
from envs.inventory.backend import backend as backend_of
from envs.inventory.network.config import NetworkConfig
from envs.inventory.network.network import InventoryNetwork
from envs.inventory.network.tree import Tree, tree_of
from tests.envs.inventory.given import GivenEpisode

CHAIN = {"factory": ["shop"]}


def make(name: str = "30", **options: Any) -> InventoryNetwork:
    """A preset."""
    given: dict[str, Any] = {"seed": 1} | options
    return cast(InventoryNetwork, envs.make(f"inventory/network-{name}", **given))


def on_tree(
    children: Mapping[Any, Any] | Tree, *, num_envs: int = 1, seed: int = 0, backend: str = "numpy", **options: Any
) -> InventoryNetwork:
    """The network of a tree written out, with one product unless `options` say otherwise."""
    tree = children if isinstance(children, Tree) else tree_of(children)
    config = NetworkConfig(**({"products": 1} | options))
    return InventoryNetwork(config, tree, num_envs=num_envs, seed=seed, backend=backend_of(backend))


def with_customers(network: InventoryNetwork, units: ArrayLike) -> InventoryNetwork:
    """The network with these customers [T, leaf agents] in every copy of the episode under way."""
    network._customers = GivenEpisode(units, network.num_envs)
    return network


def random_actions(network: InventoryNetwork, rng: np.random.Generator) -> NDArray[Any]:
    """[B, N]"""
    shape = (network.num_envs, network.num_agents)
    if network.config.action_mode == "continuous":
        return rng.random(shape, np.float32)
    return rng.integers(network.order_levels.shape[1], size=shape)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Any tree of 2 to 12 nodes: each node but the first hangs on an earlier one."""
    children: dict[int, list[int]] = {0: []}
    for node in range(1, draw(st.integers(2, 12))):
        children.setdefault(draw(st.integers(0, node - 1)), []).append(node)
    return tree_of(children)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    """Any settings that fit together."""
    cap = draw(st.integers(1, 300))
    mode = draw(st.sampled_from(["levels", "absolute", "order_up_to", "continuous"]))
    grids = {"levels": (0, 0.4, 1, 3), "absolute": (0, 1, 0), "order_up_to": (0, 9, 35, 80)}
    demands: list[dict[str, Any]] = [
        {"demand_mode": "sine", "demand_mean": 7.5, "demand_amplitude": 7.5},
        {"demand_mode": "sine", "season_period": 3},
        {"demand_mode": "poisson"},
        {"demand_mode": "poisson", "demand_mean": 0},
        {"demand_mode": "uniform", "demand_low": 2, "demand_high": 40},
    ]
    demand = draw(st.sampled_from(demands))
    price = st.floats(0, 30)
    return demand | {
        "products": draw(st.integers(1, 3)),
        "types": draw(st.sampled_from(["echelon", "node", "agent"])),
        "horizon": draw(st.integers(1, 14)),
        "ending": draw(st.sampled_from(["truncated", "finite"])),
        "stock_cap": cap,
        "initial_stock": draw(st.integers(0, cap)),
        "order_cap": draw(st.integers(1, 200)),
        "target": draw(st.integers(0, 60)),
        "lead_time": draw(st.integers(1, 4)),
        "slip": draw(st.sampled_from([0.0, 0.1, 0.5, 1.0])),
        "price_base": draw(price),
        "cost_base": draw(price),
        "holding_cost": draw(price),
        "backlog_cost": draw(price),
        "holding": draw(st.sampled_from(["target", "stock"])),
        "reward": draw(st.sampled_from(["own", "mean"])),
        "action_mode": mode,
        "action_grid": grids.get(mode),
    }
