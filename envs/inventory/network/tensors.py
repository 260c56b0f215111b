"""The passes of one period of the network on torch tensors, on any device: the results of `period`, bit for bit.

Siblings lie next to each other in the node axis of [B, J, P], so that what is shared out among them comes from running
sums over that axis less what the sum was before the first of them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from envs.inventory import streams
from envs.inventory.formulas import shared_out
from envs.inventory.network.formulas import CENTS, kept, network_reward, rounding, scaled, shipment
from envs.inventory.tensors import (
    LAST,
    array,
    as_float32,
    continuous,
    discrete,
    order_levels,
    order_shares,
    recorded_units,
    to_numpy,
    uniforms32,
    zeros,
)

__all__ = [
    "array", "arrive", "as_float32", "asked_for", "continuous", "customer_units", "discrete", "mean_of_neighbours",
    "mean_share_of_neighbours", "observe", "order_levels", "order_shares", "recorded_units", "settle", "shared",
    "ship", "to_numpy", "zeros",
]  # fmt: skip


def customer_units(keys: Tensor, t: int, table: Tensor, guide: Tensor, lowest: int, leaves: int) -> Tensor:
    """See `period.customer_units`; the guide is not needed."""
    uniform = uniforms32(keys, streams.DEMAND, t, leaves).clip(max=int(LAST))
    return (lowest + torch.searchsorted(table, uniform, right=True)).float()


def _over_children(values: Tensor, first: Tensor, children: Tensor, products: int) -> Tensor:
    """[B, N]: sums over each agent's children of values [B, N]; 0 at a leaf."""
    by_node = values.view(values.shape[0], -1, products)
    running = torch.cat([torch.zeros_like(by_node[:, :1]), by_node.cumsum(1)], 1).flatten(1)
    start = torch.where(children > 0, first, 0)
    return running[:, start + children * products] - running[:, start]


def asked_for(order: Tensor, customers: Tensor, first: Tensor, children: Tensor, products: int) -> Tensor:
    """See `period.asked_for`."""
    demand = _over_children(order.long(), first, children, products).float()
    demand[:, children == 0] = customers
    return demand


def arrive(keys: Tensor, t: int, due: Tensor, late: Tensor, below: int) -> tuple[Tensor, Tensor]:
    """See `period.arrive`."""
    slips = uniforms32(keys, streams.SLIP, t, due.shape[1]) < below
    slipped = torch.where(slips, due, 0.0)
    return late + (due - slipped), slipped


def ship(
    keys: Tensor, t: int, supply: Tensor, order: Tensor, demand: Tensor, backlog: Tensor, owed: Tensor, first: Tensor,
    children: Tensor, products: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """See `period.ship`."""
    agents = order.shape[1]
    sold = shipment(supply, demand + backlog)
    given, waiting, asking = sold.long(), backlog.long(), demand.long()
    old = given.minimum(waiting)
    bits = uniforms32(keys, streams.ROUNDING, t, 2 * agents).view(-1, agents, 2)
    waits, asks = owed.long(), order.long()
    # child n of parent n's row: its parent, and its parent's first child
    above = torch.repeat_interleave(torch.arange(0, agents, products, device=order.device), children[::products])
    lanes = torch.arange(products, device=order.device)
    parent = (above[:, None] + lanes).flatten()
    units = _shared(waits, old, waiting, bits[..., 0], parent, first, products)
    units = units + _shared(asks, given - old, asking, bits[..., 1], parent, first, products)
    sent, owes = order.clone(), owed.clone()
    sent[:, products:] = units.float()
    owes[:, products:] = (waits + asks)[:, products:].float() - sent[:, products:]
    return sold, sent, owes


def _shared(
    weight: Tensor, total: Tensor, parts: Tensor, bits: Tensor, parent: Tensor, first: Tensor, products: int
) -> Tensor:
    """[B, N - P]: what each agent below the root gets of its parent's `total`, in proportion to its weight."""
    by_node = weight.view(weight.shape[0], -1, products)
    before = (by_node.cumsum(1) - by_node).flatten(1)
    before = before[:, products:] - before[:, first[parent]]
    parts = parts.clip(min=1)
    offset = rounding(bits, parts)[:, parent]
    given = total[:, parent]
    given_out: Tensor = shared_out(before * given, (before + weight[:, products:]) * given, offset, parts[:, parent])
    return given_out


def settle(
    parameters: Tensor, cap: float, order: Tensor, supply: Tensor, demand: Tensor, backlog: Tensor, sold: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """See `period.settle`."""
    price, cost, h, b, target = parameters
    left = supply - sold
    stock = kept(left, cap)
    waiting = demand + backlog - sold
    reward = network_reward(price, cost, h, b, target, order, sold, stock, waiting)
    return stock, left - stock, waiting, reward.float()


def shared(values: Tensor) -> Tensor:
    """See `period.shared`."""
    total = (values.double() * CENTS).round().sum(1, keepdim=True)
    return (total / CENTS / values.shape[1]).float().expand_as(values).clone()


def mean_of_neighbours(
    actions: Tensor, num_actions: int, parent: Tensor, first: Tensor, children: Tensor, products: int
) -> Tensor:
    """See `period.mean_of_neighbours`."""
    one_hot = torch.nn.functional.one_hot(actions, num_actions)
    below = torch.stack([_over_children(one_hot[..., a], first, children, products) for a in range(num_actions)], -1)
    has_parent = parent >= 0
    above = one_hot[:, parent.clip(min=0)] * has_parent[:, None]
    return (below + above).float() / (children + has_parent).float()[:, None]


def mean_share_of_neighbours(actions: Tensor, parent: Tensor, first: Tensor, children: Tensor, products: int) -> Tensor:
    """See `period.mean_share_of_neighbours`."""
    parts = (actions * 2**24).round().double()
    has_parent = parent >= 0
    above = parts[:, parent.clip(min=0)] * has_parent
    total = _over_children(parts, first, children, products) + above
    return (total * 2.0**-24 / (children + has_parent)).float()[..., None]


def observe(
    template: Tensor, factors: Tensor, pipeline: Tensor, late: Tensor, t: int, stock: Tensor, backlog: Tensor,
    demands: Tensor, orders: Tensor, time: float,
) -> Tensor:  # fmt: skip
    """See `period.observe`."""
    lead, past = pipeline.shape[0], demands.shape[0]
    held, flow = factors
    obs = template.expand(stock.shape[0], *template.shape).clone()
    obs[..., 0] = scaled(stock, held)
    obs[..., 1] = scaled(backlog, held)
    for ahead in range(lead):
        units = pipeline[(t + ahead) % lead]
        obs[..., 2 + ahead] = scaled(units + late if ahead == 0 else units, flow)
    for back in range(past):
        slot = (t - 1 - back) % past
        obs[..., 2 + lead + back] = scaled(demands[slot], flow)
        obs[..., 2 + lead + past + back] = scaled(orders[slot], flow)
    if time >= 0:
        obs[..., 2 + lead + 2 * past] = time
    return obs
