"""Finite-sample bounds of reweighted means: how far (1/n) sum_i w_i f(abar_i) may be from E_new[f(abar)].

Steps i = 1..n are independent draws of the old law P of the neighbours' sum, Q is the new one, 0 <= f <= V_max, and
w >= 0 is any function of a step; only for w = Q/P is E_P[w f] = E_Q[f], else the bias is bounded too. Second moments
and largest weights are kept as logarithms: at 1,000 neighbours they leave the range of floating point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[np.float64]


@dataclass(frozen=True)
class WeightMoments:
    """What the bounds need to know of a weight under the law that steps are drawn from."""

    log_mean: float
    """log E[w], or a number below it; 0 for the exact ratio."""
    log_second: float
    """log E[w^2], or a number above it."""
    log_largest: float
    """log of the largest weight."""
    bias: float
    """The largest |E[w f] - E_new[f]| of all 0 <= f <= 1, or a number above it."""
    normalised_bias: float
    """The same of E[w f] / E[w], in [0, 1]."""
    exact: bool = True
    """Whether the numbers are the values themselves, not bounds of them."""

    @property
    def effective_share(self) -> float:
        """E[w]^2 / E[w^2], what ESS / n tends to as n grows; in [0, 1]."""
        return math.exp(min(0.0, 2.0 * self.log_mean - self.log_second))

    @property
    def normalised(self) -> WeightMoments:
        """Of w / E[w]."""
        return replace(
            self,
            log_mean=0.0,
            log_second=self.log_second - 2.0 * self.log_mean,
            log_largest=self.log_largest - self.log_mean,
            bias=self.normalised_bias,
        )


def bernstein(moments: WeightMoments, steps: int, delta: float, v_max: float = 1.0) -> float:
    """|mean - E[w f]| <= 2 V_max w_max log(2/delta) / (3n) + V_max sqrt(2 E[w^2] log(2/delta) / n), with 1 - delta.

    Holds as it stands, without centring: log E e^{t(X - EX)} <= E[e^{tX} - 1 - tX] <= E[X^2] (e^{tb} - 1 - tb) / b^2
    for X <= b = V_max w_max (and the same for -X): this step of Bernstein's proof wants a bound of X only.
    """
    level = math.log(2.0 / delta) / steps
    largest, deviation = _exp(moments.log_largest), _exp(0.5 * moments.log_second)
    return v_max * (largest * 2.0 * level / 3.0 + deviation * math.sqrt(2.0 * level))


def hoeffding(moments: WeightMoments, steps: int, delta: float, v_max: float = 1.0) -> float:
    """V_max w_max sqrt(log(2/delta) / (2 n)): the same for weights known only to be bounded; wants 0 <= f."""
    return v_max * _exp(moments.log_largest) * math.sqrt(math.log(2.0 / delta) / (2.0 * steps))


def error_bound(
    moments: WeightMoments, steps: int, delta: float, v_max: float = 1.0, *, self_normalised: bool = False
) -> float:
    """|estimate - E_new[f]| with probability 1 - delta: the bias and the smaller of Bernstein's and Hoeffding's bounds.

    Self-normalised, the error is mean(w (f - m)) / mean(w) about m = E[w f] / E[w], where -m <= f - m <= V_max - m.
    Half of delta goes to the numerator, half to mean(w) >= E[w] - sqrt(2 E[w^2] log(2/delta) / n), which holds for
    w >= 0 whatever its largest value (Maurer 2003). An estimate within [0, V_max] is never off by more than V_max.
    """
    if not self_normalised:
        spread = min(bernstein(moments, steps, delta, v_max), hoeffding(moments, steps, delta, v_max))
        return v_max * moments.bias + spread
    if moments.log_mean == -math.inf:
        return v_max
    scaled = moments.normalised
    least = 1.0 - _exp(0.5 * scaled.log_second) * math.sqrt(2.0 * math.log(2.0 / delta) / steps)
    if least <= 0:
        return v_max
    spread = min(bernstein(scaled, steps, delta / 2.0, v_max), hoeffding(scaled, steps, delta / 2.0, v_max))
    return min(v_max, v_max * scaled.bias + spread / least)


def moments_by_sum(log_law: Array, log_target: Array, log_weight: Array) -> WeightMoments:
    """Moments of a weight that depends on the neighbours' sum only; all [S], over the values the sum can have.

    Args:
        log_law: log-probabilities that steps are drawn with.
        log_target: log-probabilities under the new policies.
        log_weight: log w; what it is where `log_law` is -inf does not matter.
    """
    seen = log_law > -np.inf
    law, weight = log_law[seen], log_weight[seen]
    with np.errstate(under="ignore", over="ignore"):
        target = np.exp(log_target)
        weighted, normalised = np.zeros_like(target), np.zeros_like(target)
        log_mean = float(logsumexp(law + weight))
        weighted[seen] = np.exp(law + weight)
        normalised[seen] = np.exp(law + weight - log_mean)
    return WeightMoments(
        log_mean=log_mean,
        log_second=float(logsumexp(law + 2.0 * weight)),
        log_largest=float(weight.max()),
        bias=_largest_difference(weighted, target),
        normalised_bias=_largest_difference(normalised, target),
    )


def joint_moments(old: Array, new: Array) -> WeightMoments:
    """Moments of the joint ratio of n independent neighbours, from their action probabilities [n, A].

    E[w^2] = prod_k sum_a new_k(a)^2 / old_k(a) = prod_k (1 + chi2_k); the largest weight is prod_k max_a new_k / old_k.
    """
    ratio = _ratios(old, new)
    second = np.log((new * ratio).sum(-1)).sum()
    return WeightMoments(0.0, float(second), float(np.log(ratio.max(-1)).sum()), 0.0, 0.0)


def clipped_joint_moments(old: Array, new: Array, clip: float) -> WeightMoments:
    """Bounds of the moments of min(joint ratio, clip), in closed form.

    Its bias is E_new[(1 - c/w)_+] <= t^t / (1 + t)^(1 + t) c^-t E_new[w^t] for every t > 0, as (1 - 1/x) x^-t is
    largest at x = (1 + t) / t; E_new[w^t] = prod_k sum_a new_k^(1+t) old_k^-t; the best of a grid of t is taken.
    """
    plain = joint_moments(old, new)
    if plain.log_largest <= math.log(clip):
        return plain
    log_ratio = np.log(np.maximum(_ratios(old, new), 1e-300))
    bias = 1.0
    for t in np.geomspace(0.01, 100.0, 81):
        log_moment = logsumexp(t * log_ratio, b=new, axis=-1).sum()
        log_bias = t * math.log(t) - (1 + t) * math.log1p(t) - t * math.log(clip) + log_moment
        bias = min(bias, _exp(float(log_bias)))
    log_mean = math.log1p(-bias) if bias < 1.0 else -math.inf
    # E[min(w, c)^2] <= c E[w]
    log_second = min(plain.log_second, math.log(clip))
    return WeightMoments(log_mean, log_second, math.log(clip), bias, bias, exact=False)


def mixture_moments_bound(share: float, clip: float = math.inf) -> WeightMoments:
    """Bounds for the balance heuristic where `share` of the steps is from the new policies: w <= 1/share.

    E[w^2] <= w_max E[w] = 1/share. Clipping below 1/share takes at most E_new[(1 - c/w)_+] <= 1 - c share.
    """
    largest = min(1.0 / share, clip)
    lost = max(0.0, 1.0 - clip * share) if math.isfinite(clip) else 0.0
    log_largest = math.log(largest)
    return WeightMoments(math.log(1.0 - lost), log_largest, log_largest, lost, lost, exact=False)


def bernoulli_second_moment(old: float, new: float, neighbours: int) -> float:
    """E[w^2] = (p'^2/p + (1-p')^2/(1-p))^n of n neighbours who play 1 with probability p, then p'; joint = marginal."""
    return _exp(neighbours * math.log(new**2 / old + (1 - new) ** 2 / (1 - old)))


def gaussian_second_moment(shift: float, old_variance: float, new_variance: float | None = None) -> float:
    """E[w^2] of the ratio N(m', v') / N(m, v) of the mean action's laws, m' - m = `shift`.

    v / sqrt(v' (2v - v')) exp(shift^2 / (2v - v')), infinite from v' = 2v on; with v' = v = sigma^2/N it is
    exp(N (m'-m)^2 / sigma^2).
    """
    new_variance = old_variance if new_variance is None else new_variance
    room = 2.0 * old_variance - new_variance
    if room <= 0:
        return math.inf
    return _exp(math.log(old_variance) - 0.5 * math.log(new_variance * room) + shift**2 / room)


def clip_bias(log_law: Array, log_target: Array, clip: float) -> float:
    """E_new[(1 - c/w)_+] = sum_s (Q(s) - c P(s))_+: what clipping the exact ratio takes at most of a 0 <= f <= 1."""
    with np.errstate(under="ignore"):
        return float(np.maximum(np.exp(log_target) - clip * np.exp(log_law), 0.0).sum())


def self_normalised_bias(log_law: Array, log_weight: Array, values: Array, steps: int) -> float:
    """First order of the bias of sum w f / sum w about E[w f] / E[w]: -E[w^2 (f - m)] / (n E[w]^2)."""
    law = log_law[log_law > -np.inf]
    weight, f = log_weight[log_law > -np.inf], values[log_law > -np.inf]
    shift = logsumexp(law + weight)
    once, twice = np.exp(law + weight - shift), np.exp(law + 2.0 * (weight - shift))
    return float(-(twice * (f - once @ f)).sum() / steps)


def mean_field_term(lipschitz: float, law: Array) -> float:
    """L sd(abar) >= |E f(abar) - f(E abar)| of the mean of n independent actions, `law` [n, A], values a / (A - 1).

    At most L / (2 sqrt(n)): the O(L_Q / sqrt|N(j)|) of a finite population.
    """
    index = np.linspace(0.0, 1.0, law.shape[1])
    variance = law @ index**2 - (law @ index) ** 2
    return float(lipschitz * math.sqrt(max(variance.sum(), 0.0)) / law.shape[0])


def log_sum_law(law: Array) -> Array:
    """Log-probabilities [n (A-1) + 1] of the sum of n independent actions with probabilities `law` [n, A].

    Agents are added one after another in log space: all terms are positive, so every tail has its relative accuracy.
    """
    neighbours, actions = law.shape
    out = np.full(neighbours * (actions - 1) + 1, -np.inf)
    out[0], reached = 0.0, 1
    with np.errstate(divide="ignore"):
        log_law = np.log(law)
    for row in log_law:
        before, reached = out[:reached].copy(), reached + actions - 1
        out[:reached] = -np.inf
        for action, log_prob in enumerate(row):
            part = out[action : action + before.size]
            np.logaddexp(part, before + log_prob, out=part)
    return out


def _ratios(old: Array, new: Array) -> Array:
    if bool(((old <= 0) & (new > 0)).any()):
        agent, action = np.argwhere((old <= 0) & (new > 0))[0]
        raise ValueError(f"neighbour {agent} plays action {action} now and never did: no weight can make up for that")
    return np.divide(new, old, out=np.zeros_like(new), where=old > 0)


def _largest_difference(law: Array, target: Array) -> float:
    gap = law - target
    return float(max(gap.clip(0).sum(), -gap.clip(max=0).sum()))


def _exp(x: float) -> float:
    return math.inf if x > 700.0 else math.exp(x)
