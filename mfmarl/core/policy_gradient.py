"""Losses of actors and critics, element by element; `weighted_mean` reduces them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def clipped_surrogate(log_ratio: Tensor, advantage: Tensor, clip: float) -> Tensor:
    """-min(r A, clamp(r, 1 - clip, 1 + clip) A) with r = exp(log_ratio) (Schulman et al. 2017, eq. 7).

    Its gradient at r = 1 is -A grad log pi, the policy gradient; it is 0 where r has left the clip in the direction
    that A asks for.

    Args:
        log_ratio: log pi(a) - log pi_0(a), where pi_0 is the policy that the epochs began with.
        advantage: of the same shape.
    """
    if log_ratio.shape != advantage.shape:
        raise ValueError(f"log ratio {tuple(log_ratio.shape)} and advantage {tuple(advantage.shape)} must agree")
    ratio = log_ratio.exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage)


def value_loss(value: Tensor, target: Tensor, before: Tensor | None = None, clip: float | None = None) -> Tensor:
    """(value - target)^2 / 2; with `clip` the larger of that and of the value held within `clip` of `before`."""
    loss = 0.5 * (value - target).square()
    if clip is None or before is None:
        return loss
    held = before + (value - before).clamp(-clip, clip)
    return torch.maximum(loss, 0.5 * (held - target).square())


def kl_estimate(log_ratio: Tensor) -> Tensor:
    """(r - 1) - log r, never negative; under pi_0 its mean is KL(pi_0 || pi), with r = pi / pi_0."""
    return torch.expm1(log_ratio) - log_ratio


def normalised(advantage: Tensor, weight: Tensor, types: Sequence[slice]) -> Tensor:
    """Advantages [M, N] with weighted mean 0 and variance 1 in each type; a type without any spread gets zeros."""
    out = torch.zeros_like(advantage)
    for agents in types:
        mine, w = advantage[:, agents], weight[:, agents]
        total = w.sum().clamp_min(torch.finfo(w.dtype).tiny)
        centred = mine - (w * mine).sum() / total
        spread = ((w * centred.square()).sum() / total).sqrt()
        if float(spread) > 1e-6:
            out[:, agents] = centred / spread
    return out


def explained_variance(value: Tensor, target: Tensor) -> float | None:
    """1 - Var(target - value) / Var(target), at most 1; None where targets do not vary."""
    spread = float(target.var())
    return 1.0 - float((target - value).var()) / spread if spread > 0 else None
