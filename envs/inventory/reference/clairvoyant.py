"""The clairvoyant bound: what an agent could earn that knew all its demand and all prices beforehand.

Information relaxation (Brown, Smith and Sun 2010): whoever knows the future earns at least as much as whoever does not,
so the mean over episodes bounds the value of every policy against the same field. With demand known an order can be
thought of as placed when it arrives, at the price and discount of L periods earlier: the state is the stock alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from envs.compiled import compiled
from envs.inventory.formulas import spoilage
from envs.inventory.ledger import Ledger
from envs.inventory.market import MOST_ORDERED, REWARD_PARAMETERS, InventoryMarket
from envs.population import Step
from envs.unsolvable import Unsolvable

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


class Field:
    """Demand and prices of an episode as some agents met it; feed it every step of the episode in order.

    The others' prices are those without the agent's own order and its own part in what the retail price follows; the
    agent's own part only raises what it pays and lowers what it earns.
    """

    def __init__(self, env: InventoryMarket, agents: Integers | None = None) -> None:
        """`agents`: indices of those that are noted; all where not given."""
        self.agents = np.arange(env.num_agents) if agents is None else agents
        self._config, self._slope, self._mean_demand, self._num = (
            env.config, env.slope, env.mean_demand, env.num_agents,
        )  # fmt: skip
        self._demand: list[Doubles] = []
        self._order: list[Doubles] = []
        self._granted: list[Doubles] = []
        self._premium: list[Doubles] = []
        self._ratio: list[Doubles] = []
        self._price: list[Doubles] = []
        self._visitors: list[Integers] = []

    def add(self, step: Step) -> None:
        """Note one period; raises ValueError for a game that does not say its prices."""
        if not isinstance(step.metrics, Ledger):
            raise ValueError("the clairvoyant bound is of the market: this step does not say its prices")
        period, c = step.metrics.period, self._config
        order = np.asarray(period.order, float)
        sold = np.asarray(period.sold, float)
        own = {"sales": sold, "stock": sold + period.stock + period.spoiled, "orders": order}[c.price_signal]
        others = (own.mean(1)[:, None] - own[:, self.agents] / self._num) / self._mean_demand
        mine = order[:, self.agents]
        self._demand.append(np.asarray(period.demand, float)[:, self.agents])
        self._order.append(mine)
        self._granted.append(np.asarray(period.allotted, float)[:, self.agents])
        self._premium.append(np.asarray(period.premium, float)[:, None] - self._slope * mine / self._num)
        self._ratio.append(1 - c.price_coupling * (others - 1))
        self._price.append(np.asarray(period.price, float))
        none = np.zeros(mine.shape, np.int64)
        came = none if period.visitors is None else np.rint(period.visitors[:, self.agents]).astype(np.int64)
        self._visitors.append(came)

    @property
    def demand(self) -> Doubles:
        """[T, B, n] of the n agents, u."""
        return np.stack(self._demand)

    @property
    def order(self) -> Doubles:
        """[T, B, n], u."""
        return np.stack(self._order)

    @property
    def granted(self) -> Doubles:
        """[T, B, n]: what the supplier had of the order, u."""
        return np.stack(self._granted)

    @property
    def premium(self) -> Doubles:
        """[T, B, n]: wholesale price less c as the others make it, $/u."""
        return np.stack(self._premium)

    @property
    def ratio(self) -> Doubles:
        """[T, B, n]: retail price / p0 as the others make it, before the floor."""
        return np.stack(self._ratio)

    @property
    def price(self) -> Doubles:
        """[T, B]: retail price / p0 as it was."""
        return np.stack(self._price)

    @property
    def visitors(self) -> Integers:
        """[T, B, n]: customers of others who came, served or not."""
        return np.stack(self._visitors)


def clairvoyant_bound(env: InventoryMarket, field: Field, *, discount: float) -> Doubles:
    """[B, n]: the most that each agent of `field` could have earned in its episode, discounted, $.

    Exact by dynamic programming over whole units of stock. Actions are the market's own; where what arrives depends on
    more than the action (scarce supply) or on the position (order-up-to, continuous) any whole quantity up to the
    largest order is allowed, which only raises the bound. What an agent's own order adds to the wholesale price it
    pays; what it takes off its own retail price is left out, which raises the bound.

    Raises:
        ValueError: for order-up-to actions with backlog, and for a field that is not one whole episode.
    """
    config, p, mine = env.config, env.parameters, field.agents
    if config.action_mode == "order_up_to" and config.unmet == "backlog":
        raise Unsolvable("orders up to a position have no largest one with backlog, so there is no bound; set levels")
    demand = field.demand
    if demand.shape != (env.horizon, env.num_envs, mine.size):
        raise ValueError(
            f"the field is {demand.shape}; want one episode, {(env.horizon, env.num_envs, mine.size)}: "
            "periods, copies, agents"
        )
    orders = possible_orders(env)[mine]
    costs = np.stack([getattr(p, name)[mine] for name in REWARD_PARAMETERS])
    mu, lead = p.mu[mine], p.L[mine]
    start = lead + 1.0 if config.initial_stock is None else np.full(mine.size, config.initial_stock)
    worth = config.terminal_value * p.c[mine] if config.ending == "finite" else np.zeros(mine.size)
    return _best(
        np.ascontiguousarray(orders), lead, np.rint(config.stock_cap * mu).astype(np.int64),
        np.rint(start * mu).astype(np.int64), demand, field.premium, np.maximum(field.ratio, config.price_floor),
        costs, env.slope / env.num_agents, worth, field.visitors, config.unmet == "backlog",
        config.demand_mode == "sell_all", discount,
    )  # fmt: skip


def bound_steps(env: InventoryMarket) -> float:
    """How many orders in states `clairvoyant_bound` compares for one episode of all copies; some 10^9 a second."""
    p = env.parameters
    states = env.config.stock_cap * p.mu + (p.mu * env.horizon if env.config.unmet == "backlog" else 0)
    return float(states.sum() * env.num_envs * env.horizon * possible_orders(env).shape[1])


def possible_orders(env: InventoryMarket) -> Integers:
    """[N, A]: whole units that an agent may order, or get where supply is scarce."""
    if env.config.action_mode in ("levels", "absolute") and env.config.capacity is None:
        return env.order_levels.astype(np.int64)
    largest = MOST_ORDERED * env.parameters.mu if env.config.action_mode == "continuous" else env.order_levels.max(1)
    most = np.rint(largest).astype(np.int64)
    return np.minimum(np.arange(int(most.max()) + 1), most[:, None])


@compiled
def _closed(
    offered: Any, wanted: Any, taken: Any, p: float, h: float, unmet_cost: float, delta: float, v: float, backlog: bool
) -> tuple[float, Any]:
    """$ of a period in which `wanted` meets `offered`, before purchases; and the stock less backlog it leaves.

    Of what is left `taken` customers of others are served.
    """
    sold = min(offered, wanted)
    left = offered - sold - taken
    spoiled = np.int64(spoilage(delta, np.float32(left)))
    kept = left - spoiled
    unmet = wanted - sold
    gain = p * (sold + taken) - h * kept + v * spoiled - unmet_cost * unmet
    return gain, kept - unmet if backlog else kept


@compiled
def _best(
    orders: Integers, lead: Integers, room: Integers, start: Integers, demand: Doubles, premium: Doubles,
    price: Doubles, costs: Doubles, own: float, worth: Doubles, visitors: Integers, backlog: bool, sell_all: bool,
    gamma: float,
) -> Doubles:  # fmt: skip
    """The bound [B, N] by backward induction; see `clairvoyant_bound` for the arrays."""
    periods, copies, agents = demand.shape
    actions = orders.shape[1]
    found = np.empty((copies, agents))
    bought = np.empty(actions)
    for n in range(agents):
        p0, c, h, b_, ell, K, phi, delta, v = costs[:, n]
        top = max(room[n], start[n])
        unmet_cost = b_ if backlog else ell
        for b in range(copies):
            depth = np.int64(demand[:, b, n].sum()) if backlog else np.int64(0)
            # of net stock -depth, ..., top
            last = gamma ** (periods - 1) * worth[n]
            value = last * (np.arange(top + depth + 1) - depth)
            before = np.empty_like(value)
            offered_worth = np.empty(top + 1)
            for t in range(periods - 1, -1, -1):
                now, placed = gamma**t, t - lead[n]
                units = np.int64(demand[t, b, n])
                p = p0 * price[t, b, n]
                for a in range(actions):
                    q = orders[n, a]
                    bought[a] = 0.0 if q == 0 else np.inf
                    if q > 0 and placed >= 0:
                        bought[a] = gamma**placed * ((c + premium[placed, b, n]) * q + K + (0.5 * phi + own) * q * q)
                for offered in range(room[n] + 1):
                    wanted = offered if sell_all else units
                    taken = min(visitors[t, b, n], max(offered - wanted, 0))
                    gain, net = _closed(offered, wanted, taken, p, h, unmet_cost, delta, v, backlog)
                    # a net stock below -depth is on no path of the episode
                    offered_worth[offered] = now * gain + value[depth + net] if depth + net >= 0 else -np.inf
                for index in range(value.size):
                    stock = index - depth
                    best = -np.inf
                    for a in range(actions):
                        if stock >= 0:
                            best = max(best, offered_worth[min(stock + orders[n, a], room[n])] - bought[a])
                        else:
                            offered = min(orders[n, a], room[n])
                            wanted = offered if sell_all else units - stock
                            gain, net = _closed(offered, wanted, 0, p, h, unmet_cost, delta, v, backlog)
                            if depth + net >= 0:
                                best = max(best, now * gain + value[depth + net] - bought[a])
                    before[index] = best
                value, before = before, value
            total = value[start[n] + depth]
            for t in range(max(periods - lead[n], 0), periods):
                # orders that arrive after the end are worth placing only for what they are worth then
                most = 0.0
                for a in range(actions):
                    q = orders[n, a]
                    if q > 0:
                        paid = (c + premium[t, b, n]) * q + K + (0.5 * phi + own) * q * q
                        most = max(most, last * q - gamma**t * paid)
                total += most
            found[b, n] = total
    return found
