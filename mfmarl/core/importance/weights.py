"""From log ratios to weights: stabilisers, and what the weights say of the drift."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.optimize import brentq
from torch import Tensor

from mfmarl.core.importance.ess_loops import mean_share
from mfmarl.core.importance.pareto import fit_tails, smooth_tails
from mfmarl.core.importance_config import ImportanceConfig

_DIAGNOSED = 16
"""Agents whose tails are fitted for k-hat where no tail is smoothed: enough for a mean, cheap at N = 10,000."""


def effective_sample_size(weights: Tensor) -> Tensor:
    """(sum w)^2 / sum w^2 over the first axis, in [1, n]: [n, ...] -> [...] (Kong 1992); 0 where all weights are 0."""
    wide = weights.double()
    peak = wide.amax(0).clamp_min(torch.finfo(torch.float64).tiny)
    wide = wide / peak
    squares = wide.square().sum(0)
    return torch.where(squares > 0, wide.sum(0).square() / squares.clamp_min(1e-300), squares).to(weights.dtype)


@dataclass(frozen=True)
class DriftWeights:
    """Weights of M population steps and what they say of the drift."""

    weight: Tensor
    """[M, N], at most `clip`."""
    mean: float
    """Mean weight before self-normalisation; 1 in expectation without stabilisers."""
    maximum: float
    """Largest weight as it is used."""
    effective_share: float
    """ESS / M, averaged over agents, in (0, 1]; 0 where every weight is 0."""
    k_hat: float | None
    """Shape of the tails of the tempered weights before smoothing and clipping, averaged over agents: below .7 means
    can be trusted. None where there is no tail: fewer than 25 steps, or weights that hardly differ."""
    temper: float
    """Exponent of the weights: `config.temper`, or less where the ESS floor asked for it; 0 if it is out of reach."""


def drift_weights(log_ratio: Tensor, config: ImportanceConfig) -> DriftWeights:
    """Weights exp(log_ratio) [M, N], stabilised in this order, each only if configured:

    1. temper: w^alpha;
    2. Pareto smoothing of each agent's largest weights (PSIS);
    3. clip at c;
    4. ESS floor: where ESS / M, averaged over agents, is below it, w^beta with the largest beta in [0, 1] that reaches
       it (ESS falls with beta; a floor above the share of positive weights is out of reach and gives beta = 0, all
       positive weights equal);
    5. self-normalise: divide by the mean over steps and agents, and clip at c again: where almost all weights are tiny
       the mean is too, and would lift the largest ones above c.

    All in log space, so ratios from 1e-300 to 1e300 stay finite; equal ratios give weights of exactly 1 when
    self-normalised, and zero log-ratios give exactly 1 either way. A ratio of -inf is a weight of 0.

    Raises:
        ValueError: for nan and +inf; names step and agent.
    """
    # a nan is not below anything, and comes through a maximum
    if not float(log_ratio.max()) < math.inf:
        bad = torch.isnan(log_ratio) | torch.isposinf(log_ratio)
        step, agent = bad.nonzero()[0].tolist()
        raise ValueError(
            f"log ratio of step {step}, agent {agent} is {float(log_ratio[step, agent])}; it must be finite, or -inf "
            "for what the new policies never do"
        )
    log_weight = log_ratio * config.temper if config.temper < 1 else log_ratio
    agents = log_ratio.shape[1]
    # every agent's tail if it is smoothed, else some of them, evenly over the population
    picked = log_weight if config.pareto else log_weight[:, :: max(1, -(-agents // _DIAGNOSED))]
    tail = fit_tails(picked)
    if config.pareto and tail is not None:
        log_weight = smooth_tails(log_weight, tail)
    log_weight = log_weight.clamp_max(math.log(config.clip))
    beta = 1.0
    below = _below_peak(log_weight)
    share = _effective_share(below, beta)
    if share < config.ess_floor:
        beta, share = _reach(below, config.ess_floor)
        log_weight = _power(log_weight, beta)
    plain = log_weight.exp()
    weight = plain
    if config.self_normalise:
        scaled = _scaled(log_weight)
        weight = (scaled / scaled.mean().clamp_min(torch.finfo(scaled.dtype).tiny)).clamp_max(config.clip)
    k_hat = None if tail is None else float(tail.fit.shape.mean())
    return DriftWeights(weight, float(plain.mean()), float(weight.max()), share, k_hat, config.temper * beta)


def _power(log_weight: Tensor, beta: float) -> Tensor:
    """log of w^beta; a weight of 0 stays 0 for beta = 0 too."""
    if beta == 1.0:
        return log_weight
    return torch.where(torch.isneginf(log_weight), log_weight, log_weight * beta)


def _scaled(log_weight: Tensor) -> Tensor:
    """Weights over the largest of them; zeros where all are 0."""
    return (log_weight - log_weight.max().clamp_min(torch.finfo(log_weight.dtype).min)).exp()


def _below_peak(log_weight: Tensor) -> Tensor:
    """Log weights less each agent's largest: powers of their exponentials neither overflow nor all vanish."""
    return log_weight - log_weight.amax(0).clamp_min(torch.finfo(log_weight.dtype).min)


def _effective_share(below: Tensor, beta: float) -> float:
    """ESS / M of exp(below)^beta, averaged over agents."""
    if beta > 0 and below.device.type == "cpu" and below.dtype == torch.float32:
        return float(mean_share(below.contiguous().numpy(), beta))
    scaled = _power(below, beta).exp().double()
    share = scaled.sum(0).square() / scaled.square().sum(0).clamp_min(1e-300)
    return float(share.mean()) / below.shape[0]


def _reach(below: Tensor, floor: float) -> tuple[float, float]:
    """The largest beta in [0, 1) whose effective share is at least `floor`, to 1e-6, and that share.

    Shares fall with beta, and that of 1 is below the floor.
    """
    share = _effective_share(below, 0.0)
    if share <= floor:
        return 0.0, share
    beta = float(brentq(lambda x: _effective_share(below, x) - floor, 0.0, 1.0, xtol=5e-7))
    # the root is known to within xtol on either side
    while (share := _effective_share(below, beta)) < floor and beta > 0:
        beta = max(0.0, beta - 5e-7)
    return beta, share
