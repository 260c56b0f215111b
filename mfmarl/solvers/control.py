"""What a population could reach together: the mean-field control optimum, and what selfishness costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.mean_field.game import FiniteMFG
from envs.mean_field.sweep import Frozen, action_values_of, gains_of
from mfmarl.solvers.mirror_descent import centred, softmax
from mfmarl.solvers.slopes import law_slopes, reward_slopes, terminal_slopes
from mfmarl.solvers.solution import Array, Solution

LEAST, LARGEST = 1e-10, 1e6
"""Steps between which one is sought."""
DIFFERENCE = 1e-6
"""Mass that is added and taken for derivatives."""


@dataclass(frozen=True)
class Optimum:
    """The best policy for all that was found, if all play it."""

    pi: Array
    """[T, S, A]"""
    mu: Array
    """[T+1, S]"""
    value: float
    """V(pi, mu^pi)"""
    gap: float
    """What V would still gain to first order. With transitions that do not follow the population and x r(mu) concave
    in the occupancy x no policy is better by more; elsewhere it says that the policy is stationary."""
    iterations: int
    converged: bool


def social_optimum(game: FiniteMFG, tol: float = 1e-3, max_iterations: int = 2000) -> Optimum:
    """A maximum of V(pi, mu^pi), by mirror ascent on marginal values with steps that raise it.

    ln pi += step Q, Q of the marginal rewards: what one more agent in a place gets, and adds to what others get. Where
    the problem is not concave the maximum may be a local one, the nearest to the uniform policy.
    """
    logits = np.where(game.uniform_policy() > 0, 0.0, -np.inf)
    pi, size = softmax(logits), 1.0
    value = float(game.value(pi, game.flow(pi), pi))
    for iteration in range(max_iterations + 1):
        process, mu = marginal(game, pi)
        gap = float(gains_of(process, pi, mu, game.initial))
        if gap <= tol or iteration == max_iterations:
            break
        q = action_values_of(process, pi, ())
        while size > LEAST:
            raised = centred(logits + size * q)
            tried = softmax(raised)
            gained = float(game.value(tried, game.flow(tried), tried)) - value
            if gained >= 0.3 * float((mu[:-1, :, None] * (tried - pi) * q).sum()):
                break
            size /= 2
        else:
            break
        logits, pi, value, size = raised, tried, value + gained, min(1.5 * size, LARGEST)
    mu = game.flow(pi)
    return Optimum(pi, mu, float(game.value(pi, mu, pi)), gap, iteration, gap <= tol)


def marginal(game: FiniteMFG, pi: Array) -> tuple[Frozen, Array]:
    """The decision process whose occupancy gradient is that of V(x, mu(x)), at the flow of pi, and that flow.

    Rewards: r + sum x dr/dx + lambda' x dP/dmu, with lambda the value of one more agent, found backward.
    """
    T, S, A = game.shape
    mu = game.flow(pi)
    x = mu[:-1, :, None] * pi
    rewards = np.array(game.rewards(mu, pi))
    seen = x if game.sees_actions else mu[:-1]
    slopes = reward_slopes(game, mu, pi, np.full(seen.shape, DIFFERENCE))
    effect = np.zeros((T, S * A if game.sees_actions else S))
    np.add.at(effect, (slopes.t, slopes.place), x[slopes.t, slopes.s, slopes.a] * slopes.value)
    rewards += effect.reshape(T, S, A) if game.sees_actions else effect[..., None]
    last = game.terminals(mu[-1]) + mu[-1] @ terminal_slopes(game, mu, np.full(S, DIFFERENCE))
    if not game.kernel.fixed:
        worth = last
        for t in reversed(range(T)):
            successors, _ = game.kernel.rows(t, mu[t])
            weight = x[t][..., None] * worth[successors]
            rewards[t] += np.tensordot(weight, law_slopes(game, t, mu[t], np.full(S, DIFFERENCE)), 3)[:, None]
            q = rewards[t] + game.kernel.expect(t, worth, mu[t])
            worth = (pi[t] * (q if game.action_mask is None else np.where(game.action_mask, q, 0.0))).sum(-1)
    return Frozen(game.kernel, rewards, lambda t: mu[t], last, game.action_mask), mu


def price_of_anarchy(game: FiniteMFG, equilibrium: Solution, optimum: Optimum) -> float:
    """How many times worse an equilibrium is than the optimum: the ratio of costs, or of the optimum's gain to its.

    Raises:
        ValueError: where values are not both costs (negative) or both gains (positive).
    """
    selfish = float(game.value(equilibrium.pi, equilibrium.mu, equilibrium.pi))
    if selfish * optimum.value <= 0:
        told = f"values are {selfish:.6g} (equilibrium) and {optimum.value:.6g} (optimum)"
        raise ValueError(f"{game.name}: {told}; a ratio wants both negative or both positive")
    return selfish / optimum.value if selfish < 0 else optimum.value / selfish
