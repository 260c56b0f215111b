"""The inventory market, batched over copies and agents: B x N sellers coupled through what all of them order.

Order of events in period t (it gives L + 1 periods of exposure between an order and the demand it must cover):
 1. order q_i, all at once; mean order m_t;
 2. wholesale price w_i = c_i + slope (m_t - m_ref);
 3. where orders exceed the supplier's capacity they are allotted in whole units; what is allotted is paid now;
 4. receive what was allotted L periods ago; what exceeds the room for stock is scrapped;
 5. demand; sell from stock, backlog first; what is unmet is lost or backlogged;
 6. a share of the unmet demand tries another seller, once;
 7. retail price p_i = max(p0_i (1 - price_coupling (signal / m_ref - 1)), floor);
 8. spoilage of delta x the stock left over;
 9. reward = p sold - w allotted - K[q > 0] - phi q^2 / 2 - h stock - b backlog - ell lost + v spoiled.
The specification writes "w received" and leaves some settings of `easy` open; units are paid as they are ordered, and
those settings are chosen, because then the specification's reference values come out (docs/inventory.md has the fit).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.inventory.backend import Array, Backend
from envs.inventory.config import MarketConfig
from envs.inventory.demand import CountDemand, Demand, Shock
from envs.inventory.formulas import OBSERVED_LIMIT, retail_ratio, wholesale_premium
from envs.inventory.game import EXACT, InventoryGame
from envs.inventory.ledger import Ledger, Period
from envs.inventory.observation import market_observation, observed_of_all
from envs.inventory.streams import ROUNDING, SPILL, SPILL_TO, copy_uniforms
from envs.inventory.types import Parameters, draw_population
from envs.population import Step

REWARD_PARAMETERS = ("p0", "c", "h", "b", "ell", "K", "phi", "delta", "v")
"""Rows of the parameters that `settle` takes."""
MOST_ORDERED = 4.0
"""The largest order of continuous actions, in periods of mean demand."""


class InventoryMarket(InventoryGame):
    """A PopulationEnv. State is float32 holding whole numbers; every copy has its own random stream."""

    family = "market"
    remembered: ClassVar = {
        "stock": "stock", "backlog": "backlog", "pipeline": "pipeline", "last_demand": "_last_demand",
        "last_order": "_last_order", "last_premium": "_last_premium", "last_price": "_last_price",
        "last_fill": "_last_fill",
    }  # fmt: skip
    pipeline_axes = "longest lead time + 1, copies, agents"
    config: MarketConfig

    def __init__(
        self,
        config: MarketConfig,
        *,
        num_envs: int,
        parameters: Parameters,
        agent_types: NDArray[np.int64],
        type_names: Sequence[str],
        agent_names: Sequence[str],
        demand: Demand,
        seed: int,
        backend: Backend,
    ) -> None:
        """Use `make_market` or `envs.make`; the arguments here are what they work out."""
        self.config = config
        self.backend = backend
        self.num_envs, self.num_agents = num_envs, agent_types.size
        self.agent_types: NDArray[np.int64] = agent_types
        self.type_names: Sequence[str] = list(type_names)
        self.agent_names = list(agent_names)
        self.parameters = parameters
        self.demand = demand
        self.known_demand = demand
        """What a policy may be computed from: the demand process, or its record up to the held-out periods."""
        self.neighbours: NDArray[np.bool_] | None = None
        self.horizon = config.horizon
        self.order_levels: NDArray[np.float64] = _order_levels(config, parameters)
        """[N, A]: units of each action, or order-up-to positions; A = 0 for continuous actions."""
        if config.action_mode == "continuous":
            self.action_space = gym.spaces.Box(0.0, 1.0, (), np.float32)
            mean_entries = 1
        else:
            mean_entries = self.order_levels.shape[1]
            self.action_space = gym.spaces.Discrete(mean_entries)
        self.mean_action_space = gym.spaces.Box(0.0, 1.0, (mean_entries,), np.float32)
        self.mean_demand = float(parameters.mu.mean())
        """m_ref, u/period: the mean order at which every agent pays its own c."""
        self._mean_cost = float(parameters.c.mean())
        self.slope = config.congestion * self._mean_cost / self.mean_demand
        # a product that is whole but for the last bits of its factors counts as whole
        self.capacity = None if config.capacity is None else int(config.capacity * float(parameters.mu.sum()) + 1e-6)
        """Units the supplier has a period, for all agents together."""
        if self.capacity == 0:
            raise ValueError(
                f"capacity {config.capacity} of {self.num_agents} agents with mean demand {self.mean_demand:g} is not "
                "one whole unit: raise `capacity`, or the number of agents"
            )
        self._lead = int(parameters.L.max())
        self._check_exact()
        self._place_constants()
        self._observed = market_observation(parameters, agent_types, type_names, config, self.mean_demand)
        self._template = backend.array(self._observed.template)
        self.observation_space = self._observed.space
        self._seeds = np.zeros(num_envs, np.uint64)
        self._episode = 0
        self.reset(seed)

    def _check_exact(self) -> None:
        """Refuse quantities that float32 units, or the 64 bits that scarce supply is shared out in, cannot hold."""
        c, p = self.config, self.parameters
        continuous = c.action_mode == "continuous"
        largest = MOST_ORDERED * p.mu if continuous else self.order_levels.max(1)
        room = np.maximum(c.stock_cap, p.L + 1.0 if c.initial_stock is None else c.initial_stock) * p.mu
        owed = c.horizon * p.mu if c.unmet == "backlog" else 0 * p.mu
        for what, units, mend in (
            ("order", largest, "lower `action_grid`"),
            ("stock", room, "lower `stock_cap` or `initial_stock`"),
            ("backlog", owed, "shorten `horizon`"),
        ):
            n = int(units.argmax())
            if units[n] > EXACT:
                raise ValueError(
                    f"{self.agent_names[n]} could have {what} of {units[n]:.3g} units, beyond the {EXACT} that are "
                    f"counted exactly: {mend}, or count demand in larger units"
                )
        total = float(largest.sum())
        if self.capacity is not None and total * max(self.capacity, self.num_agents) >= 2.0**62:
            raise ValueError(
                f"orders of {total:.3g} units in all cannot be shared out exactly from a capacity of {self.capacity}: "
                "count demand in larger units, or take fewer agents"
            )

    def _place_constants(self) -> None:
        """Per-agent constants where the backend works."""
        p, array = self.parameters, self.backend.array
        start = p.L + 1.0 if self.config.initial_stock is None else self.config.initial_stock
        self._first_stock = array(np.rint(start * p.mu).astype(np.float32))
        self._levels = array(self.order_levels.astype(np.float32))
        self._most = array((MOST_ORDERED * p.mu).astype(np.float32))
        self._room = array(np.rint(self.config.stock_cap * p.mu).astype(np.float32))
        self._unit = array((1 / (4 * p.mu)).astype(np.float32))
        self._lead_times = array(p.L)
        self._paid = array(np.stack([getattr(p, name) for name in REWARD_PARAMETERS]))
        self._terminal = array((self.config.terminal_value * p.c).astype(np.float32))

    def describe_observation(self) -> str:
        """One line an entry: index, name, range and meaning."""
        return self._observed.describe()

    def _begin(self) -> None:
        shape = (self.num_envs, self.num_agents)
        self.stock = self._first_stock + self.backend.zeros(*shape)
        self.backlog: Array = self.backend.zeros(*shape)
        self.pipeline = self.backend.zeros(self._lead + 1, *shape)
        """[L + 1, B, N]: units allotted in period t stand in slot t mod (L + 1)."""
        self._last_demand: Array = self.backend.zeros(*shape)
        zeros, ones = np.zeros(self.num_envs), np.ones(self.num_envs)
        self._last_order, self._last_premium = self.backend.array(zeros), self.backend.array(zeros)
        self._last_price, self._last_fill = self.backend.array(ones), self.backend.array(ones)

    def _draw_demand(self) -> None:
        self._demand = self.demand.episode(self._keys, self.horizon, self.backend)

    @property
    def inventory_position(self) -> Array:
        """[B, N]: stock plus what is on order minus backlog, in u, as seen before ordering."""
        position = self.stock - self.backlog
        slots = self.pipeline.shape[0]
        for back in range(1, slots):
            position += self.pipeline[(self.t - back) % slots] * (back <= self._lead_times)
        return position

    def demand_quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """[N]: see `Demand.quantile`; of the known demand."""
        return self.known_demand.quantile(probability, periods)

    def _uniforms(self, channel: int) -> Array:
        """[B], of this period."""
        return copy_uniforms(self._keys, channel, self.t)

    def _allot(self, order: Array, mean_order: Array) -> tuple[Array, Array]:
        """What the supplier grants of the orders [B, N], and which share of all orders that is [B]."""
        if self.capacity is None:
            return order, self._last_fill
        x = self.backend.passes
        allot = getattr(x, f"allot_{self.config.allocation}")
        allotted = allot(order, self.capacity, self._uniforms(ROUNDING))
        return allotted, x.fill_rate(mean_order, self.capacity / self.num_agents)

    def step(self, actions: Any, *, observe: bool = True) -> Step:
        """Play one period in all copies; see `PopulationEnv.step` and the order of events above.

        With `observe` false `obs` and `mean_action` are left empty, [B, N, 0]: for policies that read the state.

        Raises:
            ValueError: for actions of another shape or kind, and one out of range or NaN, with its agent and copy.
        """
        c, x = self.config, self.backend.passes
        taken, order, counts, mean_order = self._place_orders(actions)
        premium = wholesale_premium(self.slope, mean_order, self.mean_demand)
        allotted, fill = self._allot(order, mean_order)
        self.pipeline[self.t % self.pipeline.shape[0]] = allotted
        received, offered, mean_offered = x.receive(
            self.pipeline, self._lead_times, self.t, self.stock, self._room
        )
        demand = offered if c.demand_mode == "sell_all" else self._demand.units(self.t)
        sold, unmet, mean_sold = x.sell(offered, self.backlog, demand)
        spilled = visitors = spill_sold = None
        if c.spill > 0:
            spilled, visitors, spill_sold, mean_sold = x.spill(
                unmet, offered, sold, round(c.spill * x.SPILL_PARTS), self._uniforms(SPILL), self._uniforms(SPILL_TO)
            )
            sold = sold + spill_sold
        signal = {"sales": mean_sold, "stock": mean_offered, "orders": mean_order}[c.price_signal]
        price = retail_ratio(c.price_coupling, signal, self.mean_demand, c.price_floor)
        scrapped = self.stock + received - offered
        stock, backlog, lost, spoiled, reward = x.settle(
            self._paid, premium, price, c.unmet == "backlog", order, allotted, offered, sold, unmet
        )
        self.stock, self.backlog = stock, backlog
        self._last_demand = demand
        self._last_order, self._last_premium = mean_order, premium
        self._last_price, self._last_fill = price, fill
        self.t += 1
        worth = None
        if self.t == self.horizon and c.ending == "finite":
            worth = self._terminal * self.inventory_position
            reward = reward + worth
        period = Period(
            order, allotted, received, demand, sold, lost, spilled, spill_sold, spoiled, scrapped, stock, backlog,
            premium, price, worth, visitors,
        )  # fmt: skip
        return self._finish_step(taken, counts, reward, Ledger(self._paid, period, x.as_float32), observe)

    def _mean_action(self, actions: Array, counts: Array) -> Array:
        x = self.backend.passes
        if self.config.action_mode == "continuous":
            return x.mean_share_of_others(actions, counts)
        return x.mean_of_others(actions, counts)

    def _observe(self) -> Array:
        c, x = self.config, self.backend.passes
        shared = observed_of_all(
            c, self.mean_demand, self._mean_cost, order=self._last_order, premium=self._last_premium,
            price=self._last_price, fill=self._last_fill,
            season=self._demand.season(self.t), time=self.t / self.horizon,
        )  # fmt: skip
        seen = x.as_float32(x.stacked(shared).clip(0, float(OBSERVED_LIMIT)))
        return x.observe(
            self._template, self._unit, self.pipeline, self._lead_times, self.t, self.stock, self.backlog,
            self._last_demand, seen,
        )  # fmt: skip


def _order_levels(config: MarketConfig, parameters: Parameters) -> NDArray[np.float64]:
    if config.action_mode == "continuous":
        return np.empty((parameters.mu.size, 0))
    scale = parameters.mu[:, None] if config.action_mode == "levels" else np.ones((parameters.mu.size, 1))
    return np.rint(np.asarray(config.action_grid, float) * scale)


def make_market(
    config: MarketConfig, *, num_envs: int, num_agents: int, seed: int, backend: Backend
) -> InventoryMarket:
    """The market with a population drawn from its types and their counted demand."""
    if num_agents < 2:
        raise ValueError(f"num_agents is {num_agents}; a population has at least 2 agents")
    if config.demand_mode not in ("counts", "sell_all"):
        raise ValueError(f"demand_mode is {config.demand_mode}, which needs recorded demand: set `sales` to a table")
    rng = np.random.default_rng([config.population_seed, 1])
    parameters, agent_types, type_names = draw_population(config.types, num_agents, config.jitter, rng)
    names = [f"{type_names[k]}_{i}" for i, k in enumerate(agent_types)]
    swing = np.sin(2 * np.pi * np.arange(config.season_period) / config.season_period)
    season = 1 + config.season_amplitude * swing if config.season_amplitude > 0 else np.ones(1)
    shock = Shock(config.shock_rho, config.shock_sigma) if config.shock_sigma > 0 else None
    return InventoryMarket(
        config,
        num_envs=num_envs,
        parameters=parameters,
        agent_types=agent_types,
        type_names=type_names,
        agent_names=names,
        demand=CountDemand(parameters.mu, parameters.cv2, season=season, shock=shock),
        seed=seed,
        backend=backend,
    )
