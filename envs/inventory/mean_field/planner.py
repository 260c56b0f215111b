"""The planner's profile (mean-field control): what maximises the population's mean value, not each agent's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from envs.inventory.mean_field.best_response import Integers, as_policy, gaps_of, respond
from envs.inventory.mean_field.equilibrium import towards
from envs.inventory.mean_field.field import marginal_prices
from envs.inventory.mean_field.flow import (
    Evaluated,
    Evaluation,
    Profile,
    evaluate,
    evaluate_flows,
    flow,
    value_of,
)
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.profiles import base_stock_profile

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Plan(Evaluated):
    """The planner's profile and how much better one could be."""

    values_by_iteration: Doubles
    """[iterations + 1]: mean value before each iteration and at the end, $ per agent; never falls."""
    residual: float
    """Gain that the last best answer promises at fixed marginal prices, as a share of the mean value: 0 at a
    stationary point, and where the game is concave a bound of what is missing."""
    nash_conv: float
    """What agents gain by leaving the plan one by one, as a share of its mean value."""
    iterations: int


def planner(game: MeanFieldMarket, *, iterations: int = 120, tol: float = 0.0, start: Profile | None = None) -> Plan:
    """Frank-Wolfe on flows: the best answer at marginal prices, and the best step towards it by line search.

    Where the field moves units (scarce supply, spill-over) the marginal prices leave out what an order takes from
    others and a sale leaves them. Every step still raises the mean value, but where it ends is a lower bound.

    Args:
        game: as from `mean_field`.
        iterations: at most this many.
        tol: stop when the promised gain is at most this share of the mean value.
        start: base stock where not given.
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; the planner takes at least one")
    profile = start if start is not None else base_stock_profile(game)
    found = evaluate(game, profile)
    values = [found.mean]
    while True:
        prices = [marginal_prices(game, found.path, k) for k in range(len(game.types))]
        answers = [respond(game, *of) for of in zip(game.types, prices, found.path.passages, strict=True)]
        at_margin = [value_of(game, f, own) for f, own in zip(found.flows, prices, strict=True)]
        promised = float(game.shares @ (np.array([a.value for a in answers]) - at_margin))
        if len(values) > iterations or promised <= tol * abs(found.mean):
            break
        actions = [answer.actions for answer in answers]
        step = _searched(game, found, actions) if game.units_follow_field else _line_search(game, found, actions)
        if step == 0:
            break
        profile = towards(game, found, actions, step)
        found = evaluate(game, profile)
        values.append(found.mean)
    share = gaps_of(game, found).share
    return Plan(profile, found, np.array(values), promised / abs(found.mean), share, len(values) - 1)


def _line_search(game: MeanFieldMarket, found: Evaluation, actions: Sequence[Integers]) -> float:
    """The step in [0, 1] that raises the mean value most, flows being linear in it."""
    passages = found.path.passages
    answers = [
        flow(game, kind, as_policy(kind, new), passage).without_occupancy()
        for kind, new, passage in zip(game.types, actions, passages, strict=True)
    ]
    old = [stream.without_occupancy() for stream in found.flows]

    def mean(step: float) -> float:
        flows = tuple(f.mixed(g, step) for f, g in zip(old, answers, strict=True))
        return evaluate_flows(game, flows, passages).mean

    inside = float(optimize.minimize_scalar(lambda step: -mean(step), bounds=(0, 1), options={"xatol": 1e-9}).x)
    return max((0.0, inside, 1.0), key=mean)


def _searched(game: MeanFieldMarket, found: Evaluation, actions: Sequence[Integers]) -> float:
    """The best of the steps 1, 1/2, 1/4, ... up to the first that is worse than one that helps; 0 where none does."""
    best, gain = 0.0, found.mean
    for halvings in range(12):
        mean = evaluate(game, towards(game, found, actions, 0.5**halvings)).mean
        if mean > gain:
            best, gain = 0.5**halvings, mean
        elif best > 0:
            break
    return best
