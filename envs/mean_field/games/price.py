"""Firms that produce and restock, at a price that falls with what all of them sell (Guo et al. 2022, section 6)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array, sparse_kernel
from envs.mean_field.loops import Loops
from envs.mean_field.ranges import check_number, check_numbers, check_whole

HIGHEST = 10.0
"""The price where next to nothing is offered."""
FAINTEST = 1e-12
"""The least offer that has a price of its own."""


def equilibrium_price(
    capacity: int = 3,
    horizon: int = 5,
    demand: float = 1.0,
    elasticity: float = 1.0,
    costs: tuple[float, float, float, float, float] = (0.5, 0.5, 0.5, 0.2, 0.2),
) -> FiniteMFG:
    """Stock s in 0..capacity; an action orders h and offers q, each 0..capacity.

    r = (p - c0) q - c1 q^2 - c2 h - c3 max(q - s, 0) - c4 s with p = (demand / mean q)^(1 / elasticity), at most 10 (no
    offer has no price); s' = min(s - min(q, s) + h, capacity).

    Raises:
        ValueError: for a setting out of its range.
    """
    check_whole("equilibrium-price", "capacity", capacity, least=1)
    check_number("equilibrium-price", "demand", demand, above=0)
    check_number("equilibrium-price", "elasticity", elasticity, above=0)
    check_numbers("equilibrium-price", "costs", costs, 5)
    c0, c1, c2, c3, c4 = costs
    stock = np.arange(capacity + 1)
    offer, order = (g.ravel() for g in np.meshgrid(stock, stock, indexing="ij"))
    s = stock[:, None]
    after = np.minimum(s - np.minimum(offer, s) + order, capacity)
    fixed = -c0 * offer - c1 * offer**2 - c2 * order - c3 * np.maximum(offer - s, 0) - c4 * s

    def reward(t: NDArray[np.int64], x: Array) -> Array:
        sold = (x * offer).sum((-2, -1))
        price = np.minimum(HIGHEST, (demand / np.maximum(sold, FAINTEST)) ** (1 / elasticity))
        return np.asarray(fixed + price[..., None, None] * offer)

    return FiniteMFG(
        name="equilibrium-price",
        horizon=horizon,
        initial=np.full(capacity + 1, 1 / (capacity + 1)),
        kernel=sparse_kernel(after[..., None], np.ones((*after.shape, 1))),
        reward=reward,
        sees_actions=True,
        loops=Loops(priced_loop, (fixed, offer.astype(float), float(demand), float(elasticity))),
    )


def priced_loop(t: int, mu: Array, x: Array, params: Any, out: Array) -> None:
    """r = fixed(s, a) + p offer(a), of fixed[S, A], offer[A], demand and elasticity."""
    fixed, offer, demand, elasticity = params
    states, actions = fixed.shape
    sold = 0.0
    for s in range(states):
        for a in range(actions):
            sold += x[s, a] * offer[a]
    price = min(HIGHEST, (demand / max(sold, FAINTEST)) ** (1 / elasticity))
    for s in range(states):
        for a in range(actions):
            out[s, a] = fixed[s, a] + price * offer[a]
