"""One agent's decision process with everything that happens to it: net stock and orders on the way, room included.

The state of `process` for backlog, the inventory position, leaves out the room and charges costs before they arise.
Bounds must hold for every policy, one that fills the room included, so here both kinds of unmet demand have the same
state: z = stock + what arrives now - backlog, and the L - 1 orders that arrive later (L = 0: stock - backlog before the
order). Backlog may grow as deep as the demand of a whole episode.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from envs.inventory.config import MarketConfig
from envs.inventory.mean_field.couplings import first_stock, terminal_share
from envs.inventory.mean_field.demand_law import lost_sales, probabilities, sell_all, shortfall
from envs.inventory.types import AgentType
from envs.unsolvable import Unsolvable

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_BYTES = 512 * 2**20
"""Of one table over periods, states and actions."""
TAIL = 1e-15
"""Demand of a period less likely than this is left out."""
DEEP = 12
"""Standard deviations, and largest scales of a tail, by which an episode's demand may pass its mean."""


@dataclass(frozen=True)
class OwnProcess:
    """T periods, A actions, n net stocks, 0..V customers of others who come in a period; see the file."""

    agent: AgentType
    backlog: bool
    sell_all: bool
    levels: Doubles
    """[A], u."""
    low: int
    """Net stock of index 0, u."""
    size: int
    """n; the last is the room."""
    kept: Integers
    """[n]: index of what is left after spoilage."""
    kernels: tuple[Any, ...]
    """[n, n] each, dense or sparse: what demand leaves, given the net stock before it."""
    kernel_of: Integers
    """[T]: which of them."""
    traded: tuple[Doubles, ...]
    """[V + 1, n] each: expected units that the retail price acts on, sold (lost sales) or left unmet (backlog)."""
    traded_squared: tuple[Doubles, ...]
    """[V + 1, n] each, of lost sales; zeros with backlog."""
    money: tuple[Doubles, ...]
    """[V + 1, n] each: $ that hang on no price: holding, backlog, lost sales, salvage."""
    means: Doubles
    """[T]: expected demand, u."""
    end_worth: float
    """$ for a unit of inventory position after the last period."""
    start: int
    """Index of the first net stock before an order of L = 0, or what is on offer first."""

    @property
    def joining(self) -> Doubles:
        """[A]: units of an order that there can ever be room for."""
        return np.minimum(self.levels, self.low + self.size - 1)

    @property
    def most_visitors(self) -> int:
        """V."""
        return len(self.money[0]) - 1

    @property
    def pipeline(self) -> int:
        """Orders listed beside the net stock."""
        return max(self.agent.L - 1, 0)


def own_process(
    agent: AgentType, config: MarketConfig, means: Doubles, levels: Doubles, most_visitors: int = 0
) -> OwnProcess:
    """The process of `agent` with mean demand `means` [T] and orders `levels` [A], in whole units.

    Args:
        agent: its figures.
        config: of the market.
        means: of its own customers.
        levels: from the smallest on.
        most_visitors: customers of others who come in a period, lost sales only.

    Raises:
        ValueError: where its states do not fit in memory, or its first state is none of them.
    """
    backlog, everything = config.unmet == "backlog", config.demand_mode == "sell_all"
    room = int(np.rint(config.stock_cap * agent.mu))
    low = -_deepest(means, agent.cv2) if backlog else 0
    size = room - low + 1
    if agent.L >= 2 and not (levels == 0).any():
        raise Unsolvable(f"nothing is on order at the start, so with L = {agent.L} the action grid needs a 0")
    size_in_bytes = 4 * (most_visitors + 1) * means.size * size * levels.size ** max(agent.L, 1)
    if size_in_bytes > MOST_BYTES:
        raise Unsolvable(
            f"L = {agent.L} with {size:,} net stocks, {levels.size} orders and {means.size} periods needs tables of "
            f"{size_in_bytes / 2**20:,.0f} MiB, more than {MOST_BYTES // 2**20}"
        )
    net = low + np.arange(size)
    held = np.maximum(net, 0)
    # rounded as the market rounds it
    spoiled = np.rint(agent.delta * held.astype(np.float32)).astype(np.int64)
    left_worth = agent.v * spoiled - agent.h * (held - spoiled) - agent.b * np.maximum(-net, 0)
    distinct, kernel_of = np.unique(means, return_inverse=True)
    if backlog:
        laws = [_waiting(float(mean), agent, net, left_worth) for mean in distinct]
    else:
        laws = [_lost(float(mean), agent, left_worth, everything, most_visitors) for mean in distinct]
    kernels, traded, squared, money = zip(*laws, strict=True)
    return OwnProcess(
        agent, backlog, everything, levels, low, size, (net - spoiled - low).astype(np.int64), kernels, kernel_of,
        traded, squared, money, means, agent.c * terminal_share(config), min(first_stock(config, agent), room) - low,
    )  # fmt: skip


def _deepest(means: Doubles, cv2: float) -> int:
    """Backlog that an episode's demand does not pass, but for a chance below 1e-12."""
    spread = np.sqrt((means + cv2 * means**2).sum())
    return int(np.ceil(means.sum() + DEEP * (spread + 3 * (1 + cv2 * means.max()))))


def _lost(
    mean: float, agent: AgentType, left_worth: Doubles, everything: bool, most_visitors: int
) -> tuple[Any, Doubles, Doubles, Doubles]:
    """Kernel, units that the price acts on, their squares, and money, of one period with lost sales."""
    top = left_worth.size - 1
    law = sell_all(top) if everything else lost_sales(mean, agent.cv2, top)
    left = np.arange(top + 1)
    sold, squared, money = np.empty((3, most_visitors + 1, top + 1))
    for visitors in range(most_visitors + 1):
        served = np.minimum(left, visitors)
        # of z on offer z - y are sold to own customers, where y is left for visitors
        units = np.maximum(left[:, None] - left, 0) + served
        sold[visitors] = (law.kernel * units).sum(1)
        squared[visitors] = (law.kernel * units**2).sum(1)
        money[visitors] = law.kernel @ left_worth[left - served] - agent.ell * law.lost
    return law.kernel, sold, squared, money


def _waiting(
    mean: float, agent: AgentType, net: Integers, left_worth: Doubles
) -> tuple[Any, Doubles, Doubles, Doubles]:
    """Kernel, units left unmet, zeros, and money, of one period with backlog."""
    top = net.size - 1
    last = int(stats.poisson.isf(TAIL, mean) if agent.cv2 == 0 else _highest(mean, agent.cv2))
    pmf, _ = probabilities(mean, agent.cv2, min(last, top))
    # what would fall below the lowest stays there
    before, after = np.arange(net.size)[:, None], np.maximum(np.arange(net.size)[:, None] - np.arange(pmf.size), 0)
    chances, before, after = np.broadcast_arrays(pmf, before, after)
    kernel = sparse.csr_array((chances.ravel(), (before.ravel(), after.ravel())), shape=(net.size, net.size))
    unmet = shortfall([(mean, agent.cv2)], net.astype(float)).short
    return kernel, unmet[None], np.zeros((1, net.size)), (kernel @ left_worth)[None]


def _highest(mean: float, cv2: float) -> float:
    return float(stats.nbinom.isf(TAIL, 1 / cv2, 1 / (1 + cv2 * mean)))
