"""Upper bounds on the gaps of a market's profile; see `bound.bounds`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.equilibrium.relaxed import Bounds, TypeBounds, paired_gap
from envs.inventory.demand import CountDemand
from envs.inventory.market import InventoryMarket
from envs.inventory.mean_field.advantage import Advantage, OwnWeight, advantage
from envs.inventory.mean_field.field import Path
from envs.inventory.mean_field.hindsight import Met, hindsight
from envs.inventory.mean_field.own_process import own_process
from envs.inventory.reference.clairvoyant import Field, bound_steps, clairvoyant_bound, possible_orders
from envs.inventory.types import AgentType, Parameters
from envs.population import type_slices
from envs.unsolvable import Unsolvable
from mfmarl.seeding import generator, stream
from mfmarl.yardstick import Player

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
MOST_STEPS = 2e9
"""Orders in states that the searches compare, for all agents of a type; some .5 x 10^9 a second."""
LEAST = 4
"""Agents of a type, however long their searches take: fewer tell nothing of how agents differ."""
REACTION = "how the others would answer one agent's deviation, of order 1 / N, is left out"
OWN_PART = (
    "the agent's own 1 / N in the prices is its deviation's; without penalties, and with backlog, not in the retail "
    "price, which only raises the bound"
)


@dataclass(frozen=True)
class Seen:
    """What n sampled agents met in E episodes."""

    demand: Doubles
    """[T, E, n], u; `order`, `granted`, `premium`, `ratio` and `visitors` likewise, see `Field`."""
    order: Doubles
    granted: Doubles
    premium: Doubles
    ratio: Doubles
    visitors: Integers
    price: Doubles
    """[T, E]: retail price / p0."""
    returns: Doubles
    """[E, n], discounted $."""
    free: Doubles | None
    """[E, n]: the bound without penalties."""


def market_bounds(
    env: InventoryMarket, player: Player, asked: Sequence[int], *, episodes: int, discount: float, seed: int,
    agents: int, path: Path | None,
) -> Bounds:  # fmt: skip
    """Of the types with indices `asked`; arguments as for `bounds`."""
    sample = _sample(env, asked, episodes, agents, generator(seed, "agents"))
    everyone = np.concatenate(sample)
    why_not_free, why_not_penalised = _no_free(env), _no_penalties(env)
    if why_not_free and why_not_penalised:
        raise Unsolvable(f"there is no upper bound: {why_not_free}; {why_not_penalised}")
    pilot = None
    if path is None and not why_not_penalised:
        pilot = watch(env, player, everyone, env.num_envs, discount, stream(seed, "path"), free=False)
    seen = watch(env, player, everyone, episodes, discount, stream(seed, "bound"), free=not why_not_free)
    notes = [REACTION, OWN_PART, *(note for note in (why_not_free, why_not_penalised) if note)]
    found, drawn, first = [], [], 0
    for k, mine in zip(asked, sample, strict=True):
        columns = np.arange(first, first + mine.size)
        first += mine.size
        whole = int((env.agent_types == k).sum())
        if mine.size < whole:
            drawn.append(f"{mine.size} of {whole} agents of {env.type_names[k]}")
        differ = whole if env.config.jitter > 0 else None
        about = env.type_names[k], whole / env.num_agents
        free = penalised = best_expected = None
        if seen.free is not None:
            free = paired_gap(*about, seen.returns[:, columns], seen.free[:, columns], differ)
        why = why_not_free or why_not_penalised
        if not why_not_penalised:
            expected = _expected(path, k, pilot, columns, env.config.price_floor)
            try:
                base, best, at_expected = _penalised(env, mine, columns, seen, expected, discount)
                penalised, best_expected = paired_gap(*about, base, best, differ), at_expected
            except Unsolvable as error:
                why = f"{about[0]}: no penalties: {error}"
                notes.append(why)
        found.append(TypeBounds(free, penalised, why, best_expected))
    if drawn:
        notes.append(f"drawn at random: {', '.join(drawn)}")
    return Bounds(tuple(found), tuple(notes))


def _sample(
    env: InventoryMarket, asked: Sequence[int], episodes: int, agents: int, rng: np.random.Generator
) -> list[Integers]:
    """Agents of every type asked for, fewer where searches would take long."""
    everyone, slices = np.arange(env.num_agents), type_slices(env.agent_types)
    free = bound_steps(env) / env.num_agents / env.num_envs
    drawn = []
    for k in asked:
        group = everyone[slices[k]]
        mu, levels = env.parameters.mu[group[0]], _levels(env, int(group[0])).size
        pipeline = levels ** max(int(env.parameters.L[group[0]]) - 1, 0)
        states = mu * (env.config.stock_cap + (env.horizon if env.config.unmet == "backlog" else 0)) * pipeline
        steps = max(free, env.horizon * states * levels) * episodes
        most = max(min(LEAST, agents), min(agents, int(MOST_STEPS / steps)))
        drawn.append(np.sort(rng.choice(group, min(most, group.size), replace=False)))
    return drawn


def _no_free(env: InventoryMarket) -> str:
    """Why there is no bound without penalties; empty where there is."""
    if env.config.action_mode == "order_up_to" and env.config.unmet == "backlog":
        return "no bound without penalties: orders up to a position have no largest one with backlog"
    return ""


def _no_penalties(env: InventoryMarket) -> str:
    """Why there are no penalties: demand or arrivals without a law of the agent's own; empty where there are."""
    config, demand = env.config, env.demand
    if not isinstance(demand, CountDemand):
        return f"no penalties: demand_mode is {config.demand_mode}, a record and no law that expectations could be of"
    if demand.shock is not None:
        return "no penalties: the demand shock makes demand depend on its past; set shock_sigma=0"
    if config.capacity is not None and config.price_signal == "orders":
        return "no penalties: with capacity and price_signal=orders what is asked for and not granted moves prices"
    if config.action_mode == "order_up_to" and config.unmet == "backlog":
        return "no penalties: orders up to a position have no largest one with backlog; set levels"
    return ""


def watch(
    env: InventoryMarket, player: Player, agents: Integers, episodes: int, discount: float, seed: int, *, free: bool
) -> Seen:
    """Play `episodes` episodes, noting what `agents` meet; with `free` their bound without penalties too."""
    step = env.reset(stream(seed, "env"))
    play = player(env, stream(seed, "player"))
    parts: list[Seen] = []
    for _ in range(-(-episodes // env.num_envs)):
        field = Field(env, agents)
        returns = np.zeros((env.num_envs, agents.size))
        for t in range(env.horizon):
            step = env.step(play(step))
            field.add(step)
            returns += discount**t * np.asarray(step.reward, float)[:, agents]
        bound = clairvoyant_bound(env, field, discount=discount) if free else None
        units = field.demand, field.order, field.granted
        parts.append(Seen(*units, field.premium, field.ratio, field.visitors, field.price, returns, bound))

    def joined(name: str, axis: int) -> Any:
        whole = np.concatenate([getattr(part, name) for part in parts], axis)
        return whole[:episodes] if axis == 0 else whole[:, :episodes]

    return Seen(
        joined("demand", 1), joined("order", 1), joined("granted", 1), joined("premium", 1), joined("ratio", 1),
        joined("visitors", 1), joined("price", 1), joined("returns", 0), joined("free", 0) if free else None,
    )  # fmt: skip


@dataclass(frozen=True)
class Expected:
    """What penalties expect of the others, [T] each: premium, price ratio and customers who come from them."""

    premium: Doubles
    ratio: Doubles
    visitors: Doubles


def _expected(path: Path | None, k: int, pilot: Seen | None, columns: Integers, floor: float) -> Expected:
    if path is not None:
        return Expected(path.premium, path.price, path.passages[k].visitors)
    assert pilot is not None
    premium, ratio, visitors = (part[..., columns] for part in (pilot.premium, pilot.ratio, pilot.visitors))
    return Expected(premium.mean((1, 2)), np.maximum(ratio, floor).mean((1, 2)), visitors.mean((1, 2)))


def _penalised(
    env: InventoryMarket, mine: Integers, columns: Integers, seen: Seen, expected: Expected, discount: float,
) -> tuple[Doubles, Doubles, float]:  # fmt: skip
    """What the agents `mine` earned less penalties, their bound [E, n], and the mean best value at expected prices."""
    known: dict[tuple[float, ...], Advantage] = {}
    best, base = np.empty((2, seen.returns.shape[0], mine.size))
    at_expected = 0.0
    weight = OwnWeight.among(env.config, env.num_agents, env.slope, env.mean_demand)
    for i, (agent, column) in enumerate(zip(mine, columns, strict=True)):
        means, levels = _means(env)[:, agent], _levels(env, int(agent))
        own = agent_of(env.parameters, int(agent))
        key = (*own.model_dump().values(), *means.tolist())
        if key not in known:
            # one at a time: tables of agents with a long pipeline are large
            known.clear()
            process = own_process(own, env.config, means, levels, int(seen.visitors[..., columns].max()))
            known[key] = advantage(process, expected.premium, expected.ratio, weight, discount, expected.visitors)
        met = Met(
            np.rint(seen.demand[..., column]).astype(np.int64), seen.premium[..., column], seen.ratio[..., column],
            seen.price, np.searchsorted(levels, seen.granted[..., column]), seen.visitors[..., column],
        )  # fmt: skip
        found = hindsight(known[key], met, env.config.price_floor)
        asked = _asking(own, seen.order[..., column], seen.granted[..., column], weight.wholesale, discount)
        best[:, i], base[:, i] = found.best, found.played - asked
        at_expected += known[key].value / mine.size
    return base, best, at_expected


def _asking(own: AgentType, order: Doubles, granted: Doubles, wholesale: float, discount: float) -> Doubles:
    """[E]: discounted $ that orders [T, E] cost beyond what they would have cost had only `granted` been asked for.

    The bound lets an agent have what it is granted without asking for more.
    """
    fixed = own.K * ((order > 0).astype(float) - (granted > 0))
    handled = own.phi / 2 * (order**2 - granted**2)
    dearer = wholesale * (order - granted) * granted
    return np.asarray(discount ** np.arange(len(order), dtype=float) @ (fixed + handled + dearer))


def _means(env: InventoryMarket) -> Doubles:
    """[T, N]: mean demand, u."""
    assert isinstance(env.demand, CountDemand)
    factors = env.demand.factors
    return np.asarray(factors[np.arange(env.horizon) % len(factors)] * env.demand.mu)


def _levels(env: InventoryMarket, agent: int) -> Doubles:
    """[A]: units that an agent may order, from the smallest on."""
    return np.unique(possible_orders(env)[agent]).astype(float)


def agent_of(parameters: Parameters, agent: int) -> AgentType:
    """One agent of a population as a type of its own."""
    own = {f.name: getattr(parameters, f.name)[agent] for f in fields(Parameters)}
    return AgentType(**{name: int(x) if name == "L" else float(x) for name, x in own.items()})
