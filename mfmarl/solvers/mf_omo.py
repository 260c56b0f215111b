"""An equilibrium as a minimum: mean-field occupation measure optimisation (Guo, Hu and Zhang 2024)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.polytope import policy_of
from mfmarl.solvers.ranges import check_number
from mfmarl.solvers.slopes import law_slopes, reward_slopes, terminal_slopes
from mfmarl.solvers.solution import Array

FLOOR = 1e-10
"""Mass that places which nobody comes to begin with."""
BETAS = (0.9, 0.999)
"""Of Adam (Kingma and Ba 2015)."""


@dataclass(frozen=True)
class OMOState:
    """Parameters of (x, z, y) and Adam's averages of their gradients, each [3] arrays in one tuple."""

    logits: Array
    """[T, S, A]: x_t = softmax over states and actions together."""
    roots: Array
    """[T, S, A]: z = roots^2."""
    values: Array
    """[T, S]: y, in units of `scale`."""
    scale: float
    mean: tuple[Array, Array, Array]
    square: tuple[Array, Array, Array]
    iteration: int


@dataclass(frozen=True)
class MFOMO:
    """Adam on |A x - b|^2 + |V - r - E V' - z|^2 + z x, whose zeros are the equilibria, monotone or not.

    x is an occupancy that need not be consistent on the way, z >= 0 a slack and V values; theorem 4 of the paper.
    Distributions and signs are held by parametrisation. The policy is that of x. Gradients are torch's where it knows
    the game's functions, as of all that ship; of others rewards and transitions are differentiated by differences,
    which are wrong for logarithms of masses below 1e-9.
    """

    rate: float = 0.05
    name: str = "mf_omo"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_number(self.name, "rate", self.rate, above=0)

    def init(self, game: FiniteMFG) -> OMOState:
        """The uniform policy's occupancy, and the best values against it."""
        pi = game.uniform_policy()
        mu = game.flow(pi)
        x = mu[:-1, :, None] * pi
        answer = game.best_response(mu, pi)
        values = answer.values[:-1]
        q = np.where(np.isfinite(answer.q), answer.q, values[..., None])
        scale = max(1.0, float(np.abs(values).max()))
        roots = np.sqrt(values[..., None] - q + 1e-3 * scale)
        params = (np.log(np.maximum(x, FLOOR)), roots, values / scale)
        zeros = tuple(np.zeros(p.shape) for p in params)
        return OMOState(*params, scale, (zeros[0], zeros[1], zeros[2]), (zeros[0], zeros[1], zeros[2]), 0)

    def step(self, game: FiniteMFG, state: OMOState) -> OMOState:
        """One step of Adam."""
        k = state.iteration + 1
        _, slopes = exact_or_not(game, state)
        first, second = BETAS
        mean = tuple(first * m + (1 - first) * g for m, g in zip(state.mean, slopes, strict=True))
        square = tuple(second * v + (1 - second) * g**2 for v, g in zip(state.square, slopes, strict=True))
        moved = [
            p - self.rate * (m / (1 - first**k)) / (np.sqrt(v / (1 - second**k)) + 1e-8)
            for p, m, v in zip((state.logits, state.roots, state.values), mean, square, strict=True)
        ]
        return OMOState(
            moved[0], moved[1], moved[2], state.scale,
            (mean[0], mean[1], mean[2]), (square[0], square[1], square[2]), k,
        )  # fmt: skip

    def policy(self, game: FiniteMFG, state: OMOState) -> Array:
        """That of x."""
        return policy_of(game, occupancy_of(game, state.logits))


def occupancy_of(game: FiniteMFG, logits: Array) -> Array:
    """x[T, S, A], a distribution over states and actions that they have at each step."""
    if game.action_mask is not None:
        logits = np.where(game.action_mask, logits, -np.inf)
    raised = np.exp(logits - logits.max((-2, -1), keepdims=True))
    found: Array = raised / raised.sum((-2, -1), keepdims=True)
    return found


def exact_or_not(game: FiniteMFG, state: OMOState) -> tuple[float, tuple[Array, Array, Array]]:
    """The objective and its gradient, exact where torch knows the game."""
    # torch takes seconds to import, and no other solver needs it
    from mfmarl.solvers.torch_omo import exact_objective, taken_over

    there = taken_over(game)
    if there is None:
        return objective(game, state)
    return exact_objective(there, state.logits, state.roots, state.values, state.scale)


def objective(game: FiniteMFG, state: OMOState) -> tuple[float, tuple[Array, Array, Array]]:
    """The objective, and its gradient in (logits, roots, values), with rewards and transitions by differences."""
    T, S, A = game.shape
    x, z = occupancy_of(game, state.logits), state.roots**2
    allowed = np.ones((S, A), bool) if game.action_mask is None else game.action_mask
    pi, marginal = policy_of(game, x), x.sum(-1)
    mu = np.concatenate([marginal, game.kernel.push(T - 1, x[-1], marginal[-1])[None]])
    values = np.concatenate([state.values * state.scale, game.terminals(mu[-1])[None]])
    r = game.rewards(mu, pi)
    off = np.empty((T, S, A))
    lost = np.empty((T, S))
    lost[0] = marginal[0] - game.initial
    for t in range(T):
        off[t] = values[t][:, None] - r[t] - game.kernel.expect(t, values[t + 1], mu[t]) - z[t]
        if t + 1 < T:
            lost[t + 1] = marginal[t + 1] - game.kernel.push(t, x[t], mu[t])
    off = np.where(allowed, off, 0.0)
    z = np.where(allowed, z, 0.0)
    height = float((lost**2).sum() + (off**2).sum() + (z * x).sum())
    of_x = z + 2 * lost[..., None]
    of_values = 2 * off.sum(-1)
    # of mu_T, through the rewards that come last
    of_end = -2 * game.kernel.push(T - 1, off[-1], mu[-2]) @ terminal_slopes(game, mu, np.full(S, 1e-6))
    of_mu = np.zeros((T, S))
    for t in range(T):
        pulled = -2 * lost[t + 1] if t + 1 < T else of_end
        of_x[t] += game.kernel.expect(t, pulled, mu[t])
        if t + 1 < T:
            of_values[t + 1] -= 2 * game.kernel.push(t, off[t], mu[t])
        if not game.kernel.fixed:
            successors, _ = game.kernel.rows(t, mu[t])
            weight = -2 * off[t][..., None] * values[t + 1][successors] + x[t][..., None] * pulled[successors]
            of_mu[t] += np.tensordot(weight, law_slopes(game, t, mu[t], np.full(S, 1e-6)), 3)
    seen = x if game.sees_actions else marginal
    slopes = reward_slopes(game, mu, pi, np.maximum(1e-4 * seen, 1e-9))
    effect = np.zeros((T, S * A if game.sees_actions else S))
    np.add.at(effect, (slopes.t, slopes.place), -2 * off[slopes.t, slopes.s, slopes.a] * slopes.value)
    of_x += of_mu[..., None] + (effect.reshape(T, S, A) if game.sees_actions else effect[..., None])
    of_logits = x * (of_x - (x * of_x).sum((-2, -1), keepdims=True))
    of_roots = 2 * state.roots * np.where(allowed, x - 2 * off, 0.0)
    return height, (of_logits, of_roots, of_values * state.scale)
