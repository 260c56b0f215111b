"""Exponential tilting: the laws q_i(a) proportional to p_i(a) e^{ta} whose sum has its mean at a wanted total.

P(S = s) = Q(S = s) exp(sum_i K_i(t) - t s), K_i(t) = log sum_a p_i(a) e^{ta}, holds for every t; at the saddlepoint,
where the mean of S under Q is s, Q(S = s) is no tail any more, so it can be computed with relative accuracy by methods
whose error is absolute (Daniels 1954; Lugannani & Rice 1980).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mfmarl.core.importance.tilt_loops import STEPS, tilt_rows


@dataclass(frozen=True)
class Tilted:
    """R populations of n agents after tilting, each row with its own t."""

    law: Tensor
    """[R, n, A], q_i; rows sum to 1."""
    normaliser: Tensor
    """[R, n], K_i(t)."""
    tilt: Tensor
    """[R]"""
    mean: Tensor
    """[R], of the sum under q."""
    variance: Tensor
    """[R], of the sum under q."""


def tilted(log_probs: Tensor, total: Tensor) -> Tilted:
    """Tilt the laws exp(log_probs) [R, n, A] so that the mean of their sum is about `total` [R].

    "About" means within one standard deviation, which costs a factor of e^{-1/2} of the probability at `total` and
    usually no step or a single one of Newton's method. Totals at or beyond the ends of the support get a t so large
    that all mass is at that end, to within e^-40. All float64, whatever the laws come in.
    """
    if log_probs.device.type == "cpu":
        return _by_loops(log_probs, total)
    return _by_torch(log_probs.double(), total)


def _by_loops(log_probs: Tensor, total: Tensor) -> Tilted:
    rows, agents, actions = log_probs.shape
    law, normaliser = torch.empty((rows, actions, agents), dtype=torch.float64), torch.empty((rows, agents)).double()
    tilt, mean, variance = torch.empty((3, rows), dtype=torch.float64)
    out = (law, normaliser, tilt, mean, variance)
    tilt_rows(log_probs.detach().contiguous().numpy(), total.long().numpy(), *(t.numpy() for t in out))
    return Tilted(law.transpose(1, 2), normaliser, tilt, mean, variance)


def _by_torch(log_probs: Tensor, total: Tensor) -> Tilted:
    index = torch.arange(log_probs.shape[-1], dtype=log_probs.dtype, device=log_probs.device)
    goal = total.to(log_probs.dtype)
    finite = log_probs.masked_fill(torch.isneginf(log_probs), 0.0)
    end = 40.0 - finite.amin((1, 2))
    low, high = -end, end
    tilt = torch.zeros_like(goal)
    state = _tilt(log_probs, tilt, index)
    rows = _astray(state, goal)
    for _ in range(STEPS):
        if rows.numel() == 0:
            break
        mean, variance, here = state.mean[rows], state.variance[rows], tilt[rows]
        above = mean > goal[rows]
        high[rows] = torch.where(above, here, high[rows])
        low[rows] = torch.where(above, low[rows], here)
        step = here + (goal[rows] - mean) / variance.clamp_min(1e-300)
        inside = (step > low[rows]) & (step < high[rows])
        tilt[rows] = torch.where(inside, step, 0.5 * (low[rows] + high[rows]))
        moved = _tilt(log_probs[rows], tilt[rows], index)
        for name in ("law", "normaliser", "tilt", "mean", "variance"):
            getattr(state, name)[rows] = getattr(moved, name)
        rows = rows[_astray(moved, goal[rows])]
    return state


def _tilt(log_probs: Tensor, tilt: Tensor, index: Tensor) -> Tilted:
    logits = log_probs + tilt.view(-1, 1, 1) * index
    peak = logits.amax(-1, keepdim=True)
    law = logits.sub_(peak).exp_()
    moments = law @ torch.stack([torch.ones_like(index), index, index.square()], 1)
    weight = moments[..., :1]
    law = law.div_(weight)
    mean = moments[..., 1] / moments[..., 0]
    variance = (moments[..., 2] / moments[..., 0] - mean.square()).clamp_min(0.0)
    normaliser = (weight.log() + peak).squeeze(-1)
    return Tilted(law, normaliser, tilt.clone(), mean.sum(-1), variance.sum(-1))


def _astray(state: Tilted, goal: Tensor) -> Tensor:
    return ((state.mean - goal).square() > state.variance + 1e-12).nonzero().squeeze(-1)
