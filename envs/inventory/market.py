"""The inventory market, batched over copies and agents: B x N sellers coupled through what all of them order.

Order of events in period t (it gives L + 1 periods of exposure between an order and the demand it must cover):
 1. order q_i, all at once; mean order m_t;
 2. wholesale price w_i = c_i + slope (m_t - m_ref), paid now for the units ordered now;
 3. receive what was ordered L periods ago; what exceeds the room for stock is scrapped;
 4. demand; sell from stock, backlog first; what is unmet is lost or backlogged;
 5. retail price p_i = max(p0_i (1 - price_coupling (mean sales / m_ref - 1)), floor);
 6. spoilage of delta x the stock left over;
 7. reward = p sold - w q - K[q > 0] - phi q^2 / 2 - h stock - b backlog - ell lost + v spoiled.
The specification writes "w received"; its table of reference values holds exactly when units are paid as they are
ordered (docs/inventory.md has the check), and the two differ only in when a unit's price is fixed and paid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.demand import Demand, PoissonDemand
from envs.inventory.types import Parameters, draw_population
from envs.population import Step, type_slices

Floats = NDArray[np.float32]
OBSERVED_LIMIT = 2.5
"""Quantities are observed in units of 4 mu, the largest order of the default grid, and clipped at this many."""


class InventoryMarket:
    """A PopulationEnv. State is float32 holding whole numbers; every copy has its own random stream."""

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
    ) -> None:
        """Use `make_market` or `envs.make`; the arguments here are what they work out."""
        self.config = config
        self.num_envs, self.num_agents = num_envs, agent_types.size
        self.agent_types = agent_types
        self.type_names = list(type_names)
        self.agent_names = list(agent_names)
        self.parameters = parameters
        self.demand = demand
        self.known_demand = demand
        """What a policy may be computed from: the demand process, or its record up to the held-out periods."""
        self.neighbours: NDArray[np.bool_] | None = None
        self.horizon = config.horizon
        grid = np.asarray(config.action_grid, float)
        scale = parameters.mu[:, None] if config.action_mode == "levels" else np.ones((self.num_agents, 1))
        self.order_levels: NDArray[np.float64] = np.rint(grid * scale)
        """[N, A]: units of each action, or order-up-to positions."""
        num_actions = grid.size
        self.action_space: gym.spaces.Space[Any] = gym.spaces.Discrete(num_actions)
        self.mean_action_space = gym.spaces.Box(0.0, 1.0, (num_actions,), np.float32)
        self.mean_demand = float(parameters.mu.mean())
        """m_ref, u/period: the mean order at which every agent pays its own c."""
        self.slope = config.congestion * float(parameters.c.mean()) / self.mean_demand
        self._float = {name: getattr(parameters, name).astype(np.float32) for name in Parameters.__dataclass_fields__}
        self._levels = self.order_levels.astype(np.float32).ravel()
        self._level_offset = np.arange(self.num_agents) * num_actions
        self._lead = int(parameters.L.max())
        self._lead_slices = self._slices_by_lead()
        self._room = np.rint(config.stock_cap * parameters.mu).astype(np.float32)
        self._unit = (np.float32(1.0) / (4 * self._float["mu"])).astype(np.float32)
        self._entries = self._describe()
        self._template = self._static_columns()
        low, high = np.array([(e[1], e[2]) for e in self._entries], np.float32).T
        self.observation_space = gym.spaces.Box(low, high, dtype=np.float32)
        self._seeds = np.zeros(num_envs, np.uint64)
        self._episode = 0
        self.reset(seed)

    def _slices_by_lead(self) -> list[tuple[slice, int]]:
        """Types with one lead time each, merged where neighbours agree."""
        merged: list[tuple[slice, int]] = []
        for agents in type_slices(self.agent_types):
            lead = int(self.parameters.L[agents.start])
            if merged and merged[-1][1] == lead:
                merged[-1] = (slice(merged[-1][0].start, agents.stop), lead)
            else:
                merged.append((agents, lead))
        return merged

    def _describe(self) -> list[tuple[str, float, float, str]]:
        limit, lead = OBSERVED_LIMIT, self._lead
        entries = [
            ("stock", 0.0, limit, "own stock / 4 mu, clipped"),
            ("backlog", 0.0, limit, "own backlog / 4 mu, clipped"),
            ("last_demand", 0.0, limit, "own demand of the last period / 4 mu, clipped"),
            *((f"pipeline_{i}", 0.0, limit, f"units that arrive in {i} periods / 4 mu, clipped") for i in range(lead)),
            ("mean_order", 0.0, limit, "mean order of all agents in the last period / 4 m_ref, clipped"),
            ("wholesale", 0.0, limit, "last mean wholesale price / mean c, clipped"),
            ("price", 0.0, limit, "last retail price / p0, clipped"),
        ]
        if self.config.ending == "finite":
            entries.append(("time", 0.0, 1.0, "t / T"))
        p = self.parameters
        for name, value in (
            ("own_mu", p.mu / self.mean_demand),
            ("own_cost", p.c / p.p0),
            ("own_holding", p.h / p.p0),
            ("own_backlog", p.b / p.p0),
            ("own_lost", p.ell / p.p0),
            ("own_fixed", p.K / (p.p0 * p.mu)),
            ("own_lead", p.L / max(1, lead)),
            ("own_spoilage", p.delta),
        ):
            entries.append((name, 0.0, float(max(1.0, np.float32(value.max()))), "own parameter, a ratio; constant"))
        entries += [(f"type_{name}", 0.0, 1.0, "1 for agents of this type") for name in self.type_names]
        return entries

    def describe_observation(self) -> str:
        """One line an entry: index, name, range and meaning."""
        return "\n".join(f"{i:3d}  {n:20s} [{a:g}, {b:g}]  {text}" for i, (n, a, b, text) in enumerate(self._entries))

    def _static_columns(self) -> Floats:
        p = self.parameters
        ratios = (
            p.mu / self.mean_demand,
            p.c / p.p0,
            p.h / p.p0,
            p.b / p.p0,
            p.ell / p.p0,
            p.K / (p.p0 * p.mu),
            p.L / max(1, self._lead),
            p.delta,
        )
        template = np.zeros((self.num_envs, self.num_agents, len(self._entries)), np.float32)
        first = len(self._entries) - len(self.type_names) - len(ratios)
        for i, ratio in enumerate(ratios):
            template[:, :, first + i] = ratio.astype(np.float32)
        one_hot = np.eye(len(self.type_names), dtype=np.float32)[self.agent_types]
        template[:, :, len(self._entries) - len(self.type_names) :] = one_hot
        return template

    # --- protocol -------------------------------------------------------------------------------------------------

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        """Start every copy anew; see `PopulationEnv.reset`."""
        if seed is not None:
            copies = [(int(seed), b) for b in range(self.num_envs)] if np.ndim(seed) == 0 else [(int(s),) for s in seed]  # type: ignore[union-attr, arg-type]
            if len(copies) != self.num_envs:
                raise ValueError(f"{len(copies)} seeds for {self.num_envs} copies: give one seed, or one a copy")
            self._seeds = np.array(
                [np.random.SeedSequence(key).generate_state(1, np.uint64)[0] for key in copies], np.uint64
            )
            self._episode = -1
        self._start_episode(self._episode + 1)
        shape = (self.num_envs, self.num_agents)
        ended = np.zeros(self.num_envs, np.bool_)
        return Step(self._observe(), self._no_mean_action(), np.zeros(shape, np.float32), ended, ended.copy())

    def _start_episode(self, episode: int) -> None:
        self._episode = episode
        self._draw_demand()
        shape = (self.num_envs, self.num_agents)
        start = np.rint(self.config.initial_stock * self.parameters.mu).astype(np.float32)
        self.stock: Floats = np.tile(start, (self.num_envs, 1))
        self.backlog: Floats = np.zeros(shape, np.float32)
        self.pipeline: Floats = np.zeros((self._lead + 1, *shape), np.float32)
        """[L + 1, B, N]: units ordered at period t stand in slot t mod (L + 1)."""
        self._last_demand: Floats = np.zeros(shape, np.float32)
        self._last_order: Floats = np.zeros(self.num_envs, np.float32)
        self._last_premium: Floats = np.zeros(self.num_envs, np.float32)
        self._last_price: Floats = np.ones(self.num_envs, np.float32)
        self.t = 0

    def _draw_demand(self) -> None:
        streams = (np.random.default_rng([int(s), self._episode]) for s in self._seeds)
        # [T, B, N], so that a period is one block
        self._demand = np.stack([self.demand.draw(self.horizon, rng) for rng in streams], 1)

    def _no_mean_action(self) -> Floats:
        shape = self.mean_action_space.shape
        return np.zeros((self.num_envs, self.num_agents, *shape), np.float32)

    @property
    def inventory_position(self) -> Floats:
        """[B, N]: stock plus what is on order minus backlog, in u, as seen before ordering."""
        on_order = np.zeros_like(self.stock)
        for back in range(1, self._lead + 1):
            slot = self.pipeline[(self.t - back) % (self._lead + 1)]
            for agents, lead in self._lead_slices:
                if back <= lead:
                    on_order[:, agents] += slot[:, agents]
        return self.stock + on_order - self.backlog

    def demand_quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """[N]: see `Demand.quantile`; of the known demand."""
        return self.known_demand.quantile(probability, periods)

    def _orders(self, actions: NDArray[Any]) -> Floats:
        num_actions = self.order_levels.shape[1]
        if actions.shape != (self.num_envs, self.num_agents):
            raise ValueError(f"actions have shape {actions.shape}; the market needs {(self.num_envs, self.num_agents)}")
        if actions.dtype.kind not in "iu":
            raise ValueError(f"actions are {actions.dtype}; the market needs whole numbers 0..{num_actions - 1}")
        if actions.min() < 0 or actions.max() >= num_actions:
            copy, agent = (int(i) for i in np.argwhere((actions < 0) | (actions >= num_actions))[0])
            raise ValueError(
                f"{self.agent_names[agent]} (agent {agent}, copy {copy}): action {actions[copy, agent]} "
                f"is outside 0..{num_actions - 1}"
            )
        units: Floats = self._levels[self._level_offset + actions]
        if self.config.action_mode == "order_up_to":
            units = np.maximum(units - self.inventory_position, np.float32(0))
        return units

    def _price_ratio(self, sold: Floats) -> Floats:
        """[B]: retail price / p0 of this period, the same ratio for all agents."""
        signal = sold.mean(1) / np.float32(self.mean_demand)
        ratio = 1 - np.float32(self.config.price_coupling) * (signal - 1)
        return np.maximum(ratio, np.float32(self.config.price_floor))

    def step(self, actions: NDArray[Any]) -> Step:
        """Play one period in all copies; see `PopulationEnv.step` and the order of events above."""
        actions = np.asarray(actions)
        p = self._float
        order = self._orders(actions)
        mean_order = order.mean(1)
        premium = np.float32(self.slope) * (mean_order - np.float32(self.mean_demand))
        slot = self.t % (self._lead + 1)
        self.pipeline[slot] = order
        if len(self._lead_slices) == 1:
            received = self.pipeline[(self.t - self._lead) % (self._lead + 1)]
        else:
            received = np.empty_like(order)
            for agents, lead in self._lead_slices:
                received[:, agents] = self.pipeline[(self.t - lead) % (self._lead + 1)][:, agents]
        demand = self._demand[self.t]
        offered = self.stock + received
        available = np.minimum(offered, self._room)
        wanted = demand + self.backlog
        sold = np.minimum(available, wanted)
        left = available - sold
        unmet = wanted - sold
        lost = unmet if self.config.unmet == "lost" else np.zeros_like(unmet)
        self.backlog = unmet - lost
        price = self._price_ratio(sold)
        spoiled = np.rint(p["delta"] * left)
        self.stock = left - spoiled
        ledger = {
            "sales_revenue": p["p0"] * price[:, None] * sold,
            "purchase_cost": -(p["c"] + premium[:, None]) * order,
            "order_cost": -p["K"] * (order > 0),
            "handling_cost": -(p["phi"] / 2) * order * order,
            "holding_cost": -p["h"] * self.stock,
            "backlog_cost": -p["b"] * self.backlog,
            "lost_cost": -p["ell"] * lost,
            "salvage": p["v"] * spoiled,
        }
        reward = sum(ledger.values(), np.zeros_like(sold))
        metrics = {f"ledger/{name}": value for name, value in ledger.items()}
        metrics |= {
            "order": order,
            "received": received.copy(),
            "demand": demand,
            "sold": sold,
            "lost": lost,
            "spoiled": spoiled,
            "scrapped": offered - available,
            "stock": self.stock,
            "backlog": self.backlog,
        }
        self._last_demand = demand
        self._last_order = mean_order
        self._last_premium = premium
        self._last_price = price
        self.t += 1
        return self._finish_step(actions, reward, metrics)

    def _finish_step(self, actions: NDArray[Any], reward: Floats, metrics: Mapping[str, Floats]) -> Step:
        mean_action = self._mean_action(actions)
        over = self.t >= self.horizon
        ended = np.full(self.num_envs, over)
        never = np.zeros(self.num_envs, np.bool_)
        finite = self.config.ending == "finite"
        final = None
        if over:
            final = self._observe()
            self._start_episode(self._episode + 1)
            mean_action = self._no_mean_action()
        return Step(
            obs=self._observe(),
            mean_action=mean_action,
            reward=reward,
            terminated=ended if finite else never,
            truncated=never if finite else ended,
            final_obs=final,
            metrics=metrics,
        )

    def _mean_action(self, actions: NDArray[Any]) -> Floats:
        num_actions = self.order_levels.shape[1]
        copies = np.arange(self.num_envs)[:, None] * num_actions
        counts = np.bincount((copies + actions).ravel(), minlength=self.num_envs * num_actions)
        counts = counts.reshape(self.num_envs, 1, num_actions).astype(np.float32)
        others: Floats = np.repeat(counts, self.num_agents, 1)
        flat = others.reshape(-1)
        flat[np.arange(actions.size) * num_actions + actions.ravel()] -= 1
        others /= np.float32(self.num_agents - 1)
        return others

    def _observe(self) -> Floats:
        obs = self._template.copy()
        limit, unit = np.float32(OBSERVED_LIMIT), self._unit
        columns = [self.stock, self.backlog, self._last_demand]
        for ahead in range(self._lead):
            # an order of lead L placed `back` periods ago arrives in L - back periods
            arriving = np.zeros_like(self.stock)
            for agents, lead in self._lead_slices:
                back = lead - ahead
                if back >= 1:
                    arriving[:, agents] = self.pipeline[(self.t - back) % (self._lead + 1)][:, agents]
            columns.append(arriving)
        for i, column in enumerate(columns):
            np.minimum(column * unit, limit, out=obs[:, :, i])
        i = len(columns)
        obs[:, :, i] = np.minimum(self._last_order / np.float32(4 * self.mean_demand), limit)[:, None]
        cost = np.float32(self._float["c"].mean())
        obs[:, :, i + 1] = np.clip(1 + self._last_premium / max(cost, np.float32(1e-6)), 0, limit)[:, None]
        obs[:, :, i + 2] = np.minimum(self._last_price, limit)[:, None]
        if self.config.ending == "finite":
            obs[:, :, i + 3] = self.t / self.horizon
        return obs

    def get_state(self) -> dict[str, Any]:
        """Flat mapping; demand is drawn again from the copies' streams, so it is not part of it."""
        return {
            "seeds": self._seeds.copy(),
            "episode": self._episode,
            "t": self.t,
            "stock": self.stock.copy(),
            "backlog": self.backlog.copy(),
            "pipeline": self.pipeline.copy(),
            "last_demand": self._last_demand.copy(),
            "last_order": self._last_order.copy(),
            "last_premium": self._last_premium.copy(),
            "last_price": self._last_price.copy(),
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `get_state` gave, bit for bit."""
        self._seeds = np.array(state["seeds"], np.uint64)
        self._episode, self.t = int(state["episode"]), int(state["t"])
        self._draw_demand()
        self.stock, self.backlog = np.array(state["stock"]), np.array(state["backlog"])
        self.pipeline = np.array(state["pipeline"])
        self._last_demand = np.array(state["last_demand"])
        self._last_order, self._last_premium = np.array(state["last_order"]), np.array(state["last_premium"])
        self._last_price = np.array(state["last_price"])


def make_market(config: MarketConfig, *, num_envs: int, num_agents: int, seed: int) -> InventoryMarket:
    """The market with a population drawn from its types and Poisson demand."""
    if num_agents < 2:
        raise ValueError(f"num_agents is {num_agents}; a population has at least 2 agents")
    rng = np.random.default_rng([config.population_seed, 1])
    parameters, agent_types, type_names = draw_population(config.types, num_agents, config.jitter, rng)
    names = [f"{type_names[k]}_{i}" for i, k in enumerate(agent_types)]
    return InventoryMarket(
        config,
        num_envs=num_envs,
        parameters=parameters,
        agent_types=agent_types,
        type_names=type_names,
        agent_names=names,
        demand=PoissonDemand(parameters.mu),
        seed=seed,
    )
