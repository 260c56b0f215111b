"""The field that a profile makes: a causal forward pass over the types' states, its prices, and its exact value."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.model import Feature, MeanFieldMarket, TypeModel

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """What every type plays: per type the probabilities of actions, [T, *state_shape, A]."""

    policies: tuple[Doubles, ...]


@dataclass(frozen=True)
class Flow:
    """What an agent of one type goes through under a policy; linear in `occupancy`, so flows can be averaged."""

    occupancy: Doubles
    """[T, *state_shape, A]: probability of state and action."""
    money: float
    """Discounted $ that hang on no price: holding, backlog, lost sales, salvage, fixed and handling cost."""
    orders: Doubles
    """[T], u per agent; `sold` and `offered` likewise."""
    sold: Doubles
    offered: Doubles
    residual: float
    """Expected periods in which a bound of the position grid, or the room where it is left out, would have bound."""

    def mixed(self, other: Flow, weight: float) -> Flow:
        """(1 - weight) x this + weight x other."""
        keep = 1 - weight
        return Flow(
            keep * self.occupancy + weight * other.occupancy,
            keep * self.money + weight * other.money,
            keep * self.orders + weight * other.orders,
            keep * self.sold + weight * other.sold,
            keep * self.offered + weight * other.offered,
            keep * self.residual + weight * other.residual,
        )

    def without_occupancy(self) -> Flow:
        """What values and fields need of it."""
        return replace(self, occupancy=np.zeros(0))


@dataclass(frozen=True)
class Prices:
    """What a unit of one type is worth in each period, $/u, undiscounted: [T] each."""

    order: Doubles
    """Paid for a unit ordered."""
    sale: Doubles
    """Earned with a unit sold."""
    offer: Doubles
    """Earned with a unit on offer: 0 for an agent, not for a planner who answers for the price that it moves."""


@dataclass(frozen=True)
class Path:
    """The field over time: what agents do on average, and the prices this makes. [T] each."""

    mean_order: Doubles
    mean_sales: Doubles
    mean_offered: Doubles
    revenue: Doubles
    """Mean of p0 x units sold, $ at list price."""
    premium: Doubles
    """Wholesale price less c, $/u."""
    price: Doubles
    """Retail price / p0."""


@dataclass(frozen=True)
class Evaluation:
    """What a profile is worth against the field that it makes itself."""

    values: Doubles
    """[K]: mean discounted profit of an agent, $."""
    mean: float
    """Of the population, $."""
    path: Path
    flows: tuple[Flow, ...]
    residual: float
    """See `Flow.residual`; share-weighted mean."""


def order_costs(game: MeanFieldMarket, kind: TypeModel) -> Doubles:
    """[A]: $ of an order that hang on no price: fixed and handling cost."""
    q = kind.levels
    return kind.agent.K * (q > 0) + kind.agent.phi * q * q / 2


def checked_policy(game: MeanFieldMarket, kind: TypeModel, policy: Doubles) -> Doubles:
    """The policy; raises ValueError where it has another shape, or rows that are no probabilities."""
    shape = (game.horizon, *kind.state_shape, kind.levels.size)
    if policy.shape != shape:
        raise ValueError(f"{kind.name}: policy has shape {policy.shape}; needed is {shape}, periods, state, actions")
    if (policy < 0).any() or abs(policy.sum(-1) - 1).max() > 1e-9:
        worst = np.unravel_index(int(abs(policy.sum(-1) - 1).argmax()), shape[:-1])
        raise ValueError(f"{kind.name}: policy at (t, state) {tuple(map(int, worst))} is no probability vector")
    return policy


def move(kind: TypeModel, occupancy: Doubles, t: int) -> tuple[Doubles, Doubles]:
    """From probabilities of state and action to those of the next state, and of the position after the order, [n].

    The latter is the position that demand meets where the order comes first, else that of the next period.
    """
    kernel, n = kind.kernels[kind.kernel_of[t]], kind.size
    if not kind.order_first:
        # demand first: [n, next to arrive, ..., action] keeps its orders while the position falls
        occupancy = (kernel.T @ occupancy.reshape(n, -1)).reshape(occupancy.shape)
    after = np.zeros((n, *occupancy.shape[2:]))
    for a in range(kind.levels.size):
        units = min(int(kind.levels[a]), n - 1)
        mass = occupancy[:, a]
        after[units:] += mass[: n - units]
        after[-1] += mass[n - units :].sum(0)
    return (kernel.T @ after if kind.order_first else after), after


def flow(game: MeanFieldMarket, kind: TypeModel, policy: Doubles) -> Flow:
    """Play `policy` [T, *state_shape, A] with one type; exact, forward in time."""
    horizon = game.horizon
    occupancy = np.empty((horizon, *kind.state_shape, kind.levels.size))
    state = np.zeros(kind.state_shape)
    state[kind.start] = 1.0
    before, after = np.empty((horizon, kind.size)), np.zeros((horizon, kind.size))
    escaped = 0.0
    for t in range(horizon):
        np.multiply(policy[t], state[..., None], out=occupancy[t])
        before[t] = state.reshape(kind.size, -1).sum(1)
        state, reached = move(kind, occupancy[t], t)
        if kind.order_first:
            after[t] = reached
            escaped += float(reached @ kind.escaped[kind.kernel_of[t]]) + float((occupancy[t] * kind.capped).sum())
    return _summed(game, kind, occupancy, before, after, escaped)


def _summed(
    game: MeanFieldMarket, kind: TypeModel, occupancy: Doubles, before: Doubles, after: Doubles, escaped: float
) -> Flow:
    chosen = occupancy.reshape(game.horizon, -1, kind.levels.size).sum(1)

    def expected(feature: Feature) -> Doubles:
        rows = (before * feature.before + after * feature.after).sum(1)
        return np.concatenate([feature.start, rows])[: game.horizon]

    money = expected(kind.money) - chosen @ order_costs(game, kind)
    return Flow(
        occupancy,
        float(game.discount @ money),
        chosen @ kind.levels,
        expected(kind.sold),
        expected(kind.offered),
        escaped + float(expected(kind.overflow).sum()),
    )


def path_of(game: MeanFieldMarket, flows: tuple[Flow, ...]) -> Path:
    """The field of the types' flows, and the prices it makes."""
    shares = game.shares
    orders = shares @ [f.orders for f in flows]
    sales = shares @ [f.sold for f in flows]
    offered = shares @ [f.offered for f in flows]
    revenue = shares @ [kind.agent.p0 * f.sold for kind, f in zip(game.types, flows, strict=True)]
    ratio = 1 - game.config.price_coupling * (sales / game.reference - 1)
    price = np.maximum(ratio, game.config.price_floor)
    return Path(orders, sales, offered, revenue, game.slope * (orders - game.reference), price)


def private_prices(game: MeanFieldMarket, path: Path, k: int) -> Prices:
    """What an agent of type k pays and earns on the path."""
    agent = game.types[k].agent
    return Prices(agent.c + path.premium, agent.p0 * path.price, np.zeros(game.horizon))


def value_of(game: MeanFieldMarket, stream: Flow, prices: Prices) -> float:
    """Discounted profit of a flow at given prices, $."""
    trade = prices.sale * stream.sold + prices.offer * stream.offered - prices.order * stream.orders
    return stream.money + float(game.discount @ trade)


def evaluate_flows(game: MeanFieldMarket, flows: tuple[Flow, ...]) -> Evaluation:
    """What the flows are worth against the field that they make."""
    path = path_of(game, flows)
    values = np.array([value_of(game, f, private_prices(game, path, k)) for k, f in enumerate(flows)])
    residual = float(game.shares @ [f.residual for f in flows])
    return Evaluation(values, float(game.shares @ values), path, flows, residual)


def evaluate(game: MeanFieldMarket, profile: Profile) -> Evaluation:
    """The exact value of `profile`; raises ValueError for policies of another game, or that are no probabilities."""
    if len(profile.policies) != len(game.types):
        raise ValueError(f"the profile has {len(profile.policies)} policies; the game has {len(game.types)} types")
    pairs = zip(game.types, profile.policies, strict=True)
    return evaluate_flows(game, tuple(flow(game, kind, checked_policy(game, kind, policy)) for kind, policy in pairs))
