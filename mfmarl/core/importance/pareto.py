"""Tails of importance weights: a generalised Pareto fit, its shape k-hat, and smoothing (PSIS; Vehtari et al. 2024).

Fits are made for each agent over the M steps of the draw, since those are what its weighted mean averages over. Pooled
over agents, weights of one step are nearly equal (neighbourhoods overlap), so order statistics would come in clumps of
N and a tail of hundreds would hold the information of a few steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MIN_TAIL = 5
"""Fewer weights than this are no tail to fit."""


@dataclass(frozen=True)
class ParetoFit:
    """Generalised Pareto laws P(X > x) = (1 + k x / sigma)^(-1/k), one for each column."""

    shape: Tensor
    """k, [...]"""
    scale: Tensor
    """sigma > 0, [...]"""


def fit_generalised_pareto(exceedance: Tensor) -> ParetoFit:
    """The posterior mean of Zhang & Stephens (2009), with the weak prior on k of Vehtari et al. (2024, appendix C).

    The prior is worth 10 observations of k = .5. A scale of the data changes sigma alone.

    Args:
        exceedance: [n, ...] with n >= MIN_TAIL, positive and ascending along the first axis; each column by itself.
    """
    count = exceedance.shape[0]
    x = exceedance.double()
    points = 30 + int(count**0.5)
    i = torch.arange(1, points + 1, dtype=torch.float64, device=x.device).view(-1, *[1] * (x.ndim - 1))
    # theta of the paper: -k / sigma of the candidates
    quartile = x[int(count / 4 + 0.5) - 1]
    theta = 1.0 / x[-1] + (1.0 - (points / (i - 0.5)).sqrt()) / (3.0 * quartile)
    shape = torch.log1p(-theta.unsqueeze(1) * x).mean(1)
    level = count * ((-theta / shape).log() - shape - 1.0)
    weight = torch.softmax(level.nan_to_num(nan=-torch.inf), 0)
    best = (theta * weight).sum(0)
    k = torch.log1p(-best * x).mean(0)
    return ParetoFit((count * k + 5.0) / (count + 10.0), -k / best)


@dataclass(frozen=True)
class Tail:
    """The largest weights of each agent and the law of what they exceed the next one by."""

    place: Tensor
    """[n, F], steps of the tail in ascending order of weight, of the F fitted agents."""
    agent: Tensor
    """[F]"""
    log_cutoff: Tensor
    """[F], the largest log weight below the tail."""
    log_unit: Tensor
    """[F], log of the weight that the fit's scale is measured in: the largest one."""
    fit: ParetoFit


def tail_length(draws: int) -> int:
    """min(M / 5, 3 sqrt(M)) weights are the tail."""
    return min(draws // 5, int(3 * draws**0.5))


def fit_tails(log_weight: Tensor) -> Tail | None:
    """Tails of log weights [M, N], agent by agent; None where there is none to fit.

    Left out are agents a quarter of whose tail is no larger than the cutoff (no drift, or ties), and those with so few
    positive weights that some would have to be in the tail that are 0.
    """
    length = tail_length(log_weight.shape[0])
    if length < MIN_TAIL:
        return None
    top, place = log_weight.double().topk(length + 1, 0)
    unit, cutoff = top[0], top[-1]
    quartile = top[length - int(length / 4 + 0.5)]
    agent = (torch.isfinite(cutoff) & (quartile - cutoff > 1e-9)).nonzero().squeeze(-1)
    if agent.numel() == 0:
        return None
    exceedance = (top[:-1, agent] - unit[agent]).exp().flip(0) - (cutoff[agent] - unit[agent]).exp()
    # where ratios span more than float64 does
    fit = fit_generalised_pareto(exceedance.clamp_min(1e-300))
    return Tail(place[:-1].flip(0)[:, agent], agent, cutoff[agent], unit[agent], fit)


def smooth_tails(log_weight: Tensor, tail: Tail) -> Tensor:
    """Replace each tail by the expected order statistics of its law, at most the largest weight there was: [M, N].

    Order is kept; all other weights stay as they are.
    """
    length = tail.place.shape[0]
    step = torch.arange(length, dtype=torch.float64, device=log_weight.device)
    survival = (1.0 - (step + 0.5) / length).log().unsqueeze(1)
    k = tail.fit.shape
    # sigma (survival^-k - 1) / k, for k -> 0 too
    safe = torch.where(k.abs() < 1e-9, torch.ones_like(k), k)
    excess = torch.where(k.abs() < 1e-9, -survival, torch.expm1(-k * survival) / safe) * tail.fit.scale
    cutoff = tail.log_cutoff - tail.log_unit
    smoothed = (excess + cutoff.exp()).log().maximum(cutoff).clamp_max(0.0) + tail.log_unit
    result = log_weight.clone()
    result[tail.place, tail.agent.unsqueeze(0)] = smoothed.to(log_weight.dtype)
    return result
