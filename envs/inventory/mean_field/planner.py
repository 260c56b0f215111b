"""The planner's profile (mean-field control): what maximises the population's mean value, not each agent's own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from envs.inventory.mean_field.best_response import as_policy, gaps_of, respond
from envs.inventory.mean_field.equilibrium import policy_of
from envs.inventory.mean_field.flow import (
    Evaluation,
    Flow,
    Path,
    Prices,
    Profile,
    evaluate,
    evaluate_flows,
    flow,
    private_prices,
    value_of,
)
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.profiles import base_stock_profile

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """The planner's profile and how much better one could be."""

    profile: Profile
    evaluation: Evaluation
    values_by_iteration: Doubles
    """[iterations + 1]: mean value before each iteration and at the end, $ per agent; never falls."""
    residual: float
    """Gain that the last best answer promises at fixed marginal prices, as a share of the mean value: 0 at a
    stationary point, and where the game is concave a bound of what is missing."""
    nash_conv: float
    """What agents gain by leaving the plan one by one, as a share of its mean value."""
    iterations: int

    @property
    def values(self) -> Doubles:
        """[K], $."""
        return self.evaluation.values

    @property
    def mean(self) -> float:
        """Of the population, $."""
        return self.evaluation.mean


def marginal_prices(game: MeanFieldMarket, path: Path, k: int) -> Prices:
    """What one more unit of type k changes in the population's total, itself included.

    An order raises the wholesale price of all that is ordered by slope / N, and a sale lowers the retail price of all
    that is sold by p0 coupling / (m_ref N); where the retail price stands at its floor it moves nothing.
    """
    own = private_prices(game, path, k)
    moves = path.price > game.config.price_floor
    fall = np.where(moves, game.config.price_coupling / game.reference * path.revenue, 0.0)
    return Prices(own.order + game.slope * path.mean_order, own.sale - fall, own.offer)


def planner(game: MeanFieldMarket, *, iterations: int = 120, tol: float = 0.0, start: Profile | None = None) -> Plan:
    """Frank-Wolfe on flows: the best answer at marginal prices, and the best step towards it by line search.

    Args:
        game: as from `mean_field`.
        iterations: at most this many.
        tol: stop when the promised gain is at most this share of the mean value.
        start: base stock where not given.
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; the planner takes at least one")
    found = evaluate(game, start if start is not None else base_stock_profile(game))
    values = [found.mean]
    done = 0
    while True:
        prices = [marginal_prices(game, found.path, k) for k in range(len(game.types))]
        answers = [respond(game, kind, own) for kind, own in zip(game.types, prices, strict=True)]
        at_margin = [value_of(game, f, own) for f, own in zip(found.flows, prices, strict=True)]
        promised = float(game.shares @ (np.array([a.value for a in answers]) - at_margin))
        if done == iterations or promised <= tol * abs(found.mean):
            break
        towards = tuple(
            flow(game, kind, as_policy(kind, answer.actions)) for kind, answer in zip(game.types, answers, strict=True)
        )
        step = _best_step(game, found.flows, towards)
        if step == 0:
            break
        found = evaluate_flows(game, tuple(f.mixed(g, step) for f, g in zip(found.flows, towards, strict=True)))
        values.append(found.mean)
        done += 1
    profile = Profile(tuple(policy_of(k, f.occupancy) for k, f in zip(game.types, found.flows, strict=True)))
    share = gaps_of(game, found).share
    return Plan(profile, found, np.array(values), promised / abs(found.mean), share, done)


def _best_step(game: MeanFieldMarket, flows: tuple[Flow, ...], towards: tuple[Flow, ...]) -> float:
    """The step in [0, 1] that raises the mean value most: of the whole step, and of what a bounded search finds."""
    light = [tuple(f.without_occupancy() for f in side) for side in (flows, towards)]

    def mean(step: float) -> float:
        return evaluate_flows(game, tuple(f.mixed(g, step) for f, g in zip(*light, strict=True))).mean

    inside = float(optimize.minimize_scalar(lambda step: -mean(step), bounds=(0, 1), options={"xatol": 1e-9}).x)
    return max((0.0, inside, 1.0), key=mean)
