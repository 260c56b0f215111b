"""The passes of one period over B copies x N agents, compiled for the processor; `tensors` has the same for torch.

The market calls them one after another. Sums over agents are of whole numbers, in float64 or int64, so they are exact:
they do not depend on the order of agents, and a copy plays the same alone and among others.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.compiled import compiled
from envs.inventory.count_law import log_probability
from envs.inventory.formulas import SMALLEST, lacking, lesser, observed, reward, shared_out, spoilage
from envs.inventory.streams import DEMAND, Keys, stream, uniform32

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
LAST = np.uint32(2**32 - 2)
"""The largest uniform that is looked up in a table."""
SPILL_PARTS = 2**20
"""Spilled shares are counted in 2^-20ths."""


def array(values: ArrayLike, device: str | None = None) -> NDArray[Any]:
    """The values as this backend's array; `device` is torch's."""
    return np.asarray(values)


def zeros(shape: tuple[int, ...], device: str | None = None) -> Floats:
    """float32 zeros."""
    return np.zeros(shape, np.float32)


def to_numpy(values: NDArray[Any]) -> NDArray[Any]:
    """A copy as a NumPy array."""
    return values.copy()


def as_float32(values: NDArray[Any]) -> Floats:
    """In float32."""
    return values.astype(np.float32)


def stacked(columns: list[Doubles]) -> Doubles:
    """[B, S] of S columns [B]."""
    return np.stack(columns, 1)


def fill_rate(mean_order: Doubles, capacity: float) -> Doubles:
    """[B]: the share of mean orders that a capacity per agent meets; 1 where nothing was ordered."""
    return capacity / np.maximum(mean_order, capacity)


def discrete(actions: Any, device: str | None = None) -> Integers:
    """Actions as this backend's whole numbers."""
    return np.ascontiguousarray(actions, np.int64)


def continuous(actions: Any, device: str | None = None) -> Floats:
    """Actions as this backend's float32."""
    return np.ascontiguousarray(actions, np.float32)


@compiled
def order_levels(
    actions: Integers, levels: Floats, position: Floats, up_to: bool
) -> tuple[int, Floats, Floats, Doubles]:
    """Order units: levels[n, action], or in `up_to` what the position [B, N] lacks of it.

    Returns the flat index b N + n of the first action outside 0..A-1 or else -1; the order [B, N], the counts [B, A]
    of the actions and the mean order [B].
    """
    copies, agents = actions.shape
    num_actions = levels.shape[1]
    order = np.empty((copies, agents), np.float32)
    counts = np.zeros((copies, num_actions), np.float32)
    mean = np.empty(copies)
    for b in range(copies):
        total = 0.0
        for n in range(agents):
            action = actions[b, n]
            if action < 0 or action >= num_actions:
                return b * agents + n, order, counts, mean
            units = levels[n, action]
            if up_to:
                units = lacking(units, position[b, n])
            order[b, n] = units
            counts[b, action] += 1
            total += units
        mean[b] = total / agents
    return -1, order, counts, mean


@compiled
def order_shares(actions: Floats, most: Floats) -> tuple[int, Floats, Floats, Doubles]:
    """Order action x most [N], in whole units, for actions in 0..1.

    Returns as `order_levels`, with the sums [B, 1] of the actions, in whole 2^-24ths, in place of counts.
    """
    copies, agents = actions.shape
    order = np.empty((copies, agents), np.float32)
    sums = np.empty((copies, 1), np.float64)
    mean = np.empty(copies)
    for b in range(copies):
        total, acted = 0.0, 0.0
        for n in range(agents):
            action = actions[b, n]
            # NaN is in no range
            if not (action >= 0 and action <= 1):
                return b * agents + n, order, sums.astype(np.float32), mean
            order[b, n] = np.rint(action * most[n])
            total += order[b, n]
            acted += np.rint(action * np.float32(2**24))
        mean[b] = total / agents
        sums[b, 0] = acted * 2.0**-24
    return -1, order, sums.astype(np.float32), mean


@compiled
def allot_proportional(order: Floats, capacity: int, uniform: Doubles) -> Floats:
    """[B, N] whole units, capacity in all: shares in proportion to the orders where they exceed it.

    uniform [B] in (0, 1) decides the rounding.
    """
    copies, agents = order.shape
    allotted = order.copy()
    for b in range(copies):
        total = np.int64(0)
        for n in range(agents):
            total += np.int64(order[b, n])
        if total <= capacity:
            continue
        offset = np.int64(uniform[b] * total)
        asked = np.int64(0)
        for n in range(agents):
            before = asked * capacity
            asked += np.int64(order[b, n])
            allotted[b, n] = shared_out(before, asked * capacity, offset, total)
    return allotted


@compiled
def allot_uniform(order: Floats, capacity: int, uniform: Doubles) -> Floats:
    """[B, N] whole units, capacity in all: everyone the same, and none more than was ordered."""
    copies, agents = order.shape
    allotted = order.copy()
    for b in range(copies):
        rest, parts = np.int64(0), np.int64(0)
        total = np.int64(0)
        for n in range(agents):
            total += np.int64(order[b, n])
        if total <= capacity:
            continue
        # the level rest / parts rises from capacity / N until those it satisfies stay the same
        rest, parts = np.int64(capacity), np.int64(agents)
        while True:
            met, over = np.int64(0), np.int64(0)
            for n in range(agents):
                units = np.int64(order[b, n])
                if units * parts <= rest:
                    met += units
                else:
                    over += 1
            if over == parts:
                break
            rest, parts = capacity - met, over
        offset = np.int64(uniform[b] * parts)
        before = np.int64(0)
        for n in range(agents):
            units = np.int64(order[b, n])
            now = before + (units * parts if units * parts <= rest else rest)
            allotted[b, n] = shared_out(before, now, offset, parts)
            before = now
    return allotted


@compiled
def allot_linear(order: Floats, capacity: int, uniform: Doubles) -> Floats:
    """[B, N] whole units, capacity in all: every order cut by the same quantity, and none below zero."""
    copies, agents = order.shape
    allotted = order.copy()
    for b in range(copies):
        total, parts = np.int64(0), np.int64(0)
        for n in range(agents):
            total += np.int64(order[b, n])
            if order[b, n] > 0:
                parts += 1
        if total <= capacity:
            continue
        # the cut excess / parts rises until those it leaves something stay the same
        excess = total - capacity
        while True:
            left, over = np.int64(0), np.int64(0)
            for n in range(agents):
                units = np.int64(order[b, n])
                if units * parts > excess:
                    left += units
                    over += 1
            if over == parts:
                break
            excess, parts = left - capacity, over
        offset = np.int64(uniform[b] * parts)
        before = np.int64(0)
        for n in range(agents):
            units = np.int64(order[b, n])
            now = before + (units * parts - excess if units * parts > excess else 0)
            allotted[b, n] = shared_out(before, now, offset, parts)
            before = now
    return allotted


@compiled
def receive(
    pipeline: Floats, lead: Integers, t: int, stock: Floats, room: Floats
) -> tuple[Floats, Floats, Doubles]:
    """What was ordered `lead` periods ago arrives: received and offered for sale [B, N], and mean offered [B].

    pipeline is [slots, B, N], period t's orders in slot t mod slots; lead and room are [N].
    """
    slots, copies, agents = pipeline.shape
    slot = np.empty(agents, np.int64)
    for n in range(agents):
        slot[n] = (t - lead[n]) % slots
    received = np.empty((copies, agents), np.float32)
    offered = np.empty((copies, agents), np.float32)
    mean = np.empty(copies)
    for b in range(copies):
        total = 0.0
        for n in range(agents):
            arriving = pipeline[slot[n], b, n]
            units = lesser(stock[b, n] + arriving, room[n])
            received[b, n] = arriving
            offered[b, n] = units
            total += units
        mean[b] = total / agents
    return received, offered, mean


@compiled
def sell(offered: Floats, backlog: Floats, demand: Floats) -> tuple[Floats, Floats, Doubles]:
    """Sold and unmet [B, N], backlog first, and mean sales [B]."""
    copies, agents = offered.shape
    sold = np.empty((copies, agents), np.float32)
    unmet = np.empty((copies, agents), np.float32)
    mean = np.empty(copies)
    for b in range(copies):
        total = 0.0
        for n in range(agents):
            wanted = demand[b, n] + backlog[b, n]
            units = lesser(offered[b, n], wanted)
            sold[b, n] = units
            unmet[b, n] = wanted - units
            total += units
        mean[b] = total / agents
    return sold, unmet, mean


@compiled
def spill(
    unmet: Floats, offered: Floats, sold: Floats, share: int, leaving: Doubles, arriving: Doubles
) -> tuple[Floats, Floats, Floats, Doubles]:
    """A share / 2^20 of the unmet demand tries another seller, spread evenly over all the others, once.

    leaving and arriving [B] in (0, 1) decide the rounding to whole units. Returns units that left, that came
    from elsewhere and that were sold to those who came [B, N], and mean sales with these [B].
    """
    copies, agents = unmet.shape
    spilled = np.empty((copies, agents), np.float32)
    visitors = np.empty((copies, agents), np.float32)
    taken = np.empty((copies, agents), np.float32)
    mean = np.empty(copies)
    for b in range(copies):
        total = 0.0
        offset = np.int64(leaving[b] * SPILL_PARTS)
        before = np.int64(0)
        pool = np.int64(0)
        for n in range(agents):
            now = before + share * np.int64(unmet[b, n])
            units = shared_out(before, now, offset, SPILL_PARTS)
            spilled[b, n] = units
            pool += units
            before = now
        offset = np.int64(arriving[b] * (agents - 1))
        before = np.int64(0)
        for n in range(agents):
            now = before + pool - np.int64(spilled[b, n])
            came = np.float32(shared_out(before, now, offset, agents - 1))
            visitors[b, n] = came
            taken[b, n] = lesser(came, offered[b, n] - sold[b, n])
            total += sold[b, n] + taken[b, n]
            before = now
        mean[b] = total / agents
    return spilled, visitors, taken, mean


@compiled
def settle(
    parameters: Doubles, premium: Doubles, price: Doubles, keep_unmet: bool, order: Floats, bought: Floats,
    offered: Floats, sold: Floats, unmet: Floats,
) -> tuple[Floats, Floats, Floats, Floats, Floats]:  # fmt: skip
    """Close the period: stock, backlog, lost, spoiled and reward [B, N].

    parameters is [9, N] in the order of `REWARD_PARAMETERS`; premium [B] is $ on every unit bought, price [B] the
    retail price / p0; the rest is [B, N].
    """
    copies, agents = order.shape
    stock = np.empty((copies, agents), np.float32)
    backlog = np.zeros((copies, agents), np.float32)
    lost = np.zeros((copies, agents), np.float32)
    spoiled = np.empty((copies, agents), np.float32)
    rewards = np.empty((copies, agents), np.float32)
    p0, c, h, b_, ell, K, phi, delta, v = parameters
    for b in range(copies):
        for n in range(agents):
            left = offered[b, n] - sold[b, n]
            gone = spoilage(delta[n], left)
            if keep_unmet:
                backlog[b, n] = unmet[b, n]
            else:
                lost[b, n] = unmet[b, n]
            stock[b, n] = left - gone
            spoiled[b, n] = gone
            rewards[b, n] = reward(
                p0[n], c[n], h[n], b_[n], ell[n], K[n], phi[n], v[n], price[b], premium[b], order[b, n], bought[b, n],
                sold[b, n], stock[b, n], backlog[b, n], lost[b, n], gone,
            )  # fmt: skip
    return stock, backlog, lost, spoiled, rewards


@compiled
def mean_of_others(actions: Integers, counts: Floats) -> Floats:
    """[B, N, A]: the mean one-hot action of everyone but the agent itself; counts [B, A] are of all."""
    copies, agents = actions.shape
    num_actions = counts.shape[1]
    mean = np.empty((copies, agents, num_actions), np.float32)
    for b in range(copies):
        for n in range(agents):
            own = actions[b, n]
            for a in range(num_actions):
                others = counts[b, a] - np.float32(1 if a == own else 0)
                mean[b, n, a] = others / np.float32(agents - 1)
    return mean


@compiled
def mean_share_of_others(actions: Floats, sums: Floats) -> Floats:
    """[B, N, 1]: the mean action of everyone but the agent itself; sums [B, 1] are of all."""
    copies, agents = actions.shape
    mean = np.empty((copies, agents, 1), np.float32)
    for b in range(copies):
        for n in range(agents):
            others = (sums[b, 0] - actions[b, n]) / np.float32(agents - 1)
            mean[b, n, 0] = min(max(others, np.float32(0)), np.float32(1))
    return mean


@compiled
def observe(
    template: Floats, unit: Floats, pipeline: Floats, lead: Integers, t: int, stock: Floats, backlog: Floats,
    demand: Floats, shared: Floats,
) -> Floats:  # fmt: skip
    """[B, N, D]: own quantities in units 1 / unit, what is shared [B, S], then the constants of template [N, D]."""
    slots, copies, agents = pipeline.shape
    width, number_shared = template.shape[1], shared.shape[1]
    first = 3 + slots - 1
    constants = first + number_shared
    obs = np.empty((copies, agents, width), np.float32)
    # an order of lead L placed `back` periods ago arrives in L - back periods; -1 where there is none
    slot = np.full((agents, slots), -1, np.int64)
    for n in range(agents):
        for ahead in range(lead[n]):
            slot[n, ahead] = (t - lead[n] + ahead) % slots
    for b in range(copies):
        for n in range(agents):
            scale = unit[n]
            obs[b, n, 0] = observed(stock[b, n], scale)
            obs[b, n, 1] = observed(backlog[b, n], scale)
            obs[b, n, 2] = observed(demand[b, n], scale)
            for ahead in range(slots - 1):
                ordered = slot[n, ahead]
                obs[b, n, 3 + ahead] = observed(pipeline[ordered, b, n], scale) if ordered >= 0 else np.float32(0)
            for i in range(number_shared):
                obs[b, n, first + i] = shared[b, i]
            for i in range(constants, width):
                obs[b, n, i] = template[n, i]
    return obs


@compiled
def tabled_units(
    keys: Keys, t: int, table: NDArray[np.uint32], guide: NDArray[np.int16], lowest: Integers
) -> Floats:
    """[B, N]: lowest[n] plus the first i with uniform < table[n, i], of one 32-bit uniform an agent."""
    copies, agents = keys.size, lowest.size
    units = np.empty((copies, agents), np.float32)
    for b in range(copies):
        drawn = stream(keys[b], DEMAND, t)
        for n in range(agents):
            uniform = min(uniform32(drawn, n), LAST)
            i = guide[n, uniform >> 26]
            while uniform >= table[n, i]:
                i += 1
            units[b, n] = lowest[n] + i
    return units


@compiled
def counted_units(keys: Keys, t: int, mean: Doubles, cv2: Doubles, factor: Doubles) -> Floats:
    """[B, N]: quantiles of counts with means mean[n] factor[b], dispersion cv2[n], of one 32-bit uniform an agent.

    Poisson (cv2 = 0) and negative binomial share the ratio p(k + 1) / p(k) = m (1 + cv2 k) / ((1 + cv2 m) (k + 1)).
    The search starts 7 standard deviations below the mean, where what lies lower has less than 2^-33.
    """
    copies, agents = keys.size, mean.size
    units = np.empty((copies, agents), np.float32)
    for b in range(copies):
        drawn = stream(keys[b], DEMAND, t)
        for n in range(agents):
            uniform = (np.float64(uniform32(drawn, n)) + 0.5) * 2.0**-32
            m, spread = mean[n] * factor[b], cv2[n]
            k = max(0.0, math.floor(m - 7 * math.sqrt(m + spread * m * m)))
            p = math.exp(log_probability(k, m, spread))
            cumulative = p
            odds = m / (1 + spread * m)
            # rounding leaves the sum of all probabilities a little below 1: past the last that adds, it is reached
            while cumulative <= uniform and (k < m or p > SMALLEST):
                p *= odds * (1 + spread * k) / (k + 1)
                k += 1
                cumulative += p
            units[b, n] = k
    return units


def recorded_units(units: Floats, rows: Integers) -> Floats:
    """[B, N]: the rows [B] of a record [periods, N]."""
    return units[rows]
