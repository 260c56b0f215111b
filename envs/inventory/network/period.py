"""The passes of one period over B copies x N agents of the network, compiled; `tensors` has the same for torch.

Agents come node by node, products inside a node, and a node's children follow each other: agent n orders from
`parent[n]`, -1 at the root; its first child is `first[n]`, the others come `products` further each, `children[n]` in
all. All units are whole numbers, so sums are exact in any order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled
from envs.inventory.formulas import shared_out
from envs.inventory.loops import (
    LAST,
    Doubles,
    Floats,
    Integers,
    array,
    as_float32,
    continuous,
    discrete,
    order_levels,
    order_shares,
    recorded_units,
    to_numpy,
    zeros,
)
from envs.inventory.network.formulas import CENTS, kept, network_reward, rounding, scaled, shipment
from envs.inventory.streams import DEMAND, ROUNDING, SLIP, Keys, stream, uniform32

__all__ = [
    "array", "arrive", "as_float32", "asked_for", "continuous", "customer_units", "discrete", "mean_of_neighbours",
    "mean_share_of_neighbours", "observe", "order_levels", "order_shares", "recorded_units", "settle", "shared",
    "ship", "to_numpy", "zeros",
]  # fmt: skip

FIRST, SECOND = 0, 1
"""Which of an agent's two rounding draws: of backlog, of orders."""


@compiled
def customer_units(
    keys: Keys, t: int, table: NDArray[np.uint32], guide: NDArray[np.int16], lowest: int, leaves: int
) -> Floats:
    """[B, leaves]: lowest plus the first i with uniform < table[i], of one 32-bit uniform a leaf agent."""
    units = np.empty((keys.size, leaves), np.float32)
    for b in range(keys.size):
        drawn = stream(keys[b], DEMAND, t)
        for n in range(leaves):
            uniform = min(uniform32(drawn, n), LAST)
            i = guide[uniform >> 26]
            while uniform >= table[i]:
                i += 1
            units[b, n] = lowest + i
    return units


@compiled
def asked_for(order: Floats, customers: Floats, leaves: Integers, parent: Integers, products: int) -> Floats:
    """Demand [B, N]: of its customers [B, leaf agents] at the agents `leaves`, the orders of its children elsewhere."""
    copies, agents = order.shape
    demand = np.zeros((copies, agents), np.float32)
    for b in range(copies):
        for n in range(products, agents):
            demand[b, parent[n]] += order[b, n]
        for i in range(leaves.size):
            demand[b, leaves[i]] = customers[b, i]
    return demand


@compiled
def arrive(keys: Keys, t: int, due: Floats, late: Floats, below: int) -> tuple[Floats, Floats]:
    """Received and slipped [B, N]: the late come; what is due slips where 32 random bits are less than `below`."""
    copies, agents = due.shape
    received = np.empty((copies, agents), np.float32)
    slipped = np.zeros((copies, agents), np.float32)
    for b in range(copies):
        drawn = stream(keys[b], SLIP, t)
        for n in range(agents):
            received[b, n] = late[b, n]
            if below > 0 and np.int64(uniform32(drawn, n)) < below:
                slipped[b, n] = due[b, n]
            else:
                received[b, n] += due[b, n]
    return received, slipped


@compiled
def ship(
    keys: Keys, t: int, supply: Floats, order: Floats, demand: Floats, backlog: Floats, owed: Floats, parent: Integers,
    first: Integers, children: Integers, products: int,
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Sold, what is on its way to each agent, and what its parent owes it then, all [B, N].

    owed is what the parent owes at the start, backlog what the agent owes. What an agent ships goes to backlog first,
    then to orders, each in proportion over its children by systematic rounding. The root's supplier has all it wants.
    """
    copies, agents = order.shape
    sold = np.empty((copies, agents), np.float32)
    sent = order.copy()
    owes = owed.copy()
    for b in range(copies):
        drawn = stream(keys[b], ROUNDING, t)
        for n in range(agents):
            wanted = demand[b, n] + backlog[b, n]
            units = shipment(supply[b, n], wanted)
            sold[b, n] = units
            if units == wanted or children[n] <= 1:
                # nothing to share out: all that is wanted, or all that there is
                for i in range(children[n]):
                    child = first[n] + i * products
                    sent[b, child] = units if children[n] == 1 else owed[b, child] + order[b, child]
                    owes[b, child] = owed[b, child] + order[b, child] - sent[b, child]
                continue
            given = np.int64(units)
            waiting, asking = np.int64(backlog[b, n]), np.int64(demand[b, n])
            old = min(given, waiting)
            new = given - old
            waiting, asking = max(waiting, np.int64(1)), max(asking, np.int64(1))
            old_offset = rounding(np.int64(uniform32(drawn, 2 * n + FIRST)), waiting)
            new_offset = rounding(np.int64(uniform32(drawn, 2 * n + SECOND)), asking)
            waited, asked = np.int64(0), np.int64(0)
            for i in range(children[n]):
                child = first[n] + i * products
                waits, asks = np.int64(owed[b, child]), np.int64(order[b, child])
                units_sent = shared_out(waited * old, (waited + waits) * old, old_offset, waiting)
                units_sent += shared_out(asked * new, (asked + asks) * new, new_offset, asking)
                sent[b, child] = units_sent
                owes[b, child] = waits + asks - units_sent
                waited += waits
                asked += asks
    return sold, sent, owes


@compiled
def settle(
    parameters: Doubles, cap: np.float32, order: Floats, supply: Floats, demand: Floats, backlog: Floats, sold: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Close the period: stock, scrapped, backlog and reward [B, N]; parameters [5, N] are price, cost, h, b, target."""
    copies, agents = order.shape
    stock = np.empty((copies, agents), np.float32)
    scrapped = np.empty((copies, agents), np.float32)
    waiting = np.empty((copies, agents), np.float32)
    rewards = np.empty((copies, agents), np.float32)
    price, cost, h, b_, target = parameters
    for b in range(copies):
        for n in range(agents):
            left = supply[b, n] - sold[b, n]
            stock[b, n] = kept(left, cap)
            scrapped[b, n] = left - stock[b, n]
            waiting[b, n] = demand[b, n] + backlog[b, n] - sold[b, n]
            rewards[b, n] = network_reward(
                price[n], cost[n], h[n], b_[n], target[n], order[b, n], sold[b, n], stock[b, n], waiting[b, n]
            )
    return stock, scrapped, waiting, rewards


@compiled
def shared(values: Floats) -> Floats:
    """The mean over agents in every agent's place, [B, N]."""
    mean = np.empty_like(values)
    copies, agents = values.shape
    for b in range(copies):
        total = 0.0
        for n in range(agents):
            total += np.rint(np.float64(values[b, n]) * CENTS)
        mean[b] = total / CENTS / agents
    return mean


@compiled
def mean_of_neighbours(
    actions: Integers, num_actions: int, parent: Integers, first: Integers, children: Integers, products: int
) -> Floats:
    """[B, N, A]: the mean one-hot action of an agent's parent and children."""
    copies, agents = actions.shape
    mean = np.zeros((copies, agents, num_actions), np.float32)
    for b in range(copies):
        for n in range(agents):
            near = children[n]
            if parent[n] >= 0:
                mean[b, n, actions[b, parent[n]]] += 1
                near += 1
            for i in range(children[n]):
                mean[b, n, actions[b, first[n] + i * products]] += 1
            for a in range(num_actions):
                mean[b, n, a] /= np.float32(near)
    return mean


@compiled
def mean_share_of_neighbours(
    actions: Floats, parent: Integers, first: Integers, children: Integers, products: int
) -> Floats:
    """[B, N, 1]: the mean action of an agent's parent and children, of actions rounded to whole 2^-24ths."""
    copies, agents = actions.shape
    mean = np.empty((copies, agents, 1), np.float32)
    for b in range(copies):
        for n in range(agents):
            near, total = children[n], 0.0
            if parent[n] >= 0:
                total += np.rint(actions[b, parent[n]] * np.float32(2**24))
                near += 1
            for i in range(children[n]):
                total += np.rint(actions[b, first[n] + i * products] * np.float32(2**24))
            mean[b, n, 0] = total * 2.0**-24 / near
    return mean


@compiled
def observe(
    template: Floats, factors: Floats, pipeline: Floats, late: Floats, t: int, stock: Floats, backlog: Floats,
    demands: Floats, orders: Floats, time: float,
) -> Floats:  # fmt: skip
    """[B, N, D]: stock, backlog, units due in 0, 1, ... periods, past demands and orders from the latest on, the time
    where it is not negative, then the constants of template [N, D].

    factors [2, N] are of stock and backlog, and of what flows; pipeline is [L, B, N], the units due in period t in
    slot t mod L; demands and orders are [H, B, N], period t's in slot t mod H.
    """
    lead, copies, agents = pipeline.shape
    past = demands.shape[0]
    width = template.shape[1]
    timed = 2 + lead + 2 * past
    constants = timed + (1 if time >= 0 else 0)
    obs = np.empty((copies, agents, width), np.float32)
    for b in range(copies):
        for n in range(agents):
            held, flow = factors[0, n], factors[1, n]
            obs[b, n, 0] = scaled(stock[b, n], held)
            obs[b, n, 1] = scaled(backlog[b, n], held)
            obs[b, n, 2] = scaled(pipeline[t % lead, b, n] + late[b, n], flow)
            for ahead in range(1, lead):
                obs[b, n, 2 + ahead] = scaled(pipeline[(t + ahead) % lead, b, n], flow)
            if time >= 0:
                obs[b, n, timed] = time
            for i in range(constants, width):
                obs[b, n, i] = template[n, i]
        for back in range(past):
            slot = (t - 1 - back) % past
            for n in range(agents):
                obs[b, n, 2 + lead + back] = scaled(demands[slot, b, n], factors[1, n])
                obs[b, n, 2 + lead + past + back] = scaled(orders[slot, b, n], factors[1, n])
    return obs
