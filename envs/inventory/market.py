"""The inventory market, batched over copies and agents: B x N sellers coupled through what all of them order.

Order of events in period t (it gives L + 1 periods of exposure between an order and the demand it must cover):
 1. order q_i, all at once; mean order m_t;
 2. wholesale price w_i = c_i + slope (m_t - m_ref), paid now for the units ordered now;
 3. receive what was ordered L periods ago; what exceeds the room for stock is scrapped;
 4. demand; sell from stock, backlog first; what is unmet is lost or backlogged;
 5. retail price p_i = max(p0_i (1 - price_coupling (mean sales / m_ref - 1)), floor);
 6. spoilage of delta x the stock left over;
 7. reward = p sold - w q - K[q > 0] - phi q^2 / 2 - h stock - b backlog - ell lost + v spoiled.
The specification writes "w received" and leaves some settings of `easy` open; units are paid as they are ordered, and
those settings are chosen, because then the specification's reference values come out (docs/inventory.md has the fit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from envs.inventory.config import MarketConfig
from envs.inventory.demand import Demand, PoissonDemand
from envs.inventory.ledger import Ledger, Period
from envs.inventory.observation import market_observation
from envs.inventory.period import (
    OBSERVED_LIMIT,
    REWARD_PARAMETERS,
    as_actions,
    mean_of_others,
    observe,
    place_orders,
    sell,
    settle,
)
from envs.inventory.types import Parameters, draw_population
from envs.population import Step

Floats = NDArray[np.float32]


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
        self.agent_types: NDArray[np.int64] = agent_types
        self.type_names: Sequence[str] = list(type_names)
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
        self._levels = self.order_levels.astype(np.float32)
        self._lead = int(parameters.L.max())
        self._room = np.rint(config.stock_cap * parameters.mu).astype(np.float32)
        self._unit = (1 / (4 * parameters.mu)).astype(np.float32)
        self._paid = np.column_stack([getattr(parameters, name) for name in REWARD_PARAMETERS])
        self._mean_cost = float(parameters.c.mean())
        self._observed = market_observation(parameters, agent_types, type_names, finite=config.ending == "finite")
        self._template = self._observed.template
        self.observation_space = self._observed.space
        self._seeds = np.zeros(num_envs, np.uint64)
        self._episode = 0
        self.reset(seed)

    def describe_observation(self) -> str:
        """One line an entry: index, name, range and meaning."""
        return self._observed.describe()

    def reset(self, seed: int | Sequence[int] | None = None) -> Step:
        """Start every copy anew; see `PopulationEnv.reset`."""
        if seed is not None:
            paths: list[tuple[int, ...]]
            if isinstance(seed, Sequence | np.ndarray):
                paths = [(int(one),) for one in seed]
            else:
                paths = [(int(seed), copy) for copy in range(self.num_envs)]
            if len(paths) != self.num_envs:
                raise ValueError(f"{len(paths)} seeds for {self.num_envs} copies: give one seed, or one a copy")
            if min(path[0] for path in paths) < 0:
                raise ValueError(f"seeds are whole numbers from 0; got {min(path[0] for path in paths)}")
            self._seeds = np.array(
                [np.random.SeedSequence(path).generate_state(1, np.uint64)[0] for path in paths], np.uint64
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
        self._last_order = np.zeros(self.num_envs)
        self._last_premium = np.zeros(self.num_envs)
        self._last_price = np.ones(self.num_envs)
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
        position: Floats = self.stock - self.backlog
        slots = self.pipeline.shape[0]
        for back in range(1, slots):
            position += self.pipeline[(self.t - back) % slots] * (back <= self.parameters.L)
        return position

    def demand_quantile(self, probability: NDArray[np.float64], periods: NDArray[np.int64]) -> NDArray[np.float64]:
        """[N]: see `Demand.quantile`; of the known demand."""
        return self.known_demand.quantile(probability, periods)

    def _place_orders(self, actions: NDArray[np.int64]) -> tuple[Floats, Floats, NDArray[np.float64]]:
        """Units ordered [B, N], counts of the actions [B, A] and mean orders [B]."""
        order = np.empty(actions.shape, np.float32)
        counts = np.empty((self.num_envs, self._levels.shape[1]), np.float32)
        mean_order = np.empty(self.num_envs)
        up_to = self.config.action_mode == "order_up_to"
        position = self.inventory_position if up_to else self.stock
        refused = place_orders(actions, self._levels, position, up_to, order, counts, mean_order)
        if refused >= 0:
            copy, agent = divmod(refused, self.num_agents)
            raise ValueError(
                f"{self.agent_names[agent]} (agent {agent}, copy {copy}): action {actions[copy, agent]} "
                f"is outside 0..{self._levels.shape[1] - 1}"
            )
        return order, counts, mean_order

    def step(self, actions: NDArray[Any]) -> Step:
        """Play one period in all copies; see `PopulationEnv.step` and the order of events above.

        Raises:
            ValueError: for actions of another shape, fractions, and an action out of range, with its agent and copy.
        """
        actions = as_actions(np.asarray(actions), (self.num_envs, self.num_agents), self._levels.shape[1])
        order, counts, mean_order = self._place_orders(actions)
        premium = self.slope * (mean_order - self.mean_demand)
        self.pipeline[self.t % self.pipeline.shape[0]] = order
        demand = self._demand[self.t]
        received, sold, lost, spoiled, scrapped, reward = np.empty((6, *order.shape), np.float32)
        mean_sold = np.empty(self.num_envs)
        sell(
            self.pipeline, self.parameters.L, self.t, self.stock, self.backlog, self._room, demand,
            received, sold, mean_sold,
        )  # fmt: skip
        ratio = 1 - self.config.price_coupling * (mean_sold / self.mean_demand - 1)
        price = np.maximum(ratio, self.config.price_floor)
        stock, backlog = self.stock.copy(), self.backlog.copy()
        settle(
            self._paid, self._room, premium, price, self.config.unmet == "backlog", order, received, demand, sold,
            stock, backlog, lost, spoiled, scrapped, reward,
        )  # fmt: skip
        self.stock, self.backlog = stock, backlog
        self._last_demand = demand
        self._last_order, self._last_premium, self._last_price = mean_order, premium, price
        self.t += 1
        period = Period(order, received, demand, sold, lost, spoiled, scrapped, stock, backlog, premium, price)
        return self._finish_step(actions, counts, reward, Ledger(self.parameters, period))

    def _finish_step(
        self, actions: NDArray[np.int64], counts: Floats, reward: Floats, metrics: Mapping[str, Floats]
    ) -> Step:
        over = self.t >= self.horizon
        ended = np.full(self.num_envs, over)
        never = np.zeros(self.num_envs, np.bool_)
        finite = self.config.ending == "finite"
        final = None
        if over:
            final = self._observe()
            self._start_episode(self._episode + 1)
            mean_action = self._no_mean_action()
        else:
            mean_action = np.empty((*actions.shape, counts.shape[1]), np.float32)
            mean_of_others(actions, counts, mean_action)
        return Step(
            obs=self._observe(),
            mean_action=mean_action,
            reward=reward,
            terminated=ended if finite else never,
            truncated=never if finite else ended,
            final_obs=final,
            metrics=metrics,
        )

    def _observe(self) -> Floats:
        shared = [
            self._last_order / (4 * self.mean_demand),
            1 + self._last_premium / max(self._mean_cost, 1e-6),
            self._last_price,
        ]
        if self.config.ending == "finite":
            shared.append(np.full(self.num_envs, self.t / self.horizon))
        seen = np.stack(shared, 1).clip(0, OBSERVED_LIMIT).astype(np.float32)
        obs = np.empty((self.num_envs, *self._template.shape), np.float32)
        observe(
            self._template, self._unit, self.pipeline, self.parameters.L, self.t, self.stock, self.backlog,
            self._last_demand, seen, obs,
        )  # fmt: skip
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
        """Take back what `get_state` gave, bit for bit; raises ValueError for the state of a market of another size."""
        if np.shape(state["pipeline"]) != self.pipeline.shape:
            raise ValueError(
                f"the state is of a market with pipeline {np.shape(state['pipeline'])}, this one has "
                f"{self.pipeline.shape}: longest lead time + 1, copies, agents"
            )
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
    if config.demand_mode != "poisson":
        raise ValueError(f"demand_mode is {config.demand_mode}, which plays recorded demand: set `sales` to a table")
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
