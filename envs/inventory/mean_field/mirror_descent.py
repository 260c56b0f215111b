"""Online mirror descent: every agent's policy follows the running sum of its action values (Perolat et al. 2021).

    y_i+1(t, state, a) = y_i(t, state, a) + step x Q_i(t, state, a),   pi_i+1 = softmax(y_i+1)

with Q_i the values of pi_i against the path that pi_i makes (arXiv:2103.00623, algorithm 1). In monotone games the last
policy settles, with no average to be taken; fictitious play averages best responses instead.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from envs.inventory.mean_field.best_response import backward, best_response
from envs.inventory.mean_field.equilibrium import Solution
from envs.inventory.mean_field.field import private_prices
from envs.inventory.mean_field.flow import Evaluation, Profile, evaluate
from envs.inventory.mean_field.model import MeanFieldMarket

Doubles = NDArray[np.float64]


def mirror_descent(
    game: MeanFieldMarket, *, iterations: int = 120, step: float = 0.04, tol: float = 0.0, start: Profile | None = None
) -> Solution:
    """Mirror descent with constant steps; the profile is the last one.

    Args:
        game: monotone where the retail price falls with sales and the wholesale price rises with orders.
        iterations: at most this many.
        step: of the action values, 1/$: an action that is worth 1 / step $ less comes up e times more seldom with
            every iteration. On `easy` .05 converges and .06 does not.
        tol: stop when NashConv is at most this share of the mean value.
        start: random orders where not given; actions that it never plays are never played.

    Raises:
        ValueError: for fewer than one iteration, or a step that is not above 0.
    """
    if iterations < 1 or step <= 0:
        raise ValueError(f"iterations is {iterations}, step {step}: at least one iteration, and a step above 0")
    shapes = [(game.horizon, *kind.state_shape, kind.levels.size) for kind in game.types]
    if start is None:
        logits = [np.zeros(shape) for shape in shapes]
    else:
        with np.errstate(divide="ignore"):
            logits = [np.log(policy) for policy in start.policies]
    profile = _profile(logits)
    found = evaluate(game, profile)
    gaps: list[float] = []
    done = 0
    while True:
        best = np.array([best_response(game, found.path, k).value for k in range(len(game.types))])
        gaps.append(float(game.shares @ (best - found.values)))
        if done == iterations or gaps[-1] <= tol * abs(found.mean):
            break
        for k, (y, policy) in enumerate(zip(logits, profile.policies, strict=True)):
            y += step * action_values(game, found, k, policy)
        profile = _profile(logits)
        found = evaluate(game, profile)
        done += 1
    residual = gaps[-1] / abs(found.mean)
    return Solution(profile, found, np.array(gaps), residual, done, residual <= tol)


def action_values(game: MeanFieldMarket, found: Evaluation, k: int, policy: Doubles) -> Doubles:
    """Q [T, *state_shape, A] of type k's `policy` on the path of `found`: $ from t on, as of t, less the best action's.

    What all actions of a state have in common changes no softmax, so it is left out.
    """
    kind = game.types[k]
    values = np.empty_like(policy)

    def kept(t: int, worth: Doubles) -> Doubles:
        values[t] = (worth - worth.max(-1, keepdims=True)) / game.discount[t]
        return np.asarray((policy[t] * worth).sum(-1))

    backward(game, kind, private_prices(game, found.path, k), found.path.passages[k], kept)
    return values


def _profile(logits: list[Doubles]) -> Profile:
    return Profile(tuple(special.softmax(y, -1) for y in logits))
