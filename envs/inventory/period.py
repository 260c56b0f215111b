"""The arithmetic of one period, in passes over B copies x N agents that the market calls one after another.

Every pass writes into arrays it is given. Sums over agents are of whole numbers in float64, so they are exact: they do
not depend on the order of agents, and a copy plays the same alone and among others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.inventory.compiled import compiled

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
OBSERVED_LIMIT = 2.5
"""Quantities are observed in units of 4 mu, the largest order of the default grid, and clipped at this many."""
REWARD_PARAMETERS = ("p0", "c", "h", "b", "ell", "K", "phi", "delta", "v")
"""Columns of the parameters that `settle` takes."""


@compiled
def place_orders(
    actions: Integers, levels: Floats, position: Floats, up_to: bool, order: Floats, counts: Floats, mean: Doubles
) -> int:
    """Order units: levels[n, action], or in `up_to` what the position [B, N] lacks of it.

    Writes order [B, N], counts [B, A] of the actions and the mean order [B]. Returns -1, or the flat index b N + n of
    the first action outside 0..A-1; nothing that was written is of use then.
    """
    copies, agents = actions.shape
    num_actions = levels.shape[1]
    for b in range(copies):
        total = 0.0
        for a in range(num_actions):
            counts[b, a] = 0
        for n in range(agents):
            action = actions[b, n]
            if action < 0 or action >= num_actions:
                return int(b * agents + n)
            units = levels[n, action]
            if up_to:
                units = max(units - position[b, n], np.float32(0))
            order[b, n] = units
            counts[b, action] += 1
            total += units
        mean[b] = total / agents
    return -1


@compiled
def sell(
    pipeline: Floats,
    lead: Integers,
    t: int,
    stock: Floats,
    backlog: Floats,
    room: Floats,
    demand: Floats,
    received: Floats,
    sold: Floats,
    mean: Doubles,
) -> None:
    """Receive what was ordered `lead` periods ago and sell from it, backlog first.

    pipeline is [slots, B, N], period t's orders in slot t mod slots; lead and room are [N], the rest [B, N].
    Writes received and sold [B, N], and mean sales [B].
    """
    slots, copies, agents = pipeline.shape
    slot = np.empty(agents, np.int64)
    for n in range(agents):
        slot[n] = (t - lead[n]) % slots
    for b in range(copies):
        total = 0.0
        for n in range(agents):
            arriving = pipeline[slot[n], b, n]
            units = min(min(stock[b, n] + arriving, room[n]), demand[b, n] + backlog[b, n])
            received[b, n] = arriving
            sold[b, n] = units
            total += units
        mean[b] = total / agents


@compiled
def settle(
    parameters: Doubles,
    room: Floats,
    premium: Doubles,
    price: Doubles,
    keep_unmet: bool,
    order: Floats,
    received: Floats,
    demand: Floats,
    sold: Floats,
    stock: Floats,
    backlog: Floats,
    lost: Floats,
    spoiled: Floats,
    scrapped: Floats,
    reward: Floats,
) -> None:
    """Close the period: stock and backlog [B, N] become those of its end; lost to reward [B, N] are written.

    parameters is [N, 9] in the order of `REWARD_PARAMETERS`; premium [B] is $ on every unit ordered, price [B] the
    retail price / p0; the rest is [B, N].
    """
    copies, agents = order.shape
    for b in range(copies):
        for n in range(agents):
            p0, c, h = parameters[n, 0], parameters[n, 1], parameters[n, 2]
            waiting, ell, fixed = parameters[n, 3], parameters[n, 4], parameters[n, 5]
            phi, delta, v = parameters[n, 6], parameters[n, 7], parameters[n, 8]
            offered = stock[b, n] + received[b, n]
            kept = min(offered, room[n])
            left = kept - sold[b, n]
            unmet = demand[b, n] + backlog[b, n] - sold[b, n]
            gone = np.float32(np.rint(delta * left))
            q = np.float64(order[b, n])
            total = p0 * price[b] * sold[b, n] - (c + premium[b]) * q - 0.5 * phi * q * q + v * gone
            if q > 0:
                total -= fixed
            if keep_unmet:
                backlog[b, n] = unmet
                lost[b, n] = 0
                total -= waiting * unmet
            else:
                backlog[b, n] = 0
                lost[b, n] = unmet
                total -= ell * unmet
            stock[b, n] = left - gone
            spoiled[b, n] = gone
            scrapped[b, n] = offered - kept
            reward[b, n] = total - h * stock[b, n]


@compiled
def mean_of_others(actions: Integers, counts: Floats, out: Floats) -> None:
    """out [B, N, A]: the mean one-hot action of everyone but the agent itself; counts [B, A] are of all."""
    copies, agents, num_actions = out.shape
    for b in range(copies):
        for n in range(agents):
            own = actions[b, n]
            for a in range(num_actions):
                others = counts[b, a] - np.float32(1 if a == own else 0)
                out[b, n, a] = others / np.float32(agents - 1)


@compiled
def observe(
    template: Floats,
    unit: Floats,
    pipeline: Floats,
    lead: Integers,
    t: int,
    stock: Floats,
    backlog: Floats,
    demand: Floats,
    shared: Floats,
    out: Floats,
) -> None:
    """out [B, N, D]: own quantities in units 1 / unit, what is shared [B, S], then the constants of template [N, D]."""
    slots, copies, agents = pipeline.shape
    limit = np.float32(OBSERVED_LIMIT)
    width, number_shared = template.shape[1], shared.shape[1]
    first = 3 + slots - 1
    constants = first + number_shared
    # an order of lead L placed `back` periods ago arrives in L - back periods; -1 where there is none
    slot = np.full((agents, slots), -1, np.int64)
    for n in range(agents):
        for ahead in range(lead[n]):
            slot[n, ahead] = (t - lead[n] + ahead) % slots
    for b in range(copies):
        for n in range(agents):
            scale = unit[n]
            out[b, n, 0] = min(stock[b, n] * scale, limit)
            out[b, n, 1] = min(backlog[b, n] * scale, limit)
            out[b, n, 2] = min(demand[b, n] * scale, limit)
            for ahead in range(slots - 1):
                ordered = slot[n, ahead]
                out[b, n, 3 + ahead] = min(pipeline[ordered, b, n] * scale, limit) if ordered >= 0 else np.float32(0)
            for i in range(number_shared):
                out[b, n, first + i] = shared[b, i]
            for i in range(constants, width):
                out[b, n, i] = template[n, i]


def as_actions(actions: NDArray[Any], shape: tuple[int, int], num_actions: int) -> Integers:
    """Actions as a contiguous int64 array of `shape`; raises ValueError for another shape or for fractions."""
    if actions.shape != shape:
        raise ValueError(f"actions have shape {actions.shape}; the market needs {shape}, copies x agents")
    if actions.dtype.kind not in "iu":
        raise ValueError(f"actions are {actions.dtype}; the market needs whole numbers 0..{num_actions - 1}")
    return np.ascontiguousarray(actions, np.int64)
