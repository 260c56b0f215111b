"""MAGAIL in the coordination game against the best discriminator, exactly: when do two independent policies, each
1/2, leave that point for the joint actions (A, A) or (B, B), and how large an entropy bonus keeps them there.

D is the probability that a joint action is the expert's. The best one is rho_E / (rho_E + rho_pi) (Goodfellow et al.
2014, proposition 1; Song et al. 2018, section 3), of logit log rho_E - log rho_pi.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit

from mfmarl.errors import UserError

Array = NDArray[np.float64]
RewardStyle = Literal["non_saturating", "gail", "airl"]
Sharing = Literal["single", "centralised", "decentralised"]
"""Of discriminators."""
FLOOR = 1e-8
"""Added to a probability before its logarithm is taken."""


def best_logit(expert: ArrayLike, policy: ArrayLike, lowest: float = -math.inf) -> Array:
    """log rho_E - log rho_pi, not below `lowest`; nan where neither ever is, since nothing is known of D there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        d: Array = np.maximum(np.log(np.asarray(expert, float)) - np.log(np.asarray(policy, float)), lowest)
    return d


def reward_of_logit(logit: ArrayLike, style: RewardStyle) -> Array:
    """What the policy is paid where D has this logit: log(D + 1e-8), -log(1 - D + 1e-8), or the sum of both."""
    d = np.asarray(logit, float)
    for_expert, against = np.log(expit(d) + FLOOR), -np.log(expit(-d) + FLOOR)
    if style == "non_saturating":
        return for_expert
    return against if style == "gail" else for_expert + against


def best_reward(expert: ArrayLike, policy: ArrayLike, style: RewardStyle, lowest: float = -math.inf) -> Array:
    """r(e, pi), of the best discriminator whose logit is not below `lowest`: any shape."""
    return reward_of_logit(best_logit(expert, policy, lowest), style)


def best_reward_slope(expert: float, policy: float, style: RewardStyle, lowest: float = -math.inf) -> float:
    """dr/dpi at r(e, pi): 0 where the logit is at its bound, or the expert never is."""
    d = float(best_logit(expert, policy))
    if d <= lowest or math.isinf(d):
        return 0.0
    D, rest = float(expit(d)), float(expit(-d))
    slope = {"non_saturating": D * rest / (D + FLOOR), "gail": D * rest / (rest + FLOOR)}
    # the logit falls by 1 / pi
    return -(sum(slope.values()) if style == "airl" else slope[style]) / policy


def coordination_expert(off_diagonal: float) -> Array:
    """The expert's joint law [2, 2]: (1 - v)/2 on (A, A) and on (B, B), v/2 on (A, B) and on (B, A)."""
    if not 0 <= off_diagonal <= 1:
        raise UserError(f"coordination_expert: off_diagonal is {off_diagonal}; want 0 to 1")
    same, other = (1 - off_diagonal) / 2, off_diagonal / 2
    return np.array([[same, other], [other, same]])


@dataclass(frozen=True)
class SymmetricPoint:
    """The profile (1/2, 1/2) of the coordination game under gradient ascent of reward + beta x entropy."""

    gap: float
    """D = r_s - r_d: how much more a joint action on the diagonal is paid."""
    slope_same: float
    """g = dr_s/dpi at pi = 1/4."""
    slope_other: float
    """dr_d/dpi at pi = 1/4."""

    def growth(self, beta: float) -> tuple[float, float]:
        """Rates at which the two probabilities of A leave 1/2, together and apart: 2 D + g - 4 beta, -2 D + g_d - 4
        beta. The rewards are held fixed while a policy ascends, and the discriminator is always at its best."""
        return 2 * self.gap + self.slope_same - 4 * beta, -2 * self.gap + self.slope_other - 4 * beta

    @property
    def threshold(self) -> float:
        """beta* = (2 D + g)/4: below it agents leave together, for (A, A) or (B, B)."""
        return self.growth(0.0)[0] / 4

    def stable(self, beta: float) -> bool:
        """Whether every small step away dies out."""
        return max(self.growth(beta)) < 0


def symmetric_point(off_diagonal: float, style: RewardStyle, lowest: float = -math.inf) -> SymmetricPoint:
    """Of a joint discriminator at its best, whose logit is not below `lowest` (-inf: not bounded)."""
    expert = coordination_expert(off_diagonal)
    r = best_reward(expert, np.full((2, 2), 0.25), style, lowest)
    same, other = (best_reward_slope(float(e), 0.25, style, lowest) for e in expert[0])
    return SymmetricPoint(float(r[0, 0] - r[0, 1]), same, other)


BETA_C = 0.5 * (-math.log(FLOOR) + math.log(2 / 3) - 2 / 3)
"""8.6743: beta* of log(D + 1e-8) where the expert is never off the diagonal and the logit is not bounded."""


def ascent(p: float, q: float, beta: float, expert: Array, style: RewardStyle, lowest: float = -math.inf) -> Array:
    """(dp/dt, dq/dt): the slopes of reward + beta x entropy by the two probabilities of A, in any 2 x 2 game.

    Args:
        expert: joint law [2, 2].
    """
    if not (0 < p < 1 and 0 < q < 1):
        raise UserError(f"ascent: probabilities are {p:.3g} and {q:.3g}; want between 0 and 1, both left out")
    mine, other = np.array([p, 1 - p]), np.array([q, 1 - q])
    r = best_reward(expert, np.outer(mine, other), style, lowest)
    paid = np.array([(r[0] - r[1]) @ other, mine @ (r[:, 0] - r[:, 1])])
    # the entropy's slope is log((1 - p) / p)
    slope: Array = paid + beta * np.log(np.array([(1 - p) / p, (1 - q) / q]))
    return slope


def growth_in_ascent(
    beta: float, expert: Array, style: RewardStyle, lowest: float = -math.inf, *, nudge: float = 1e-9, steps: int = 200
) -> float:
    """Rate per unit of time at which p + q leaves 1 when `ascent` is followed from (1/2 + nudge, 1/2 + nudge/2) for
    half a unit (Runge-Kutta of the fourth order)."""

    def slope(x: Array) -> Array:
        return ascent(0.5 + nudge * x[0], 0.5 + nudge * x[1], beta, expert, style, lowest) / nudge

    x = start = np.array([1.0, 0.5])
    h = 0.5 / steps
    for _ in range(steps):
        k1 = slope(x)
        k2 = slope(x + h / 2 * k1)
        k3 = slope(x + h / 2 * k2)
        x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(x + h * k3))
    return float(np.log(abs(x.sum()) / start.sum()) / 0.5)


def threshold_in_ascent(
    expert: Array, style: RewardStyle, lowest: float = -math.inf, between: tuple[float, float] = (-0.5, 10.0)
) -> float:
    """beta* measured: where nudges neither grow nor die, found between two betas."""
    rates = [growth_in_ascent(beta, expert, style, lowest) for beta in between]
    if not rates[0] > 0 > rates[1]:
        raise UserError(f"threshold_in_ascent: nudges grow by {rates} at beta {between}; want growth, then decay")
    return float(brentq(growth_in_ascent, *between, args=(expert, style, lowest), xtol=1e-6))
