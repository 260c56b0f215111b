"""The passes of one period on torch tensors, on any device: the formulas and results of `loops`, bit for bit.

Every sum over agents is of whole numbers in float64 or int64, so it does not depend on the order a device adds in.
SplitMix64 works in int64, whose arithmetic wraps as unsigned does; its shifts are masked to be logical ones.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from envs.inventory import streams
from envs.inventory.formulas import (
    SMALLEST,
    STIRLING,
    lacking,
    lesser,
    observed,
    reward,
    shared_out,
    spoilage,
    stirling,
)

SPILL_PARTS = 2**20
"""Spilled shares are counted in 2^-20ths."""
LAST = 2**32 - 2
"""The largest uniform that is looked up in a table."""


def checked_device(name: str | None) -> str:
    """A device torch has: CUDA where there is one, when none is named; raises ValueError for one it has not."""
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"backend torch:{name}: torch has no such device here ({str(error).splitlines()[0]}); "
            "use torch or torch:cpu"
        ) from None
    return name


def array(values: ArrayLike | Tensor, device: str | None) -> Tensor:
    """The values as a tensor; 64 unsigned bits become the same 64 signed bits, narrower unsigned ones int64."""
    if isinstance(values, Tensor):
        return values.to(device)
    held = np.asarray(values)
    if held.dtype == np.uint64:
        held = held.view(np.int64)
    elif held.dtype == np.uint32:
        held = held.astype(np.int64)
    return torch.tensor(held, device=device)


def zeros(shape: tuple[int, ...], device: str | None) -> Tensor:
    """float32 zeros."""
    return torch.zeros(shape, device=device)


def to_numpy(values: Tensor) -> NDArray[Any]:
    """A copy as a NumPy array."""
    copied: NDArray[Any] = values.cpu().numpy().copy()
    return copied


def as_float32(values: Tensor) -> Tensor:
    """In float32."""
    return values.float()


def stacked(columns: list[Tensor]) -> Tensor:
    """[B, S] of S columns [B]."""
    return torch.stack(columns, 1)


def fill_rate(mean_order: Tensor, capacity: float) -> Tensor:
    """[B]: the share of mean orders that a capacity per agent meets; 1 where nothing was ordered."""
    return torch.full_like(mean_order, capacity) / mean_order.clip(min=capacity)


def discrete(actions: Any, device: str | None) -> Tensor:
    """Actions as whole numbers on the device."""
    return torch.as_tensor(actions, dtype=torch.int64, device=device)


def continuous(actions: Any, device: str | None) -> Tensor:
    """Actions as float32 on the device."""
    return torch.as_tensor(actions, dtype=torch.float32, device=device)


def order_levels(actions: Tensor, levels: Tensor, position: Tensor, up_to: bool) -> tuple[int, Tensor, Tensor, Tensor]:
    """See `loops.order_levels`."""
    num_actions = levels.shape[1]
    wrong = (actions < 0) | (actions >= num_actions)
    refused = _first(wrong)
    if refused >= 0:
        actions = actions.clip(0, num_actions - 1)
    agents = torch.arange(actions.shape[1], device=actions.device)
    order = levels[agents, actions]
    if up_to:
        order = lacking(order, position)
    counts = torch.zeros((actions.shape[0], num_actions), device=actions.device)
    for action in range(num_actions):
        counts[:, action] = (actions == action).sum(1)
    return refused, order, counts, _mean(order)


def order_shares(actions: Tensor, most: Tensor) -> tuple[int, Tensor, Tensor, Tensor]:
    """See `loops.order_shares`."""
    refused = _first(~((actions >= 0) & (actions <= 1)))
    order = (actions * most).round()
    sums = ((actions * 2**24).round().sum(1, dtype=torch.float64) * 2.0**-24).float()
    return refused, order, sums[:, None], _mean(order)


def _first(wrong: Tensor) -> int:
    """The flat index of the first true entry, or -1."""
    return int(wrong.flatten().to(torch.uint8).argmax()) if bool(wrong.any()) else -1


def _mean(units: Tensor) -> Tensor:
    """Mean over agents of whole numbers [B, N]: exact sums in float64."""
    total = units.sum(1, dtype=torch.float64)
    # a device multiplies by the reciprocal of a Python number instead of dividing
    return total / total.new_tensor(units.shape[1])


def allot_proportional(order: Tensor, capacity: int, uniform: NDArray[np.float64]) -> Tensor:
    """See `loops.allot_proportional`."""
    asked = order.long().cumsum(1)
    total = asked[:, -1:]
    return _allotted(order, asked * capacity, _offset(uniform, total), total, total > capacity)


def allot_uniform(order: Tensor, capacity: int, uniform: NDArray[np.float64]) -> Tensor:
    """See `loops.allot_uniform`."""
    units = order.long()
    scarce = units.sum(1, keepdim=True) > capacity
    rest = torch.full_like(units[:, :1], capacity)
    parts = torch.full_like(rest, units.shape[1])
    while True:
        met = units * parts <= rest
        over = (~met).sum(1, keepdim=True)
        if bool(((over == parts) | ~scarce).all()):
            break
        rest = torch.where(scarce, capacity - (units * met).sum(1, keepdim=True), rest)
        parts = torch.where(scarce, over, parts)
    now = torch.where(met, units * parts, rest).cumsum(1)
    return _allotted(order, now, _offset(uniform, parts), parts, scarce)


def allot_linear(order: Tensor, capacity: int, uniform: NDArray[np.float64]) -> Tensor:
    """See `loops.allot_linear`."""
    units = order.long()
    total = units.sum(1, keepdim=True)
    scarce = total > capacity
    excess = total - capacity
    parts = (units > 0).sum(1, keepdim=True).clip(min=1)
    while True:
        kept = units * parts > excess
        over = kept.sum(1, keepdim=True)
        if bool(((over == parts) | ~scarce).all()):
            break
        excess = torch.where(scarce, (units * kept).sum(1, keepdim=True) - capacity, excess)
        parts = torch.where(scarce, over, parts)
    now = torch.where(kept, units * parts - excess, 0).cumsum(1)
    return _allotted(order, now, _offset(uniform, parts), parts, scarce)


def _offset(uniform: NDArray[np.float64], parts: Tensor) -> Tensor:
    """[B, 1]: a whole number in 0..parts - 1."""
    return (array(uniform, str(parts.device))[:, None] * parts).long()


def _allotted(order: Tensor, now: Tensor, offset: Tensor, parts: Tensor, scarce: Tensor) -> Tensor:
    """Shares from their running sums [B, N] where the supplier is short, the order elsewhere."""
    shares = shared_out(_before(now), now, offset, parts.clip(min=1))
    return torch.where(scarce, shares.float(), order)


def _before(now: Tensor) -> Tensor:
    """Running sums [B, N] before each agent."""
    return torch.cat([torch.zeros_like(now[:, :1]), now[:, :-1]], 1)


def receive(
    pipeline: Tensor, lead: Tensor, t: int, stock: Tensor, room: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """See `loops.receive`."""
    slots = pipeline.shape[0]
    # a pass over the slots, so that memory is read in order
    received = pipeline[t % slots] * (lead == 0)
    for back in range(1, slots):
        received = received + pipeline[(t - back) % slots] * (lead == back)
    offered = lesser(stock + received, room)
    return received, offered, _mean(offered)


def sell(offered: Tensor, backlog: Tensor, demand: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """See `loops.sell`."""
    wanted = demand + backlog
    sold = lesser(offered, wanted)
    return sold, wanted - sold, _mean(sold)


def spill(
    unmet: Tensor, offered: Tensor, sold: Tensor, share: int, leaving: NDArray[np.float64],
    arriving: NDArray[np.float64],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """See `loops.spill`."""
    agents = unmet.shape[1]
    now = unmet.long().cumsum(1) * share
    parts = torch.full_like(now[:, :1], SPILL_PARTS)
    spilled = shared_out(_before(now), now, _offset(leaving, parts), parts)
    pool = spilled.sum(1, keepdim=True)
    now = (pool - spilled).cumsum(1)
    parts = torch.full_like(parts, agents - 1)
    came = shared_out(_before(now), now, _offset(arriving, parts), parts).float()
    taken = lesser(came, offered - sold)
    return spilled.float(), came, taken, _mean(sold + taken)


def settle(
    parameters: Tensor, premium: Tensor, price: Tensor, keep_unmet: bool, order: Tensor, bought: Tensor,
    offered: Tensor, sold: Tensor, unmet: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """See `loops.settle`."""
    p0, c, h, b, ell, K, phi, delta, v = parameters
    left = offered - sold
    spoiled = spoilage(delta, left)
    nothing = torch.zeros_like(unmet)
    backlog, lost = (unmet, nothing) if keep_unmet else (nothing, unmet)
    stock = left - spoiled
    rewards = reward(
        p0, c, h, b, ell, K, phi, v, price[:, None], premium[:, None], order, bought, sold, stock, backlog,
        lost, spoiled,
    )  # fmt: skip
    return stock, backlog, lost, spoiled, rewards.float()


def mean_of_others(actions: Tensor, counts: Tensor) -> Tensor:
    """See `loops.mean_of_others`."""
    mean = counts[:, None, :].expand(*actions.shape, counts.shape[1]).clone()
    mean.scatter_add_(2, actions[..., None], mean.new_full((*actions.shape, 1), -1.0))
    return mean / mean.new_tensor(actions.shape[1] - 1)


def mean_share_of_others(actions: Tensor, sums: Tensor) -> Tensor:
    """See `loops.mean_share_of_others`."""
    return ((sums - actions) / sums.new_tensor(actions.shape[1] - 1)).clip(0, 1)[..., None]


def observe(
    template: Tensor, unit: Tensor, pipeline: Tensor, lead: Tensor, t: int, stock: Tensor, backlog: Tensor,
    demand: Tensor, shared: Tensor,
) -> Tensor:  # fmt: skip
    """See `loops.observe`."""
    slots, copies, agents = pipeline.shape
    width, number_shared = template.shape[1], shared.shape[1]
    first = 3 + slots - 1
    obs = torch.empty((copies, agents, width), device=stock.device)
    obs[..., 0] = observed(stock, unit)
    obs[..., 1] = observed(backlog, unit)
    obs[..., 2] = observed(demand, unit)
    for ahead in range(slots - 1):
        arriving = torch.zeros_like(stock)
        for longest in range(ahead + 1, slots):
            arriving = arriving + pipeline[(t - longest + ahead) % slots] * (lead == longest)
        obs[..., 3 + ahead] = observed(arriving, unit)
    obs[..., first : first + number_shared] = shared[:, None, :]
    obs[..., first + number_shared :] = template[:, first + number_shared :]
    return obs


def _signed(bits: np.uint64) -> int:
    return int(bits.astype(np.int64))


GOLDEN, FIRST, SECOND = (_signed(bits) for bits in (streams.GOLDEN, streams.FIRST, streams.SECOND))


def _shifted(bits: Tensor, places: int) -> Tensor:
    """A logical shift to the right."""
    return (bits >> places) & ((1 << (64 - places)) - 1)


def mixed(state: Tensor) -> Tensor:
    """See `streams.mixed`."""
    state = (state ^ _shifted(state, 30)) * FIRST
    state = (state ^ _shifted(state, 27)) * SECOND
    return state ^ _shifted(state, 31)


def _wrapped(value: int) -> int:
    """A whole number in int64, modulo 2^64."""
    return (value + 2**63) % 2**64 - 2**63


def uniforms32(keys: Tensor, channel: int, t: int, agents: int) -> Tensor:
    """[B, N]: 32 random bits an agent; see `streams.stream` and `streams.uniform32`."""
    drawn = mixed(mixed(keys + _wrapped(GOLDEN * (channel + 1))) + _wrapped(GOLDEN * (t + 1)))
    counter = torch.arange(1, agents + 1, device=keys.device) * GOLDEN
    return _shifted(mixed(drawn[:, None] + counter), 32)


def tabled_units(keys: Tensor, t: int, table: Tensor, guide: Tensor, lowest: Tensor) -> Tensor:
    """See `loops.tabled_units`; the guide is not needed."""
    uniform = uniforms32(keys, streams.DEMAND, t, lowest.shape[0]).clip(max=LAST)
    return (lowest + torch.searchsorted(table, uniform.T.contiguous(), right=True).T).float()


def counted_units(keys: Tensor, t: int, mean: Tensor, cv2: Tensor, factor: Tensor) -> Tensor:
    """See `loops.counted_units`."""
    uniform = (uniforms32(keys, streams.DEMAND, t, mean.shape[0]).double() + 0.5) * 2.0**-32
    m = mean * factor[:, None]
    k = (m - 7 * (m + cv2 * m * m).sqrt()).floor().clip(min=0)
    p = log_probability(k, m, cv2).exp()
    cumulative = p.clone()
    odds = m / (1 + cv2 * m)
    while True:
        going = (cumulative <= uniform) & ((k < m) | (p > SMALLEST))
        if not bool(going.any()):
            return k.float()
        p = torch.where(going, p * (odds * (1 + cv2 * k) / (k + 1)), p)
        k = k + going
        cumulative = torch.where(going, cumulative + p, cumulative)


def log_probability(k: Tensor, m: Tensor, cv2: Tensor) -> Tensor:
    """See `count_law.log_probability`."""
    few = k < STIRLING
    many = torch.where(few, torch.full_like(k, float(STIRLING)), k)
    counted = torch.where(
        few,
        torch.xlogy(k, m) - k - torch.lgamma(k + 1),
        -k * torch.log1p((k - m) / m) - 0.5 * torch.log(2 * math.pi * many) - stirling(many),
    )
    r = 1 / torch.where(cv2 > 0, cv2, torch.ones_like(cv2))
    wide = r < STIRLING
    regular = torch.where(wide, torch.full_like(r, float(STIRLING)), r)
    binomial = torch.where(
        wide,
        k * torch.log(r / (r + m)) + k - r * torch.log1p(m / r)
        + torch.lgamma(k + r) - torch.lgamma(r) - torch.xlogy(k, r),
        (r + k) * torch.log1p((k - m) / (r + m)) - 0.5 * torch.log1p(k / r) + stirling(regular + k) - stirling(regular),
    )  # fmt: skip
    return counted + torch.where(cv2 > 0, binomial, k - m)


def recorded_units(units: Tensor, rows: Tensor) -> Tensor:
    """See `loops.recorded_units`."""
    return units[rows]
