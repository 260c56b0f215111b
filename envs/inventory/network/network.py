"""The supply network, batched over copies and agents: an agent is one product at one node of a tree.

Order of events in period t:
 1. order q, all at once, from the node above; the root orders from a source that has everything;
 2. demand: of customers at a leaf, the sum of the children's orders elsewhere;
 3. what was shipped to the agent `lead_time` periods ago arrives, but slips one period with probability `slip`;
 4. ship min(backlog + demand, stock + arrivals), to the children backlog first, then this period's orders, each in
    proportion and in whole units; what is unmet is backlog, kept child by child;
 5. stock above `stock_cap` is scrapped;
 6. reward = price shipped - cost q - h |stock' - target| - b backlog'.
What is shipped in period t can be shipped on in period t + lead_time at the earliest. Orders are paid when they are
made. Units are whole numbers in float32, exact as long as no backlog can pass 2^24, which is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.inventory.backend import Array, Backend
from envs.inventory.game import EXACT, InventoryGame
from envs.inventory.network.config import NetworkConfig
from envs.inventory.network.customers import make_customers
from envs.inventory.network.layout import lay_out
from envs.inventory.network.ledger import Ledger, Period
from envs.inventory.network.observation import MEMORY, largest_flow, network_observation
from envs.inventory.network.tree import PUBLISHED, Tree, published_tree
from envs.inventory.network.tree_file import read_tree
from envs.inventory.types import Parameters
from envs.population import Step


class InventoryNetwork(InventoryGame):
    """A PopulationEnv. Every copy has its own random stream; see `Layout` for the order of agents."""

    family = "network"
    remembered: ClassVar = {
        "stock": "stock", "backlog": "backlog", "owed": "owed", "late": "late", "pipeline": "pipeline",
        "demands": "_demands", "orders": "_orders",
    }  # fmt: skip
    pipeline_axes = "lead time, copies, agents"
    config: NetworkConfig

    def __init__(self, config: NetworkConfig, tree: Tree, *, num_envs: int, seed: int, backend: Backend) -> None:
        """Use `make_network` or `envs.make`; raises ValueError where settings do not fit together."""
        self.config, self.tree = config, tree
        name = "period" if backend.device is None else "tensors"
        self.backend = Backend(import_module(f"envs.inventory.network.{name}"), backend.device)
        self.layout = layout = lay_out(tree, config.products, config.types)
        self.num_envs, self.num_agents, self.horizon = num_envs, len(layout.names), config.horizon
        self.agent_names, self.agent_types = layout.names, layout.types
        self.type_names: Sequence[str] = layout.type_names
        self.neighbours: NDArray[np.bool_] | None = layout.neighbours
        self._set_costs()
        self._check_exact()
        self._set_spaces()
        self._place_constants()
        self._seeds = np.zeros(num_envs, np.uint64)
        self._episode = 0
        self.reset(seed)

    def _set_costs(self) -> None:
        c, layout = self.config, self.layout
        self.customers = make_customers(c, layout.leaf_names, layout.served)
        depth = layout.depth.astype(np.float64)
        same = np.ones(self.num_agents)
        self.parameters = Parameters(
            mu=layout.served @ self.customers.mean,
            cv2=0 * same,
            p0=depth + c.price_base,
            c=depth + c.cost_base,
            h=c.holding_cost * same,
            b=c.backlog_cost * same,
            ell=0 * same,
            K=0 * same,
            phi=0 * same,
            L=np.full(self.num_agents, c.lead_time),
            delta=0 * same,
            v=0 * same,
        )

    def _check_exact(self) -> None:
        c = self.config
        most = max(self.customers.most, c.order_cap * int(self.layout.num_children.max())) * c.horizon + c.stock_cap
        if most > EXACT:
            raise ValueError(
                f"backlog could grow to {most:.3g} units in {c.horizon} periods, beyond the {EXACT} that are counted "
                "exactly: shorten `horizon`, or lower order_cap or demand"
            )

    def _set_spaces(self) -> None:
        c = self.config
        scale = self.parameters.mu[:, None] if c.action_mode == "levels" else np.ones((self.num_agents, 1))
        levels = np.rint(np.asarray(c.grid, float) * scale)
        largest = np.inf if c.action_mode == "order_up_to" else c.order_cap
        self.order_levels: NDArray[np.float64] = np.minimum(levels, largest)
        """[N, A]: units of each action, or order-up-to positions; A = 0 for continuous actions."""
        self.action_space: gym.spaces.Space[Any] = gym.spaces.Discrete(max(1, levels.shape[1]))
        if c.action_mode == "continuous":
            self.action_space = gym.spaces.Box(0.0, 1.0, (), np.float32)
        self.mean_action_space = gym.spaces.Box(0.0, 1.0, (max(1, levels.shape[1]),), np.float32)
        self._observed = network_observation(
            self.parameters, self.layout.depth, self.layout.num_children, self.agent_types, self.type_names, c
        )
        self.observation_space = self._observed.space

    def _place_constants(self) -> None:
        """Per-agent constants where the backend works."""
        c, p, array = self.config, self.parameters, self.backend.array
        target = np.full(self.num_agents, float(c.target if c.holding == "target" else 0))
        self._levels = array(self.order_levels.astype(np.float32))
        self._most = array(np.full(self.num_agents, c.order_cap, np.float32))
        self._paid = array(np.stack([p.p0, p.c, p.h, p.b, target]))
        self._terminal = array((c.terminal_value * p.c).astype(np.float32))
        flow = largest_flow(c, p.mu)
        self._factors = array(np.stack([np.full(flow.size, 2 / c.stock_cap), 2 / flow]).astype(np.float32))
        self._template = array(self._observed.template)
        tree = self.layout
        self._edges = (array(tree.parent), array(tree.first_child), array(tree.num_children), c.products)
        self._leaves = array(np.flatnonzero(tree.num_children == 0))
        self._slips_below = round(c.slip * 2**32)

    def describe_observation(self) -> str:
        """One line an entry: index, name, range and meaning."""
        return self._observed.describe()

    def _begin(self) -> None:
        shape = (self.num_envs, self.num_agents)
        zeros = self.backend.zeros
        self.stock = zeros(*shape) + self.config.initial_stock
        self.backlog: Array = zeros(*shape)
        """[B, N]: units owed to customers, or to all children."""
        self.owed: Array = zeros(*shape)
        """[B, N]: units of past orders that the parent has not shipped yet."""
        self.late: Array = zeros(*shape)
        """[B, N]: units that slipped and arrive in this period."""
        self.pipeline = zeros(self.config.lead_time, *shape)
        """[L, B, N]: units on their way that are due in period t stand in slot t mod L."""
        self._demands: Array = zeros(MEMORY, *shape)
        self._orders: Array = zeros(MEMORY, *shape)

    def _draw_demand(self) -> None:
        self._placed_keys = self.backend.array(self._keys)
        self._customers = self.customers.demand.episode(self._keys, self.horizon, self.backend)

    @property
    def inventory_position(self) -> Array:
        """[B, N]: stock plus all that was ordered and has not arrived, shipped or not, minus backlog, in u."""
        return self.stock + self.late + self.pipeline.sum(0) + self.owed - self.backlog

    @property
    def echelon_position(self) -> Array:
        """[B, N]: the inventory position together with those of all agents below, in u."""
        position = self.inventory_position
        # children come after their parents
        for n in range(self.num_agents - 1, self.config.products - 1, -1):
            position[:, self.layout.parent[n]] += position[:, n]
        return position

    def demand_quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """[N]: the level that demand of all customers below an agent stays within for `periods`; see `Customers`."""
        return self.customers.quantile(probability, periods)

    def step(self, actions: Any, *, observe: bool = True) -> Step:
        """Play one period in all copies; see `PopulationEnv.step` and the order of events above.

        With `observe` false `obs` and `mean_action` are left empty, [B, N, 0]: for policies that read the state.

        Raises:
            ValueError: for actions of another shape or kind, and one out of range or NaN, with its agent and copy.
        """
        c, x, t, keys = self.config, self.backend.passes, self.t, self._placed_keys
        taken, order, counts, _ = self._place_orders(actions)
        order = order.clip(max=c.order_cap)
        demand = x.asked_for(order, self._customers.units(t), self._leaves, self._edges[0], c.products)
        slot = t % c.lead_time
        received, slipped = x.arrive(keys, t, self.pipeline[slot], self.late, self._slips_below)
        supply = self.stock + received
        sold, sent, owed = x.ship(keys, t, supply, order, demand, self.backlog, self.owed, *self._edges)
        stock, scrapped, backlog, reward = x.settle(
            self._paid, np.float32(c.stock_cap), order, supply, demand, self.backlog, sold
        )
        self.pipeline[slot] = sent
        self.late, self.owed, self.stock, self.backlog = slipped, owed, stock, backlog
        self._demands[t % MEMORY], self._orders[t % MEMORY] = demand, order
        self.t += 1
        worth = None
        if self.t == self.horizon and c.ending == "finite":
            worth = self._terminal * self.inventory_position
            reward = reward + worth
        if c.reward == "mean":
            reward = x.shared(reward)
        period = Period(order, received, slipped, demand, sold, scrapped, stock, backlog, worth)
        return self._finish_step(taken, counts, reward, Ledger(self._paid, period, self._in_dollars), observe)

    def _in_dollars(self, term: Array) -> Array:
        x = self.backend.passes
        return x.shared(x.as_float32(term)) if self.config.reward == "mean" else x.as_float32(term)

    def _mean_action(self, actions: Array, counts: Array) -> Array:
        x = self.backend.passes
        if self.config.action_mode == "continuous":
            return x.mean_share_of_neighbours(actions, *self._edges)
        return x.mean_of_neighbours(actions, self._levels.shape[1], *self._edges)

    def _observe(self) -> Array:
        time = self.t / self.horizon if self.config.ending == "finite" else -1.0
        return self.backend.passes.observe(
            self._template, self._factors, self.pipeline, self.late, self.t, self.stock, self.backlog, self._demands,
            self._orders, time,
        )  # fmt: skip


def make_network(
    config: NetworkConfig, *, num_envs: int, num_agents: int | None, seed: int, backend: Backend
) -> InventoryNetwork:
    """The network of the tree in `config`.

    Raises:
        BadTree: for a file that is no tree.
        ValueError: for a number of agents that is not nodes x products.
    """
    tree = published_tree(config.tree) if config.tree in PUBLISHED else read_tree(config.tree)
    agents = tree.size * config.products
    if num_agents not in (None, agents):
        raise ValueError(
            f"num_agents is {num_agents}, but {tree.size} nodes x {config.products} products are {agents}: leave it "
            "out, or set `tree` and `products`"
        )
    return InventoryNetwork(config, tree, num_envs=num_envs, seed=seed, backend=backend)
