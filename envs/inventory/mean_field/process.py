"""What an agent of one type knows, does and earns against a given field.

With N to infinity the mean order m_t and mean sales become a known path, and an agent meets them only as prices: what
a unit ordered costs, what a unit sold brings. What is left is one small decision process per type. Its state:

- backlog, any L: the inventory position x (stock + on order - backlog). An order of period t acts first at the end of
  period t + L, on the net stock y_t - D_t - ... - D_t+L with y = x + q, so costs up to then depend on y alone and are
  charged at t; what is on order need not be told apart.
- lost sales, L = 0: the stock x; y = x + q is on offer in the same period.
- lost sales, L = 1: z = stock + what arrives now, which is all that is on offer; the order placed now joins what is
  left over, z' = (z - D)+ + q.
- lost sales, L >= 2: z and the L - 1 orders that arrive later, each one of the A levels; lost demand breaks the sum
  that lets backlog do without them.

Stock above the room is scrapped in all of them but backlog with L >= 1, where the room is left out and the chance
that it would bind is told as residual.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.mean_field.couplings import first_stock, terminal_share
from envs.inventory.mean_field.demand_law import exceeds, lost_sales, probabilities, sell_all, shortfall
from envs.inventory.types import AgentType
from envs.unsolvable import Unsolvable

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
LARGEST = 400_000
"""Most state-action pairs of a type in one period; 11 levels and L = 3 have some 100,000."""
BACKLOG_DEPTH = 12
"""Backlog is followed down to this many periods of mean demand (and the lead time's)."""

FEATURES = ("sold", "sold_squared", "lost", "offered", "money", "overflow")


@dataclass(frozen=True)
class Feature:
    """Expected amounts of period t + lag, given the position before (x) and after (y) the order of period t."""

    before: Doubles
    """[T, n]."""
    after: Doubles
    """[T, n]; zeros where orders come too late to be on offer in the same period."""
    start: Doubles
    """[lag]: of the first periods, which no order reaches."""


@dataclass(frozen=True)
class TypeModel:
    """The decision process of one type against given prices. T periods, A actions, n positions."""

    name: str
    share: float
    """Of the population; all types' sum to 1."""
    agent: AgentType
    levels: Doubles
    """[A]: units of each action."""
    low: int
    """Position of index 0, u."""
    size: int
    """n."""
    room: int
    """u."""
    lag: int
    """Periods until an order shows in sales and costs: L with backlog, where the state is a sum; else 0."""
    pipeline: int
    """Orders that the state lists besides the position: L - 1 for lost sales with L >= 2, else 0."""
    order_first: bool
    """The order joins the position before demand (L = 0, backlog), or what demand leaves (lost sales, L >= 1)."""
    kernels: Doubles
    """[distinct, n, n]: position after demand, given the one before it."""
    kept: Integers
    """[n]: index of what is left after spoilage."""
    left_worth: Doubles
    """[n]: $ of what is left before spoilage (lost sales): salvage less holding; `money` has it, without visitors."""
    kernel_of: Integers
    """[T]: which of them."""
    escaped: Doubles
    """[distinct, n]: probability that demand would lead below the lowest position."""
    capped: Doubles
    """[n, A]: 1 where position + order would be higher and the grid, not the room, is what stops it."""
    sold: Feature
    sold_squared: Feature
    """Of lost sales; zeros with backlog."""
    lost: Feature
    offered: Feature
    """u on offer: stock and what arrives."""
    money: Feature
    """$ that hang on no price: holding, backlog, lost sales, salvage."""
    overflow: Feature
    """Probability that the room, left out here, would bind."""
    end_worth: float
    """$ for a unit of inventory position when the game is over, paid with the last period."""
    start: tuple[int, ...]
    """Index of the first state."""

    @property
    def state_shape(self) -> tuple[int, ...]:
        """[n], and A for every listed order, the next to arrive first."""
        return (self.size, *(self.levels.size,) * self.pipeline)

    @property
    def positions(self) -> Doubles:
        """[n], u."""
        return self.low + np.arange(self.size, dtype=float)

    def inventory_position(self) -> Doubles:
        """Stock + on order - backlog in every state, in u: `state_shape`."""
        return position_of(self.positions, [self.levels] * self.pipeline)


def position_of(stock: Doubles, on_order: Sequence[Doubles]) -> Doubles:
    """stock [n] plus one of each of the orders [A] on the way: [n, A, ...]."""
    total = stock.reshape(-1, *(1,) * len(on_order))
    for axis, units in enumerate(on_order):
        total = total + units.reshape(-1, *(1,) * (len(on_order) - 1 - axis))
    return np.asarray(total)


def type_model(name: str, agent: AgentType, share: float, config: MarketConfig, season: Doubles) -> TypeModel:
    """The process of one type under the season's factors [T]; raises ValueError for what it cannot hold."""
    grid = np.asarray(config.action_grid, float)
    levels = np.rint(grid * agent.mu) if config.action_mode == "levels" else np.rint(grid)
    room = int(np.rint(config.stock_cap * agent.mu))
    first = min(first_stock(config, agent), room)
    pipeline = max(agent.L - 1, 0) if config.unmet == "lost" else 0
    if pipeline and not (levels == 0).any():
        raise Unsolvable(f"{name}: nothing is on order at the start, so with L = {agent.L} the action grid needs a 0")
    if (pairs := (room + 1) * levels.size ** (pipeline + 1)) > LARGEST:
        raise Unsolvable(
            f"{name}: lost sales with L = {agent.L} has {pairs:,} states x actions a period, more than {LARGEST:,}; "
            "give it a shorter lead time or fewer action levels, or set unmet=backlog, which needs one position only"
        )
    if config.unmet == "backlog" and agent.delta > 0:
        raise Unsolvable(f"{name}: spoilage (delta {agent.delta:g}) with backlog has no exact position; set unmet=lost")
    means = agent.mu * season
    everything = config.demand_mode == "sell_all"
    if everything and config.unmet == "backlog":
        raise Unsolvable("demand_mode is sell_all, which leaves nothing unmet: set unmet=lost")
    end = agent.c * terminal_share(config)
    build = _lost if config.unmet == "lost" else _backlog
    return build(_Setting(name, agent, share, levels, room, first, means, agent.cv2, everything, end))


@dataclass(frozen=True)
class _Setting:
    """What both kinds of processes are built from."""

    name: str
    agent: AgentType
    share: float
    levels: Doubles
    room: int
    first: int
    """Stock at the start, u."""
    means: Doubles
    """[T]."""
    cv2: float
    sell_all: bool
    """Whether demand takes whatever is offered."""
    end: float
    """$ per unit of position at the end."""


def _lost(of: _Setting) -> TypeModel:
    agent, levels, room, means, cv2 = of.agent, of.levels, of.room, of.means, of.cv2
    distinct, kernel_of = np.unique(means, return_inverse=True)
    laws = [sell_all(room) if of.sell_all else lost_sales(float(mean), cv2, room) for mean in distinct]
    nothing = np.zeros((means.size, room + 1))
    none = np.zeros(0)
    left = np.arange(room + 1.0)
    spoiled = np.rint(agent.delta * left)
    left_worth = agent.v * spoiled - agent.h * (left - spoiled)

    def feature(rows: Doubles) -> Feature:
        spread = np.broadcast_to(rows, (distinct.size, room + 1))[kernel_of]
        return Feature(nothing, spread, none) if agent.L == 0 else Feature(spread, nothing, none)

    pipeline = max(agent.L - 1, 0)
    money = [law.kernel @ left_worth - agent.ell * law.lost for law in laws]
    waiting = (int(np.argmax(levels == 0)),) * pipeline
    return TypeModel(
        of.name, of.share, agent, levels, 0, room + 1, room, 0, pipeline, agent.L == 0,
        kernels=np.stack([law.kernel for law in laws]),
        kernel_of=kernel_of,
        kept=(left - spoiled).astype(np.int64),
        left_worth=left_worth,
        escaped=np.zeros((distinct.size, room + 1)),
        capped=np.zeros((room + 1, levels.size)),
        sold=feature(np.stack([law.sold for law in laws])),
        sold_squared=feature(np.stack([law.sold_squared for law in laws])),
        lost=feature(np.stack([law.lost for law in laws])),
        offered=feature(np.arange(room + 1.0)),
        money=feature(np.stack(money)),
        overflow=feature(np.zeros(room + 1)),
        end_worth=of.end,
        start=(of.first, *waiting),
    )  # fmt: skip


def _backlog(of: _Setting) -> TypeModel:
    agent, levels, room, means, cv2 = of.agent, of.levels, of.room, of.means, of.cv2
    lead, horizon = agent.L, means.size
    low = -int(np.ceil((BACKLOG_DEPTH + lead) * means.max()))
    # an order never exceeds the highest level, so with L = 0 the room caps the position itself
    top = room if lead == 0 else room + int(np.ceil(lead * max(means.max(), levels.max())))
    x = np.arange(low, top + 1, dtype=float)
    distinct, kernel_of = np.unique(means, return_inverse=True)
    kernels = np.zeros((distinct.size, x.size, x.size))
    escaped = np.zeros((distinct.size, x.size))
    for i, mean in enumerate(distinct):
        pmf, above = probabilities(float(mean), cv2, x.size)
        for j in range(x.size):
            kernels[i, j, 1 : j + 1] = pmf[:j][::-1]
            kernels[i, j, 0] = above[j - 1] if j else 1.0
            escaped[i, j] = above[j]
    before = {
        what: np.zeros((horizon, x.size)) for what in ("sold", "sold_squared", "lost", "offered", "money", "overflow")
    }
    after = {what: np.zeros((horizon, x.size)) for what in before}
    begin = {what: np.zeros(min(lead, horizon)) for what in before}

    def demands(t: int, until: int) -> list[tuple[float, float]]:
        return [(float(means[s]), cv2) for s in range(t, until)]

    cache: dict[tuple[object, ...], tuple[Doubles, ...]] = {}
    for t in range(horizon - lead):
        ahead, closing = demands(t, t + lead), demands(t, t + lead + 1)
        key = tuple(closing)
        if key not in cache:
            opens, closes = shortfall(ahead, x), shortfall(closing, x)
            cost = -agent.h * closes.over(x) - agent.b * closes.short
            binds = exceeds(ahead, x, room) if lead else np.zeros(x.size)
            cache[key] = (opens.short, closes.short, x - opens.mean, cost, binds)
        short, next_short, offered, cost, binds = cache[key]
        before["sold"][t], after["sold"][t] = means[t + lead] + short, -next_short
        before["offered"][t], after["offered"][t] = short, offered
        after["money"][t], after["overflow"][t] = cost, binds
    held = np.array([float(of.first)])
    for t in range(min(lead, horizon)):
        opens, closes = shortfall(demands(0, t), held), shortfall(demands(0, t + 1), held)
        begin["sold"][t] = means[t] + opens.short[0] - closes.short[0]
        begin["offered"][t] = opens.over(held)[0]
        begin["money"][t] = -agent.h * closes.over(held)[0] - agent.b * closes.short[0]
    features = {what: Feature(before[what], after[what], begin[what]) for what in before}
    beyond = np.arange(x.size)[:, None] + levels > x.size - 1
    return TypeModel(
        of.name, of.share, agent, levels, low, x.size, room, lead, 0, True,
        kernels=kernels, kernel_of=kernel_of, kept=np.arange(x.size),
        left_worth=np.zeros(x.size), escaped=escaped,
        capped=np.where(lead > 0, beyond, False).astype(float), end_worth=of.end, start=(of.first - low,), **features,
    )  # fmt: skip
