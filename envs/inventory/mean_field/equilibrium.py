"""Fictitious play: everyone answers the average of all play so far; in a monotone game the average settles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.best_response import as_policy, respond
from envs.inventory.mean_field.flow import (
    Evaluation,
    Flow,
    Profile,
    evaluate,
    evaluate_flows,
    flow,
    private_prices,
)
from envs.inventory.mean_field.model import MeanFieldMarket, TypeModel
from envs.inventory.mean_field.profiles import base_stock_profile

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Solution:
    """A profile found by iteration, with how far it is from what was sought."""

    profile: Profile
    evaluation: Evaluation
    gaps: Doubles
    """[iterations + 1]: total NashConv before each iteration and at the end, $ per agent."""
    residual: float
    """The last gap as a share of the mean value."""
    iterations: int
    converged: bool
    """Whether `residual` is at most the tolerance."""

    @property
    def values(self) -> Doubles:
        """[K]: mean discounted profit of each type, $."""
        return self.evaluation.values

    @property
    def mean(self) -> float:
        """Of the population, $."""
        return self.evaluation.mean


def policy_of(kind: TypeModel, occupancy: Doubles) -> Doubles:
    """[T, *state_shape, A]: the policy of a mixture of flows; states that are never reached play the first action."""
    total = occupancy.sum(-1, keepdims=True)
    policy = occupancy / np.where(total > 0, total, 1.0)
    policy[..., :1] += total == 0
    return policy


def equilibrium(
    game: MeanFieldMarket, *, iterations: int = 60, tol: float = 0.0, start: Profile | None = None
) -> Solution:
    """Fictitious play with steps 1 / (i + 1), the averages taken over what happens (states and actions).

    Args:
        game: monotone where the retail price falls with sales and the wholesale price rises with orders.
        iterations: at most this many.
        tol: stop when NashConv is at most this share of the mean value.
        start: answered first; base stock where not given.
    """
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}; fictitious play takes at least one")
    found = evaluate(game, start if start is not None else base_stock_profile(game))
    gaps: list[float] = []
    done = 0
    while True:
        answers = [respond(game, kind, private_prices(game, found.path, k)) for k, kind in enumerate(game.types)]
        best = np.array([answer.value for answer in answers])
        gaps.append(float(game.shares @ (best - found.values)))
        if done == iterations or gaps[-1] <= tol * abs(found.mean):
            break
        weight = 1 / (done + 1)
        flows: list[Flow] = []
        for kind, answer, old in zip(game.types, answers, found.flows, strict=True):
            new = flow(game, kind, as_policy(kind, answer.actions))
            flows.append(new if weight == 1 else old.mixed(new, weight))
        found = evaluate_flows(game, tuple(flows))
        done += 1
    profile = Profile(tuple(policy_of(k, f.occupancy) for k, f in zip(game.types, found.flows, strict=True)))
    residual = gaps[-1] / abs(found.mean)
    return Solution(profile, found, np.array(gaps), residual, done, residual <= tol)
