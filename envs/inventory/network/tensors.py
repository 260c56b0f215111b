"""The passes of one period of the network on torch tensors, on any device: the results of `period`, bit for bit.

Siblings lie next to each other in the node axis of [B, J, P], so that what is shared out among them comes from running
sums over that axis less what the sum was before the first of them. The root's agents are the first `products`.
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


def asked_for(order: Tensor, customers: Tensor, leaves: Tensor, parent: Tensor, products: int) -> Tensor:
    """See `period.asked_for`."""
    return _of_children(order, parent, products).index_copy_(1, leaves, customers)


def _of_children(values: Tensor, parent: Tensor, products: int) -> Tensor:
    """[B, N]: sums of whole numbers [B, N] over each agent's children; 0 at a leaf."""
    return torch.zeros_like(values).index_add_(1, parent[products:], values[:, products:])


def arrive(keys: Tensor, t: int, due: Tensor, late: Tensor, below: int) -> tuple[Tensor, Tensor]:
    """See `period.arrive`."""
    slips = uniforms32(keys, streams.SLIP, t, due.shape[1]) < below
    slipped = torch.where(slips, due, 0.0)
    return late + (due - slipped), slipped


def ship(
    keys: Tensor, t: int, supply: Tensor, order: Tensor, demand: Tensor, backlog: Tensor, owed: Tensor, parent: Tensor,
    first: Tensor, children: Tensor, products: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """See `period.ship`."""
    sold = shipment(supply, demand + backlog)
    given, waiting, asking = sold.long(), backlog.long(), demand.long()
    old = given.minimum(waiting)
    bits = uniforms32(keys, streams.ROUNDING, t, 2 * order.shape[1]).view(*order.shape, 2)
    waits, asks = owed.long(), order.long()
    above = parent[products:]
    units = _share_of(waits, old, waiting, bits[..., 0], above, first, products)
    units = units + _share_of(asks, given - old, asking, bits[..., 1], above, first, products)
    sent, owes = order.clone(), owed.clone()
    sent[:, products:] = units.float()
    owes[:, products:] = ((waits + asks)[:, products:] - units).float()
    return sold, sent, owes


def _share_of(
    weight: Tensor, total: Tensor, parts: Tensor, bits: Tensor, above: Tensor, first: Tensor, products: int
) -> Tensor:
    """[B, N - P]: what each agent below the root gets of its parent's `total`, in proportion to its weight.

    parts are the parents' sums of weights, above [N - P] is each agent's parent.
    """
    running = weight.view(weight.shape[0], -1, products).cumsum(1).flatten(1)
    before = running - weight
    # less what came before the first of the siblings
    before = before[:, products:] - before[:, first[above]]
    parts = parts.clip(min=1)
    offset = rounding(bits, parts)[:, above]
    given = total[:, above]
    share: Tensor = shared_out(before * given, (before + weight[:, products:]) * given, offset, parts[:, above])
    return share


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
    # a device multiplies by the reciprocal of a Python number instead of dividing
    return (total / CENTS / total.new_tensor(values.shape[1])).float().expand_as(values).clone()


def mean_of_neighbours(
    actions: Tensor, num_actions: int, parent: Tensor, first: Tensor, children: Tensor, products: int
) -> Tensor:
    """See `period.mean_of_neighbours`."""
    copies, agents = actions.shape
    counts = torch.zeros((copies, agents * num_actions), device=actions.device)
    above, below = parent[products:], torch.arange(products, agents, device=actions.device)
    one = counts.new_ones(1).expand(copies, agents - products)
    counts.scatter_add_(1, above * num_actions + actions[:, products:], one)
    counts.scatter_add_(1, below * num_actions + actions[:, above], one)
    return counts.view(copies, agents, num_actions) / (children + (parent >= 0)).float()[:, None]


def mean_share_of_neighbours(actions: Tensor, parent: Tensor, first: Tensor, children: Tensor, products: int) -> Tensor:
    """See `period.mean_share_of_neighbours`."""
    parts = (actions * 2**24).round().double()
    total = _of_children(parts, parent, products)
    total[:, products:] += parts[:, parent[products:]]
    return (total * 2.0**-24 / (children + (parent >= 0))).float()[..., None]


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
