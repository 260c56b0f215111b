"""Playing profiles forward in time, all types together, as the field of a period follows from the period itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.field import Path, Prices, premium_of, price_of, private_prices
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.process import Feature, TypeModel, position_of
from envs.inventory.mean_field.units import Passage, allot, before_visits, joined, visited

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Profile:
    """What every type plays: per type the probabilities of actions, [T, *state_shape, A]."""

    policies: tuple[Doubles, ...]


@dataclass(frozen=True)
class Flow:
    """What an agent of one type goes through under a policy, in expectation."""

    occupancy: Doubles
    """[T, *state_shape, A]: probability of state and action."""
    money: float
    """Discounted $ that hang on no price: holding, backlog, lost sales, salvage, fixed and handling cost."""
    orders: Doubles
    """[T], u per agent asked for."""
    bought: Doubles
    """[T], u granted; `sold` and `offered` likewise."""
    sold: Doubles
    offered: Doubles
    residual: float
    """Expected periods in which a bound of the position grid, or the room where it is left out, would have bound."""

    def mixed(self, other: Flow, weight: float) -> Flow:
        """(1 - weight) x this + weight x other; a flow again where the field moves no units."""
        keep = 1 - weight
        return Flow(
            keep * self.occupancy + weight * other.occupancy,
            keep * self.money + weight * other.money,
            keep * self.orders + weight * other.orders,
            keep * self.bought + weight * other.bought,
            keep * self.sold + weight * other.sold,
            keep * self.offered + weight * other.offered,
            keep * self.residual + weight * other.residual,
        )

    def without_occupancy(self) -> Flow:
        """What values and fields need of it."""
        return replace(self, occupancy=np.zeros(0))


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


@dataclass(frozen=True)
class Evaluated:
    """A profile and what it is worth."""

    profile: Profile
    evaluation: Evaluation

    @property
    def values(self) -> Doubles:
        """[K]: mean discounted profit of each type, $."""
        return self.evaluation.values

    @property
    def mean(self) -> float:
        """Of the population, $."""
        return self.evaluation.mean


class Walk:
    """One type on its way through time: `order`, `meet` and `leave` in every period, then `flow`."""

    def __init__(self, game: MeanFieldMarket, kind: TypeModel, policy: Doubles) -> None:
        self._game, self.kind, self._policy = game, kind, policy
        horizon = game.horizon
        self.occupancy = np.empty((horizon, *kind.state_shape, kind.levels.size))
        self.granted = np.empty((horizon, kind.levels.size))
        self.visitors = np.zeros(horizon)
        self._state = np.zeros(kind.state_shape)
        self._state[kind.start] = 1.0
        self._before, self._after = np.empty((horizon, kind.size)), np.zeros((horizon, kind.size))
        self._visits = np.zeros((2, horizon))
        self._escaped, self._end = 0.0, 0.0
        self._met = self._state

    def order(self, t: int) -> Doubles:
        """[A]: probabilities of the actions in period t."""
        np.multiply(self._policy[t], self._state[..., None], out=self.occupancy[t])
        self._before[t] = self._state.reshape(self.kind.size, -1).sum(1)
        return np.asarray(self.occupancy[t].reshape(-1, self.kind.levels.size).sum(0))

    def meet(self, t: int, granted: Doubles) -> float:
        """What is granted [A] is on its way, and demand comes; returns what it leaves unmet, u."""
        kind = self.kind
        self.granted[t] = granted
        kernel = kind.kernels[kind.kernel_of[t]]
        if kind.order_first:
            reached = joined(self.occupancy[t], granted)
            self._after[t] = reached
            self._escaped += float(reached @ kind.escaped[kind.kernel_of[t]])
            self._escaped += float((self.occupancy[t] * kind.capped).sum())
            self._met = kernel.T @ reached
        else:
            # [n, next to arrive, ..., action] keeps its orders while the position falls
            mass = self.occupancy[t]
            self._met = (kernel.T @ mass.reshape(kind.size, -1)).reshape(mass.shape)
        return float(self._before[t] @ kind.lost.before[t] + self._after[t] @ kind.lost.after[t])

    def leave(self, t: int, visitors: float) -> None:
        """Visitors buy of what is left, some of the rest spoils, and with lost sales what was ordered earlier joins."""
        kind, left = self.kind, self._met
        if visitors > 0:
            stock = left.reshape(kind.size, -1).sum(1)
            units = kind.positions - before_visits(kind.positions, visitors)
            worth = before_visits(kind.left_worth, visitors) - kind.left_worth
            self._visits[:, t] = stock @ units, stock @ worth
            self.visitors[t] = visitors
            left = visited(left, visitors)
        if kind.agent.delta > 0:
            fresh = np.zeros_like(left)
            np.add.at(fresh, kind.kept, left)
            left = fresh
        if t == self._game.horizon - 1 and kind.end_worth:
            self._end = kind.end_worth * float((left * end_position(kind, self.granted)).sum())
        self._state = left if kind.order_first else joined(left, arriving(kind, self.granted, t))

    def flow(self) -> Flow:
        """Of all periods, when all are played."""
        game, kind = self._game, self.kind
        chosen = self.occupancy.reshape(game.horizon, -1, kind.levels.size).sum(1)

        def expected(feature: Feature) -> Doubles:
            rows = (self._before * feature.before + self._after * feature.after).sum(1)
            return np.concatenate([feature.start, rows])[: game.horizon]

        money = expected(kind.money) - chosen @ order_costs(kind) + self._visits[1]
        money[-1] += self._end
        return Flow(
            self.occupancy,
            float(game.discount @ money),
            chosen @ kind.levels,
            (chosen * self.granted).sum(1),
            expected(kind.sold) + self._visits[0],
            expected(kind.offered),
            self._escaped + float(expected(kind.overflow).sum()),
        )


def arriving(kind: TypeModel, granted: Doubles, t: int) -> Doubles:
    """[A]: units that the order next to arrive brings after period t, of what was granted [T, A]."""
    placed = t - kind.pipeline
    # nothing is on order at the start, which is the action that orders nothing
    return granted[placed] if placed >= 0 else kind.levels


def end_position(kind: TypeModel, granted: Doubles) -> Doubles:
    """Inventory position after the last period: [n], or [n, A, ...] where orders are told apart until they arrive."""
    if kind.order_first:
        return kind.positions
    last = len(granted) - 1
    return position_of(kind.positions, [arriving(kind, granted, t) for t in range(last, last + kind.pipeline + 1)])


def order_costs(kind: TypeModel) -> Doubles:
    """[A]: $ of an order that hang on no price: fixed and handling cost."""
    q = kind.levels
    return kind.agent.K * (q > 0) + kind.agent.phi * q * q / 2


def flow(game: MeanFieldMarket, kind: TypeModel, policy: Doubles, passage: Passage) -> Flow:
    """One agent plays `policy` [T, *state_shape, A] while the field stays as it is."""
    walk = Walk(game, kind, policy)
    for t in range(game.horizon):
        walk.order(t)
        walk.meet(t, passage.granted[t])
        walk.leave(t, float(passage.visitors[t]))
    return walk.flow()


def checked_policy(game: MeanFieldMarket, kind: TypeModel, policy: Doubles) -> Doubles:
    """The policy; raises ValueError where it has another shape, or rows that are no probabilities."""
    shape = (game.horizon, *kind.state_shape, kind.levels.size)
    if policy.shape != shape:
        raise ValueError(f"{kind.name}: policy has shape {policy.shape}; needed is {shape}, periods, state, actions")
    if (policy < 0).any() or abs(policy.sum(-1) - 1).max() > 1e-9:
        worst = np.unravel_index(int(abs(policy.sum(-1) - 1).argmax()), shape[:-1])
        raise ValueError(f"{kind.name}: policy at (t, state) {tuple(map(int, worst))} is no probability vector")
    return policy


def evaluate(game: MeanFieldMarket, profile: Profile) -> Evaluation:
    """The exact value of `profile`; raises ValueError for policies of another game, or that are no probabilities."""
    if len(profile.policies) != len(game.types):
        raise ValueError(f"the profile has {len(profile.policies)} policies; the game has {len(game.types)} types")
    walks = [
        Walk(game, kind, checked_policy(game, kind, policy))
        for kind, policy in zip(game.types, profile.policies, strict=True)
    ]
    shares, coupled = game.shares, game.couplings
    levels = np.concatenate([kind.levels for kind in game.types])
    ends = np.cumsum([kind.levels.size for kind in game.types])[:-1]
    for t in range(game.horizon):
        weights = np.concatenate([share * walk.order(t) for share, walk in zip(shares, walks, strict=True)])
        granted = levels if coupled.capacity is None else allot(levels, weights, coupled.capacity, coupled.allocation)
        unmet = [walk.meet(t, part) for walk, part in zip(walks, np.split(granted, ends), strict=True)]
        visitors = coupled.spill * float(shares @ unmet)
        for walk in walks:
            walk.leave(t, visitors)
    passages = tuple(Passage(walk.granted, walk.visitors) for walk in walks)
    return evaluate_flows(game, tuple(walk.flow() for walk in walks), passages)


def path_of(game: MeanFieldMarket, flows: tuple[Flow, ...], passages: tuple[Passage, ...]) -> Path:
    """The field of the types' flows."""
    shares = game.shares
    orders, bought = shares @ [f.orders for f in flows], shares @ [f.bought for f in flows]
    sales, offered = shares @ [f.sold for f in flows], shares @ [f.offered for f in flows]
    revenue = shares @ [kind.agent.p0 * f.sold for kind, f in zip(game.types, flows, strict=True)]
    price = price_of(game, sales, offered, orders)
    return Path(orders, bought, sales, offered, revenue, premium_of(game, orders), price, passages)


def value_of(game: MeanFieldMarket, stream: Flow, prices: Prices) -> float:
    """Discounted profit of a flow at given prices, $."""
    trade = prices.sale * stream.sold - prices.buy * stream.bought
    trade = trade + prices.offer * stream.offered - prices.order * stream.orders
    return stream.money + float(game.discount @ trade)


def evaluate_flows(game: MeanFieldMarket, flows: tuple[Flow, ...], passages: tuple[Passage, ...]) -> Evaluation:
    """What the flows are worth against the field that they make."""
    path = path_of(game, flows, passages)
    values = np.array([value_of(game, f, private_prices(game, path, k)) for k, f in enumerate(flows)])
    residual = float(game.shares @ [f.residual for f in flows])
    return Evaluation(values, float(game.shares @ values), path, flows, residual)
