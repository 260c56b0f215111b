"""Fictitious play: everyone answers the average of all play so far; in a monotone game the average settles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from envs.inventory.mean_field.best_response import Integers, as_policy, best_response
from envs.inventory.mean_field.flow import (
    Evaluated,
    Evaluation,
    Profile,
    evaluate,
    flow,
)
from envs.inventory.mean_field.model import MeanFieldMarket
from envs.inventory.mean_field.profiles import base_stock_profile

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Solution(Evaluated):
    """A profile found by iteration, with how far it is from what was sought."""

    gaps: Doubles
    """[iterations + 1]: total NashConv before each iteration and at the end, $ per agent."""
    residual: float
    """The last gap as a share of the mean value."""
    iterations: int
    converged: bool
    """Whether `residual` is at most the tolerance."""


def towards(game: MeanFieldMarket, found: Evaluation, actions: Sequence[Integers], weight: float) -> Profile:
    """The profile that plays as that of `found` with probability 1 - weight, as `actions` with probability weight.

    The coin falls once, before the start, so what is mixed is how often states and actions come up on the path of
    `found`. States that come up in neither play `actions`.
    """
    policies = []
    for kind, old, new, passage in zip(game.types, found.flows, actions, found.path.passages, strict=True):
        answer = as_policy(kind, new)
        if weight == 1:
            policies.append(answer)
            continue
        policy = (1 - weight) * old.occupancy + weight * flow(game, kind, answer, passage).occupancy
        total = policy.sum(-1, keepdims=True)
        np.divide(policy, total, out=policy, where=total > 0)
        np.copyto(policy, answer, where=total <= 0)
        policies.append(policy)
    return Profile(tuple(policies))


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
    profile = start if start is not None else base_stock_profile(game)
    found = evaluate(game, profile)
    gaps: list[float] = []
    done = 0
    while True:
        answers = [best_response(game, found.path, k) for k in range(len(game.types))]
        best = np.array([answer.value for answer in answers])
        gaps.append(float(game.shares @ (best - found.values)))
        if done == iterations or gaps[-1] <= tol * abs(found.mean):
            break
        profile = towards(game, found, [answer.actions for answer in answers], 1 / (done + 1))
        found = evaluate(game, profile)
        done += 1
    residual = gaps[-1] / abs(found.mean)
    return Solution(profile, found, np.array(gaps), residual, done, residual <= tol)
