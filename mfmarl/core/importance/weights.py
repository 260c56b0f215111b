"""Importance ratios for a drifting mean action, in log space.

A stored population step was produced while the others played `old`; now they play `new`. For agent j the law of the
mean action of its neighbours N(j) has drifted by `w_j = prod_{k in N(j)} new(a_k|o_k) / old(a_k|o_k)` (estimator
`joint`), and `E_new[f] = E_old[w f]`. `M` population steps of `N` agents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mfmarl.core.importance_config import ImportanceConfig


def joint_log_ratio(new: Tensor, old: Tensor, neighbours: Tensor | None = None) -> Tensor:
    """log w_j = sum over the neighbours k of j of (new_k - old_k), leaving j itself out.

    Args:
        new: [M, N], current log-probabilities of the stored actions.
        old: [M, N], log-probabilities of the same actions when they were played.
        neighbours: boolean [N, N] with a false diagonal, or None for everyone else.

    Returns:
        [M, N]. Exactly 0 where nothing has drifted.
    """
    if new.shape != old.shape or new.ndim != 2:
        raise ValueError(f"new {tuple(new.shape)} and old {tuple(old.shape)} must both be [M, N]")
    ratio = new - old
    if neighbours is None:
        # double precision: the sum over 10^4 agents minus one of them would lose that one in float32
        wide = ratio.double()
        return (wide.sum(-1, keepdim=True) - wide).to(ratio.dtype)
    if neighbours.shape != (new.shape[1],) * 2:
        raise ValueError(f"neighbours {tuple(neighbours.shape)} must be [N, N] with N = {new.shape[1]}")
    return ratio @ neighbours.to(ratio.dtype).T


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
    """[M, N], at most `clip` before self-normalisation."""
    mean: float
    """Mean weight before self-normalisation; 1 in expectation without clipping."""
    maximum: float
    effective_share: float
    """ESS / M, averaged over agents, in (0, 1]."""


def drift_weights(log_ratio: Tensor, config: ImportanceConfig) -> DriftWeights:
    """Clip the weights exp(log_ratio) [M, N] at `config.clip`, and divide by their mean if self-normalised.

    Both happen in log space, so ratios from 1e-300 to 1e300 stay finite; equal ratios give weights of exactly 1 when
    self-normalised, and zero log-ratios give exactly 1 either way.
    """
    if not bool(torch.isfinite(log_ratio).all()):
        bad = (~torch.isfinite(log_ratio)).nonzero()[0].tolist()
        raise ValueError(f"log ratio of step {bad[0]}, agent {bad[1]} is {float(log_ratio[tuple(bad)])}")
    clipped = log_ratio.clamp_max(math.log(config.clip))
    plain = clipped.exp()
    scaled = (clipped - clipped.max()).exp()
    weight = scaled / scaled.mean() if config.self_normalise else plain
    share = effective_sample_size(scaled).mean() / log_ratio.shape[0]
    return DriftWeights(weight, float(plain.mean()), float(plain.max()), float(share))
