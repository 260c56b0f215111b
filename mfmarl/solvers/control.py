"""What a population could reach together: the mean-field control optimum, and what selfishness costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from envs.mean_field.game import FiniteMFG
from envs.mean_field.sweep import Frozen, action_values_of, gains_of
from mfmarl.solvers.mirror_descent import centred, softmax
from mfmarl.solvers.ranges import check_number
from mfmarl.solvers.slopes import law_slopes, reward_slopes, terminal_slopes
from mfmarl.solvers.solution import Array, Solution

LEAST, LARGEST = 1e-10, 1e6
"""Steps between which one is sought."""
DIFFERENCE = 1e-6
"""Mass that is added and taken for derivatives."""


@dataclass(frozen=True)
class ControlState:
    """A policy, what it is worth if all play it, and how it would be raised."""

    logits: Array
    """[T, S, A]"""
    pi: Array
    value: float
    """V(pi, mu^pi)"""
    q: Array
    """[T, S, A], action values of marginal rewards."""
    gap: float
    """What V would still gain to first order."""
    step_size: float
    """The next to try."""


@dataclass(frozen=True)
class Control:
    """A maximum of V(pi, mu^pi), by mirror ascent on marginal values with steps that raise it.

    logits += step Q, Q of the marginal rewards: what one more agent in a place gets, and adds to what others get. A
    step is halved until V gains at least `share` of what it promised to first order (Armijo 1966), and grows by
    `growth`.

    What is brought down is the first-order gap, not the exploitability. With transitions that do not follow the
    population and x r(mu) concave in the occupancy x no policy is better by more than it; elsewhere it says that the
    policy is stationary, and the maximum may be a local one, the nearest to the uniform policy.
    """

    share: float = 0.3
    growth: float = 1.5
    name: str = "control"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "share", self.share, above=0, below=1)
        check_number(self.name, "growth", self.growth, least=1)

    def init(self, game: FiniteMFG) -> ControlState:
        """The uniform policy."""
        pi = game.uniform_policy()
        return _state(game, np.where(pi > 0, 0.0, -np.inf), pi, worth(game, pi), 1.0)

    def step(self, game: FiniteMFG, state: ControlState) -> ControlState:
        """One step that raises the value; a policy that no step raises stays."""
        size, mu = state.step_size, game.flow(state.pi)
        while size > LEAST:
            logits = centred(state.logits + size * state.q)
            pi = softmax(logits)
            value = worth(game, pi)
            promised = float((mu[:-1, :, None] * (pi - state.pi) * state.q).sum())
            if value - state.value >= self.share * promised:
                return _state(game, logits, pi, value, min(size * self.growth, LARGEST))
            size /= 2
        return replace(state, step_size=size)

    def policy(self, game: FiniteMFG, state: ControlState) -> Array:
        """The last iterate."""
        return state.pi

    def gap(self, game: FiniteMFG, state: ControlState) -> float:
        """What V would still gain to first order."""
        return state.gap


def _state(game: FiniteMFG, logits: Array, pi: Array, value: float, size: float) -> ControlState:
    process, mu = marginal(game, pi)
    gap = float(gains_of(process, pi, mu, game.initial))
    return ControlState(logits, pi, value, action_values_of(process, pi, ()), gap, size)


def worth(game: FiniteMFG, pi: Array) -> float:
    """V(pi, mu^pi): what each gets if all play pi."""
    return float(game.value(pi, game.flow(pi), pi))


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


def price_of_anarchy(game: FiniteMFG, equilibrium: Solution, optimum: Solution) -> float:
    """How many times worse an equilibrium is than the optimum: the ratio of costs, or of the optimum's gain to its.

    Raises:
        ValueError: where values are not both costs (negative) or both gains (positive).
    """
    selfish, social = worth(game, equilibrium.pi), worth(game, optimum.pi)
    if selfish * social <= 0:
        told = f"values are {selfish:.6g} (equilibrium) and {social:.6g} (optimum)"
        raise ValueError(f"{game.name}: {told}; a ratio wants both negative or both positive")
    return selfish / social if selfish < 0 else social / selfish
