"""What an agent of the network observes: numbers in -1..1, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from envs.inventory.network.config import NetworkConfig
from envs.inventory.observation import Entry, Observed
from envs.inventory.types import Parameters

MEMORY = 10
"""Past demands and orders that are observed."""


def largest_flow(config: NetworkConfig, mu: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N]: the units a period that are observed as 1: 4 mu, and at most order_cap."""
    flow = np.minimum(4 * mu, config.order_cap)
    return np.asarray(np.where(flow > 0, flow, config.order_cap))


def network_observation(
    parameters: Parameters, depth: NDArray[np.int64], children: NDArray[np.int64], agent_types: NDArray[np.int64],
    type_names: Sequence[str], config: NetworkConfig,
) -> Observed:  # fmt: skip
    """The entries for agents with these parameters, depths and numbers of children [N]."""
    held, flow = "2 x / stock_cap - 1, clipped", "2 x / min(4 mu, order_cap) - 1, clipped"
    changing = [
        Entry("stock", -1, 1, f"own stock: {held}"),
        Entry("backlog", -1, 1, f"units owed to customers or children: {held}"),
        *(
            Entry(f"pipeline_{i}", -1, 1, f"units due {_when(i)}, late ones included: {flow}")
            for i in range(config.lead_time)
        ),
        *(Entry(f"demand_{i}", -1, 1, f"demand {_ago(i)}: {flow}") for i in range(1, MEMORY + 1)),
        *(Entry(f"order_{i}", -1, 1, f"own order {_ago(i)}: {flow}") for i in range(1, MEMORY + 1)),
    ]
    if config.ending == "finite":
        changing.append(Entry("time", 0, 1, "t / T"))
    p = parameters
    own = (
        ("own_mu", "mu / largest mu", p.mu / max(p.mu.max(), 1e-12)),
        ("own_depth", "depth / largest depth", depth / depth.max()),
        ("own_cost", "cost / price, at most 1", np.minimum(p.c / np.maximum(p.p0, 1e-12), 1)),
        ("own_children", "children / most children", children / children.max()),
    )
    entries = [
        *changing,
        *(Entry(name, 0, 1, f"own {text}, constant") for name, text, _ in own),
        *(Entry(f"type_{name}", 0, 1, f"1 for agents of type {name}") for name in type_names),
    ]
    template = np.zeros((agent_types.size, len(entries)), np.float32)
    template[:, len(changing) :] = np.column_stack([*(v for _, _, v in own), np.eye(len(type_names))[agent_types]])
    return Observed(entries, template)


def _when(periods: int) -> str:
    return "in this period" if periods == 0 else f"in {periods} period{'s' if periods > 1 else ''}"


def _ago(periods: int) -> str:
    return f"{periods} period{'s' if periods > 1 else ''} ago, 0 before the start"
