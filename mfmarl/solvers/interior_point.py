"""The central path of an equilibrium's optimality conditions, by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from envs.mean_field.game import FiniteMFG
from mfmarl.solvers.newton_system import newton_step
from mfmarl.solvers.omi import entropic, from_log
from mfmarl.solvers.ranges import check_number, check_whole
from mfmarl.solvers.solution import Array

TO_THE_EDGE = 0.99
"""Share of the way to the first mass that would become zero."""
NEIGHBOURHOOD = 1e-3
"""Least x z / w on the way, as a share of its mean."""
LEAST_STEP = 1e-4


@dataclass(frozen=True)
class CentralState:
    """A policy of the first phase, as logarithms, or of the second, with an upper bound of what is best against it."""

    log_pi: Array
    step_size: float
    """Of the first phase."""
    iteration: int
    values: Array | None = None
    """V[T+1, S] with slack z = V - r - E V' > 0 for each place that can be reached."""
    weight: Array | None = None
    """w[T, S, A], the occupancy that the second phase began with."""
    centring: float = 0.1


@dataclass(frozen=True)
class InteriorPoint:
    """Newton's method on x z = m w for all (t, s, a): slack z = V - r(mu) - E V' > 0, and x the policy's occupancy.

    For m = 0 these are the conditions of an equilibrium (Guo, Hu and Zhang 2024, theorem 4). The duality gap sum x z
    bounds the exploitability from above and is brought down step by step (Simantiraki and Shanno 1997). First come
    `warm` entropic steps, whose last occupancy, with a `share` of the uniform policy, is w: in its units no mass is
    tiny. Takes tens of iterations where the game is monotone, however badly scaled. Needs derivatives of rewards, by
    differences, and solves sparse linear systems of T S (A + 2) unknowns.
    """

    warm: int = 20
    share: float = 0.1
    centring: float = 0.1
    """Of the duality gap, what a first Newton step leaves."""
    name: str = "interior_point"

    def __post_init__(self) -> None:
        """Refuse settings out of range (UserError)."""
        check_whole(self.name, "warm", self.warm, least=0)
        check_number(self.name, "share", self.share, least=0, most=1)
        check_number(self.name, "centring", self.centring, above=0, below=1)

    def init(self, game: FiniteMFG) -> CentralState:
        """The uniform policy."""
        with np.errstate(divide="ignore"):
            return CentralState(np.log(game.uniform_policy()), 1.0, 0)

    def step(self, game: FiniteMFG, state: CentralState) -> CentralState:
        """One entropic step, or one Newton step that keeps masses and slacks positive and about equally small."""
        if state.iteration < self.warm:
            log_pi, size = entropic(game, state.log_pi, state.step_size)
            return CentralState(log_pi, 1.5 * size, state.iteration + 1)
        if state.values is None or state.weight is None:
            state = self._centre(game, state)
            assert state.values is not None
            assert state.weight is not None
        pi, weight, done = from_log(state.log_pi), state.weight, state.iteration + 1
        place = weight > 0
        mu, z = slack(game, pi, state.values)
        x = mu[:-1, :, None] * pi
        gap = float((x * z)[place].sum())
        product = (x * z)[place] / weight[place]
        wanted = np.zeros(x.shape)
        wanted[place] = state.centring * gap / weight.sum() * weight[place] / x[place] - z[place]
        change, raised = newton_step(game, pi, state.values, mu, z, wanted, place)
        size = min(1.0, TO_THE_EDGE / max(1e-300, float(-change[place].min())))
        floor = min(NEIGHBOURHOOD, 0.9 * float(product.min()) * float(weight.sum()) / gap)
        while size > LEAST_STEP:
            tried = np.where(place, x * (1 + size * change), pi)
            tried /= tried.sum(-1, keepdims=True)
            values = state.values + size * raised
            mu, z = slack(game, tried, values)
            values[-1] = game.terminals(mu[-1])
            products = (mu[:-1, :, None] * tried * z)[place]
            now = float(products.sum())
            least = float((products / weight[place]).min())
            if least >= floor * now / weight.sum() and now <= (1 - 0.1 * size * (1 - state.centring)) * gap:
                bold = 0.1 if size > 0.9 else 0.3 if size > 0.5 else 0.6
                with np.errstate(divide="ignore"):
                    return CentralState(np.log(tried), 0.0, done, values, weight, bold)
            size /= 2
        # nothing gained: nearer to the path first
        return CentralState(state.log_pi, 0.0, done, state.values, weight, 0.5 * (1 + state.centring))

    def _centre(self, game: FiniteMFG, state: CentralState) -> CentralState:
        """Begin the second phase: values above the best by as much as one could gain."""
        pi = (1 - self.share) * from_log(state.log_pi) + self.share * game.uniform_policy()
        mu = game.flow(pi)
        above = max(float(game.exploitability(pi)) / game.horizon, 1e-9)
        values, r = np.empty(mu.shape), game.rewards(mu, pi)
        values[-1] = game.terminals(mu[-1])
        for t in reversed(range(game.horizon)):
            q = r[t] + game.kernel.expect(t, values[t + 1], mu[t])
            values[t] = (q if game.action_mask is None else np.where(game.action_mask, q, -np.inf)).max(-1) + above
        with np.errstate(divide="ignore"):
            log_pi = np.log(pi)
        return CentralState(log_pi, 0.0, state.iteration, values, mu[:-1, :, None] * pi, self.centring)

    def policy(self, game: FiniteMFG, state: CentralState) -> Array:
        """The last one."""
        return from_log(state.log_pi)


def slack(game: FiniteMFG, pi: Array, values: Array) -> tuple[Array, Array]:
    """The flow of pi, and z[T, S, A] = V - r - E V' against it, with V after the last decision as the game has it."""
    mu = game.flow(pi)
    r = game.rewards(mu, pi)
    after = values.copy()
    after[-1] = game.terminals(mu[-1])
    z = np.stack([after[t][:, None] - r[t] - game.kernel.expect(t, after[t + 1], mu[t]) for t in range(game.horizon)])
    return mu, z
