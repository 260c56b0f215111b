"""Profiles that are rules: random, constant order, base stock and (s, S) on the inventory position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from envs.inventory.demand import CountDemand
from envs.inventory.mean_field.best_response import as_policy
from envs.inventory.mean_field.flow import Profile
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.process import TypeModel
from envs.inventory.reference import critical_ratio
from envs.inventory.types import Parameters
from envs.unsolvable import Unsolvable

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]
Order = Callable[[TypeModel, Doubles], Integers]
"""(type, units that are wanted) -> the action that is for them."""


def nearest_action(kind: TypeModel, units: Doubles) -> Integers:
    """The action whose units lie nearest to the wanted ones; of two equally near the smaller order."""
    ranks = np.argsort(kind.levels, kind="stable")
    bounds = (kind.levels[ranks][1:] + kind.levels[ranks][:-1]) / 2
    return np.asarray(ranks[np.searchsorted(bounds, units, side="left")], np.int64)


def next_action(kind: TypeModel, units: Doubles) -> Integers:
    """The action of the fewest units that are enough; the largest where none is."""
    ranks = np.argsort(kind.levels, kind="stable")
    enough = np.searchsorted(kind.levels[ranks], units, side="left")
    return np.asarray(ranks[np.minimum(enough, len(ranks) - 1)], np.int64)


def stationary(game: MeanFieldMarket, kind: TypeModel, actions: Integers) -> Doubles:
    """[T, *state_shape, A]: actions [*state_shape] in every period."""
    policy = as_policy(kind, actions)
    return np.broadcast_to(policy, (game.horizon, *policy.shape))


def random_profile(game: MeanFieldMarket) -> Profile:
    """Every action equally likely."""
    shapes = [(game.horizon, *k.state_shape, k.levels.size) for k in game.types]
    return Profile(tuple(np.broadcast_to(1 / shape[-1], shape) for shape in shapes))


def constant_profile(game: MeanFieldMarket) -> Profile:
    """The order nearest to mu."""
    actions = [np.broadcast_to(nearest_action(k, np.array(k.agent.mu)), k.state_shape) for k in game.types]
    return Profile(tuple(stationary(game, k, a) for k, a in zip(game.types, actions, strict=True)))


def s_S_actions(kind: TypeModel, s: float, S: float, order: Order = nearest_action) -> Integers:
    """[*state_shape]: where the inventory position is at or below s the order for what it lacks of S."""
    position = kind.inventory_position()
    return order(kind, np.where(position <= s, np.maximum(S - position, 0.0), 0.0))


def s_S_profile(
    game: MeanFieldMarket, levels: Sequence[tuple[float, float]], order: Order = nearest_action
) -> Profile:
    """One (s, S) a type, in u; raises ValueError where their number is not the types'."""
    if len(levels) != len(game.types):
        raise ValueError(f"{len(levels)} pairs (s, S) for {len(game.types)} types: give one a type")
    pairs = zip(game.types, levels, strict=True)
    return Profile(tuple(stationary(game, kind, s_S_actions(kind, s, S, order)) for kind, (s, S) in pairs))


def type_parameters(game: MeanFieldMarket) -> Parameters:
    """The types' parameters as vectors [K]."""
    names = [f.name for f in fields(Parameters)]
    columns = {name: np.array([float(getattr(k.agent, name)) for k in game.types]) for name in names}
    lead = columns.pop("L").astype(np.int64)
    return Parameters(**columns, L=lead)


def base_stock_levels(game: MeanFieldMarket) -> Doubles:
    """[K]: order-up-to positions, the quantile of demand over L + 1 periods at the reference prices' critical ratio."""
    parameters = type_parameters(game)
    ratio = critical_ratio(parameters, unmet=game.config.unmet, discount=game.gamma)
    levels = np.maximum(CountDemand(parameters.mu, parameters.cv2).quantile(ratio, parameters.L + 1), 0.0)
    if not np.isfinite(levels).all():
        name = game.types[int(np.argmin(np.isfinite(levels)))].name
        raise Unsolvable(f"{name} has no finite base-stock level: its stock costs nothing to hold; set h or gamma < 1")
    return levels


def base_stock_profile(game: MeanFieldMarket, levels: Sequence[float] | None = None) -> Profile:
    """The order nearest to what the position lacks of `levels` [K], or of `base_stock_levels` where not given."""
    wanted = base_stock_levels(game) if levels is None else np.asarray(levels, float)
    return s_S_profile(game, [(level, level) for level in wanted])
