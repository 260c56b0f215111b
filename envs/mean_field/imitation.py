"""What imitators minimise, and what it is worth: proxies of the imitation error, and the Nash imitation gap.

Per step n the proxies are plain L1 distances (no factor 1/2), n = 0..T-1; their scalar is the maximum over n. The Nash
imitation gap of a learner is its exploitability: what one agent gains by deviating when all others imitate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from envs.mean_field.game import FiniteMFG
from envs.mean_field.kernel import Array


@dataclass(frozen=True)
class ImitationErrors:
    """Proxies of a learner's error per step, each [..., T]."""

    BC: Array
    """Behavioural cloning: E over the expert's states of |pi^E - pi|_1."""
    VAN: Array
    """Vanilla adversarial: |x^E - x^{pi | mu^E}|_1, the learner alone in the expert's population."""
    MFC: Array
    """Adversarial through mean-field control: |x^E - x^pi|_1, the learner in its own population."""

    def max(self) -> ImitationErrors:
        """Their scalars: the maxima over steps, shape of the batch."""
        return ImitationErrors(self.BC.max(-1), self.VAN.max(-1), self.MFC.max(-1))


@dataclass(frozen=True)
class Bounds:
    """Upper bounds on the Nash imitation gap, shape of the batch."""

    flows: Array
    """From the distances of flows and occupancies themselves; the tightest."""
    MFC: Array
    """From the largest MFC error; quadratic in T."""
    VAN: Array
    """From the largest VAN error; exponential in T unless P does not depend on mu."""
    BC: Array
    """From the largest BC error; exponential in T unless P does not depend on mu."""


def occupancy(mu: Array, pi: Array) -> Array:
    """x[..., T, S, A] = mu[n](s) pi[n](a|s)."""
    return mu[..., :-1, :, None] * pi


def imitation_errors(game: FiniteMFG, expert: ArrayLike, pi: ArrayLike) -> ImitationErrors:
    """The three proxies of a learner `pi` [..., T, S, A] that imitates `expert` [T, S, A].

    Raises:
        BadPolicy: for what is no policy of this game.
    """
    expert, pi = game.check_policy(expert), game.check_policy(pi)
    mu = game.flow(expert)
    played = occupancy(mu, expert)
    cloned = (mu[..., :-1, :] * np.abs(expert - pi).sum(-1)).sum(-1)
    frozen = np.abs(played - occupancy(game.flow_against(pi, mu), pi)).sum((-2, -1))
    own = np.abs(played - occupancy(game.flow(pi), pi)).sum((-2, -1))
    return ImitationErrors(cloned, frozen, own)


def imitation_bounds(
    game: FiniteMFG, expert: ArrayLike, pi: ArrayLike, *, R: float, L_r: float, L_P: float
) -> Bounds:
    """Upper bounds on the Nash imitation gap of `pi`, for |r| <= R and r, P Lipschitz in mu (L1) with L_r, L_P.

    Each holds where the expert is an equilibrium and, with the expert's own gap added as here, where it is not.

    Raises:
        BadPolicy: for what is no policy of this game.
        ValueError: for a constant below 0 or not finite.
    """
    for name, constant in (("R", R), ("L_r", L_r), ("L_P", L_P)):
        if not (np.isfinite(constant) and constant >= 0):
            raise ValueError(f"{game.name}: {name} is {constant}; want a number, 0 or more")
    expert, pi = game.check_policy(expert), game.check_policy(pi)
    T = game.horizon
    mu_E, mu = game.flow(expert), game.flow(pi)
    d = np.abs(mu_E - mu).sum(-1)[..., :-1]
    m = np.abs(occupancy(mu_E, expert) - occupancy(mu, pi)).sum((-2, -1))
    before = np.cumsum(d, -1) - d
    own = game.exploitability(expert)
    worst = imitation_errors(game, expert, pi).max()
    n = np.arange(T)
    power = (1 + L_P) ** n
    # ((1 + L_P)^n - 1) / L_P, whose limit for L_P -> 0 is n
    growth = n.astype(float) if L_P == 0 else np.expm1(n * np.log1p(L_P)) / L_P
    # of BC: d[n] <= e growth, m[n] <= d[n] + e
    later = np.cumsum(growth) - growth
    cloned = (2 * L_r * growth + R * (growth + 1) + R * L_P * later).sum()
    return Bounds(
        flows=(2 * L_r * d + R * m + R * L_P * before).sum(-1) + own,
        MFC=worst.MFC * (T * (2 * L_r + R) + R * L_P * T * (T - 1) / 2) + own,
        VAN=worst.VAN * ((2 * L_r + R) * power + R * (power - 1)).sum() + own,
        BC=worst.BC * cloned + own,
    )
