"""Policies that act on observations, as profiles of the mean field: a causal forward pass, period by period.

Against a field that is a known path a policy has the same law of states and orders as the one that plays, in every
state of the type's process, p(a | state, t) = sum over what is hidden p(hidden | state) pi(a | observation). So values,
gaps and best responses of networks are exactly those of an ordinary `Profile`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.field import premium_of, price_of
from envs.inventory.mean_field.flow import Profile
from envs.inventory.mean_field.hidden import Hidden
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.observer import Holdings, Observer, Yesterday
from envs.inventory.mean_field.units import allot

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Law = Callable[[int, Floats, Doubles, Doubles], NDArray[np.floating]]
"""(type k, observations [R, D], mean action of the period before [A], those of each type [K, A]) -> probabilities
[R, A]. Types are those of the market that the policies were made for; mean actions are 0 at the start, and those of a
type that does not play."""


@dataclass(frozen=True)
class Observed:
    """What policies that act on observations are in the mean field."""

    profile: Profile
    mean_order: Doubles
    """[T], u per agent asked for, as the forward pass met it."""
    price: Doubles
    """[T]: retail price / p0."""
    mean_action: Doubles
    """[T, A]: of the population."""
    pruned: float
    """Largest probability of any type, summed over periods, of what its policy was not asked about."""
    rows: int
    """Observations that policies were asked about."""


def observed_profile(game: MeanFieldMarket, law: Law, observer: Observer | None = None) -> Observed:
    """What `law` plays in `game`, everyone else playing it too; see `observed_in_time`."""
    return observed_in_time(game, lambda t: law, observer)


def observed_in_time(game: MeanFieldMarket, law_at: Callable[[int], Law], observer: Observer | None = None) -> Observed:
    """What policies that are told the period play in `game`, everyone playing them.

    Args:
        game: without jitter, as always.
        law_at: period t -> the law that is played in it.
        observer: in whose layout the policies observe; that of `game` where not given.

    Raises:
        ValueError: where a type's own observations are too many to follow, or what the law gives are no probabilities.
    """
    observer = observer or Observer(game)
    walks = [Hidden(game, kind) for kind in game.types]
    places = [observer.place(kind.name) for kind in game.types]
    actions, horizon = game.types[0].levels.size, game.horizon
    levels = np.concatenate([kind.levels for kind in game.types])
    ends = np.arange(1, len(walks)) * actions
    policies = [np.empty((horizon, *kind.state_shape, actions)) for kind in game.types]
    orders, prices, means = np.empty(horizon), np.empty(horizon), np.empty((horizon, actions))
    coupled, shares = game.couplings, game.shares
    before, mean, by_type = Yesterday(), np.zeros(actions), np.zeros((len(observer.type_names), actions))
    for t in range(horizon):
        shared = observer.shared(t, before)
        played = np.zeros_like(by_type)
        for k, walk, policy in zip(places, walks, policies, strict=True):
            asked = partial(_told, law_at(t), observer, k, shared=shared, mean=mean, by_type=by_type)
            occupancy = walk.order(asked)
            played[k] = occupancy.reshape(-1, actions).sum(0)
            total = occupancy.sum(-1, keepdims=True)
            # states that nobody comes to order like the average
            policy[t] = played[k] / played[k].sum()
            np.divide(occupancy, total, out=policy[t], where=total > 0)
        by_type = played
        weights = (shares[:, None] * played[places]).reshape(-1)
        granted = levels if coupled.capacity is None else allot(levels, weights, coupled.capacity, coupled.allocation)
        met = np.array([walk.meet(t, part) for walk, part in zip(walks, np.split(granted, ends), strict=True)])
        sold, offered, unmet = shares @ met
        visitors = coupled.spill * unmet
        sold += shares @ [walk.leave(visitors) for walk in walks]
        orders[t], mean = weights @ levels, shares @ played[places]
        told = [np.array([value]) for value in (orders[t], sold, offered)]
        prices[t], means[t] = price_of(game, told[1], told[2], told[0])[0], mean
        fill = 1.0 if coupled.capacity is None else coupled.capacity / max(orders[t], coupled.capacity)
        before = Yesterday(orders[t], float(premium_of(game, told[0])[0]), prices[t], fill)
    pruned, rows = max(walk.pruned for walk in walks), sum(walk.rows for walk in walks)
    return Observed(Profile(tuple(policies)), orders, prices, means, pruned, rows)


def _told(
    law: Law, observer: Observer, k: int, held: Holdings, *, shared: Floats, mean: Doubles, by_type: Doubles
) -> NDArray[np.floating]:
    """Probabilities [R, A] of what type k does, which sum to 1 but for the rounding of float32."""
    seen = observer.rows(k, held, shared)
    probs = law(k, seen, mean, by_type)
    if not (probs.min() >= 0 and abs(probs.sum(-1) - 1).max() < 1e-4):
        row = int(np.argmin((probs >= 0).all(-1) & (abs(probs.sum(-1) - 1) < 1e-4)))
        raise ValueError(
            f"{observer.type_names[k]}: what its policy plays on observation {seen[row].tolist()} is no law: "
            f"{probs[row].tolist()}"
        )
    return probs
