"""Upper bounds on the gaps of a network's profile: what an agent could earn at most, whatever the others do.

How its supplier and its children answer a deviation is not small, so nothing of their play is taken from the base
episodes: the bound of a leaf hangs on its customers only, that of an inner node on what its children can order at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.equilibrium.relaxed import Bounds, TypeBounds, paired_gap
from envs.inventory.network.network import InventoryNetwork
from envs.inventory.network.relaxed import Node, inner_value, leaf_value
from mfmarl.seeding import stream
from mfmarl.yardstick import Player

Doubles = NDArray[np.float64]
TAIL = 1e-15
NO_PENALTIES = "no penalties: the bound is the value of games that favour the agent, and knows no episode"
NOTES = (
    "an agent receives what it likes as if its supplier had everything and nothing slipped, so nothing is said of how "
    "the others answer it",
    "a leaf's customers come as they do, unknown before they come; an inner node's children order what suits it best, "
    "up to the most that they can order: valid for whatever they answer, and loose",
)


def network_bounds(
    env: InventoryNetwork, player: Player, asked: Sequence[int], *, episodes: int, discount: float, seed: int
) -> Bounds:
    """Of the types with indices `asked`; arguments as for `bounds`.

    Raises:
        ValueError: where rewards are shared, so that an agent earns what others do.
    """
    if env.config.reward == "mean":
        raise ValueError("reward is mean: an agent's return is everyone's, so its own trade does not bound it; set own")
    mine = np.flatnonzero(np.isin(env.agent_types, asked))
    returns, customers = _watch(env, player, episodes, discount, stream(seed, "bound"))
    best = np.empty((episodes, env.num_agents))
    leaves = np.flatnonzero(env.layout.num_children == 0).tolist()
    laws = None if env.config.recorded else demand_laws(env)

    @cache
    def of_law(node: Node) -> float:
        assert laws is not None
        return leaf_value(node, laws, discount)

    inner = cache(inner_value)
    for n in mine.tolist():
        node = node_of(env, n)
        if n not in leaves:
            best[:, n] = inner(node, env.horizon, *most_moved(env, n), discount)
        elif laws is not None:
            best[:, n] = of_law(node)
        else:
            demand = customers[..., leaves.index(n)].astype(np.int64)
            best[:, n] = [leaf_value(node, [_certain(units) for units in row], discount) for row in demand.T]
    found = []
    for k in asked:
        agents = env.agent_types == k
        about = env.type_names[k], float(agents.mean())
        found.append(TypeBounds(paired_gap(*about, returns[:, agents], best[:, agents]), None, NO_PENALTIES))
    recorded = () if laws is not None else ("customers are of a record: leaves know it beforehand",)
    return Bounds(tuple(found), (*NOTES, *recorded, *_looseness(found)))


def _looseness(found: Sequence[TypeBounds]) -> list[str]:
    """How far the bounds stand above the values."""
    told = []
    for one in found:
        assert one.free is not None
        best, base = one.free.best.value, one.free.base.value
        times = f", {best / base:.1f} times it" if base > 0 else ""
        told.append(f"{one.free.type_name}: bound {best:,.0f} $ against a value of {base:,.0f} $ an agent{times}")
    return told


def _watch(
    env: InventoryNetwork, player: Player, episodes: int, discount: float, seed: int
) -> tuple[Doubles, Doubles]:
    """Discounted returns [E, N], and demand [T, E, leaves] of the customers."""
    leaves = np.flatnonzero(env.layout.num_children == 0)
    step = env.reset(stream(seed, "env"))
    play = player(env, stream(seed, "player"))
    returns, demands = [], []
    for _ in range(-(-episodes // env.num_envs)):
        total, demand = np.zeros((env.num_envs, env.num_agents)), []
        for t in range(env.horizon):
            step = env.step(play(step))
            total += discount**t * np.asarray(step.reward, float)
            demand.append(np.asarray(step.metrics["demand"], float)[:, leaves])
        returns.append(total)
        demands.append(np.stack(demand))
    return np.concatenate(returns)[:episodes], np.concatenate(demands, 1)[:, :episodes]


def node_of(env: InventoryNetwork, agent: int) -> Node:
    """An agent's figures."""
    c, p = env.config, env.parameters
    return Node(
        price=float(p.p0[agent]), cost=float(p.c[agent]), h=float(p.h[agent]), b=float(p.b[agent]),
        target=float(c.target if c.holding == "target" else 0), lead_time=c.lead_time, stock_cap=c.stock_cap,
        initial_stock=c.initial_stock,
        end_worth=c.terminal_value * float(p.c[agent]) if c.ending == "finite" else 0.0,
    )  # fmt: skip


def most_moved(env: InventoryNetwork, agent: int) -> tuple[int, int]:
    """Units that an agent's children together, and it itself, can order at most in a period."""
    c, layout = env.config, env.layout
    most = np.full(env.num_agents, float(c.order_cap))
    if c.action_mode in ("levels", "absolute"):
        most = np.minimum(env.order_levels.max(1), c.order_cap)
    return int(most[layout.parent == agent].sum()), int(most[agent])


def demand_laws(env: InventoryNetwork) -> list[Doubles]:
    """Probabilities of a leaf's demand in every period."""
    c = env.config
    if c.demand_mode == "uniform":
        law = np.zeros(c.demand_high + 1)
        law[c.demand_low :] = 1 / (c.demand_high + 1 - c.demand_low)
        return [law] * c.horizon
    means = np.full(c.horizon, c.mean)
    if c.demand_mode == "sine":
        period = c.horizon if c.season_period is None else c.season_period
        means = c.mean + c.demand_amplitude * np.sin(2 * np.pi * np.arange(c.horizon) / period)
    last = int(stats.poisson.isf(TAIL, means.max())) + 1
    return [np.asarray(stats.poisson.pmf(np.arange(last + 1), mean)) for mean in means]


def _certain(units: int) -> Doubles:
    law = np.zeros(units + 1)
    law[units] = 1.0
    return law
